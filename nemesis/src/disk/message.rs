//! Messages between the lab and the process of the disks: one line of JSON each way.

use super::model::DiskModel;
use super::store::{Image, Loss};
use crate::claim::Claim;
use crate::delay::Delay;
use crate::words::count;
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
    /// Every sync that has changes to make durable waits until the fault ends.
    HoldSyncs,
}

/// The syncs that an armed disk holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Catch {
    /// Syncs of files with unsynced bytes, of which a torn write can leave a part.
    Bytes,
    /// Syncs of files and folders with any unsynced change.
    Changes,
}

/// A sync that waits for the disk: none of its changes is durable so far, unless an earlier sync covers them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenSync {
    /// The path of the file or folder on the disk.
    pub(crate) path: String,
    /// The time since the program requested it, in milliseconds.
    pub(crate) open_ms: u64,
    /// The unsynced bytes of a file; 0 for a folder.
    pub(crate) bytes: u64,
}

impl OpenSync {
    /// A description, for example `00000001.log for 21 ms, 1,208 bytes of it not durable`.
    pub(crate) fn in_words(&self) -> String {
        let Self { path, open_ms, bytes } = self;
        let name = if path.is_empty() { "the data folder" } else { path };
        let bytes = if *bytes > 0 {
            format!(", {} of it not durable", count(*bytes, "byte"))
        } else {
            ", changes of names or lengths not durable".to_owned()
        };
        format!("{name} for {open_ms} ms{bytes}")
    }
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
    /// Number of syncs that a fault of kind `hold` made wait.
    pub held: u64,
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
            held: self.held - before.held,
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
    /// Hold every sync of this kind from now on, until the node is killed or the disk is disarmed.
    Arm(Catch),
    Disarm,
    /// Count syncs with changes for a fault that waits for one of them, and hold that one and those after it until `ReleaseAwaited`.
    Await {
        claim: Claim,
        /// Which sync it is, from 1.
        count: u64,
        /// Whether the syncs of all disks that wait for this fault are counted together.
        together: bool,
    },
    ReleaseAwaited {
        claim: Claim,
    },
    /// List the open syncs that the disk holds for a fault that waits for them.
    Awaited {
        claim: Claim,
    },
    /// Begin or end maintenance: the bench works on the disk while the node is down, and no fault hits it.
    Maintain {
        begin: bool,
    },
    /// List the open syncs that the disk holds.
    Caught,
    /// Answer held syncs: a killed process can only exit after the answer.
    LetGo,
    /// Discard unsynced data and unmount the disk. With a seed, a part of the pending writes survives.
    LosePower {
        tear: Option<u64>,
    },
    /// Lose the power as [`LosePower`](Self::LosePower) does, and keep a state that the seed chooses.
    LeaveImage {
        seed: u64,
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
    Caught(Vec<OpenSync>),
    Counted(DiskCounters),
    Lost(Loss),
    Left(Image),
    /// The reason as a sentence.
    Failed(String),
}
