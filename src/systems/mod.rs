//! The systems under test: starts, observes and stops them.

pub(crate) mod cluster;
pub(crate) mod decisions;
pub(crate) mod foreign;
mod foreign_members;
pub(crate) mod hosts;
pub(crate) mod http;
pub(crate) mod last_slots;
pub(crate) mod links;
pub(crate) mod logs;
mod members;
pub(crate) mod observe;
pub(crate) mod output;
pub(crate) mod paxos;
mod ready;
pub(crate) mod remote;
pub(crate) mod samples;
mod setup;
pub(crate) mod words;
