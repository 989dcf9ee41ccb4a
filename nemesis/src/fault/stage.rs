//! The context of a running fault.

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

/// The data that every task of a run shares.
pub(crate) struct Stage {
    pub(crate) testbed: Arc<Testbed>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) recorder: Arc<dyn Recorder>,
    /// Start of the load, in nanoseconds since the start of the run.
    pub(crate) load_start_ns: u64,
    /// The member changes in force.
    pub(crate) changes: Mutex<Changes>,
    /// Number of faults in force besides member changes, and the time of the last change of that number.
    pub(crate) others: Mutex<(usize, Instant)>,
}

impl Stage {
    pub(crate) fn others(&self) -> MutexGuard<'_, (usize, Instant)> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the start or end of a fault; does not count member changes.
    pub(crate) fn count_other(&self, begins: bool) {
        let mut others = self.others();
        let count = if begins { others.0 + 1 } else { others.0.saturating_sub(1) };
        *others = (count, Instant::now());
    }

    /// Time since the last fault, besides member changes, ended; none while one is in force.
    pub(crate) fn quiet_for(&self) -> Option<Duration> {
        let (count, since) = *self.others();
        (count == 0).then(|| since.elapsed())
    }
}

/// A running fault.
pub(crate) struct Strike<'a> {
    pub(crate) stage: &'a Arc<Stage>,
    /// Its number, the claim under which it holds its targets.
    pub(crate) claim: Claim,
    pub(crate) hit: &'a Hit,
    /// Its planned duration.
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

/// The counters of the links when a fault started.
pub(crate) type OnLinks = BTreeMap<Link, LinkCounters>;
/// The counters of the disks when a fault started, by node.
pub(crate) type OnDisks = BTreeMap<String, DiskCounters>;
/// The clock readings when a fault started, by node; none for a node that did not answer.
pub(crate) type OnClocks = BTreeMap<String, Option<Reading>>;

/// The data that the end of a fault needs from its start.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) links: OnLinks,
    pub(crate) disks: OnDisks,
    pub(crate) clocks: OnClocks,
    /// The background task between start and end.
    pub(crate) background: Option<Background>,
}
