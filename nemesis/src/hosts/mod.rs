//! Nodes on other machines, over OpenSSH: one agent on each host, which starts, signals, cuts and heals.
//!
//! Problem: the bench must act on processes and packets of another machine, collect evidence there, and leave
//! nothing behind, also when it is killed or the connection breaks.
//!
//! Idea: the bench copies its own program into a temporary folder of the host and starts it there as an agent,
//! over one session of the user's own `ssh`. Orders and answers are lines of JSON. The agent runs the same code for
//! processes as the bench does here, with guards, so the evidence is the same.
//!
//! Why nothing is left: the agent ends when its input closes or when no line arrived for [`SILENCE`]. A watchdog
//! beside it then ends every process, removes the rules of the network and the folder. It does so for any end of
//! the agent, and the agent does it if the watchdog was killed.

#[cfg(target_os = "linux")]
mod agent;
mod connection;
mod error;
mod message;
mod network;
mod session;
mod tool;

#[cfg(target_os = "linux")]
pub(crate) use agent::{AGENT, WATCHDOG, serve, watch_over};
pub use connection::HostConnection;
pub use error::HostError;
pub use message::{Abilities, Ability};
pub(crate) use message::{EndedProcess, Order, RawEnd, StartedProcess};
pub(crate) use network::{HostNetwork, HostNode};
pub use session::HostAddress;

use std::time::Duration;

/// The agent heals and ends after this time without a line of the bench.
pub(crate) const SILENCE: Duration = Duration::from_secs(5);
/// The bench writes a line at least this often.
const BEAT: Duration = Duration::from_millis(500);
