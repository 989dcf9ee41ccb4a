//! Counters of a load while it runs, for a progress line.

use history::Outcome;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many operations were sent and how they ended so far, over all phases.
#[derive(Debug, Default)]
pub struct Progress {
    /// Operations begun.
    pub sent: AtomicU64,
    /// Operations that happened.
    pub ok: AtomicU64,
    /// Operations that certainly did not happen.
    pub fail: AtomicU64,
    /// Operations of unknown outcome.
    pub info: AtomicU64,
}

impl Progress {
    /// Counts an operation that begins.
    pub(crate) fn begin(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an operation that ended.
    pub(crate) fn end(&self, outcome: &Outcome) {
        let counter = match outcome {
            Outcome::Ok(_) => &self.ok,
            Outcome::Fail { .. } => &self.fail,
            Outcome::Info { .. } => &self.info,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
