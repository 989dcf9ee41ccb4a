//! Node processes: started, hurt and watched as real processes of the operating system.

mod child;
mod command;
mod ending;
mod error;
mod excuse;
mod exit;
#[cfg_attr(not(target_os = "linux"), path = "no_family.rs")]
mod family;
#[cfg_attr(not(target_os = "linux"), path = "no_guard.rs")]
mod guard;
#[cfg_attr(not(target_os = "linux"), path = "no_listener.rs")]
mod listener;
mod node;
mod spawner;
mod state;

pub use command::ProcessCommand;
pub use error::ProcessError;
pub(crate) use excuse::Excuse;
pub use exit::Exit;
pub(crate) use family::Roots;
#[cfg(target_os = "linux")]
pub(crate) use family::{Line, of as family_of};
pub use guard::nodes_are_guarded;
#[cfg(target_os = "linux")]
pub(crate) use guard::{GUARD, serve as guard_a_node};
pub use node::Effect;
pub(crate) use node::NodeProcess;
pub(crate) use spawner::Spawner;
