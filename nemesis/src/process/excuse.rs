//! Faults after which a node may end by itself: it found its data damaged, or its disk failed.

use crate::claim::Claim;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why a node may end by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Excuse {
    /// The word for the kind of the fault.
    pub(crate) kind: &'static str,
    /// Whether the fault leaves nothing behind when it is over, so that the node can be started again.
    pub(crate) passing: bool,
}

/// The faults that excuse a node's end. Clones are the same list, so that a thread that waits for the end sees it.
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

    /// Takes away those of a kind, which is over.
    pub(super) fn remove(&self, kind: &str) {
        self.list().retain(|_, excuse| excuse.kind != kind);
    }

    /// Whether one of the faults leaves nothing behind.
    pub(super) fn are_passing(&self) -> bool {
        self.list().values().any(|excuse| excuse.passing)
    }

    /// All of them in words; none if there are none.
    pub(super) fn in_words(&self) -> Option<String> {
        let list = self.list();
        let words = list.iter().map(|(claim, excuse)| format!("fault {claim} ({})", excuse.kind));
        (!list.is_empty()).then(|| words.collect::<Vec<_>>().join(", "))
    }
}
