//! Connects the tape of a cluster with its clients, and writes `schedule.jsonl`.

use crate::failure::Failure;
use crate::spec::sections::Cluster;
use history::{Event, Kind, Process, Recorder};
use jiff::Timestamp;
use nemesis::{Tape, Testbed};
use std::fs;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use workloads::Turns;

/// The schedule of a variant, in its folder.
pub(crate) const SCHEDULE: &str = "schedule.jsonl";
/// How well a replay followed its schedule, in the folder of its variant.
pub(crate) const FOLLOWED: &str = "followed.json";

/// A recorder that also tells the tape what clients do.
pub(super) struct Noted {
    /// Takes the events.
    pub(super) recorder: Arc<dyn Recorder>,
    /// Counts them.
    pub(super) tape: Arc<Tape>,
    /// The number of clients.
    pub(super) clients: u32,
}

impl Recorder for Noted {
    fn record(&self, event: Event) -> u64 {
        let (process, kind) = (event.process, event.kind);
        let time = self.recorder.record(event);
        if let Process::Client(process) = process {
            let client = client(process, self.clients);
            match kind {
                Kind::Invoke => self.tape.invoked(client),
                Kind::Ok | Kind::Fail | Kind::Info => self.tape.completed(client),
            }
        }
        time
    }

    fn now_ns(&self) -> u64 {
        self.recorder.now_ns()
    }
}

/// The client behind a process number.
fn client(process: u64, clients: u32) -> u32 {
    u32::try_from(process % u64::from(clients.max(1))).expect("there are fewer than four billion clients")
}

/// The turns of clients in a replay.
#[derive(Debug)]
pub(super) struct RecordedTurns(pub(super) Arc<Tape>);

impl Turns for RecordedTurns {
    fn admit(&self, client: u32) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.0.admit(client))
    }

    fn depart(&self, client: u32) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.0.depart(client))
    }

    fn receive(&self, client: u32) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.0.receive(client))
    }
}

/// Writes what the tape of a cluster recorded.
///
/// # Errors
/// When a file cannot be written.
pub(super) fn write(testbed: &Testbed, cluster: &Cluster, folder: &Path) -> Result<(), Failure> {
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| Failure::io(&path, &error))
    };
    let schedule = testbed.tape().schedule(program(cluster), testbed.mode().to_string());
    write(SCHEDULE, schedule.to_text())?;
    let Some(report) = testbed.tape().report() else { return Ok(()) };
    write(FOLLOWED, serde_json::to_string_pretty(&report).expect("a report is plain values"))
}

/// The program of the nodes: its path, length and time, so that another build is noticed.
pub(crate) fn program(cluster: &Cluster) -> String {
    let own = || std::env::current_exe().unwrap_or_default();
    let path = cluster.program.clone().unwrap_or_else(own);
    let found = if path.components().count() == 1 {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&folders).map(|folder| folder.join(&path)).find(|file| file.is_file())
    } else {
        Some(path.clone())
    };
    describe(&found.unwrap_or(path))
}

fn describe(path: &Path) -> String {
    let name = path.display();
    let Ok(metadata) = fs::metadata(path) else { return name.to_string() };
    let modified = metadata.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
    let modified = modified.map_or_else(String::new, |time| format!(", {time:.0}"));
    format!("{name}, {} bytes{modified}", metadata.len())
}
