//! How far the replicas are, and what may therefore be forgotten (section 4.2).

use super::message::{NodeId, Slot};
use std::collections::BTreeMap;

/// What the replicas said of their progress.
#[derive(Debug)]
pub struct Progress {
    replicas: usize,
    heard: BTreeMap<NodeId, Slot>,
}

impl Progress {
    /// Of so many replicas, nothing heard yet.
    pub fn new(replicas: usize) -> Self {
        Self { replicas, heard: BTreeMap::new() }
    }

    /// A replica has applied, and has on disk, every slot below this one.
    pub fn heard(&mut self, from: NodeId, slot_out: Slot) {
        let known = self.heard.entry(from).or_insert(1);
        *known = slot_out.max(*known);
    }

    /// Every slot below is safe with f + 1 replicas, so that one of them survives the f failures that are tolerated.
    pub fn floor(&self) -> Slot {
        self.known_to(self.replicas.saturating_sub(1).div_ceil(2) + 1)
    }

    /// Every slot below is safe with so many replicas.
    pub fn known_to(&self, replicas: usize) -> Slot {
        let mut heard: Vec<_> = self.heard.values().copied().collect();
        heard.sort_unstable_by(|a, b| b.cmp(a));
        heard.get(replicas.saturating_sub(1)).copied().unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_safe_when_one_replica_more_than_may_fail_has_it() {
        for (replicas, told, floor) in [
            (1, &[5][..], 5),
            (2, &[5, 3], 3),
            (3, &[5], 1),
            (3, &[5, 3], 3),
            (3, &[2, 5, 3], 3),
            (5, &[9, 8, 7, 1, 1], 7),
        ] {
            let mut progress = Progress::new(replicas);
            (0..).zip(told).for_each(|(id, &slot)| progress.heard(NodeId(id), slot));
            assert_eq!(progress.floor(), floor, "{replicas} replicas said {told:?}");
        }
    }

    #[test]
    fn an_old_word_does_not_take_back_a_newer_one() {
        let mut progress = Progress::new(1);
        progress.heard(NodeId(0), 7);
        progress.heard(NodeId(0), 4);
        assert_eq!(progress.floor(), 7);
    }
}
