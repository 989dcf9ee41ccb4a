//! What a plan is made for.

use crate::budget::AtMost;
use crate::clock::Clocks;
use crate::disk::DiskMode;
use crate::network::Mode;
use crate::process::ByCommand;
use std::time::Duration;

/// What a plan is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanOptions {
    /// The network the run uses; it decides which faults there are.
    pub mode: Mode,
    /// Where the nodes have their data.
    pub disk: DiskMode,
    /// Whose clocks can be shifted.
    pub clocks: Clocks,
    /// Length of the phase `load`. Every fault starts and ends within it.
    pub duration: Duration,
    /// How many nodes may be down or cut off at once; without it faults overlap as they come.
    pub at_most: Option<AtMost>,
    /// Where somebody else has started the nodes: what the commands for them can do.
    pub by_command: Option<ByCommand>,
    /// Whether the bench can change the members of this system.
    pub reconfigurable: bool,
    /// Seed of every draw.
    pub seed: u64,
}
