//! Simulated runs: the bench's own store in virtual time, with the spec, load, fault plan, history and checks of a real run.
//!
//! *Problem*: a real run meets few schedules, takes as long as it lasts, and cannot be repeated.
//!
//! *Idea*: the nodes are those of `node::sim`: the core that a real process runs, on a simulated network, disk and clock. The
//! clients are those of `workloads` as a state machine. One loop lets whatever comes next happen: an event of the cluster, an
//! operation or a timeout of a client, the start or the end of a fault.
//!
//! *Why it repeats*: there is one thread, no clock and no socket, and every random choice comes from the seed of the run. The
//! same seed gives the same history, byte for byte, on every machine.
//!
//! *Cost*: about a microsecond of processor time for each event of the cluster, and what the checks take.

mod behaviour;
pub(crate) mod cause;
mod faults;
mod many;
mod moments;
mod prepare;
pub(crate) mod scale;
mod translate;
mod world;

pub(crate) use behaviour::Behaviour;
pub(crate) use many::{Many, Summary};
pub(crate) use prepare::{Simulation, plan_faults};

use crate::failure::Failure;
use crate::run::folder::{RunFolder, write_json};
use crate::run::judge;
use crate::run::judge::deadline;
use history::{Event, Header, write_event, write_header};
use report::{Load, Plan, RunVerdict};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::fs;
use std::io::BufWriter;
use std::path::Path;
use std::time::Duration;

/// The `network` of a simulated variant in `plan.json`.
pub(crate) const NETWORK: &str = "simulated";

/// Draws everything anew from a moment on, so that only what came before stays the same.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Branch {
    /// The moment, in virtual time since the run's start.
    pub at: Duration,
    /// The seed of what comes after.
    pub seed: u64,
}

/// A simulated run that came to its end, before it is judged.
#[derive(Debug)]
pub(crate) struct SimRun {
    /// What `plan.json` says of it.
    pub plan: Plan,
    header: Header,
    events: Vec<Event>,
    load: Load,
}

impl SimRun {
    /// A hash of everything that was seen: the events with their times, the invariants and how it ended.
    pub(crate) fn hash(&self) -> [u8; 32] {
        let mut bytes = Vec::with_capacity(160 * self.events.len());
        for event in &self.events {
            write_event(&mut bytes, event).expect("a vector takes every line");
        }
        let mut hash = Sha256::new();
        hash.update(&bytes);
        hash.update(serde_json::to_vec(&self.load).expect("our own types can be written as JSON"));
        hash.finalize().into()
    }

    /// When the last event was.
    pub(crate) fn length(&self) -> Duration {
        Duration::from_nanos(self.events.last().map_or(0, |event| event.time))
    }

    /// When the load began.
    pub(crate) fn load_start(&self) -> Duration {
        let load = self.load.phases.iter().find(|span| span.phase == history::Phase::Load);
        Duration::from_nanos(load.map_or(0, |span| span.start))
    }

    /// The faults, each with its label, start and end.
    pub(crate) fn faults(&self) -> Vec<(String, Duration, Duration)> {
        let faults = self.plan.variants.iter().flat_map(|variant| &variant.faults);
        let at = |time: u64| self.load_start() + Duration::from_nanos(time);
        faults.filter_map(|fault| Some((fault.label.clone(), at(fault.start?), at(fault.end?)))).collect()
    }

    /// Judges it as a real run is judged, without files.
    ///
    /// # Errors
    /// When its events make no history, which would be our own mistake.
    pub(crate) fn judge(self) -> Result<RunVerdict, Failure> {
        report::judge_in_memory(&self.plan, self.events, self.load, &deadline)
            .map_err(|error| Failure::bench("simulation", error.to_string()))
    }

    /// Writes the files of a run into a folder, as a real run does, and judges them.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(crate) fn write(&self, spec: &str, folder: &Path) -> Result<RunVerdict, Failure> {
        let run = RunFolder::at(folder.to_owned())?;
        run.write_intent(spec, &self.plan)?;
        for variant in &self.plan.variants {
            let variant = run.variant(&variant.name)?;
            let path = variant.join("history.jsonl");
            let failed = |error: std::io::Error| Failure::io(&path, &error);
            let mut file = BufWriter::new(fs::File::create(&path).map_err(failed)?);
            write_header(&mut file, &self.header).map_err(failed)?;
            for event in &self.events {
                write_event(&mut file, event).map_err(failed)?;
            }
            drop(file);
            write_json(&variant.join("load.json"), &self.load)?;
        }
        judge::judge(folder)
    }
}

/// A hash in hexadecimal digits.
pub(crate) fn hex(hash: &[u8]) -> String {
    hash.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text takes every digit");
        text
    })
}

#[cfg(test)]
mod tests;
