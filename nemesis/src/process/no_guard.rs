//! Stub for platforms without child subreapers.

use super::command::ProcessCommand;
use std::fs::File;
use std::io;
use std::process::{Child, ExitStatus};

/// A guard: there is none.
#[derive(Debug)]
pub(super) struct Guarded {
    pub(super) child: Child,
    pub(super) pid: u32,
}

/// How the first process of a node ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) left: usize,
}

impl Guarded {
    pub(super) fn ended(&mut self) -> Option<Ended> {
        None
    }
}

/// Refuses.
pub(super) fn start(_: &ProcessCommand, _: File) -> io::Result<Guarded> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Never, for the reason given.
pub fn nodes_are_guarded() -> Result<(), String> {
    Err("a process that keeps all that descend from it (PR_SET_CHILD_SUBREAPER) is a thing of Linux"
        .to_owned())
}
