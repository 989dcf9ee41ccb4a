//! Node processes: started, hurt and watched as real processes of the operating system.

mod child;
mod excuse;
#[cfg_attr(not(target_os = "linux"), path = "no_family.rs")]
mod family;
#[cfg_attr(not(target_os = "linux"), path = "no_guard.rs")]
mod guard;
#[cfg_attr(not(target_os = "linux"), path = "no_listener.rs")]
mod listener;
mod node;
mod spawner;
mod state;

pub(crate) use excuse::Excuses;
pub(crate) use family::Roots;
#[cfg(target_os = "linux")]
pub(crate) use family::{Line, of as family_of};
#[cfg(target_os = "linux")]
pub(crate) use guard::serve as guard_a_node;
pub use node::Effect;
pub(crate) use node::NodeProcess;
pub(crate) use spawner::Spawner;
pub use state::hang_up_is_ignored;

use crate::clock::ProcessClock;
use crate::disk::DiskError;
use history::{Event, Kind, Process};
use serde_json::json;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

/// How to start a node's process. It is started the same way again after a kill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables set on top of the bench's own environment.
    pub env: Vec<(OsString, OsString)>,
    /// The file to which standard output and standard error are appended.
    pub output: PathBuf,
    /// The folder of its data, which faults of the disk act on; none if nobody knows it.
    pub data: Option<PathBuf>,
    /// How it comes to a time that is not the true one; none if no fault of clocks shall reach it.
    pub clock: Option<ProcessClock>,
}

/// A node's process ended although nobody killed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// The node.
    pub node: String,
    /// The process id it had.
    pub pid: u32,
    /// Which start of the node it was, from 1.
    pub incarnation: u32,
    /// How it ended, for example `exit code 101` or `signal 11`.
    pub how: String,
    /// The faults that may make a node end, for example `fault 3 (bit-flip)`; none if it had no reason.
    pub excuse: Option<String>,
}

impl Exit {
    /// The event for the history.
    pub fn event(&self) -> Event {
        let mut event = Event::new(Process::Nemesis, Kind::Info, "exit");
        event.value = json!({
            "event": "exit",
            "targets": [self.node],
            "evidence": [self.how],
            "pid": self.pid,
            "incarnation": self.incarnation,
        });
        if let Some(excuse) = &self.excuse {
            event.value["excuse"] = excuse.as_str().into();
        }
        event
    }
}

/// A process could not be started or reached.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The program did not start.
    #[error("{node}: `{program}` could not be started: {source}")]
    Spawn {
        /// The node.
        node: String,
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The node was to be restarted, and was never started.
    #[error("{node} cannot be restarted: it was never started")]
    NeverStarted {
        /// The node.
        node: String,
    },
    /// The node was to be started while it runs.
    #[error("{node} runs already, as pid {pid}")]
    Running {
        /// The node.
        node: String,
        /// Its process id.
        pid: u32,
    },
    /// Its clock file could not be made.
    #[error("{node}: its clock file {path}: {source}")]
    Clock {
        /// The node.
        node: String,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Its disk could not be had.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// It was told to go on, and does not.
    #[error(
        "{node} was told to go on (SIGCONT) and does not: {seen}; whoever else stopped it must let it go"
    )]
    StillPaused {
        /// The node.
        node: String,
        /// What was seen of its threads.
        seen: String,
    },
    /// A signal could not be sent.
    #[error("{node}: pid {pid} could not be signalled: {source}")]
    Signal {
        /// The node.
        node: String,
        /// Its process id.
        pid: u32,
        /// What the system said.
        source: io::Error,
    },
}

/// Whether no process of a node can outlive the bench here, a daemon neither; tried once. The error says why not.
pub fn nodes_are_guarded() -> Result<(), String> {
    guard::can_be_had()
}

/// `signal 9`, `exit code 101`.
pub(crate) fn how_it_ended(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("signal {signal}"),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => status.to_string(),
    }
}
