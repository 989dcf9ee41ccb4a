//! What stands in for the search for a node's processes where there is no `/proc`: its group is all there is.

use rustix::process::Signal;

/// Where the processes of a node hang.
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
