//! What a power loss leaves: what was synced, and where it tears, a part of the next write.

use super::{Body, Change, Ino, ROOT, Store, put};
use crate::words::{count, grouped};
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Usage {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

/// What a power loss took.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Loss {
    pub(crate) before: Usage,
    pub(crate) after: Usage,
    /// Changes of files that were not synced, and the bytes they had written.
    pub(crate) changes: u64,
    pub(crate) bytes: u64,
    /// Entries of folders that are not as they were.
    pub(crate) entries: u64,
    /// The write of which a part is there.
    pub(crate) torn: Option<Torn>,
}

/// A write of which a part is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Torn {
    pub(crate) path: String,
    /// Where in the file it was written, and how long it was.
    pub(crate) at: u64,
    pub(crate) of: u64,
    /// The part that is there, counted from its own start.
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl Store {
    fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        for (_, ino) in self.tree() {
            if let Ok(file) = self.file(ino) {
                usage.files += 1;
                usage.bytes += file.written.len() as u64;
            }
        }
        usage
    }

    /// Forgets all that was not synced. With `tear`, a part of the oldest write that was not is there.
    pub(crate) fn lose_power(&mut self, tear: Option<&mut ChaCha8Rng>) -> Loss {
        let mut loss = Loss { before: self.usage(), ..Loss::default() };
        for inode in self.inodes.values() {
            match &inode.body {
                Body::File(file) => {
                    loss.changes += file.pending.len() as u64;
                    for (_, change) in &file.pending {
                        if let Change::Write { bytes, .. } = change {
                            loss.bytes += bytes.len() as u64;
                        }
                    }
                }
                Body::Folder(folder) => {
                    let names: BTreeSet<_> = folder.written.keys().chain(folder.synced.keys()).collect();
                    let changed = names
                        .into_iter()
                        .filter(|name| folder.written.get(*name) != folder.synced.get(*name));
                    loss.entries += changed.count() as u64;
                }
                Body::Link(_) => {}
            }
        }
        let kept = self.walk(|folder| &folder.synced);
        loss.torn = tear.and_then(|chance| self.tear(&kept, chance));
        let reached: BTreeSet<Ino> = kept.iter().map(|(_, ino)| *ino).chain([ROOT]).collect();
        self.inodes.retain(|ino, _| reached.contains(ino));
        self.bytes = 0;
        for inode in self.inodes.values_mut() {
            match &mut inode.body {
                Body::File(file) => {
                    file.pending.clear();
                    file.written.clone_from(&file.synced);
                    self.bytes += file.written.len() as u64;
                }
                Body::Folder(folder) => folder.written.clone_from(&folder.synced),
                Body::Link(_) => {}
            }
        }
        loss.after = self.usage();
        loss
    }

    /// Writes the start or the end of a write of two bytes or more: the oldest that its file had not synced. Of several kept
    /// files it is that which was synced last: the others hold what the program does not care to sync.
    fn tear(&mut self, kept: &[(std::path::PathBuf, Ino)], chance: &mut ChaCha8Rng) -> Option<Torn> {
        let mut oldest: BTreeMap<u64, (&std::path::Path, Ino, usize)> = BTreeMap::new();
        for (path, ino) in kept {
            let Ok(file) = self.file(*ino) else { continue };
            let write =
                file.pending.iter().enumerate().find(
                    |(_, (_, change))| matches!(change, Change::Write { bytes, .. } if bytes.len() > 1),
                );
            if let Some((place, (sequence, _))) = write {
                oldest.insert(*sequence, (path, *ino, place));
            }
        }
        let (_, (path, ino, place)) = oldest.pop_last()?;
        let Body::File(file) = &mut self.inodes.get_mut(&ino)?.body else { return None };
        let (_, Change::Write { at, bytes }) = file.pending.get(place)? else { return None };
        let cut = chance.random_range(1..bytes.len());
        // Disks write in what order they like, so either side of the cut may be what is there.
        let part = if chance.random_bool(0.5) { 0..cut } else { cut..bytes.len() };
        put(&mut file.synced, at + part.start, &bytes[part.clone()]);
        let path = path.display().to_string();
        let (at, of) = (*at as u64, bytes.len() as u64);
        Some(Torn { path, at, of, from: part.start as u64, to: part.end as u64 })
    }
}

impl Loss {
    /// What was there before and after, in words for people, and what is torn.
    pub(crate) fn in_words(&self) -> Vec<String> {
        let usage =
            |usage: Usage| format!("{} in {}", count(usage.bytes, "byte"), count(usage.files, "file"));
        let mut lines = vec![format!(
            "{} before, {} after; not synced and lost: {} of {}, {} of folders",
            usage(self.before),
            usage(self.after),
            count(self.bytes, "byte"),
            count(self.changes, "change"),
            count(self.entries, "entry"),
        )];
        lines.extend(self.torn.as_ref().map(|torn| {
            let side = if torn.from == 0 { "first" } else { "last" };
            format!(
                "{}: of a write of {} at {} the {side} {} are there",
                torn.path,
                count(torn.of, "byte"),
                torn.at,
                grouped(torn.to - torn.from)
            )
        }));
        lines
    }
}
