//! What a link has carried, held and refused, for evidence.

use crate::partition::Link;
use serde::Serialize;
use std::ops::Sub;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What a directed link did since it was made. A chunk is what one read of a socket gave.
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
    /// Chunks that came while the link was cut, and were kept.
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
}

/// A link and what it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkSummary {
    /// The link.
    pub link: Link,
    /// What it did since the lab started.
    pub counters: LinkCounters,
}

impl Sub for LinkCounters {
    type Output = Self;

    /// What was added since `earlier`; `open` stays what it is.
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
        }
    }
}

/// The counters as the connections write them.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) connections: AtomicU64,
    pub(super) open: AtomicU64,
    pub(super) chunks: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) held_chunks: AtomicU64,
    pub(super) held_bytes: AtomicU64,
    pub(super) delayed_chunks: AtomicU64,
    pub(super) delayed_bytes: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) reset: AtomicU64,
}

impl Counters {
    pub(super) fn read(&self) -> LinkCounters {
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
        }
    }
}

/// Adds one chunk of this length.
pub(super) fn add(chunks: &AtomicU64, bytes: &AtomicU64, length: usize) {
    chunks.fetch_add(1, Relaxed);
    bytes.fetch_add(length as u64, Relaxed);
}
