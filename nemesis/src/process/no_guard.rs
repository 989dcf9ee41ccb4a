//! Stub for platforms without child subreapers.

use super::command::ProcessCommand;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus};

/// No guard.
#[derive(Debug)]
pub(super) struct Guarded {
    pub(super) child: Child,
    pub(super) pids: Vec<u32>,
}

/// The ends of a node's programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) first: usize,
    pub(super) statuses: Vec<ExitStatus>,
    pub(super) left: usize,
}

impl Guarded {
    pub(super) fn take_control(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    pub(super) fn ended(&mut self) -> Option<Ended> {
        None
    }
}

/// Does nothing.
pub(super) fn say_stop(_: &mut ChildStdin) -> io::Result<()> {
    Ok(())
}

/// Always an error.
pub(super) fn start(_: &ProcessCommand, _: File) -> io::Result<Guarded> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Always an error, with the reason.
pub fn nodes_are_guarded() -> Result<(), String> {
    Err("only Linux has child subreapers (PR_SET_CHILD_SUBREAPER)".to_owned())
}

/// The command that starts a program with these variables only.
pub fn guarded_command(program: &str, args: &[String], env: &[(OsString, OsString)]) -> Command {
    let mut command = Command::new(program);
    command.args(args).env_clear().envs(env.iter().map(|(name, value)| (name, value))).process_group(0);
    command
}
