//! A replicated key-value store on Paxos, as a process that speaks HTTP and keeps its state on disk.
//!
//! It follows "Paxos Made Moderately Complex" (van Renesse and Altinbuken, ACM Computing Surveys 47(3), 2015).
//!
//! The roles of the paper are pure state machines ([`paxos`]). A node's [`core`] is pure too: it routes
//! messages to its roles, and orders records to save before messages to send. The [`driver`] runs a core in a
//! process, with a [`log`] on disk, connections to other nodes ([`transport`]) and clients ([`http`]).

pub mod clock;
pub mod config;
pub mod core;
pub mod driver;
pub mod flaw;
pub mod http;
pub mod invariants;
mod join;
mod json_integer;
pub mod log;
pub mod paxos;
mod process;
pub mod sim;
pub mod status;
pub mod store;
pub mod trace;
pub mod transport;

pub use process::{NodeError, SECRET, run};
