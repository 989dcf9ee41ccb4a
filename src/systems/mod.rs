//! The systems under test: how each is started, watched, asked and stopped.

pub(crate) mod decisions;
pub(crate) mod http;
pub(crate) mod output;
pub(crate) mod paxos;
pub(crate) mod samples;
