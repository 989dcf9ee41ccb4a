//! The snapshot policy: one at a time, when the log has grown enough or another replica sent its state.

use super::{Output, Saved};
use crate::log::LogOrder;
use crate::paxos::message::Slot;

/// The stage of the current snapshot.
#[derive(Debug, PartialEq, Eq)]
enum Stage {
    /// No snapshot is in progress.
    Idle,
    /// The log starts a new segment.
    Rotating,
    /// The shell writes the snapshot.
    Writing,
}

/// The snapshots of a node.
#[derive(Debug)]
pub(super) struct Snapshots {
    every: u64,
    stage: Stage,
    bytes: u64,
    count: u64,
}

impl Snapshots {
    /// Takes a snapshot whenever the log has grown by `every` bytes; the last snapshot has `bytes`.
    pub(super) fn new(every: u64, bytes: u64) -> Self {
        Self { every, stage: Stage::Idle, bytes, count: 0 }
    }

    /// Bytes of the last durable snapshot.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Number of snapshots since the process started.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Begins a snapshot if it is due. A log shorter than the last snapshot is not worth a new one.
    pub(super) fn consider<C>(&mut self, log_bytes: u64, wanted: bool, outputs: &mut Vec<Output<C>>) {
        if self.stage == Stage::Idle && (wanted || log_bytes > self.every.max(self.bytes)) {
            self.stage = Stage::Rotating;
            outputs.push(Output::Log(LogOrder::Rotate));
        }
    }

    /// The log has started segment `index`: writes the current state, which covers all earlier segments.
    pub(super) fn rotated<C>(
        &mut self,
        index: u64,
        (slot_out, payload): (Slot, Vec<u8>),
        outputs: &mut Vec<Output<C>>,
    ) {
        assert_eq!(self.stage, Stage::Rotating, "the log started a segment that no snapshot requested");
        self.stage = Stage::Writing;
        outputs.push(Output::Snapshot { index, slot_out, payload });
    }

    /// The snapshot is durable: the log may remove the segments that it replaces.
    pub(super) fn saved<C>(&mut self, Saved { index, bytes, .. }: Saved, outputs: &mut Vec<Output<C>>) {
        assert_eq!(self.stage, Stage::Writing, "the core did not order this snapshot");
        self.stage = Stage::Idle;
        self.bytes = bytes;
        self.count += 1;
        outputs.push(Output::Log(LogOrder::RemoveBefore(index)));
    }
}
