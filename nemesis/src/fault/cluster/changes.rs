//! The combined effect of all member changes in force. Pure.
//!
//! Changes may overlap. The wanted members are the initial members with all changes in force applied, in
//! whichever order the changes end.

use crate::claim::Claim;
use crate::directory::Members;
use crate::parameters::MemberChange;
use crate::topology::Topology;
use std::collections::BTreeSet;

/// The member changes in force.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Per claim: the nodes that must be members, and those that must not.
    list: Vec<(Claim, BTreeSet<String>, BTreeSet<String>)>,
    /// The newest configuration that was read.
    newest: u64,
}

impl Changes {
    pub(super) fn begin(&mut self, claim: Claim, change: MemberChange, nodes: &[String], instead: &[String]) {
        let (come, go) = match change {
            MemberChange::Add => (nodes, &[][..]),
            MemberChange::Remove | MemberChange::Replace => (instead, nodes),
        };
        self.list.push((claim, come.iter().cloned().collect(), go.iter().cloned().collect()));
    }

    /// Ends all changes.
    pub(super) fn clear(&mut self) {
        self.list.clear();
    }

    /// Ends a change; returns its nodes.
    pub(super) fn end(&mut self, claim: Claim) -> BTreeSet<String> {
        let ended: Vec<_> = self.list.extract_if(.., |(other, _, _)| *other == claim).collect();
        ended.into_iter().flat_map(|(_, come, go)| come.into_iter().chain(go)).collect()
    }

    /// Splits these nodes into wanted and unwanted members. A removal wins over an addition.
    pub(super) fn wanted(&self, nodes: &BTreeSet<String>, topology: &Topology) -> Wanted {
        let is_member = |node: &String| {
            let goes = self.list.iter().any(|(_, _, go)| go.contains(node));
            let comes = self.list.iter().any(|(_, come, _)| come.contains(node));
            !goes && (comes || topology.members().any(|member| member == node))
        };
        let (inside, outside) = nodes.iter().cloned().partition(is_member);
        Wanted { inside, outside }
    }

    /// Whether no newer configuration was read; a node that was cut off may report an older one.
    pub(super) fn is_newest(&mut self, members: &Members) -> bool {
        self.newest = self.newest.max(members.version);
        members.version == self.newest
    }
}

/// The wanted and the unwanted members.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) inside: Vec<String>,
    pub(super) outside: Vec<String>,
}

impl Wanted {
    /// The nodes that these members lack, and those that they must remove.
    pub(super) fn missing(&self, members: &Members) -> (Vec<String>, Vec<String>) {
        let is_in = |name: &&String| members.names.contains(name);
        (
            self.inside.iter().filter(|name| !is_in(name)).cloned().collect(),
            self.outside.iter().filter(is_in).cloned().collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[&str]) -> Vec<String> {
        all.iter().map(|name| (*name).to_owned()).collect()
    }

    fn cluster() -> Topology {
        let mut topology = Topology::new((1..=4).map(|i| (format!("n{i}"), ["replica"])));
        topology.nodes[3].spare = true;
        topology
    }

    /// The nodes that members lack and must remove to satisfy the changes.
    fn missing(changes: &Changes, members: &[&str]) -> (Vec<String>, Vec<String>) {
        let all = names(&["n1", "n2", "n3", "n4"]).into_iter().collect();
        let members = Members { names: names(members), under_way: false, version: 0, source: String::new() };
        changes.wanted(&all, &cluster()).missing(&members)
    }

    #[test]
    fn member_change_is_undone_by_its_end() {
        let mut changes = Changes::default();
        changes.begin(1, MemberChange::Replace, &names(&["n2"]), &names(&["n4"]));
        assert_eq!(missing(&changes, &["n1", "n2", "n3"]), (names(&["n4"]), names(&["n2"])));
        assert_eq!(missing(&changes, &["n1", "n3", "n4"]), (Vec::new(), Vec::new()));
        assert_eq!(changes.end(1), names(&["n2", "n4"]).into_iter().collect());
        assert_eq!(missing(&changes, &["n1", "n3", "n4"]), (names(&["n2"]), names(&["n4"])));
    }

    #[test]
    fn changes_of_one_node_end_in_any_order() {
        for order in [[1, 2], [2, 1]] {
            let mut changes = Changes::default();
            changes.begin(1, MemberChange::Add, &names(&["n4"]), &[]);
            changes.begin(2, MemberChange::Remove, &names(&["n4"]), &[]);
            assert_eq!(missing(&changes, &["n1", "n2", "n3", "n4"]), (Vec::new(), names(&["n4"])));
            changes.end(order[0]);
            let here = if order[0] == 2 { names(&["n4"]) } else { Vec::new() };
            assert_eq!(missing(&changes, &["n1", "n2", "n3"]).0, here);
            changes.end(order[1]);
            assert_eq!(missing(&changes, &["n1", "n2", "n3", "n4"]), (Vec::new(), names(&["n4"])));
        }
    }

    #[test]
    fn an_older_configuration_proves_nothing() {
        let read = |version| Members { names: Vec::new(), under_way: false, version, source: String::new() };
        let mut changes = Changes::default();
        assert!(changes.is_newest(&read(3)) && changes.is_newest(&read(3)) && !changes.is_newest(&read(2)));
    }
}
