//! Stub for platforms without `/proc`: the processes of a node are its process group.

use rustix::process::Signal;

/// The roots of a node's process trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Roots {
    pub(crate) first: u32,
    pub(crate) beside: Vec<u32>,
    pub(crate) guard: Option<u32>,
}

pub(crate) fn of(roots: &Roots) -> Vec<u32> {
    vec![roots.first]
}

pub(crate) fn signal_others(_: &Roots, _: Signal) -> usize {
    0
}
