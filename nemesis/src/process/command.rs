//! How a node's process is started.

use crate::clock::ProcessClock;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

/// How to start a node's process. It is started the same way again after a kill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// The variables of the bench's own environment that it gets; all of them when left out.
    pub inherit: Option<Vec<OsString>>,
    /// Variables set on top of those.
    pub env: Vec<(OsString, OsString)>,
    /// The file to which standard output and standard error are appended.
    pub output: PathBuf,
    /// The folder of its data, which faults of the disk act on; none if it is unknown.
    pub data: Option<PathBuf>,
    /// How it comes to a time that is not the true one; none if no fault of clocks shall reach it.
    pub clock: Option<ProcessClock>,
}

impl ProcessCommand {
    /// Gives a command the environment of the node, and leaves it the variable `own` of the bench.
    pub(super) fn set_environment(&self, command: &mut Command, own: Option<&str>) {
        if let Some(inherit) = &self.inherit {
            for (name, _) in std::env::vars_os() {
                let is_own = own.is_some_and(|own| name == own);
                if !is_own && !inherit.contains(&name) {
                    command.env_remove(name);
                }
            }
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
    }
}
