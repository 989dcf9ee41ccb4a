//! The schedule of a run: the order of its messages and the points of its faults, recorded and followed again.
//!
//! The [`Tape`] of a testbed counts and records while the load runs; in a replay it also holds back. What it may hold and
//! for how long is decided in pure code: messages and operations by an `Order`, faults by `Cues`.

mod approach;
mod cues;
mod line;
mod masked;
mod order;
mod report;
mod tape;
mod window;

pub(crate) use cues::Given;
pub use cues::Moment;
pub use line::{Header, Schedule, ScheduleError};
pub(crate) use masked::hash;
pub use report::{Diverged, Part, ReplayReport};
pub(crate) use tape::Ticket;
pub use tape::{Following, Tape};
pub use window::Holding;
