//! Faults on real processes, planned from a seed and recorded with evidence.
//!
//! The life of a fault: a spec names it ([`FaultSpec`]). Before the run, [`plan()`] draws its times and targets
//! from the seed. [`run`] starts and ends it on the [`Testbed`], which holds the processes and the links
//! between them. The history records each start and end with the evidence that the fault took effect.

mod budget;
mod claim;
mod clock;
mod control_socket;
mod delay;
mod directory;
mod disk;
mod entry;
mod fault;
mod flaky;
mod hang_up;
mod hosts;
mod network;
mod parameters;
mod partition;
mod plan;
mod point;
mod process;
#[cfg_attr(not(target_os = "linux"), path = "no_reexec.rs")]
mod reexec;
mod refusal;
mod runner;
mod schedule;
mod schema;
mod scope;
mod select;
mod spec;
#[cfg_attr(not(target_os = "linux"), path = "no_sweeper.rs")]
mod sweeper;
mod testbed;
mod topology;
mod words;

#[cfg(test)]
mod test_node;

pub use budget::AtMost;
pub use claim::Claim;
pub use clock::{ClockFault, Clocks, ProcessClock};
pub use control_socket::{AskError, NodeState, Reply, Request, SOCKET, ask, is_listening};
pub use directory::{Directory, Members};
pub use disk::{
    Condition, Damage, DamageError, Disk, DiskCounters, DiskError, DiskMode, DiskModel, Folders, Harm, Tear,
    WriteBack,
};
pub use entry::lab_entry;
pub use fault::{Entry, Family, Flag, Kind, OnNodes, vocabulary};
pub use flaky::{Flaky, Share};
pub use hang_up::hang_up_is_ignored;
pub use hosts::{Abilities, Ability, HostAddress, HostConnection, HostError};
pub use network::{
    Joined, LabNetworkError, LabProbe, LinkCounters, LinkFault, LinkSummary, Messages, Mode, Network,
    NetworkError, PortError, Probe, ProxyError, probe_lab,
};
pub use parameters::{
    ByteRate, CutManner, Delay, Distribution, During, Links, MemberChange, Parameters, Shape, Target,
};
pub use partition::{CLIENTS, Link};
pub use plan::{FaultEffect, PlanError, PlanOptions, PlannedFault, Reported, Trigger, plan};
pub use point::{After, Point, Progress, Sight};
pub use process::{
    Beside, ByCommand, Effect, Exit, NodeFile, Prepare, ProcessCommand, ProcessError, RemoteCommands,
    StopSignal, User, guarded_command, nodes_are_guarded,
};
pub use reexec::{EnterError, enter_lab, enter_lab_with, inside_lab};
pub use runner::{FaultRecord, run};
pub use schedule::{
    Diverged, Following, Header as ScheduleHeader, Holding, Moment, Part, ReplayReport, Schedule,
    ScheduleError, Tape,
};
pub use scope::{Ends, Hit, Scope};
pub use spec::FaultSpec;
pub use sweeper::Sweeper;
pub use testbed::{Gone, Revival, Testbed, TestbedConfig, TestbedError};
pub use topology::{NodeInfo, Topology};
