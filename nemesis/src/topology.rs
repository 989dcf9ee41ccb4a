//! The nodes of a cluster: names and role labels, without the meaning of roles.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The nodes of a cluster, in the order of all listings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Topology {
    /// The nodes. Names are unique.
    pub nodes: Vec<NodeInfo>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NodeInfo {
    /// Its name, for example `n1`.
    pub name: String,
    /// Labels of its roles, for example `replica`. Targets such as `random-replica` select by them.
    #[serde(default)]
    pub roles: BTreeSet<String>,
    /// Whether it starts outside the cluster, until a fault adds it as a member.
    ///
    /// Words such as `random` and `all` never select it.
    #[serde(default)]
    pub spare: bool,
}

impl Topology {
    /// A cluster of these nodes, each `(name, roles)`.
    pub fn new<N: Into<String>, R: Into<String>>(
        nodes: impl IntoIterator<Item = (N, impl IntoIterator<Item = R>)>,
    ) -> Self {
        let nodes = nodes.into_iter().map(|(name, roles)| NodeInfo {
            name: name.into(),
            roles: roles.into_iter().map(Into::into).collect(),
            spare: false,
        });
        Self { nodes: nodes.collect() }
    }

    /// The same, in which the last `count` nodes are spare ones.
    #[must_use]
    pub fn with_spares(mut self, count: usize) -> Self {
        let members = self.nodes.len().saturating_sub(count);
        self.nodes[members..].iter_mut().for_each(|node| node.spare = true);
        self
    }

    /// The names of all nodes, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.nodes.iter().map(|node| node.name.as_str())
    }

    /// The names of the initial members, in order.
    pub fn members(&self) -> impl Iterator<Item = &str> + Clone {
        self.nodes.iter().filter(|node| !node.spare).map(|node| node.name.as_str())
    }

    /// The names of the spare nodes, in order.
    pub fn spares(&self) -> impl Iterator<Item = &str> + Clone {
        self.nodes.iter().filter(|node| node.spare).map(|node| node.name.as_str())
    }

    /// Whether there is a node of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.names().any(|other| other == name)
    }

    /// The names of the initial members with this role, in order.
    pub fn with_role(&self, role: &str) -> Vec<&str> {
        let with = self.nodes.iter().filter(|node| !node.spare && node.roles.contains(role));
        with.map(|node| node.name.as_str()).collect()
    }

    /// Every role that some node has.
    pub fn roles(&self) -> BTreeSet<&str> {
        self.nodes.iter().flat_map(|node| node.roles.iter().map(String::as_str)).collect()
    }
}

/// The candidate most similar to `word`, if it is similar enough to be a misspelling.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}
