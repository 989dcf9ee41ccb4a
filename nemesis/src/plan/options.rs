//! The run for which a plan is made.

use crate::budget::AtMost;
use crate::clock::Clocks;
use crate::disk::DiskMode;
use crate::network::Mode;
use crate::process::ByCommand;
use std::time::Duration;

/// The run for which a plan is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanOptions {
    /// The network of the run, which decides the possible faults.
    pub mode: Mode,
    /// The disk of the nodes' data.
    pub disk: DiskMode,
    /// The nodes whose clocks can be shifted.
    pub clocks: Clocks,
    /// Length of the phase `load`. Every fault starts and ends within it.
    pub duration: Duration,
    /// Number of nodes that may be down or cut off at once; unlimited when left out.
    pub at_most: Option<AtMost>,
    /// For servers that already run: the faults that the commands for them support.
    pub by_command: Option<ByCommand>,
    /// Whether the bench can change the members of this system.
    pub reconfigurable: bool,
    /// What the nodes report.
    pub reported: Reported,
    /// Whether the run is simulated, so that a fault can wait for every message and sync.
    pub simulated: bool,
    /// Seed of every draw.
    pub seed: u64,
}

/// What the nodes of a system report, which decides for what a fault can wait and whether it can find the leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is reported or not by itself")]
pub struct Reported {
    /// Which node leads.
    pub leader: bool,
    /// Adoptions of ballots, elections or terms.
    pub adopted: bool,
    /// How many slots or entries of the log are decided or applied.
    pub decided: bool,
    /// Preemptions of ballots.
    pub preempted: bool,
}

impl Reported {
    /// Everything, as the bench's own nodes do.
    pub const ALL: Self = Self { leader: true, adopted: true, decided: true, preempted: true };
    /// Nothing.
    pub const NONE: Self = Self { leader: false, adopted: false, decided: false, preempted: false };
}
