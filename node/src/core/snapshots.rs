//! The policy of snapshots: one at a time, when the log has grown enough or when a state came from another replica.

use super::{Output, Saved};
use crate::log::LogOrder;
use crate::paxos::message::Slot;

/// The stage of the present snapshot.
#[derive(Debug, PartialEq, Eq)]
enum Stage {
    /// There is none.
    Idle,
    /// The log begins a new segment.
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
    /// Snapshots whenever the log has grown by `every` bytes; the last one has `bytes`.
    pub(super) fn new(every: u64, bytes: u64) -> Self {
        Self { every, stage: Stage::Idle, bytes, count: 0 }
    }

    /// Bytes of the last durable snapshot.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Snapshots since the process began.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Begins a snapshot if it is time. A log shorter than the last snapshot is not worth another one.
    pub(super) fn consider<C>(&mut self, log_bytes: u64, wanted: bool, outputs: &mut Vec<Output<C>>) {
        if self.stage == Stage::Idle && (wanted || log_bytes > self.every.max(self.bytes)) {
            self.stage = Stage::Rotating;
            outputs.push(Output::Log(LogOrder::Rotate));
        }
    }

    /// The log has begun segment `index`: writes the present state, which covers all segments before it.
    pub(super) fn rotated<C>(
        &mut self,
        index: u64,
        (slot_out, payload): (Slot, Vec<u8>),
        outputs: &mut Vec<Output<C>>,
    ) {
        assert_eq!(self.stage, Stage::Rotating, "the log began a segment that no snapshot asked for");
        self.stage = Stage::Writing;
        outputs.push(Output::Snapshot { index, slot_out, payload });
    }

    /// The snapshot is durable: the log may remove what it replaces.
    pub(super) fn saved<C>(&mut self, Saved { index, bytes, .. }: Saved, outputs: &mut Vec<Output<C>>) {
        assert_eq!(self.stage, Stage::Writing, "a snapshot is durable that the core did not order");
        self.stage = Stage::Idle;
        self.bytes = bytes;
        self.count += 1;
        outputs.push(Output::Log(LogOrder::RemoveBefore(index)));
    }
}
