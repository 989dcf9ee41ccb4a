//! Faults after which a node may end by itself: it detected damaged data, or its disk failed.

use crate::claim::Claim;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The reason why a node may end by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Excuse {
    /// The name of the fault's kind.
    pub(crate) kind: &'static str,
    /// Whether the fault leaves no lasting damage, so that the node can be restarted after it.
    pub(crate) passing: bool,
}

/// The faults that excuse a node's end.
///
/// Clones share one list, so the thread that waits for the end sees every change.
#[derive(Debug, Clone, Default)]
pub(super) struct Excuses(Arc<Mutex<BTreeMap<Claim, Excuse>>>);

impl Excuses {
    fn list(&self) -> MutexGuard<'_, BTreeMap<Claim, Excuse>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a fault.
    pub(super) fn add(&self, claim: Claim, excuse: Excuse) {
        self.list().insert(claim, excuse);
    }

    /// Removes the faults of a kind, which has ended.
    pub(super) fn remove(&self, kind: &str) {
        self.list().retain(|_, excuse| excuse.kind != kind);
    }

    /// Whether one of the faults leaves no lasting damage.
    pub(super) fn are_passing(&self) -> bool {
        self.list().values().any(|excuse| excuse.passing)
    }

    /// Describes all of them; none if the list is empty.
    pub(super) fn in_words(&self) -> Option<String> {
        let list = self.list();
        let words = list.iter().map(|(claim, excuse)| format!("fault {claim} ({})", excuse.kind));
        (!list.is_empty()).then(|| words.collect::<Vec<_>>().join(", "))
    }
}
