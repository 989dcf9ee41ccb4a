//! The owner of the data on each node. Pure.
//!
//! Faults that swap disks may overlap. The owner of a node's data follows from all swaps in force, applied in
//! the order of their starts, whichever ends first. Damage stays with the data when they move.

use crate::claim::Claim;
use crate::process::Excuse;
use std::collections::BTreeMap;

/// The disks of a cluster and their current nodes. A disk has the name of the node that owns it.
#[derive(Debug, Default)]
pub(super) struct Volumes {
    /// The swaps in force, in the order of their starts: each rotates the data of its nodes by one.
    swaps: Vec<Swap>,
    /// The owner of each node's data, for nodes that have other data than their own.
    held: BTreeMap<String, String>,
    /// Damage, by the owner of the data: the faults that caused it, each with its excuse.
    damage: BTreeMap<String, BTreeMap<Claim, Excuse>>,
}

/// A swap in force.
#[derive(Debug)]
struct Swap {
    claim: Claim,
    nodes: Vec<String>,
    /// The reason why a node may end by itself because of it.
    excuse: Excuse,
}

impl Volumes {
    /// Adds a swap among these nodes.
    pub(super) fn swap(&mut self, claim: Claim, nodes: &[String], excuse: Excuse) {
        self.swaps.push(Swap { claim, nodes: nodes.to_vec(), excuse });
    }

    /// Ends a swap, or all of them.
    pub(super) fn end(&mut self, claim: Option<Claim>) {
        self.swaps.retain(|swap| claim.is_some_and(|claim| swap.claim != claim));
    }

    /// The owner of a node's data.
    pub(super) fn of<'a>(&'a self, node: &'a str) -> &'a str {
        self.held.get(node).map_or(node, String::as_str)
    }

    /// The swap in force that moved a node's data away; none if it has its own.
    pub(super) fn swapped_by(&self, node: &str) -> Option<(Claim, Excuse)> {
        let touches = |swap: &&Swap| swap.nodes.iter().any(|other| other == node);
        self.swaps.iter().rev().find(touches).map(|swap| (swap.claim, swap.excuse))
    }

    /// The wanted owner of each node's data, for nodes that should have other data than their own.
    fn wanted(&self) -> BTreeMap<String, String> {
        let mut wanted: BTreeMap<String, String> = BTreeMap::new();
        let of = |wanted: &BTreeMap<String, String>, node: &String| {
            wanted.get(node).cloned().unwrap_or_else(|| node.clone())
        };
        for Swap { nodes, .. } in &self.swaps {
            let had: Vec<String> = nodes.iter().map(|node| of(&wanted, node)).collect();
            for (index, node) in nodes.iter().enumerate() {
                wanted.insert(node.clone(), had[(index + had.len() - 1) % had.len()].clone());
            }
        }
        wanted.retain(|node, owner| node != owner);
        wanted
    }

    /// The nodes with the wrong data, each with the node that has the right ones.
    pub(super) fn moves(&self) -> BTreeMap<String, String> {
        let wanted = self.wanted();
        let nodes = wanted.keys().chain(self.held.keys());
        let should = |node: &str| wanted.get(node).map_or_else(|| node.to_owned(), Clone::clone);
        let holder = |owner: &str| {
            let holder = self.held.iter().find(|(_, held)| *held == owner);
            holder.map_or_else(|| owner.to_owned(), |(holder, _)| holder.clone())
        };
        let moved = nodes.filter(|node| should(node) != self.of(node));
        moved.map(|node| (node.clone(), holder(&should(node)))).collect()
    }

    /// Records that all moves are done.
    pub(super) fn moved(&mut self) {
        self.held = self.wanted();
    }

    /// Records that a fault damaged the data on a node.
    pub(super) fn damage(&mut self, node: &str, claim: Claim, excuse: Excuse) {
        let owner = self.of(node).to_owned();
        self.damage.entry(owner).or_default().insert(claim, excuse);
    }

    /// The faults that damaged the data on a node.
    pub(super) fn damages(&self, node: &str) -> Vec<(Claim, Excuse)> {
        let damage = self.damage.get(self.of(node));
        damage.into_iter().flatten().map(|(claim, excuse)| (*claim, *excuse)).collect()
    }

    /// Records that the data on a node were removed, and with them the damage.
    pub(super) fn emptied(&mut self, node: &str) {
        let owner = self.of(node).to_owned();
        self.damage.remove(&owner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXCUSE: Excuse = Excuse { kind: "bit-flip", passing: false };

    fn names(all: &[&str]) -> Vec<String> {
        all.iter().map(|name| (*name).to_owned()).collect()
    }

    /// The owners of the data on n1, n2 and n3.
    fn held(volumes: &Volumes) -> [&str; 3] {
        ["n1", "n2", "n3"].map(|node| volumes.of(node))
    }

    #[test]
    fn swaps_end_in_any_order() {
        for order in [[1, 2], [2, 1]] {
            let mut volumes = Volumes::default();
            volumes.swap(1, &names(&["n1", "n2"]), EXCUSE);
            volumes.moved();
            assert_eq!(held(&volumes), ["n2", "n1", "n3"]);
            volumes.swap(2, &names(&["n2", "n3"]), EXCUSE);
            let moves = volumes.moves();
            assert_eq!(
                moves.into_iter().collect::<Vec<_>>(),
                [("n2".to_owned(), "n3".to_owned()), ("n3".to_owned(), "n2".to_owned())]
            );
            volumes.moved();
            assert_eq!(held(&volumes), ["n2", "n3", "n1"]);
            volumes.end(Some(order[0]));
            volumes.moved();
            let left = if order[0] == 1 { ["n1", "n3", "n2"] } else { ["n2", "n1", "n3"] };
            assert_eq!(held(&volumes), left, "as if only the other swap existed");
            volumes.end(Some(order[1]));
            assert!(!volumes.moves().is_empty());
            volumes.moved();
            assert_eq!(held(&volumes), ["n1", "n2", "n3"]);
        }
    }

    #[test]
    fn moves_name_holder_of_data() {
        let mut volumes = Volumes::default();
        volumes.swap(1, &names(&["n1", "n2", "n3"]), EXCUSE);
        volumes.moved();
        assert_eq!(held(&volumes), ["n3", "n1", "n2"]);
        volumes.end(None);
        let moves = volumes.moves();
        assert_eq!(["n1", "n2", "n3"].map(|node| moves[node].as_str()), ["n2", "n3", "n1"]);
    }

    #[test]
    fn damage_stays_with_the_data() {
        let mut volumes = Volumes::default();
        volumes.swap(1, &names(&["n1", "n2"]), EXCUSE);
        volumes.moved();
        volumes.damage("n1", 2, EXCUSE);
        assert_eq!((volumes.damages("n1").len(), volumes.damages("n2").len()), (1, 0));
        volumes.end(Some(1));
        volumes.moved();
        assert_eq!((volumes.damages("n1").len(), volumes.damages("n2")), (0, vec![(2, EXCUSE)]));
        volumes.emptied("n2");
        assert!(volumes.damages("n2").is_empty());
    }
}
