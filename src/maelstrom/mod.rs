//! Programs written for Maelstrom: the bench is their network, and offers them its services.
//!
//! The testbed starts a [bridge] for each node, which starts the program and carries its lines to the [hub].
//! The hub reads each [message] and passes it on: to another node through the router of `nemesis`, where faults
//! act on it; to a client; or to one of the [services].

pub(crate) mod bridge;
pub(crate) mod flags;
pub(crate) mod hub;
mod message;
mod services;
pub(crate) mod test_spec;
