//! Errors of starting or signalling a process.

use crate::disk::DiskError;
use crate::hosts::HostError;
use std::io;
use std::path::PathBuf;

/// An error of starting or signalling a process.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The program did not start.
    #[error("{node}: `{program}` could not be started: {source}")]
    Spawn {
        /// The node.
        node: String,
        /// The program.
        program: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The node should restart, but was never started.
    #[error("{node} cannot be restarted: it was never started")]
    NeverStarted {
        /// The node.
        node: String,
    },
    /// The node should start, but runs.
    #[error("{node} runs already, as pid {pid}")]
    Running {
        /// The node.
        node: String,
        /// Its process id.
        pid: u32,
    },
    /// Its clock file could not be created.
    #[error("{node}: its clock file {path}: {source}")]
    Clock {
        /// The node.
        node: String,
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// Its data folder could not be filled.
    #[error("{node}: the folder of its data, {path}: {source}")]
    Folder {
        /// The node.
        node: String,
        /// The folder.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The command that creates its data failed.
    #[error("{node}: the command that prepares its data did not succeed ({how}); its output is in {output}")]
    Prepare {
        /// The node.
        node: String,
        /// A description of its end.
        how: String,
        /// The file with its output.
        output: PathBuf,
    },
    /// Its disk is not available.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Its host failed, or the connection to it.
    #[error("{node}: {source}")]
    Host {
        /// The node.
        node: String,
        /// The error.
        source: HostError,
    },
    /// A command that should restore a server started by the user failed.
    #[error("{how}; correct it in [cluster.commands], and see to the server")]
    Command {
        /// The command and its end.
        how: String,
    },
    /// It got SIGCONT, but does not run.
    #[error("{node} got SIGCONT but does not run: {seen}; if another process stopped it, resume it there")]
    StillPaused {
        /// The node.
        node: String,
        /// The state of its threads.
        seen: String,
    },
    /// A signal could not be sent.
    #[error("{node}: pid {pid} could not be signalled: {source}")]
    Signal {
        /// The node.
        node: String,
        /// Its process id.
        pid: u32,
        /// The operating system's error.
        source: io::Error,
    },
}
