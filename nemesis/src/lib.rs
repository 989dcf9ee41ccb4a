//! Faults on real processes, planned from a seed and recorded with evidence.
//!
//! The way of a fault: a [`FaultSpec`] is read from a spec; [`plan()`] decides everything about it from the
//! seed before the run; a runner starts and ends it on the lab that holds the processes and the links
//! between them; and each start and end is written to the history with the evidence that it took effect.

mod network;
mod partition;
mod plan;
mod select;
mod spec;
mod topology;
mod vocabulary;

pub use network::{LinkFault, Mode, Network, NetworkError};
pub use partition::Link;
pub use plan::{Action, Hit, PlanError, PlanOptions, PlannedFault, Scope, plan};
pub use select::Ends;
pub use spec::{ByteRate, CutManner, Delay, FaultSpec, Links, Shape, Target};
pub use topology::{NodeInfo, Topology};
pub use vocabulary::{Entry, Family, Kind, vocabulary};
