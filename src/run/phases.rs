//! The phases of a variant for `load.json`, and the events of a run for the terminal.

use crate::failure::Failure;
use crate::recorder::FileRecorder;
use crate::run::folder::write_json;
use crate::terminal::events::{RunEvent, RunEventKind};
use history::{Phase, Recorder};
use report::{Helpers, Invariants, Load, PhaseSpan};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use workloads::HelperCounts;

/// Sends events to the terminal, with the time since the start of the run and the counts of operations.
#[derive(Clone)]
pub(crate) struct EventSender {
    recorder: Arc<FileRecorder>,
    events: UnboundedSender<RunEvent>,
}

impl EventSender {
    /// A sender with the time and the counts of this recorder.
    pub(crate) fn new(recorder: Arc<FileRecorder>, events: UnboundedSender<RunEvent>) -> Self {
        Self { recorder, events }
    }

    /// Sends an event that happens now.
    pub(crate) fn send(&self, kind: RunEventKind) {
        let event = RunEvent { time_ns: self.recorder.now_ns(), tally: self.recorder.tally(), kind };
        // An error means that printing has ended, so the event is dropped.
        let _ = self.events.send(event);
    }
}

/// The end of a variant.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    /// Whether every phase was completed.
    pub(crate) complete: bool,
    /// The violation that stopped it.
    pub(crate) stopped: Option<String>,
    /// The failure of the bench.
    pub(crate) failure: Option<String>,
}

/// Collects the content of `load.json`.
#[derive(Debug, Default)]
pub(crate) struct PhaseLog(Mutex<Load>);

impl PhaseLog {
    /// Records the end of a phase.
    pub(crate) fn ended(&self, phase: Phase, start: u64, end: u64, unsent: u64) {
        let mut load = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        load.phases.push(PhaseSpan { phase, start, end, unsent });
        load.unsent += unsent;
    }

    /// Records the time from the start until the system served.
    pub(crate) fn served(&self, after: Duration) {
        let mut load = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        load.served_after = u64::try_from(after.as_nanos()).ok();
    }

    /// Records the counts of the helpers, if clients are helpers.
    pub(crate) fn helpers(&self, counts: Option<HelperCounts>) {
        let counts = counts.map(|counts| {
            let HelperCounts { started, exited, nonsense, silent } = counts;
            Helpers { started, exited, nonsense, silent }
        });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).helpers = counts;
    }

    /// Records the invariants over the traces of the nodes.
    pub(crate) fn invariants(&self, invariants: Invariants) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).invariants = Some(invariants);
    }

    /// Records that the system never served, so that there is no load.
    pub(crate) fn unserved(&self, reason: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).unserved = Some(reason);
    }

    /// Writes `load.json` into the folder of the variant.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write(self, folder: &Path, ending: Ending) -> Result<(), Failure> {
        let Ending { complete, stopped, failure } = ending;
        let load = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let complete = complete && load.unserved.is_none();
        write_json(&folder.join("load.json"), &Load { complete, stopped, failure, ..load })
    }
}
