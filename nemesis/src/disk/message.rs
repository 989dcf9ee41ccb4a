//! Messages between the lab and the process of the disks: one line of JSON each way.

use super::model::DiskModel;
use super::store::Loss;
use crate::claim::Claim;
use crate::delay::Delay;
use serde::{Deserialize, Serialize};
use std::ops::Sub;
use std::path::PathBuf;

/// A fault of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// Writes fail with ENOSPC. Overwriting fails too, as on file systems that never write in place.
    Full,
    /// Every sync takes longer.
    DelaySyncs(Delay),
    /// Every sync fails with EIO. No later sync writes the data of a failed one.
    SyncError,
}

/// Counters of a disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskCounters {
    /// Number of syncs.
    pub syncs: u64,
    /// Number of delayed syncs.
    pub delayed: u64,
    /// Number of failed syncs.
    pub failed: u64,
    /// Number of writes and other changes refused for lack of space.
    pub refused: u64,
}

impl Sub for DiskCounters {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            syncs: self.syncs - before.syncs,
            delayed: self.delayed - before.delayed,
            failed: self.failed - before.failed,
            refused: self.refused - before.refused,
        }
    }
}

/// A request of the lab.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Mount the node's disk at this folder; a new disk begins with the folder's content.
    Mount {
        path: PathBuf,
        seed: u64,
        model: DiskModel,
    },
    /// Start or end a fault.
    Apply {
        claim: Claim,
        condition: Condition,
    },
    Release {
        claim: Claim,
    },
    ReleaseAll,
    /// Hold the next sync that has data to write, until the power loss happens or is cancelled.
    Arm,
    Disarm,
    /// Begin or end maintenance: the bench works on the disk while the node is down, and no fault hits it.
    Maintain {
        begin: bool,
    },
    /// Whether a sync is held.
    Caught,
    /// Answer held syncs: a killed process can only exit after the answer.
    LetGo,
    /// Discard unsynced data and unmount the disk. With a seed, a part of the pending writes survives.
    LosePower {
        tear: Option<u64>,
    },
    /// Report the counters.
    Count,
    /// Unmount the disk and write its content into the folder under it.
    Save,
}

/// A reply of the process of the disks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Answer {
    Done,
    Caught(bool),
    Counted(DiskCounters),
    Lost(Loss),
    /// The reason as a sentence.
    Failed(String),
}
