//! How a node's process is started.

use super::stop_signal::StopSignal;
use super::user::User;
use crate::clock::ProcessClock;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// How to start a node's process. It is started the same way again after a kill.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
    /// The signal that asks it to end.
    pub stop: StopSignal,
    /// The user that all processes of the node run as; that of the bench when left out.
    pub user: Option<User>,
    /// The host name that they see; that of the machine when left out. Needs a guard.
    pub host: Option<String>,
    /// Files that the bench puts into the folder of the data before each start.
    pub files: Vec<NodeFile>,
    /// What is run first where the folder of the data has nothing but those files.
    pub prepare: Option<Prepare>,
    /// Further programs of the node, started before it. They need a guard.
    pub beside: Vec<Beside>,
}

/// A file that the bench writes for a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFile {
    /// Where, below the folder of the data.
    pub path: PathBuf,
    /// What is in it.
    pub text: String,
    /// Whether it is written only where it is missing, because the program changes it.
    pub keep: bool,
}

/// A shell command that makes the data of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepare {
    /// The command.
    pub script: String,
    /// How long it may take.
    pub within: Duration,
}

/// A further program of a node. It starts, stands still and ends with the node, and has its user and host name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// Its name, for people.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables set on top of those that the node inherits.
    pub env: Vec<(OsString, OsString)>,
    /// The file to which standard output and standard error are appended.
    pub output: PathBuf,
}

impl ProcessCommand {
    /// Leaves a command only those variables that the node inherits, and the variable `own` of the bench.
    pub(super) fn inherit_environment(&self, command: &mut Command, own: Option<&str>) {
        if let Some(inherit) = &self.inherit {
            for (name, _) in std::env::vars_os() {
                let is_own = own.is_some_and(|own| name == own);
                if !is_own && !inherit.contains(&name) {
                    command.env_remove(name);
                }
            }
        }
    }

    /// The command that makes the data, to be run as the node is.
    pub(super) fn preparing(&self, prepare: &Prepare) -> Self {
        Self {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), prepare.script.clone().into()],
            files: Vec::new(),
            prepare: None,
            beside: Vec::new(),
            ..self.clone()
        }
    }
}
