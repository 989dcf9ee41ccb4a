//! Applied slots of each node during the last seconds, for the report on a failed node.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// Number of stored answers per node: about three seconds.
const KEPT: usize = 64;

/// Times with the number of applied slots.
type Answers = VecDeque<(u64, u64)>;

/// The last answers of the nodes. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastSlots(Arc<Mutex<BTreeMap<String, Answers>>>);

impl LastSlots {
    /// Records the number of applied slots of a node at a time, in nanoseconds since the start of the run.
    pub(crate) fn saw(&self, node: &str, time_ns: u64, slots: u64) {
        let mut nodes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = nodes.entry(node.to_owned()).or_default();
        if answers.len() == KEPT {
            answers.pop_front();
        }
        answers.push_back((time_ns, slots));
    }

    /// The number of applied slots of each node at its last answer before this time.
    pub(crate) fn before(&self, time_ns: u64) -> BTreeMap<String, u64> {
        let nodes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = |answers: &Answers| answers.iter().rev().find(|(time, _)| *time < time_ns).copied();
        nodes.iter().filter_map(|(node, answers)| Some((node.clone(), last(answers)?.1))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::LastSlots;

    #[test]
    fn earlier_slots_are_kept() {
        let last = LastSlots::default();
        for time in 0..100 {
            last.saw("n1", time, 10 * time);
        }
        last.saw("n2", 50, 7);
        assert_eq!(last.before(90).into_iter().collect::<Vec<_>>(), [("n1".into(), 890), ("n2".into(), 7)]);
        assert!(!last.before(40).contains_key("n2"));
    }
}
