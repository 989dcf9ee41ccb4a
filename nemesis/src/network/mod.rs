//! The links between the nodes: the network modes, and the choice of a mode for this machine and build.
//!
//! The folders `proxy`, `lab` and `messages` implement their modes. `host` needs no code: it is plain loopback.

mod choice;
mod condition;
mod counters;
#[cfg_attr(not(target_os = "linux"), path = "no_lab.rs")]
mod lab;
mod lane;
mod messages;
mod mode;
mod open_files;
mod ports;
mod proxy;
mod wires;

pub use choice::{Network, NetworkError};
pub(crate) use condition::Faults;
pub use condition::LinkFault;
pub use counters::{LinkCounters, LinkSummary};
#[cfg(all(test, target_os = "linux"))]
pub(crate) use lab::tests::{disk_possible, inside as inside_a_lab_of_its_own};
pub(crate) use lab::{LabNetwork, NODES_MAX, Namespace, Plan, disk_can_be_mounted};
pub use lab::{LabNetworkError, LabProbe, probe_lab};
#[cfg(target_os = "linux")]
pub(crate) use lab::{PROBE, probe_inside};
pub use messages::{Joined, Messages};
pub use mode::Mode;
pub(crate) use open_files::{make_room, most_nodes, needed as needed_files, of_nodes as open_files_of_nodes};
pub(crate) use ports::PortBlock;
pub use ports::PortError;
pub use proxy::{Probe, ProxyError};
pub(crate) use proxy::{Proxies, Way, probe, probe_with};
pub(crate) use wires::Wires;
