//! What became of a fault, and how it is written to the history.

use crate::fault::{Kind, Met, Stage};
use crate::plan::PlannedFault;
use history::{FaultChange, FaultEvent};
use serde::Serialize;

/// What became of a planned fault.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FaultRecord {
    /// Its number in the plan.
    pub fault: u32,
    /// What happened.
    pub kind: Kind,
    /// What people read, with the nodes that were found: `kill leader (n2)`.
    pub label: String,
    /// The nodes it hit.
    pub nodes: Vec<String>,
    /// When it was in force, in nanoseconds since the run's start; none if it never was.
    pub started: Option<u64>,
    /// When it was healed, in nanoseconds since the run's start; none if it never started.
    pub ended: Option<u64>,
    /// What proves that it took effect; empty if nothing does.
    pub evidence: Vec<String>,
    /// What was seen when it was healed.
    pub healing: Vec<String>,
    /// Whether the healing was seen to work.
    pub healed: bool,
    /// Whether anything that the system under test did met it, known at its end; none where it shows by itself.
    pub met: Option<bool>,
    /// Whether it was not healed because what it would take is gone for good, such as a majority whose data were damaged.
    pub beyond_help: bool,
    /// What a reader should know besides, such as why there is no evidence.
    pub notes: Vec<String>,
}

impl FaultRecord {
    /// A fault that nothing of the system met has no evidence; one that something did has.
    pub(super) fn judge(&mut self, met: Option<Met>) {
        self.met = met.as_ref().map(Result::is_ok);
        match met {
            Some(Ok(lines)) if self.evidence.is_empty() => self.evidence = lines,
            None | Some(Ok(_)) => {}
            Some(Err(reason)) => {
                self.evidence.clear();
                self.notes.push(reason);
            }
        }
    }
}

/// Which event of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Start,
    End,
}

/// Writes the start or the end of a fault to the history.
pub(super) fn record(stage: &Stage, fault: &PlannedFault, record: &FaultRecord, moment: Moment, at: u64) {
    let (planned, evidence) = match moment {
        Moment::Start => (fault.start, &record.evidence),
        Moment::End => (fault.end, &record.healing),
    };
    let change = FaultChange {
        kind: fault.kind.name().to_owned(),
        fault: fault.fault,
        targets: record.nodes.clone(),
        planned: Some(stage.load_start_ns + planned),
        at: Some(at),
        evidence: evidence.clone(),
        label: Some(record.label.clone()),
        note: (!record.notes.is_empty()).then(|| record.notes.join("; ")),
        healed: (moment == Moment::End).then_some(record.healed),
        met: record.met.filter(|_| moment == Moment::End),
    };
    let event = match moment {
        Moment::Start => FaultEvent::Start(change),
        Moment::End => FaultEvent::End(change),
    };
    stage.recorder.record(event.into());
}
