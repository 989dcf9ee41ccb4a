//! The record of a fault, and its events in the history.

use crate::fault::{Kind, Met, Stage};
use crate::plan::PlannedFault;
use crate::schedule::Moment;
use history::{FaultChange, FaultEvent};
use serde::Serialize;

/// The record of a planned fault.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FaultRecord {
    /// Its number in the plan.
    pub fault: u32,
    /// Its kind.
    pub kind: Kind,
    /// Its label, with the nodes that it found: `kill leader (n2)`.
    pub label: String,
    /// The nodes it hit.
    pub nodes: Vec<String>,
    /// When it was in force, in nanoseconds since the run's start; none if it never was.
    pub started: Option<u64>,
    /// When it was healed, in nanoseconds since the run's start; none if it never started.
    pub ended: Option<u64>,
    /// The evidence that it took effect; empty without evidence.
    pub evidence: Vec<String>,
    /// The evidence that it was healed.
    pub healing: Vec<String>,
    /// Whether the heal was verified.
    pub healed: bool,
    /// Whether an operation of the system met it, known at its end; none if it needs no such proof.
    pub met: Option<bool>,
    /// Whether no heal is possible because of permanent loss, for example of a majority with damaged data.
    pub beyond_help: bool,
    /// Remarks for the reader, for example why there is no evidence.
    pub notes: Vec<String>,
}

impl FaultRecord {
    /// Clears the evidence of a fault that no operation of the system met; adds the operations that met it.
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
