//! What happened when: the phases of a variant for `load.json`, and everything worth telling for the teller.

use crate::failure::Failure;
use crate::recorder::FileRecorder;
use crate::run::folder::write_json;
use crate::terminal::teller::{Moment, What};
use history::{Phase, Recorder};
use report::{Load, PhaseSpan};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::UnboundedSender;

/// Sends moments to the teller, with the run's clock and its counts.
#[derive(Clone)]
pub(crate) struct Herald {
    recorder: Arc<FileRecorder>,
    moments: UnboundedSender<Moment>,
}

impl Herald {
    /// For this recorder and teller.
    pub(crate) fn new(recorder: Arc<FileRecorder>, moments: UnboundedSender<Moment>) -> Self {
        Self { recorder, moments }
    }

    /// Tells that something happens now.
    pub(crate) fn tell(&self, what: What) {
        let moment = Moment { time_ns: self.recorder.now_ns(), tally: self.recorder.tally(), what };
        // A teller that is gone has nobody to tell it to.
        let _ = self.moments.send(moment);
    }
}

/// How a variant came to its end.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    /// Every phase was run to its end.
    pub(crate) complete: bool,
    /// The violation at which it was stopped.
    pub(crate) stopped: Option<String>,
    /// Why the bench itself failed.
    pub(crate) failure: Option<String>,
}

/// Collects what `load.json` will say.
#[derive(Debug, Default)]
pub(crate) struct PhaseLog(Mutex<Load>);

impl PhaseLog {
    /// A phase is over.
    pub(crate) fn ended(&self, phase: Phase, start: u64, end: u64, unsent: u64) {
        let mut load = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        load.phases.push(PhaseSpan { phase, start, end, unsent });
        load.unsent += unsent;
    }

    /// The system never served, so there is no load.
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
