//! The nodes' wall clocks: their faults, and the file through which the bench shifts a clock.
//!
//! The file has 32 bytes: `ahead`, `faster` and `since`, each a little-endian `i64`, then a checksum: the
//! exclusive or of all three and a seal. From the true nanoseconds since 1970, `t`, a node computes
//! `t + ahead + (t - since) * faster / 2^32`. Monotonic clocks stay true, as when a real clock is set.

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
