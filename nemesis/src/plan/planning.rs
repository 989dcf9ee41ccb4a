//! The context in which a kind chooses the targets of one fault.

use crate::parameters::Target;
use crate::refusal::Refusal;
use crate::scope::{Ends, Scope};
use crate::select::select;
use crate::topology::Topology;
use rand::rngs::ChaCha8Rng;
use std::collections::BTreeSet;

/// The targets of one fault, and its label.
#[derive(Debug)]
pub(crate) struct Aim {
    pub(crate) label: String,
    pub(crate) target: String,
    pub(crate) nodes: Option<Vec<String>>,
    pub(crate) scope: Scope,
}

/// The effect of a member change on the cluster.
#[derive(Debug)]
pub(crate) struct Moved {
    /// The nodes that it adds or removes.
    pub(crate) nodes: Vec<String>,
    /// Number of members that it removes without replacement.
    pub(crate) missing: usize,
}

/// The effects of all other member changes at the same time.
#[derive(Debug, Default)]
pub(crate) struct Others {
    pub(crate) used: BTreeSet<String>,
    pub(crate) missing: usize,
}

impl Others {
    pub(crate) fn add(&mut self, moved: Moved) {
        self.used.extend(moved.nodes);
        self.missing += moved.missing;
    }
}

/// The cluster, the random stream of this fault, and the other faults at the same time.
pub(crate) struct Planning<'a> {
    pub(crate) topology: &'a Topology,
    pub(crate) rng: &'a mut ChaCha8Rng,
    /// Nodes whose process another fault holds; draws prefer the others.
    pub(crate) busy: BTreeSet<String>,
    pub(crate) others: Others,
}

impl Planning<'_> {
    /// The nodes of a target.
    pub(crate) fn choose(&mut self, field: &'static str, target: &Target) -> Result<Ends, Refusal> {
        select(target, self.topology, self.rng, &self.busy).map_err(|complaint| complaint.of(field))
    }

    /// The nodes of a target, drawn from nodes other than these if enough exist.
    pub(crate) fn choose_beside(
        &mut self,
        used: &BTreeSet<String>,
        field: &'static str,
        target: &Target,
    ) -> Result<Ends, Refusal> {
        select(target, self.topology, self.rng, used).map_err(|complaint| complaint.of(field))
    }

    /// Targets the processes of a target's nodes; `words` describe the fault.
    pub(crate) fn on_processes(&mut self, words: &str, target: Option<&Target>) -> Result<Aim, Refusal> {
        let target = target.ok_or_else(|| {
            let role = self.topology.roles().first().map(|role| format!("random-{role}"));
            let example = role.unwrap_or_else(|| "random".to_owned());
            Refusal::new("target", format!("name the nodes, for example target = \"{example}\""))
        })?;
        let ends = self.choose("target", target)?;
        self.aimed("target", words, &target.to_string(), Scope::Processes(ends))
    }

    /// Targets every link from or to a target's nodes; without a target, every link.
    pub(crate) fn on_links(&mut self, words: &str, target: Option<&Target>) -> Result<Aim, Refusal> {
        let all = Target::from("all");
        let target = target.unwrap_or(&all);
        let ends = self.choose("target", target)?;
        self.aimed("target", words, &target.to_string(), Scope::Around(ends))
    }

    /// Targets all members; the label is the kind alone.
    pub(crate) fn on_all(&self, kind: &str) -> Aim {
        let nodes: Vec<String> = self.topology.members().map(str::to_owned).collect();
        Aim {
            label: kind.to_owned(),
            target: "all".to_owned(),
            nodes: Some(nodes.clone()),
            scope: Scope::Processes(Ends::Nodes(nodes)),
        }
    }

    /// Composes the label, and refuses an empty selection.
    pub(crate) fn aimed(
        &self,
        field: &'static str,
        words: &str,
        target: &str,
        scope: Scope,
    ) -> Result<Aim, Refusal> {
        let plain = format!("{words} {target}");
        let (label, nodes) = if scope.needs_leader() {
            (plain, None)
        } else {
            let hit = scope.resolve(self.topology, None).map_err(|reason| Refusal::new(field, reason))?;
            let found = hit.nodes.join(" ");
            let plain_enough = target == found || target == "all" || target.contains('→');
            (if plain_enough { plain } else { format!("{plain} ({found})") }, Some(hit.nodes))
        };
        Ok(Aim { label, target: target.to_owned(), nodes, scope })
    }
}
