//! The disks that hold the nodes' data, and faults of them.
//!
//! A disk in memory records which data was written and which was synced, so it can lose its power. Files on any
//! disk can be damaged or removed while their node is down.

mod damage;
mod empty;
mod error;
mod exchange;
#[cfg_attr(not(target_os = "linux"), path = "no_memory.rs")]
mod memory;
mod message;
mod mode;
mod model;
mod store;

pub(crate) use damage::apply;
pub use damage::{Damage, DamageError, Harm};
pub(crate) use empty::empty;
pub use error::DiskError;
pub(crate) use exchange::{HandedOn, Move, exchange};
pub(crate) use memory::{Disks, NodeDisk};
#[cfg(target_os = "linux")]
pub(crate) use memory::{PART, probe, serve};
pub(crate) use message::{Catch, OpenSync};
pub use message::{Condition, DiskCounters};
pub use mode::{Disk, DiskMode};
pub use model::{DiskModel, Folders, Tear, WriteBack};
