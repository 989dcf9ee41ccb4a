//! What a planned fault does, said without the world that it is done to: a simulator has another one.

use crate::delay::Delay;
use crate::network::LinkFault;
use std::time::Duration;

/// What a fault does to the nodes and links of its scope from its start to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultEffect {
    /// The processes are ended, and start again at the end.
    Down {
        /// What was not synced is gone.
        power: bool,
        /// They end in the middle of a write, where there is one.
        torn: bool,
    },
    /// The processes stand still.
    Still {
        /// How long they stand still and go on, in turn; all the time if none.
        duty: Option<(Duration, Duration)>,
    },
    /// This is wrong with the links.
    Links(LinkFault),
    /// The open connections break; over at once.
    Reset,
    /// Syncs take so much longer.
    Syncs(Delay),
}
