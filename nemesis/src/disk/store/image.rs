//! Crash images: states that a power loss may leave at one instant, enumerated within bounds. Pure.
//!
//! *Problem*: a power loss that takes everything unsynced is one of many legal states. A program may recover from
//! it, and not from one in which a later change survived and an earlier one did not.
//!
//! *Idea*: enumerate the states for the unsynced changes of this instant: none of them, all of them, the oldest
//! ones, all but one sector, and the oldest ones with a part of the next write. The bounds keep the number small.
//!
//! *Why each is legal*: the kernel may write old data back at any time, so the changes up to any one may be durable
//! ([`Store::write_back`]). A disk writes sectors in any order, so any sector of an existing part of a file may
//! miss its new content. A sector has one content at a time: a write is never left out below a later one in the
//! same sector. A part of a write is what [`tear`](super::tear) leaves.
//!
//! *Cost*: one copy of the disk for each tried state.
//!
//! *Source*: Mohan et al., *Finding Crash-Consistency Bugs with Bounded Black-Box Crash Testing* (OSDI 2018).

use super::super::model::Tear;
use super::loss::Loss;
use super::tear::units;
use super::{Body, Change, Ino, Store};
use crate::words::{count, grouped};
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

/// The newest unsynced changes, each with the state that has all changes up to it.
const NEWEST: usize = 12;
/// Older changes that also get a state of their own.
const OLDER: usize = 4;
/// The most sectors of which each is missing in a state.
const MISSING: usize = 12;

/// A state that the disk may have after a power loss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The unsynced changes up to this one survive; 0 stands for none.
    Until { sequence: u64, kept: u64, of: u64 },
    /// All changes survive, apart from one range within a sector of a file.
    AllBut { ino: Ino, bytes: Range<usize> },
    /// The changes up to this one survive, and a part of a later write.
    Torn { sequence: u64, kept: u64, of: u64 },
}

/// The state of a disk after a power loss.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Image {
    /// A hash of all names and bytes.
    pub(crate) hash: u64,
    /// The unsynced changes that survived, in words.
    pub(crate) kept: String,
    /// The position of this state in the order in which they were tried, from 1, and the number of states.
    pub(crate) position: (u64, u64),
    /// Whether the disk had no such state after an earlier power loss.
    pub(crate) is_new: bool,
    pub(crate) loss: Loss,
}

impl Image {
    /// Describes the image, for example `crash image 00ab…, state 2 of 7: none of 3 unsynced changes survived`.
    pub(crate) fn in_words(&self) -> String {
        let Self { hash, kept, position: (position, of), is_new, .. } = self;
        let (word, of) = (if *is_new { history::CRASH_IMAGE } else { "image as before" }, grouped(*of));
        format!("{word} {hash:016x}, state {position} of {of}: {kept}")
    }
}

impl Store {
    /// The states that are tried at this instant, in the order of the seed.
    pub(crate) fn choices(&self, rng: &mut ChaCha8Rng) -> Vec<Choice> {
        let sequences = self.unsynced_sequences();
        let of = sequences.len() as u64;
        let newest = sequences.len().saturating_sub(NEWEST);
        let mut kept: BTreeSet<usize> = (newest..=sequences.len()).collect();
        kept.insert(0);
        for _ in 0..OLDER.min(newest) {
            kept.insert(rng.random_range(0..newest));
        }
        let until = |kept: usize| if kept == 0 { 0 } else { sequences[kept - 1] };
        let mut choices: Vec<Choice> = kept
            .iter()
            .map(|kept| Choice::Until { sequence: until(*kept), kept: *kept as u64, of })
            .collect();
        let before_last = kept.iter().rev().skip(1).take(2);
        choices.extend(before_last.map(|kept| Choice::Torn {
            sequence: until(*kept),
            kept: *kept as u64,
            of,
        }));
        choices.extend(self.missing_sectors());
        choices.shuffle(rng);
        choices
    }

    /// The sequence numbers of all changes that are not durable.
    fn unsynced_sequences(&self) -> Vec<u64> {
        let mut all: BTreeSet<u64> = self.journal_sequences().collect();
        for inode in self.inodes.values() {
            if let Body::File(file) = &inode.body {
                all.extend(file.pending.iter().map(|(sequence, _)| *sequence));
            }
        }
        all.into_iter().collect()
    }

    /// The sectors of existing parts of files that have unsynced content, of files whose length does not change.
    fn missing_sectors(&self) -> Vec<Choice> {
        let mut missing = Vec::new();
        for (ino, inode) in &self.inodes {
            let Body::File(file) = &inode.body else { continue };
            let mut written = Vec::new();
            for (_, change) in &file.pending {
                let Change::Write { at, bytes } = change else {
                    written.clear();
                    break;
                };
                written.push(*at..at + bytes.len());
            }
            let units = units(&written, file.synced.len(), self.folders);
            let within = units.into_iter().filter(|unit| !unit.grows && unit.bytes.end <= file.synced.len());
            missing.extend(within.map(|unit| Choice::AllBut { ino: *ino, bytes: unit.bytes }));
        }
        missing.truncate(MISSING);
        missing
    }

    /// The disk after a power loss that leaves this state.
    pub(crate) fn after(&self, choice: &Choice, tear: Tear, rng: &mut ChaCha8Rng) -> (Self, Loss) {
        let mut left = self.clone();
        let loss = match choice {
            Choice::Until { sequence, .. } => {
                left.write_back(*sequence);
                left.lose_power(None)
            }
            Choice::AllBut { ino, bytes } => {
                let old = self.file(*ino).map(|file| file.synced[bytes.clone()].to_vec()).unwrap_or_default();
                left.write_back(self.sequence);
                if let Some(Body::File(file)) = left.inodes.get_mut(ino).map(|inode| &mut inode.body) {
                    super::put(&mut file.synced, bytes.start, &old);
                }
                left.lose_power(None)
            }
            Choice::Torn { sequence, .. } => {
                left.write_back(*sequence);
                left.lose_power(Some((tear, rng)))
            }
        };
        (left, loss)
    }

    /// Describes the changes that a state preserves.
    pub(crate) fn in_words(&self, choice: &Choice) -> String {
        match choice {
            Choice::Until { of: 0, .. } => "no change was unsynced".to_owned(),
            Choice::Until { kept: 0, of, .. } => format!("none of {} survived", unsynced(*of)),
            Choice::Until { kept, of, .. } if kept == of => format!("all of {} survived", unsynced(*of)),
            Choice::Until { kept, of, .. } => {
                format!("the oldest {} of {} survived", grouped(*kept), unsynced(*of))
            }
            Choice::AllBut { ino, bytes } => {
                format!(
                    "all survived but {} at {} of {}",
                    count(bytes.len() as u64, "byte"),
                    grouped(bytes.start as u64),
                    self.path(*ino)
                )
            }
            Choice::Torn { kept: 0, of, .. } => {
                format!("of {} only a part of a write survived", unsynced(*of))
            }
            Choice::Torn { kept, of, .. } => {
                format!("the oldest {} of {} survived, and a part of a write", grouped(*kept), unsynced(*of))
            }
        }
    }

    /// A hash of all names and bytes.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for (path, ino) in self.tree() {
            path.hash(&mut hasher);
            if let Ok(file) = self.file(ino) {
                file.written.hash(&mut hasher);
            } else if let Ok(target) = self.target(ino) {
                target.hash(&mut hasher);
            }
        }
        hasher.finish()
    }
}

fn unsynced(changes: u64) -> String {
    count(changes, "unsynced change")
}

#[cfg(test)]
mod tests {
    use super::super::super::model::Folders;
    use super::super::{New, ROOT};
    use super::*;
    use rand::SeedableRng;
    use std::ffi::OsStr;
    use std::time::SystemTime;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn rng() -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(7)
    }

    /// A disk with a synced file of four sectors.
    fn disk(folders: Folders) -> (Store, Ino) {
        let mut store = Store::new(folders, NOW);
        let log = store.make(ROOT, OsStr::new("log"), New::File, 0o644, NOW).unwrap();
        store.write(log, 0, &[b'.'; 2048], NOW).unwrap();
        store.write_back(store.sequence());
        (store, log)
    }

    fn images(store: &Store) -> BTreeSet<Vec<u8>> {
        let choices = store.choices(&mut rng());
        let left = choices.iter().map(|choice| store.after(choice, Tear::Sector, &mut rng()).0);
        left.map(|store| {
            let log = store.lookup(ROOT, OsStr::new("log")).unwrap();
            store.read(log, 0, usize::MAX).unwrap().to_vec()
        })
        .collect()
    }

    #[test]
    fn each_prefix_and_missing_sector_is_tried() {
        let (mut store, log) = disk(Folders::Ordered);
        for (at, byte) in [(0, b'a'), (512, b'b'), (1024, b'c')] {
            store.write(log, at, &[byte; 512], NOW).unwrap();
        }
        let words = |image: &[u8]| image.chunks(512).map(|sector| char::from(sector[0])).collect::<String>();
        let seen: BTreeSet<String> = images(&store).iter().map(|image| words(image)).collect();
        for expected in ["....", "a...", "ab..", "abc.", ".bc.", "a.c."] {
            assert!(seen.contains(expected), "{expected}: {seen:?}");
        }
    }

    #[test]
    fn later_write_never_survives_without_earlier() {
        let (mut store, log) = disk(Folders::Ordered);
        for (at, byte) in [(0, b'a'), (64, b'b'), (128, b'c')] {
            store.write(log, at, &[byte; 64], NOW).unwrap();
        }
        for image in images(&store) {
            let there = [0, 64, 128].map(|at| image[at] != b'.');
            assert!(there.is_sorted_by(|one, next| *one >= *next), "one sector: {there:?}");
        }
    }

    #[test]
    fn new_files_appear_in_order() {
        let (mut store, _) = disk(Folders::Ordered);
        for name in ["one", "two"] {
            store.make(ROOT, OsStr::new(name), New::File, 0o644, NOW).unwrap();
        }
        let mut seen = BTreeSet::new();
        for choice in store.choices(&mut rng()) {
            let (left, _) = store.after(&choice, Tear::Sector, &mut rng());
            seen.insert(["one", "two"].map(|name| left.lookup(ROOT, OsStr::new(name)).is_ok()));
        }
        assert_eq!(seen, [[false, false], [true, false], [true, true]].into());
    }

    #[test]
    fn same_content_has_same_fingerprint() {
        let (mut store, log) = disk(Folders::Strict);
        let before = store.fingerprint();
        store.write(log, 0, b"x", NOW).unwrap();
        assert_ne!(store.fingerprint(), before);
        store.write(log, 0, b".", NOW).unwrap();
        assert_eq!(store.fingerprint(), before);
    }
}
