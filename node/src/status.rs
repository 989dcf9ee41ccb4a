//! What a node says of itself at `GET /status`.

use crate::config::Role;
use crate::flaw::Flaw;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The body of `GET /status`. Counters start at 0 with each process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The node's name.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// The roles it hosts.
    pub roles: BTreeSet<Role>,
    /// The mistakes it was told to make.
    pub flaws: Vec<Flaw>,
    /// Whether its own leader is active: adopted, and not preempted since.
    pub active: bool,
    /// The round of its own leader's ballot, 0 without a leader.
    pub round: u64,
    /// The name of the leader whose ballot is the highest it has seen, if it has seen one.
    pub leader: Option<String>,
    /// The next slot its replica would propose for; 1 at first.
    pub slot_in: u64,
    /// The next slot its replica will apply; 1 at first.
    pub slot_out: u64,
    /// How often its leader was preempted.
    pub preemptions: u64,
    /// How often its leader was adopted.
    pub adoptions: u64,
    /// What its leader waits after the next preemption, in milliseconds.
    pub backoff_ms: u64,
    /// What it brought back when it started.
    pub recovery: Recovery,
    /// Bytes of its log on disk.
    pub log_bytes: u64,
    /// Syncs of its log since it started.
    pub syncs: u64,
}

/// What a node brought back when it started, and from where.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Recovery {
    /// Whether there was a log to read.
    pub restarted: bool,
    /// Records in its log.
    pub records: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Bytes of a torn last record that were cut off.
    pub torn_bytes: u64,
    /// Decisions it had in its own log.
    pub decisions_from_log: u64,
    /// Decisions it learned from other nodes until it was level.
    pub decisions_from_peers: u64,
    /// Seconds spent reading its own log.
    pub log_seconds: f64,
    /// Seconds from the start of the process until it was level with the other replicas; none while it is not.
    pub level_seconds: Option<f64>,
}
