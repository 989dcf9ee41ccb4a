//! The effect of a planned fault, independent of real processes, so that a simulator can apply it.

use crate::delay::Delay;
use crate::network::LinkFault;
use std::time::Duration;

/// The effect of a fault on the nodes and links of its scope from its start to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultEffect {
    /// The processes end, and restart at the end of the fault.
    Down {
        /// Unsynced data is lost.
        power: bool,
        /// They end in the middle of a write or a sync, if one comes.
        writing: bool,
    },
    /// The processes are paused.
    Still {
        /// The times of each pause and of each run between pauses; paused throughout if none.
        duty: Option<(Duration, Duration)>,
    },
    /// The links have this condition.
    Links(LinkFault),
    /// The open connections break, once.
    Reset,
    /// Each sync takes this much longer.
    Syncs(Delay),
}
