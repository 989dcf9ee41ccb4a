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
    /// The leader of the highest ballot it has seen, if any.
    pub leader: Option<String>,
    /// The membership that it knows; two configurations during a change.
    #[serde(default)]
    pub configuration: Membership,
    /// The next slot its replica would propose for; 1 at first.
    pub slot_in: u64,
    /// The next slot its replica will apply; 1 at first.
    pub slot_out: u64,
    /// Number of its leader's preemptions.
    pub preemptions: u64,
    /// Number of its leader's adoptions.
    pub adoptions: u64,
    /// The wait of its leader after the next preemption, in milliseconds.
    pub backoff_ms: u64,
    /// Number of reads answered under its leader's lease, since it started.
    #[serde(default)]
    pub leased: u64,
    /// Its recovery at the start.
    pub recovery: Recovery,
    /// The first slot whose decision its replica retains.
    pub first_kept: u64,
    /// Its acceptor has forgotten the slots below this one, because enough replicas have them on disk.
    pub collected: u64,
    /// Size of its log on disk, without the snapshot, in bytes.
    pub log_bytes: u64,
    /// Size of its last snapshot in bytes, 0 without one.
    pub snapshot_bytes: u64,
    /// Snapshots since it started.
    pub snapshots: u64,
    /// Syncs of its log since it started.
    pub syncs: u64,
}

/// The recovery of a node at its start, by source.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Recovery {
    /// Whether there was a log to read.
    pub restarted: bool,
    /// Records in its log.
    pub records: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// Bytes of a torn last record that were cut off.
    pub torn_bytes: u64,
    /// Slots whose commands were in its own snapshot.
    pub decisions_from_snapshot: u64,
    /// Size of that snapshot, in bytes.
    pub snapshot_bytes: u64,
    /// Decisions it had in its own log, beyond the snapshot.
    pub decisions_from_log: u64,
    /// Decisions it learned from other nodes until it was level.
    pub decisions_from_peers: u64,
    /// Slots in a state that another node sent until it was level.
    pub slots_of_state_from_peers: u64,
    /// Approximate size of data from other nodes until it was level, in bytes.
    pub bytes_from_peers: u64,
    /// Seconds spent reading its own snapshot and log.
    pub log_seconds: f64,
    /// Seconds from the start of the process until it was level with the other replicas; none before.
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
