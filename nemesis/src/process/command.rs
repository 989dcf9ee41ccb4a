//! How a node's process is started.

use crate::clock::ProcessClock;
use std::ffi::OsString;
use std::path::PathBuf;

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
    /// The folder of its data, which faults of the disk act on; none if it is unknown.
    pub data: Option<PathBuf>,
    /// How it comes to a time that is not the true one; none if no fault of clocks shall reach it.
    pub clock: Option<ProcessClock>,
}
