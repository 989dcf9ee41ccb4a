//! When snapshots are taken: one at a time, when the log has grown enough, or when a state came from elsewhere.

use super::Input;
use crate::log::{DataFolder, LogWriter};
use crate::paxos::message::Slot;
use tokio::sync::mpsc;

/// A snapshot that is durable.
#[derive(Debug, Clone, Copy)]
pub struct Saved {
    /// The first segment that it does not cover.
    index: u64,
    /// The commands of all slots below are in its state.
    slot_out: Slot,
    bytes: u64,
}

/// What the node is about.
#[derive(Debug, PartialEq, Eq)]
enum Stage {
    Idle,
    /// It waits for a new segment.
    Rotating,
    /// A thread writes the snapshot.
    Writing,
}

/// The snapshots of a node.
#[derive(Debug)]
pub(super) struct Snapshots {
    folder: DataFolder,
    every: u64,
    stage: Stage,
    bytes: u64,
    count: u64,
    inbox: mpsc::UnboundedSender<Input>,
}

impl Snapshots {
    /// Snapshots in `folder` whenever the log has grown by `every` bytes; the last one had `bytes`.
    pub(super) fn new(
        folder: DataFolder,
        every: u64,
        bytes: u64,
        inbox: mpsc::UnboundedSender<Input>,
    ) -> Self {
        Self { folder, every, stage: Stage::Idle, bytes, count: 0, inbox }
    }

    /// Bytes of the last one that is durable.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many were written since the process began.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Begins one if it is time. A log shorter than the last snapshot is not worth another one.
    pub(super) fn consider(&mut self, log: &LogWriter, log_bytes: u64, wanted: bool) {
        if self.stage == Stage::Idle && (wanted || log_bytes > self.every.max(self.bytes)) {
            self.stage = Stage::Rotating;
            log.rotate();
        }
    }

    /// Segment `index` has been begun: writes the state as it is now, in a thread of its own.
    pub(super) fn take(&mut self, index: u64, (slot_out, payload): (Slot, Vec<u8>)) {
        self.stage = Stage::Writing;
        let (folder, inbox) = (self.folder.clone(), self.inbox.clone());
        std::thread::spawn(move || {
            let saved = folder.save_snapshot(index, &payload);
            let saved = saved.map(|()| Saved { index, slot_out, bytes: payload.len() as u64 });
            // The driver only goes away when the process ends.
            let _ = inbox.send(Input::Saved(saved));
        });
    }

    /// It is durable: lets go of what it replaces, and says up to which slot it reaches.
    pub(super) fn saved(&mut self, saved: Saved, log: &LogWriter) -> Slot {
        let Saved { index, slot_out, bytes } = saved;
        self.stage = Stage::Idle;
        self.bytes = bytes;
        self.count += 1;
        log.remove_before(index);
        slot_out
    }
}
