//! What the lab and the process of the disks say to each other: a line of JSON each way.

use super::model::DiskModel;
use super::store::Loss;
use crate::claim::Claim;
use crate::delay::Delay;
use serde::{Deserialize, Serialize};
use std::ops::Sub;
use std::path::PathBuf;

/// What is wrong with a disk as long as a fault holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// Nothing more can be written: ENOSPC. Overwriting needs space too, as where data is never written in place.
    Full,
    /// Every sync takes longer.
    DelaySyncs(Delay),
    /// Every sync fails: EIO. What it should have written, no later sync writes.
    SyncError,
}

/// What a disk has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskCounters {
    /// Syncs asked for.
    pub syncs: u64,
    /// Those of them that were answered late.
    pub delayed: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Writes and other changes that were refused for want of space.
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

/// What the lab asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Request {
    /// The node's disk is to be at this folder, made with what is in it if there is none yet.
    Mount {
        path: PathBuf,
        seed: u64,
        model: DiskModel,
    },
    /// A fault begins or ends.
    Apply {
        claim: Claim,
        condition: Condition,
    },
    Release {
        claim: Claim,
    },
    ReleaseAll,
    /// The next sync that has something to write is held, until the power is lost or the power loss is given up.
    Arm,
    Disarm,
    /// The bench works on the disk itself while the node is down, or no longer: no fault of the disk meets it then.
    Maintain {
        begin: bool,
    },
    /// Whether one is.
    Caught,
    /// Whoever waits for a sync has been killed, and must be answered to die.
    LetGo,
    /// What is not durable is gone, but for a part of what was being written if there is a seed. The disk is unmounted.
    LosePower {
        tear: Option<u64>,
    },
    /// What the disk has done.
    Count,
    /// The disk is unmounted, and what is on it written into the folder under it.
    Save,
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Answer {
    Done,
    Caught(bool),
    Counted(DiskCounters),
    Lost(Loss),
    /// A sentence.
    Failed(String),
}
