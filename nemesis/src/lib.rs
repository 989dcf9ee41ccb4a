//! Faults on real processes, planned from a seed and recorded with evidence.
//!
//! The way of a fault: a [`FaultSpec`] is read from a spec; [`plan()`] decides everything about it from the
//! seed before the run; [`run`] starts and ends it on the [`Testbed`] that holds the processes and the links
//! between them; and each start and end is written to the history with the evidence that it took effect.

mod budget;
mod claim;
mod clock;
mod control_socket;
mod delay;
mod disk;
mod entry;
mod flaky;
mod hang_up;
mod network;
mod partition;
mod plan;
mod point;
mod process;
#[cfg_attr(not(target_os = "linux"), path = "no_reexec.rs")]
mod reexec;
mod runner;
mod select;
mod spec;
#[cfg_attr(not(target_os = "linux"), path = "no_sweeper.rs")]
mod sweeper;
mod testbed;
mod topology;
mod vocabulary;
mod words;

#[cfg(test)]
mod test_node;

pub use budget::AtMost;
pub use claim::Claim;
pub use clock::{ClockFault, Clocks, ProcessClock};
pub use control_socket::{AskError, NodeState, Reply, Request, SOCKET, ask, is_listening};
pub use disk::{
    Condition, Damage, DamageError, Disk, DiskCounters, DiskError, DiskMode, DiskModel, Folders, Harm, Tear,
    WriteBack,
};
pub use entry::lab_entry;
pub use flaky::{Flaky, Share};
pub use hang_up::hang_up_is_ignored;
pub use network::{
    LabNetworkError, LabProbe, LinkCounters, LinkFault, LinkSummary, Mode, Network, NetworkError, PortError,
    Probe, ProxyError, probe_lab,
};
pub use partition::{CLIENTS, Link};
pub use plan::{Action, Duty, Hit, PlanError, PlanOptions, PlannedFault, Scope, Trigger, plan};
pub use point::{After, Point, Progress};
pub use process::{Effect, Exit, ProcessCommand, ProcessError, nodes_are_guarded};
pub use reexec::{EnterError, enter_lab, enter_lab_with, inside_lab};
pub use runner::{Directory, FaultRecord, Members, run};
pub use select::Ends;
pub use spec::{ByteRate, CutManner, Delay, Distribution, FaultSpec, Links, MemberChange, Shape, Target};
pub use sweeper::Sweeper;
pub use testbed::{Gone, Revival, Testbed, TestbedConfig, TestbedError};
pub use topology::{NodeInfo, Topology};
pub use vocabulary::{Entry, Family, Kind, vocabulary};
