//! The status of a node: the body of `GET /status`.

use crate::config::Role;
use crate::flaw::Flaw;
use crate::paxos::membership::Membership;
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
    /// Its flaws.
    pub flaws: Vec<Flaw>,
    /// Whether its own leader is active: adopted, and not preempted since.
    pub active: bool,
    /// The round of its own leader's ballot, 0 without a leader.
    pub round: u64,
    /// The name of the leader whose ballot is the highest it has seen, if it has seen one.
    pub leader: Option<String>,
    /// Who the members are, as far as it knows; two configurations while a change is under way.
    #[serde(default)]
    pub configuration: Membership,
    /// The next slot its replica would propose for; 1 at first.
    pub slot_in: u64,
    /// The next slot its replica will apply; 1 at first.
    pub slot_out: u64,
    /// How often its leader was preempted.
    pub preemptions: u64,
    /// How often its leader was adopted.
    pub adoptions: u64,
    /// The wait of its leader after the next preemption, in milliseconds.
    pub backoff_ms: u64,
    /// Reads that its replica answered by its leader's lease, since it started.
    #[serde(default)]
    pub leased: u64,
    /// What it recovered when it started.
    pub recovery: Recovery,
    /// The first slot whose decision its replica keeps.
    pub first_kept: u64,
    /// The slots below this one its acceptor has forgotten, because enough replicas have them on disk.
    pub collected: u64,
    /// Bytes of its log on disk, without the snapshot.
    pub log_bytes: u64,
    /// Bytes of its last snapshot, 0 without one.
    pub snapshot_bytes: u64,
    /// Snapshots since it started.
    pub snapshots: u64,
    /// Syncs of its log since it started.
    pub syncs: u64,
}

/// What a node recovered when it started, and from where.
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
    /// Slots whose commands were in its own snapshot.
    pub decisions_from_snapshot: u64,
    /// Bytes of that snapshot.
    pub snapshot_bytes: u64,
    /// Decisions it had in its own log, beyond the snapshot.
    pub decisions_from_log: u64,
    /// Decisions it learned from other nodes until it was level.
    pub decisions_from_peers: u64,
    /// Slots whose commands were in a state that another node handed it until it was level.
    pub slots_of_state_from_peers: u64,
    /// Bytes of what came from other nodes until it was level, roughly.
    pub bytes_from_peers: u64,
    /// Seconds spent reading its own snapshot and log.
    pub log_seconds: f64,
    /// Seconds from the start of the process until it was level with the other replicas; none while it is not.
    pub level_seconds: Option<f64>,
}

impl Recovery {
    /// Slots whose decisions were in its own snapshot and log.
    pub fn from_own_log(&self) -> u64 {
        self.decisions_from_snapshot + self.decisions_from_log
    }

    /// Slots whose decisions came from other nodes, one by one or in a state, until it was level.
    pub fn from_peers(&self) -> u64 {
        self.decisions_from_peers + self.slots_of_state_from_peers
    }

    /// Microseconds from the start of the process until it was level; none while it is not.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time since the start is not negative"
    )]
    pub fn level_us(&self) -> Option<u64> {
        self.level_seconds.map(|seconds| (seconds * 1e6).round() as u64)
    }
}
