//! The nodes' wall clocks: what is wrong with them, and the file through which a node's clock is shifted.
//!
//! The file has 32 bytes: `ahead`, `faster` and `since`, each a little-endian `i64`, and all three and a seal under
//! exclusive or. Of the true nanoseconds since 1970, `t`, a node then makes
//! `t + ahead + (t - since) * faster / 2^32`. Clocks that only go forward stay true, as when a real clock is set.

#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), path = "no_foreign.rs")]
mod foreign;
mod node_clock;
mod process_clock;
mod reading;
mod shift;
mod shiftable;

pub(crate) use foreign::{PART, stand};
pub(crate) use node_clock::NodeClock;
pub use process_clock::ProcessClock;
pub(crate) use reading::{Reading, true_ns};
pub use shift::ClockFault;
pub use shiftable::Clocks;
