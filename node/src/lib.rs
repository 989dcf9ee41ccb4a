//! A replicated key-value store on Paxos, after "Paxos Made Moderately Complex" (van Renesse and Altinbuken,
//! ACM Computing Surveys 47(3), 2015), as a process that speaks HTTP and keeps its state on disk.
//!
//! The roles of the paper are pure and live in [`paxos`]; [`driver`] feeds them, [`log`] remembers for them,
//! [`transport`] and [`http`] connect them to the world.

pub mod clock;
pub mod config;
pub mod driver;
pub mod flaw;
pub mod http;
mod join;
mod json_integer;
pub mod log;
pub mod paxos;
mod process;
pub mod status;
pub mod store;
pub mod transport;

pub use process::{NodeError, SECRET, run};
