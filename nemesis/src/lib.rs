//! Faults on real processes, planned from a seed and recorded with evidence.
//!
//! The way of a fault: a [`FaultSpec`] is read from a spec; [`plan()`] decides everything about it from the
//! seed before the run; [`run`] starts and ends it on the [`Lab`] that holds the processes and the links
//! between them; and each start and end is written to the history with the evidence that it took effect.

mod budget;
mod clock;
mod delay;
mod disk;
mod flaky;
mod kept;
mod lab;
mod network;
mod partition;
mod plan;
mod point;
mod process;
mod runner;
mod select;
mod spec;
#[cfg_attr(not(target_os = "linux"), path = "no_sweeper.rs")]
mod sweeper;
mod topology;
mod vocabulary;
mod words;

#[cfg(test)]
mod pretend;

pub use budget::AtMost;
pub use clock::{ClockFault, Clocks, ProcessClock};
pub use disk::{
    Condition, Damage, DamageError, Disk, DiskCounters, DiskError, DiskMode, DiskModel, Folders, Harm, Tear,
    WriteBack,
};
pub use flaky::{Flaky, Share};
pub use kept::{AskError, NodeState, Reply, Request, SOCKET, ask, is_kept};
pub use lab::{Gone, Lab, LabConfig, LabError, Revival};
pub use network::{
    CLIENTS, Claim, EnterError, LabNetworkError, LabProbe, LinkCounters, LinkFault, LinkSummary, Mode,
    Network, NetworkError, PortError, Probe, ProxyError, enter_lab, enter_lab_with, inside_lab, lab_entry,
    probe_lab,
};
pub use partition::Link;
pub use plan::{Action, Duty, Hit, PlanError, PlanOptions, PlannedFault, Scope, Trigger, plan};
pub use point::{After, Point, Progress};
pub use process::{Effect, Exit, ProcessCommand, ProcessError, hang_up_is_ignored, nodes_are_guarded};
pub use runner::{Directory, FaultRecord, Members, run};
pub use select::Ends;
pub use spec::{ByteRate, CutManner, Delay, Distribution, FaultSpec, Links, MemberChange, Shape, Target};
pub use sweeper::Sweeper;
pub use topology::{NodeInfo, Topology};
pub use vocabulary::{Entry, Family, Kind, vocabulary};
