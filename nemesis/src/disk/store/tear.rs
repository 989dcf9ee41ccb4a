//! A torn write: the part of the pending writes that survives a power loss.
//!
//! Between sectors, all writes of a file since its last sync count as one write, as in the page cache: each
//! sector has its old or its new content. With ordered folders, the journal holds the length of a file. A write
//! that extends the file therefore survives up to the end of a block, or not at all. Between bytes, the oldest
//! write is cut at any position.

use super::super::model::{BLOCK, SECTOR, Tear};
use super::{Body, Change, File, Folders, Ino, Store, put};
use crate::words::{count, grouped};
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The file and the part of its write that survived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Torn {
    pub(crate) path: String,
    pub(crate) part: Part,
}

/// The surviving part of a pending write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Part {
    /// The bytes `from` to `to` of a write of `of` bytes at offset `at`, relative to its start.
    Bytes { at: u64, of: u64, from: u64, to: u64 },
    /// A number of the `of` sectors or blocks, the first of which contains offset `at`.
    Sectors { at: u64, of: u64, there: u64, first: bool },
}

/// A range that is written entirely or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit {
    /// The written bytes in it.
    pub(super) bytes: Range<usize>,
    /// Whether it extends the file.
    pub(super) grows: bool,
}

impl Store {
    /// Writes a part of the pending writes of one file.
    ///
    /// It chooses the file in `kept` that was synced last: the program does not seem to rely on the others.
    pub(super) fn tear(&mut self, kept: &[(PathBuf, Ino)], tear: Tear, rng: &mut ChaCha8Rng) -> Option<Torn> {
        let least = if tear == Tear::Byte { 2 } else { 1 };
        let mut oldest: BTreeMap<u64, (&Path, Ino)> = BTreeMap::new();
        for (path, ino) in kept {
            let Ok(file) = self.file(*ino) else { continue };
            let mut pending = file.pending.iter();
            let write = match tear {
                Tear::Byte => pending.find(|(_, change)| change.bytes() >= least),
                // Bytes beyond a length that is not durable cannot survive.
                Tear::Sector => pending.next().filter(|(_, change)| change.bytes() >= least),
            };
            if let Some((sequence, _)) = write {
                oldest.insert(*sequence, (path, *ino));
            }
        }
        let (_, (path, ino)) = oldest.pop_last()?;
        let folders = self.folders;
        let Body::File(file) = &mut self.inodes.get_mut(&ino)?.body else { return None };
        let part = match tear {
            Tear::Byte => file.tear_bytes(rng)?,
            Tear::Sector => file.tear_sectors(folders, rng)?,
        };
        Some(Torn { path: path.display().to_string(), part })
    }
}

impl Change {
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Write { bytes, .. } => bytes.len(),
            Self::Length(_) => 0,
        }
    }
}

impl File {
    /// Cuts the oldest write of two bytes or more at a random position.
    fn tear_bytes(&mut self, rng: &mut ChaCha8Rng) -> Option<Part> {
        let write = self.pending.iter().find_map(|(_, change)| match change {
            Change::Write { at, bytes } if bytes.len() > 1 => Some((*at, bytes.clone())),
            Change::Write { .. } | Change::Length(_) => None,
        });
        let (at, bytes) = write?;
        let cut = rng.random_range(1..bytes.len());
        // A disk may write in any order, so either side of the cut may survive.
        let part = if rng.random_bool(0.5) { 0..cut } else { cut..bytes.len() };
        put(&mut self.synced, at + part.start, &bytes[part.clone()]);
        let (at, of) = (at as u64, bytes.len() as u64);
        Some(Part::Bytes { at, of, from: part.start as u64, to: part.end as u64 })
    }

    /// Keeps the first or the last of the pending units; a single unit is kept entirely.
    fn tear_sectors(&mut self, folders: Folders, rng: &mut ChaCha8Rng) -> Option<Part> {
        let mut after = self.synced.clone();
        let mut written = Vec::new();
        for (_, change) in &self.pending {
            let Change::Write { at, bytes } = change else { break };
            put(&mut after, *at, bytes);
            written.push(*at..*at + bytes.len());
        }
        let units = units(&written, self.synced.len(), folders);
        let start = units.first()?.bytes.start;
        let overwrites = units.iter().filter(|unit| !unit.grows).count();
        let there = rng.random_range(1..units.len().max(2));
        let first = units.len() == 1 || there > overwrites || rng.random_bool(0.5);
        let kept = if first { &units[..there] } else { &units[overwrites - there..overwrites] };
        for Unit { bytes, grows } in kept {
            // A journal extends a file by blocks, with zeros where the program wrote no bytes.
            let block = if *grows { (bytes.start / BLOCK + 1) * BLOCK } else { 0 };
            let end = bytes.end.max(block.min(after.len()));
            put(&mut self.synced, bytes.start, &after[bytes.start..end]);
        }
        Some(Part::Sectors { at: start as u64, of: units.len() as u64, there: there as u64, first })
    }
}

/// The units that writes to a file of this length touch, in order.
pub(super) fn units(written: &[Range<usize>], length: usize, folders: Folders) -> Vec<Unit> {
    let journaled = folders == Folders::Ordered;
    let mut units: BTreeMap<usize, Unit> = BTreeMap::new();
    let starts: BTreeSet<usize> = written.iter().flat_map(|range| pieces(range, SECTOR)).collect();
    for sector in starts {
        for range in written {
            let within = range.start.max(sector)..range.end.min(sector + SECTOR);
            let split =
                if journaled { length.clamp(within.start, within.end.max(within.start)) } else { within.end };
            for (bytes, grows) in [(within.start..split, false), (split..within.end, true)] {
                if bytes.start >= bytes.end {
                    continue;
                }
                // Within one block the two keys never collide: existing sectors sort before those that extend
                // the file.
                let key = if grows { (bytes.start / BLOCK * BLOCK).max(length) } else { sector };
                let unit = units.entry(key).or_insert(Unit { bytes: bytes.clone(), grows });
                unit.bytes.start = unit.bytes.start.min(bytes.start);
                unit.bytes.end = unit.bytes.end.max(bytes.end);
            }
        }
    }
    units.into_values().collect()
}

/// The start offsets of the pieces of this size that a range touches.
fn pieces(range: &Range<usize>, size: usize) -> impl Iterator<Item = usize> + use<> {
    (range.start / size * size..range.end).step_by(size)
}

impl Torn {
    pub(super) fn in_words(&self) -> String {
        let Self { path, part } = self;
        match *part {
            Part::Bytes { at, of, from, to } => {
                let side = if from == 0 { "first" } else { "last" };
                let cut = at + if from == 0 { to } else { from };
                let inside = if cut.is_multiple_of(SECTOR as u64) {
                    String::new()
                } else {
                    format!(": {}", history::INSIDE_SECTOR)
                };
                let (of, there) = (count(of, "byte"), grouped(to - from));
                format!("{path}: of a write of {of} at {at} the {side} {there} are there{inside}")
            }
            Part::Sectors { at, of: 1, .. } => {
                format!("{path}: the one sector that was being written, at {at}, is there as a whole")
            }
            Part::Sectors { at, of, there, first } => {
                let side = if first { "first" } else { "last" };
                let (of, there) = (grouped(of), grouped(there));
                format!(
                    "{path}: of {of} sectors that were being written from {at} on the {side} {there} are there"
                )
            }
        }
    }
}
