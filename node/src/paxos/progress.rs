//! The progress of the replicas, which decides which slots may be forgotten (section 4.2).

use super::membership::{Group, Roster};
use super::message::{NodeId, Slot};
use std::collections::BTreeMap;

/// The reported progress of the replicas.
#[derive(Debug)]
pub struct Progress {
    groups: Vec<Group>,
    heard: BTreeMap<NodeId, Slot>,
    floor: Slot,
}

impl Progress {
    /// No progress yet, for the replicas of this roster.
    pub fn new(roster: &Roster) -> Self {
        Self { groups: roster.groups.clone(), heard: BTreeMap::new(), floor: 1 }
    }

    /// Handles a change of the members.
    pub fn take_up(&mut self, roster: &Roster) {
        self.groups.clone_from(&roster.groups);
        self.heard.retain(|replica, _| roster.replicas.contains(replica));
        self.count();
    }

    /// Records that a replica has applied every slot below this one and has it on disk.
    pub fn heard(&mut self, from: NodeId, slot_out: Slot) {
        let known = self.heard.entry(from).or_insert(1);
        if slot_out > *known {
            *known = slot_out;
            self.count();
        }
    }

    fn count(&mut self) {
        let floor =
            |group: &Group| self.known_to(group.replicas.len().saturating_sub(1).div_ceil(2) + 1, group);
        let floor = self.groups.iter().map(floor).min().unwrap_or(1);
        // The floor never falls: old replicas leave only once the new ones have these slots.
        self.floor = self.floor.max(floor);
    }

    /// Every slot below is on the disks of f + 1 replicas of each current configuration.
    ///
    /// One of them survives the f tolerated failures.
    pub fn floor(&self) -> Slot {
        self.floor
    }

    /// Every slot below is on the disks of f + 1 replicas of the newest configuration.
    pub fn newest(&self) -> Slot {
        let safe =
            |group: &Group| self.known_to(group.replicas.len().saturating_sub(1).div_ceil(2) + 1, group);
        self.groups.last().map_or(1, safe)
    }

    /// Every slot below is on the disk of at least one replica.
    pub fn highest(&self) -> Slot {
        self.heard.values().copied().max().unwrap_or(1)
    }

    /// Every slot below is on the disks of this number of the group's replicas.
    fn known_to(&self, replicas: usize, group: &Group) -> Slot {
        let mut heard: Vec<_> = group.replicas.iter().filter_map(|id| self.heard.get(id).copied()).collect();
        heard.sort_unstable_by(|a, b| b.cmp(a));
        heard.get(replicas.saturating_sub(1)).copied().unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Member, Role};
    use crate::paxos::membership::Change;

    fn member(number: u8) -> Member {
        let address = ([127, 0, 0, 1], 1).into();
        let roles = [Role::Replica, Role::Leader, Role::Acceptor].into();
        Member { name: format!("n{number}"), address, roles }
    }

    fn roster(replicas: u8) -> Roster {
        Roster::new(&(0..replicas).map(member).collect::<Vec<_>>(), "n0", 100).unwrap()
    }

    #[test]
    fn slot_is_safe_with_f_plus_one() {
        for (replicas, reported, floor) in [
            (1, &[5][..], 5),
            (2, &[5, 3], 3),
            (3, &[5], 1),
            (3, &[5, 3], 3),
            (3, &[2, 5, 3], 3),
            (5, &[9, 8, 7, 1, 1], 7),
        ] {
            let mut progress = Progress::new(&roster(replicas));
            (0..).zip(reported).for_each(|(id, &slot)| progress.heard(NodeId(id), slot));
            assert_eq!(progress.floor(), floor, "{replicas} replicas reported {reported:?}");
        }
    }

    #[test]
    fn older_report_does_not_lower_progress() {
        let mut progress = Progress::new(&roster(1));
        progress.heard(NodeId(0), 7);
        progress.heard(NodeId(0), 4);
        assert_eq!(progress.floor(), 7);
    }

    #[test]
    fn slot_is_safe_in_both_configurations() {
        let mut membership = roster(3).membership;
        let remove = vec!["n0".to_owned(), "n1".to_owned()];
        membership.change(50, &Change { add: vec![member(3), member(4)], remove }).unwrap();
        let mut progress = Progress::new(&roster(3).follow(membership, "n2"));
        (0..3).for_each(|id| progress.heard(NodeId(id), 60));
        assert_eq!((progress.floor(), progress.newest()), (1, 1));
        progress.heard(NodeId(3), 55);
        assert_eq!((progress.floor(), progress.newest()), (55, 55));
    }
}
