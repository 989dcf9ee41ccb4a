//! The invariants of a node's log: what it recovers is what it wrote, at least up to the last sync.

use crate::trace::{Fact, Restored, Written};
use std::collections::{BTreeMap, VecDeque};

/// An order on its way to the log.
#[derive(Debug, Clone, Copy)]
enum Order {
    /// A batch: its number, whether it is to be synced, and the index behind its last record.
    Append { number: u64, sync: bool, end: usize },
    /// A sync of all batches before it.
    Sync,
    /// A new segment, whose first record has this index.
    Rotate(usize),
    /// A removal of segments.
    Remove,
}

/// All records that a node has handed to its log, and how many of them are durable.
#[derive(Debug, Default)]
pub(super) struct LogTrace {
    /// In order, over all lives. Records that a crash took are cut off.
    written: Vec<Written>,
    /// The records before this index are durable.
    synced: usize,
    /// The records before this index have been handed out as durable.
    taken: usize,
    /// The index behind the last record of the last batch that the log has written, synced or not.
    reported: usize,
    /// The index of the first record of each known segment.
    segments: BTreeMap<u64, usize>,
    /// Orders that the log has not carried out.
    orders: VecDeque<Order>,
    /// A durable snapshot covers the segments before this one.
    covered: u64,
}

impl LogTrace {
    pub(super) fn append(&mut self, number: u64, sync: bool, records: &[Written]) {
        self.written.extend_from_slice(records);
        self.orders.push_back(Order::Append { number, sync, end: self.written.len() });
    }

    pub(super) fn order_sync(&mut self) {
        self.orders.push_back(Order::Sync);
    }

    pub(super) fn order_rotation(&mut self) {
        self.orders.push_back(Order::Rotate(self.written.len()));
    }

    /// A node orders the removal of the segments before this index.
    pub(super) fn order_removal(&mut self, index: u64) -> Result<(), String> {
        self.orders.push_back(Order::Remove);
        if index <= self.covered {
            return Ok(());
        }
        Err(format!(
            "it removes the log's segments before {index} without a durable snapshot that covers them"
        ))
    }

    /// The log reports that it has carried out one order, or several batches that shared a write.
    ///
    /// The report claims that the batches are durable. They are only if one of the orders asks for a sync.
    pub(super) fn synced(&mut self, number: u64) {
        let mut syncs = false;
        match self.orders.front() {
            Some(Order::Sync) => {
                self.orders.pop_front();
                syncs = true;
            }
            Some(Order::Append { .. } | Order::Rotate(_) | Order::Remove) | None => {
                while let Some(Order::Append { number: batch, sync, end }) = self.orders.front().copied()
                    && batch <= number
                {
                    self.orders.pop_front();
                    syncs |= sync;
                    self.reported = end;
                }
            }
        }
        if syncs {
            self.synced = self.synced.max(self.reported);
        }
    }

    /// The log has begun a segment, after it made everything before durable.
    pub(super) fn rotated(&mut self, index: u64) -> Result<(), String> {
        let Some(Order::Rotate(first)) = self.orders.pop_front() else {
            return Err(format!("the log began segment {index} without an order"));
        };
        self.segments.insert(index, first);
        Ok(())
    }

    pub(super) fn removed(&mut self) {
        self.orders.pop_front();
    }

    /// A snapshot is durable that covers the segments before this index.
    pub(super) fn saved(&mut self, index: u64) {
        self.covered = self.covered.max(index);
    }

    /// A process begins on what was in the log.
    pub(super) fn start(&mut self, restored: &Restored) -> Result<(), String> {
        let Restored { first_segment, records, .. } = restored;
        self.orders.clear();
        let found = records.len();
        if self.segments.is_empty() {
            // What was there before the first trace is taken as it is.
            self.written.clone_from(records);
            self.segments = BTreeMap::from([(*first_segment, 0)]);
        } else {
            let first = self.segments.get(first_segment).copied();
            let Some(first) = first else {
                return Err(format!("its log begins with segment {first_segment}, which it had not begun"));
            };
            let known = self.written[first..].iter().zip(records);
            if let Some(index) = known.clone().position(|(written, found)| written != found) {
                return Err(format!(
                    "it recovered another record than it had written, number {} of {found} in its log",
                    index + 1
                ));
            }
            let (end, written) = (first + found, self.written.len());
            if end > written {
                return Err(format!("it recovered {} records more than it had written", end - written));
            }
            if end < self.synced {
                return Err(format!(
                    "it recovered {} records fewer than were durable: the log lost what it had synced",
                    self.synced - end
                ));
            }
            self.written.truncate(end);
            self.segments.retain(|_, first| *first <= end);
        }
        (self.synced, self.reported) = (self.written.len(), self.written.len());
        self.covered = self.covered.max(*first_segment);
        Ok(())
    }

    /// Calls `each` with the records that have become durable since the last call.
    pub(super) fn take_durable(&mut self, mut each: impl FnMut(Fact)) {
        self.taken = self.taken.min(self.synced);
        self.written[self.taken..self.synced].iter().for_each(|record| each(record.fact));
        self.taken = self.synced;
    }
}
