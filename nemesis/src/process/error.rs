//! Why a process could not be started or reached.

use crate::disk::DiskError;
use std::io;
use std::path::PathBuf;

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
    /// The folder of its data could not be filled.
    #[error("{node}: the folder of its data, {path}: {source}")]
    Folder {
        /// The node.
        node: String,
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The command that makes its data failed.
    #[error(
        "{node}: the command that prepares its data did not succeed ({how}); what it printed is in {output}"
    )]
    Prepare {
        /// The node.
        node: String,
        /// How it ended.
        how: String,
        /// Where its output is.
        output: PathBuf,
    },
    /// Its disk could not be had.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A command that was to bring back a server that somebody else has started failed.
    #[error("{how}; correct it in [cluster.commands], and see to the server")]
    Command {
        /// The command, and how it ended.
        how: String,
    },
    /// It got SIGCONT, and does not run.
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
