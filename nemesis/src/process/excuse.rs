//! Faults after which a node may end by itself: it found its data damaged, or its disk failed.

use crate::claim::Claim;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The faults that excuse a node's end. Clones are the same list, so that a thread that waits for the end sees it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Excuses(Arc<Mutex<BTreeMap<Claim, String>>>);

impl Excuses {
    fn list(&self) -> MutexGuard<'_, BTreeMap<Claim, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a fault of this kind.
    pub(super) fn add(&self, claim: Claim, kind: &str) {
        self.list().insert(claim, format!("fault {claim} ({kind})"));
    }

    /// Whether there is a fault of one of these kinds.
    pub(super) fn name(&self, kinds: &[&str]) -> bool {
        let list = self.list();
        list.values().any(|fault| kinds.iter().any(|kind| fault.ends_with(&format!("({kind})"))))
    }

    /// All of them in words; none if there are none.
    pub(super) fn in_words(&self) -> Option<String> {
        let list = self.list();
        (!list.is_empty()).then(|| list.values().cloned().collect::<Vec<_>>().join(", "))
    }
}
