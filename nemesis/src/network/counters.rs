//! Counters of a link: carried, held and refused traffic, for evidence.

use crate::partition::Link;
use serde::Serialize;
use std::ops::Sub;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The counters of a directed link since its creation.
///
/// A chunk is the result of one read of a socket by a proxy; in mode `lab` it is a frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LinkCounters {
    /// Connections accepted.
    pub connections: u64,
    /// Connections open now.
    pub open: u64,
    /// Chunks read from either side.
    pub chunks: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Chunks that arrived while the link was cut, and were held.
    pub held_chunks: u64,
    /// Bytes of them.
    pub held_bytes: u64,
    /// Chunks that a fault delayed.
    pub delayed_chunks: u64,
    /// Bytes of them.
    pub delayed_bytes: u64,
    /// Connections that were refused because the link was cut.
    pub refused: u64,
    /// Open connections that were reset by a fault.
    pub reset: u64,
    /// Frames that were dropped because the link was cut (mode `lab`).
    pub dropped: u64,
    /// Bytes of them.
    pub dropped_bytes: u64,
    /// Frames that a flaky link lost.
    pub lost: u64,
    /// Frames that it doubled.
    pub duplicated: u64,
    /// Frames that others overtook.
    pub reordered: u64,
    /// Frames in which a bit was flipped.
    pub corrupted: u64,
    /// Frames that would have waited too long at the link's rate, and were dropped.
    pub overflowed: u64,
}

/// A link with its counters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkSummary {
    /// The link.
    pub link: Link,
    /// Its counters since the start of the testbed.
    pub counters: LinkCounters,
}

impl Sub for LinkCounters {
    type Output = Self;

    /// The difference to `earlier`; `open` keeps its value.
    fn sub(self, earlier: Self) -> Self {
        Self {
            connections: self.connections - earlier.connections,
            open: self.open,
            chunks: self.chunks - earlier.chunks,
            bytes: self.bytes - earlier.bytes,
            held_chunks: self.held_chunks - earlier.held_chunks,
            held_bytes: self.held_bytes - earlier.held_bytes,
            delayed_chunks: self.delayed_chunks - earlier.delayed_chunks,
            delayed_bytes: self.delayed_bytes - earlier.delayed_bytes,
            refused: self.refused - earlier.refused,
            reset: self.reset - earlier.reset,
            dropped: self.dropped - earlier.dropped,
            dropped_bytes: self.dropped_bytes - earlier.dropped_bytes,
            lost: self.lost - earlier.lost,
            duplicated: self.duplicated - earlier.duplicated,
            reordered: self.reordered - earlier.reordered,
            corrupted: self.corrupted - earlier.corrupted,
            overflowed: self.overflowed - earlier.overflowed,
        }
    }
}

/// The counters that connections update.
#[derive(Debug, Default)]
pub(in crate::network) struct Counters {
    pub(in crate::network) connections: AtomicU64,
    pub(in crate::network) open: AtomicU64,
    pub(in crate::network) chunks: AtomicU64,
    pub(in crate::network) bytes: AtomicU64,
    pub(in crate::network) held_chunks: AtomicU64,
    pub(in crate::network) held_bytes: AtomicU64,
    pub(in crate::network) delayed_chunks: AtomicU64,
    pub(in crate::network) delayed_bytes: AtomicU64,
    pub(in crate::network) refused: AtomicU64,
    pub(in crate::network) reset: AtomicU64,
    pub(in crate::network) dropped: AtomicU64,
    pub(in crate::network) dropped_bytes: AtomicU64,
    pub(in crate::network) lost: AtomicU64,
    pub(in crate::network) duplicated: AtomicU64,
    pub(in crate::network) reordered: AtomicU64,
    pub(in crate::network) corrupted: AtomicU64,
    pub(in crate::network) overflowed: AtomicU64,
}

impl Counters {
    pub(in crate::network) fn read(&self) -> LinkCounters {
        LinkCounters {
            connections: self.connections.load(Relaxed),
            open: self.open.load(Relaxed),
            chunks: self.chunks.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            held_chunks: self.held_chunks.load(Relaxed),
            held_bytes: self.held_bytes.load(Relaxed),
            delayed_chunks: self.delayed_chunks.load(Relaxed),
            delayed_bytes: self.delayed_bytes.load(Relaxed),
            refused: self.refused.load(Relaxed),
            reset: self.reset.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            dropped_bytes: self.dropped_bytes.load(Relaxed),
            lost: self.lost.load(Relaxed),
            duplicated: self.duplicated.load(Relaxed),
            reordered: self.reordered.load(Relaxed),
            corrupted: self.corrupted.load(Relaxed),
            overflowed: self.overflowed.load(Relaxed),
        }
    }
}

/// Adds one chunk of this length.
pub(in crate::network) fn add(chunks: &AtomicU64, bytes: &AtomicU64, length: usize) {
    chunks.fetch_add(1, Relaxed);
    bytes.fetch_add(length as u64, Relaxed);
}
