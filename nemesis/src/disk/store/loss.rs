//! The state after a power loss: all durable data and, with a tear, a part of the pending writes.

use super::super::model::Tear;
use super::tear::Torn;
use super::{Body, Change, Folders, Ino, ROOT, Store};
use crate::words::count;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;

/// A count of files and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Usage {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

/// The losses of a power loss, by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Loss {
    pub(crate) before: Usage,
    pub(crate) after: Usage,
    /// Unsynced changes of files, and the bytes that they had written.
    pub(crate) changes: u64,
    pub(crate) bytes: u64,
    /// Number of folder entries that changed back.
    pub(crate) entries: u64,
    /// With strict folders: files that ordered folders would have preserved under their names.
    pub(crate) only_folders: Usage,
    /// The write that survived in part.
    pub(crate) torn: Option<Torn>,
}

impl Loss {
    /// Whether there was no data to lose and none left, apart from `given` files of the bench itself.
    pub(crate) fn is_only(&self, given: u64) -> bool {
        self.before.files <= given && self.after.files <= given && self.changes + self.entries == 0
    }
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

    /// Discards all data that is not durable. With `tear`, a part of the pending writes survives.
    pub(crate) fn lose_power(&mut self, tear: Option<(Tear, &mut ChaCha8Rng)>) -> Loss {
        let mut loss = self.unsynced();
        let kept = self.walk(|_, folder| &folder.synced);
        loss.only_folders = self.only_folders(&kept);
        loss.torn = tear.and_then(|(tear, rng)| self.tear(&kept, tear, rng));
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
                Body::Link(_) | Body::Special(_) => {}
            }
        }
        self.journal = VecDeque::new();
        self.nameless = BTreeSet::new();
        self.committed = self.sequence;
        loss.after = self.usage();
        loss
    }

    /// Counts the data that is not durable.
    fn unsynced(&self) -> Loss {
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
                Body::Link(_) | Body::Special(_) => {}
            }
        }
        loss
    }

    /// Counts the files that ordered folders would have preserved but that are not in `kept`.
    fn only_folders(&self, kept: &[(PathBuf, Ino)]) -> Usage {
        let mut lost = Usage::default();
        if self.folders == Folders::Ordered {
            return lost;
        }
        let (entries, none) = (self.ordered_entries(), BTreeMap::new());
        let ordered: BTreeMap<_, _> =
            self.walk(|ino, _| entries.get(&ino).unwrap_or(&none)).into_iter().collect();
        let kept: BTreeMap<_, _> = kept.iter().cloned().collect();
        for (path, ino) in &ordered {
            if kept.get(path) != Some(ino) {
                lost.files += 1;
                lost.bytes += self.file(*ino).map_or(0, |file| file.synced.len() as u64);
            }
        }
        // Files that were removed or renamed are back under their old names.
        lost.files += kept.keys().filter(|path| !ordered.contains_key(*path)).count() as u64;
        lost
    }
}

impl Loss {
    /// Describes the content before and after, the losses by reason, and the torn write.
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
        if self.only_folders.files > 0 {
            lines.push(format!(
                "{} with {} that were synced: {}",
                count(self.only_folders.files, "name"),
                count(self.only_folders.bytes, "byte"),
                history::ONLY_FOLDERS
            ));
        }
        lines.extend(self.torn.as_ref().map(Torn::in_words));
        lines
    }
}
