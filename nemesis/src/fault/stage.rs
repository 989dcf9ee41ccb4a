//! The context of a fault that is carried out.

use super::background::Background;
use super::cluster::Changes;
use crate::claim::Claim;
use crate::clock::Reading;
use crate::directory::Directory;
use crate::disk::DiskCounters;
use crate::network::LinkCounters;
use crate::partition::Link;
use crate::scope::Hit;
use crate::testbed::Testbed;
use history::Recorder;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What every task of a run needs.
pub(crate) struct Stage {
    pub(crate) testbed: Arc<Testbed>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) recorder: Arc<dyn Recorder>,
    /// When the load started, in nanoseconds since the run's start.
    pub(crate) load_start_ns: u64,
    /// What the changes of members in force want.
    pub(crate) changes: Mutex<Changes>,
    /// How many faults other than changes of members are in force, and since when.
    pub(crate) others: Mutex<(usize, Instant)>,
}

impl Stage {
    pub(crate) fn others(&self) -> MutexGuard<'_, (usize, Instant)> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a fault that begins or is over; changes of members are not counted.
    pub(crate) fn count_other(&self, begins: bool) {
        let mut others = self.others();
        let count = if begins { others.0 + 1 } else { others.0.saturating_sub(1) };
        *others = (count, Instant::now());
    }

    /// For how long no fault has been in force other than changes of members; none if one is.
    pub(crate) fn quiet_for(&self) -> Option<Duration> {
        let (count, since) = *self.others();
        (count == 0).then(|| since.elapsed())
    }
}

/// One fault that is carried out.
pub(crate) struct Strike<'a> {
    pub(crate) stage: &'a Arc<Stage>,
    /// Its number, under which it holds what it hurts.
    pub(crate) claim: Claim,
    pub(crate) hit: &'a Hit,
    /// How long it is to last.
    pub(crate) length: Duration,
}

impl Strike<'_> {
    pub(crate) fn testbed(&self) -> &Testbed {
        &self.stage.testbed
    }

    pub(crate) fn nodes(&self) -> &[String] {
        &self.hit.nodes
    }

    pub(crate) fn now_ns(&self) -> u64 {
        self.stage.recorder.now_ns()
    }
}

/// What the links had carried when a fault started.
pub(crate) type OnLinks = BTreeMap<Link, LinkCounters>;
/// What the disks had done when a fault started, by node.
pub(crate) type OnDisks = BTreeMap<String, DiskCounters>;
/// What the clocks said when a fault started, by node; none of those that did not answer.
pub(crate) type OnClocks = BTreeMap<String, Option<Reading>>;

/// What the end of a fault has to know of its start.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) links: OnLinks,
    pub(crate) disks: OnDisks,
    pub(crate) clocks: OnClocks,
    /// What goes on between start and end.
    pub(crate) background: Option<Background>,
}
