//! All tests of the node except the decoder's, which count memory with their own allocator.
#![allow(clippy::unwrap_used, reason = "in a test a broken assumption should end it")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "these tests are about processes")]

mod between;
mod cluster;
mod endurance;
mod exhaustive;
mod golden;
mod limits;
mod process;
mod simulation;
