//! The journal of a disk: changes of names, and with ordered folders of lengths, not yet durable.

use super::{Body, Change, File, Folder, Folders, Ino, Store};
use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;

/// A change in the journal.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    sequence: u64,
    op: Op,
}

/// The kind of change.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Enter { folder: Ino, name: OsString, ino: Ino },
    Leave { folder: Ino, name: OsString, ino: Ino },
    Length { ino: Ino, length: usize },
}

impl Op {
    fn folder(&self) -> Option<Ino> {
        match self {
            Self::Enter { folder, .. } | Self::Leave { folder, .. } => Some(*folder),
            Self::Length { .. } => None,
        }
    }

    fn on_entries(&self, entries: &mut BTreeMap<OsString, Ino>) {
        match self {
            Self::Enter { name, ino, .. } => drop(entries.insert(name.clone(), *ino)),
            Self::Leave { name, .. } => drop(entries.remove(name)),
            Self::Length { .. } => {}
        }
    }
}

impl Store {
    pub(super) fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// Appends changes that become durable together or not at all. Returns their sequence number.
    pub(super) fn record<const N: usize>(&mut self, ops: [Op; N]) -> u64 {
        let sequence = self.next_sequence();
        for op in ops {
            let (Op::Enter { ino, .. } | Op::Leave { ino, .. } | Op::Length { ino, .. }) = op;
            for touched in op.folder().into_iter().chain([ino]) {
                if let Some(inode) = self.inodes.get_mut(&touched) {
                    inode.touched = sequence;
                }
            }
            // With strict folders, a length is synced with the file, in the order of its writes.
            if self.folders == Folders::Ordered || op.folder().is_some() {
                self.journal.push_back(Entry { sequence, op });
            }
        }
        sequence
    }

    /// Commits the journal up to a change.
    pub(super) fn commit(&mut self, until: u64) {
        self.committed = self.committed.max(until);
        if self.folders == Folders::Ordered {
            self.apply(until, None);
        }
    }

    /// Makes changes up to one durable, those of all folders or of one.
    pub(super) fn apply(&mut self, until: u64, only: Option<Ino>) {
        let fits = |entry: &Entry| {
            entry.sequence <= until && only.is_none_or(|folder| entry.op.folder() == Some(folder))
        };
        let (due, later): (VecDeque<Entry>, _) =
            std::mem::take(&mut self.journal).into_iter().partition(fits);
        self.journal = later;
        for Entry { sequence, op } in &due {
            let on = op.folder().or(if let Op::Length { ino, .. } = op { Some(*ino) } else { None });
            match (on.and_then(|ino| self.inodes.get_mut(&ino)).map(|inode| &mut inode.body), op) {
                (Some(Body::Folder(folder)), op) => op.on_entries(&mut folder.synced),
                (Some(Body::File(file)), Op::Length { length, .. }) => file.commit_length(*sequence, *length),
                _ => {}
            }
        }
        if !due.is_empty() {
            self.remove_nameless();
        }
    }

    /// The sequence numbers of its entries.
    pub(super) fn journal_sequences(&self) -> impl Iterator<Item = u64> {
        self.journal.iter().map(|entry| entry.sequence)
    }

    /// Whether a journal entry, which may still become durable, names the file.
    pub(super) fn journal_names(&self, wanted: Ino) -> bool {
        self.journal.iter().any(|entry| matches!(entry.op, Op::Enter { ino, .. } if ino == wanted))
    }

    /// Discards the journal entries of a removed folder.
    pub(super) fn forget_folder(&mut self, folder: Ino) {
        self.journal.retain(|entry| entry.op.folder() != Some(folder));
    }

    /// The entries that each folder would have on an ordered file system.
    pub(super) fn ordered_entries(&self) -> BTreeMap<Ino, BTreeMap<OsString, Ino>> {
        let mut all: BTreeMap<Ino, BTreeMap<OsString, Ino>> = BTreeMap::new();
        for (ino, inode) in &self.inodes {
            if let Body::Folder(Folder { synced, .. }) = &inode.body {
                all.insert(*ino, synced.clone());
            }
        }
        for entry in self.journal.iter().filter(|entry| entry.sequence <= self.committed) {
            if let Some(entries) = entry.op.folder().and_then(|folder| all.get_mut(&folder)) {
                entry.op.on_entries(entries);
            }
        }
        all
    }
}

impl File {
    /// Makes a length durable before earlier writes, which lose the bytes beyond it.
    fn commit_length(&mut self, sequence: u64, length: usize) {
        self.synced.resize(length, 0);
        self.pending.retain_mut(|(own, change)| match change {
            Change::Length(_) => *own != sequence,
            Change::Write { at, bytes } if *own < sequence => {
                let kept = length.saturating_sub(*at).min(bytes.len());
                if kept < bytes.len() {
                    *bytes = bytes[..kept].into();
                }
                kept > 0
            }
            Change::Write { .. } => true,
        });
    }
}
