//! Node processes: starts, signals and watches real processes of the operating system.

#[cfg(target_os = "linux")]
mod agent_process;
mod child;
mod command;
mod effect;
mod ending;
mod error;
mod excuse;
mod exit;
#[cfg_attr(not(target_os = "linux"), path = "no_family.rs")]
mod family;
mod far;
mod folder;
#[cfg_attr(not(target_os = "linux"), path = "no_guard.rs")]
mod guard;
#[cfg(target_os = "linux")]
mod guarded_command;
#[cfg(target_os = "linux")]
mod host;
#[cfg_attr(not(target_os = "linux"), path = "no_listener.rs")]
mod listener;
mod node;
#[cfg(target_os = "linux")]
mod order;
mod remote;
mod spawner;
mod state;
mod stop_signal;
mod user;

#[cfg(target_os = "linux")]
pub(crate) use agent_process::AgentProcess;
pub use command::{Beside, NodeFile, Prepare, ProcessCommand};
pub use effect::Effect;
pub use error::ProcessError;
pub(crate) use excuse::Excuse;
pub use exit::Exit;
pub(crate) use family::Roots;
#[cfg(target_os = "linux")]
pub(crate) use family::{Line, of as family_of};
#[cfg(not(target_os = "linux"))]
pub use guard::guarded_command;
pub use guard::nodes_are_guarded;
#[cfg(target_os = "linux")]
pub(crate) use guard::{GUARD, end_descendants, serve as guard_a_node};
#[cfg(target_os = "linux")]
pub use guarded_command::guarded_command;
#[cfg(target_os = "linux")]
pub(crate) use guarded_command::{PART as GUARD_COMMAND, serve as guard_a_command};
pub(crate) use node::NodeProcess;
pub use remote::{ByCommand, RemoteCommands};
pub(crate) use spawner::Spawner;
pub use stop_signal::StopSignal;
pub use user::User;
