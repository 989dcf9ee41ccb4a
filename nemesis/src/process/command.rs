//! The command that starts a node's process.

use super::stop_signal::StopSignal;
use super::user::User;
use crate::clock::ProcessClock;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// The command that starts a node's process, also again after a kill.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// The variables that it inherits from the bench; all when left out.
    pub inherit: Option<Vec<OsString>>,
    /// Additional variables.
    pub env: Vec<(OsString, OsString)>,
    /// The file to which standard output and standard error are appended.
    pub output: PathBuf,
    /// The folder of its data, which faults of the disk act on; none if it is unknown.
    pub data: Option<PathBuf>,
    /// The source of its shifted time; none if no fault may shift its clock.
    #[serde(skip)]
    pub clock: Option<ProcessClock>,
    /// The signal that requests its end.
    pub stop: StopSignal,
    /// The user of all processes of the node; the bench's user when left out.
    pub user: Option<User>,
    /// The host name that they see; the machine's when left out. Needs a guard.
    pub host: Option<String>,
    /// Files that the bench writes into the data folder before each start.
    pub files: Vec<NodeFile>,
    /// The command that runs first if the data folder has no other files.
    pub prepare: Option<Prepare>,
    /// Helper programs of the node, started before it. They need a guard.
    pub beside: Vec<Beside>,
}

/// A file that the bench writes for a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeFile {
    /// The path below the data folder.
    pub path: PathBuf,
    /// Its content.
    pub text: String,
    /// Whether an existing file stays, because the program changes it.
    pub keep: bool,
}

/// A shell command that creates the data of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepare {
    /// The command.
    pub script: String,
    /// Its time limit.
    pub within: Duration,
}

/// A helper program of a node. It starts, pauses and ends with the node, as the same user and host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    /// Its name, for people.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables in addition to those of the node.
    pub env: Vec<(OsString, OsString)>,
    /// The file to which standard output and standard error are appended.
    pub output: PathBuf,
}

impl ProcessCommand {
    /// Restricts a command's environment to the inherited variables and the bench's variable `own`.
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

    /// The command that creates the data, run under the same conditions as the node.
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
