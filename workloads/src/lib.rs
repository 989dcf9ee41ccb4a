//! Experiments: load that is generated from a seed and sent to a system under test.
//!
//! A [`LoadSpec`] says what the clients do. A [`Session`] carries it out, phase by phase, and tells a
//! [`Recorder`](history::Recorder) everything that happens. One table, [`outcome`], decides the outcome
//! of an operation. A [`ThroughputMeter`] only counts and times. This crate does not know what a fault is.

mod adapter;
mod alarm;
mod arrivals;
mod client;
mod client_thread;
mod connection;
mod exchange;
mod generator;
mod helper;
mod http1;
mod logs;
mod maelstrom;
mod operation;
pub mod outcome;
mod own_keys;
mod paxos;
mod phase;
mod progress;
mod requests;
mod resp;
mod route;
mod seed;
mod serving;
mod session;
mod simulated;
mod single_steps;
mod spec;
mod throughput;
mod turns;
mod workload;

pub use adapter::{Adapter, CommandName, Dialogue, HelperCounts, Performed, Protocol, Reply, Speaker};
pub use connection::{HttpConnection, NoAnswer};
pub use exchange::Requesting;
pub use generator::{Choices, Draft, Generator};
pub use helper::{HelperCommand, HelperStart, INHERITED, inherited};
pub use maelstrom::{Asked, Body, Dialect, MessageNetwork, ShapeOfNodes};
pub use operation::{Function, Operation};
pub use own_keys::OwnKeys;
pub use paxos::{PaxosHttp, text as stored_text, value as history_value};
pub use progress::Progress;
pub use requests::{
    ClientKind, ClientSpec, DigestSpec, DigestTable, Exchange, Found, Isolation, NodeStatus, RequestTable,
    Rule, StateDigest, StatusSpec, StatusTable, Statuses, Step, TransactionSpec, When,
};
pub use route::{LeaderSource, Route};
pub use seed::client_seeds;
pub use serving::{OPENING, PROBE_KEY, ServeError};
pub use session::{FinalReport, PhaseReport, Session, Target};
pub use simulated::{Attempt, SimulatedLoad};
pub use spec::{Arrivals, KeyDistribution, LoadSpec, SpecError, Workload};
pub use throughput::{ThroughputMeter, ThroughputReport};
pub use tokio_util::sync::CancellationToken;
pub use turns::Turns;
