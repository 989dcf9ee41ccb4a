//! A file system in memory that tracks which written data of every file and folder is durable. Pure.
//!
//! There are two models of a sync ([`Folders`]). Both keep a journal of the changes of names that are not
//! durable yet ([`journal`]).
//!
//! - *Ordered*: a sync makes the file's bytes and the whole journal so far durable, like one running
//!   transaction of ext4.
//! - *Strict*: a sync of a file makes its bytes and its length durable, but no name. A sync of a folder makes
//!   its names durable, but no bytes. POSIX promises no more.

mod image;
mod journal;
mod loss;
mod tear;
#[cfg(test)]
mod tests;

pub(crate) use image::Image;
pub(crate) use loss::Loss;

use super::model::Folders;
use journal::{Entry as Record, Op};

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The inode number of a file or folder.
pub(crate) type Ino = u64;
/// The root folder.
pub(crate) const ROOT: Ino = 1;
/// The capacity of the disk, in bytes.
pub(crate) const CAPACITY: u64 = 4 << 30;

/// The error of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    NotThere,
    Exists,
    NotAFolder,
    IsAFolder,
    NotEmpty,
    NoSpace,
}

/// The kind of a new entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum New {
    File,
    Folder,
    /// A symbolic link with this target.
    Link(OsString),
    /// Without content of its own.
    Special(Special),
}

/// What only the kernel and running processes give a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Special {
    Pipe,
    Socket,
}

/// The type of an inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InodeKind {
    File,
    Folder,
    Link,
    Special(Special),
}

/// A user id and a group id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

/// The attributes of a file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) kind: InodeKind,
    pub(crate) bytes: u64,
    pub(crate) mode: u32,
    /// Its owner; none means the user that runs the disk.
    pub(crate) owner: Option<Owner>,
    pub(crate) modified: SystemTime,
}

/// The extent of a sync: all changes before it was requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    until: u64,
    /// Whether it has changes to write; a file system commits its journal only then.
    commits: bool,
}

impl Mark {
    /// Whether the sync had changes to make durable when it was requested.
    pub(crate) fn commits(self) -> bool {
        self.commits
    }
}

/// The file system.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    folders: Folders,
    inodes: BTreeMap<Ino, Inode>,
    next: Ino,
    /// Rises with each change, which gives changes and syncs an order.
    sequence: u64,
    /// Total size of all files.
    bytes: u64,
    /// Changes of names, and with ordered folders of lengths, that are not durable, in order.
    journal: VecDeque<Record>,
    /// Durable part of an ordered journal. With strict folders it only explains losses.
    committed: u64,
    /// Closed files without a name that a durable entry or the journal still names.
    nameless: BTreeSet<Ino>,
}

#[derive(Debug, Clone)]
struct Inode {
    body: Body,
    mode: u32,
    /// Its owner, as user and group; none means the user that runs the disk.
    owner: Option<Owner>,
    modified: SystemTime,
    /// The last change of its names or its length.
    touched: u64,
}

#[derive(Debug, Clone)]
enum Body {
    File(File),
    Folder(Folder),
    Link(OsString),
    Special(Special),
}

#[derive(Debug, Clone, Default)]
struct File {
    written: Vec<u8>,
    synced: Vec<u8>,
    /// The changes from `synced` to `written`, without those that a failed sync has lost.
    pending: VecDeque<(u64, Change)>,
}

#[derive(Debug, Clone)]
enum Change {
    Write { at: usize, bytes: Box<[u8]> },
    Length(usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes: new } => put(bytes, *at, new),
            Self::Length(length) => bytes.resize(*length, 0),
        }
    }
}

impl File {
    /// Makes its changes up to a sequence number durable.
    fn flush(&mut self, until: u64) {
        while self.pending.front().is_some_and(|(sequence, _)| *sequence <= until) {
            if let Some((_, change)) = self.pending.pop_front() {
                change.apply(&mut self.synced);
            }
        }
    }
}

/// Overwrites bytes at an offset; fills a gap before it with zeros.
fn put(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    if bytes.len() < at + new.len() {
        bytes.resize(at + new.len(), 0);
    }
    bytes[at..at + new.len()].copy_from_slice(new);
}

#[derive(Debug, Clone, Default)]
struct Folder {
    written: BTreeMap<OsString, Ino>,
    synced: BTreeMap<OsString, Ino>,
}

impl Store {
    /// An empty file system.
    pub(crate) fn new(folders: Folders, now: SystemTime) -> Self {
        let root = Inode {
            body: Body::Folder(Folder::default()),
            mode: 0o755,
            owner: None,
            modified: now,
            touched: 0,
        };
        Self {
            folders,
            inodes: BTreeMap::from([(ROOT, root)]),
            next: ROOT + 1,
            sequence: 0,
            bytes: 0,
            journal: VecDeque::new(),
            committed: 0,
            nameless: BTreeSet::new(),
        }
    }

    /// The sequence number of the last change.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Total size of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn inode(&self, ino: Ino) -> Result<&Inode, Refusal> {
        self.inodes.get(&ino).ok_or(Refusal::NotThere)
    }

    fn inode_mut(&mut self, ino: Ino) -> Result<&mut Inode, Refusal> {
        self.inodes.get_mut(&ino).ok_or(Refusal::NotThere)
    }

    fn folder(&self, ino: Ino) -> Result<&Folder, Refusal> {
        match &self.inode(ino)?.body {
            Body::Folder(folder) => Ok(folder),
            Body::File(_) | Body::Link(_) | Body::Special(_) => Err(Refusal::NotAFolder),
        }
    }

    fn folder_mut(&mut self, ino: Ino) -> Result<&mut Folder, Refusal> {
        match &mut self.inode_mut(ino)?.body {
            Body::Folder(folder) => Ok(folder),
            Body::File(_) | Body::Link(_) | Body::Special(_) => Err(Refusal::NotAFolder),
        }
    }

    fn file(&self, ino: Ino) -> Result<&File, Refusal> {
        match &self.inode(ino)?.body {
            Body::File(file) => Ok(file),
            Body::Folder(_) => Err(Refusal::IsAFolder),
            Body::Link(_) | Body::Special(_) => Err(Refusal::NotThere),
        }
    }

    /// The inode of a name in a folder.
    pub(crate) fn lookup(&self, parent: Ino, name: &OsStr) -> Result<Ino, Refusal> {
        self.folder(parent)?.written.get(name).copied().ok_or(Refusal::NotThere)
    }

    /// The attributes of an inode.
    pub(crate) fn about(&self, ino: Ino) -> Result<About, Refusal> {
        let inode = self.inode(ino)?;
        let (kind, bytes) = match &inode.body {
            Body::File(file) => (InodeKind::File, file.written.len()),
            Body::Folder(_) => (InodeKind::Folder, 0),
            Body::Link(target) => (InodeKind::Link, target.len()),
            Body::Special(special) => (InodeKind::Special(*special), 0),
        };
        Ok(About {
            kind,
            bytes: bytes as u64,
            mode: inode.mode,
            owner: inode.owner,
            modified: inode.modified,
        })
    }

    /// The entries of a folder, in order.
    pub(crate) fn list(&self, ino: Ino) -> Result<Vec<(OsString, Ino, InodeKind)>, Refusal> {
        let entries = self.folder(ino)?.written.iter();
        entries.map(|(name, ino)| Ok((name.clone(), *ino, self.about(*ino)?.kind))).collect()
    }

    /// Creates an entry.
    pub(crate) fn make(
        &mut self,
        parent: Ino,
        name: &OsStr,
        new: New,
        mode: u32,
        now: SystemTime,
    ) -> Result<Ino, Refusal> {
        let ino = self.next;
        match self.folder_mut(parent)?.written.entry(name.to_owned()) {
            Entry::Occupied(_) => return Err(Refusal::Exists),
            Entry::Vacant(vacant) => vacant.insert(ino),
        };
        self.next += 1;
        let body = match new {
            New::File => Body::File(File::default()),
            New::Folder => Body::Folder(Folder::default()),
            New::Link(target) => Body::Link(target),
            New::Special(special) => Body::Special(special),
        };
        self.inodes.insert(ino, Inode { body, mode, owner: None, modified: now, touched: 0 });
        self.record([Op::Enter { folder: parent, name: name.to_owned(), ino }]);
        Ok(ino)
    }

    /// Adds a name to a file.
    pub(crate) fn link(&mut self, ino: Ino, parent: Ino, name: &OsStr) -> Result<(), Refusal> {
        if self.about(ino)?.kind == InodeKind::Folder {
            return Err(Refusal::IsAFolder);
        }
        match self.folder_mut(parent)?.written.entry(name.to_owned()) {
            Entry::Occupied(_) => return Err(Refusal::Exists),
            Entry::Vacant(vacant) => vacant.insert(ino),
        };
        self.record([Op::Enter { folder: parent, name: name.to_owned(), ino }]);
        Ok(())
    }

    /// Removes an entry.
    ///
    /// The file stays while another entry names it, also one that was only synced, or a program has it open.
    pub(crate) fn remove(&mut self, parent: Ino, name: &OsStr, folder: bool) -> Result<Ino, Refusal> {
        let ino = self.lookup(parent, name)?;
        match &self.inode(ino)?.body {
            Body::Folder(_) if !folder => return Err(Refusal::IsAFolder),
            Body::Folder(inner) if !inner.written.is_empty() => return Err(Refusal::NotEmpty),
            Body::File(_) | Body::Link(_) | Body::Special(_) if folder => return Err(Refusal::NotAFolder),
            Body::Folder(_) | Body::File(_) | Body::Link(_) | Body::Special(_) => {}
        }
        self.folder_mut(parent)?.written.remove(name);
        self.record([Op::Leave { folder: parent, name: name.to_owned(), ino }]);
        Ok(ino)
    }

    /// Renames an entry and returns the entry that it replaced, if any.
    pub(crate) fn rename(
        &mut self,
        from: (Ino, &OsStr),
        to: (Ino, &OsStr),
        replace: bool,
    ) -> Result<Option<Ino>, Refusal> {
        let moved = self.lookup(from.0, from.1)?;
        let replaced = self.lookup(to.0, to.1).ok();
        if replaced == Some(moved) {
            return Ok(None);
        }
        if let Some(other) = replaced {
            let (is_folder, was_folder) =
                (self.about(moved)?.kind == InodeKind::Folder, self.about(other)?.kind == InodeKind::Folder);
            match (is_folder, was_folder) {
                (_, _) if !replace => return Err(Refusal::Exists),
                (true, false) => return Err(Refusal::NotAFolder),
                (false, true) => return Err(Refusal::IsAFolder),
                (true, true) if !self.folder(other)?.written.is_empty() => return Err(Refusal::NotEmpty),
                (true, true) | (false, false) => {}
            }
        }
        self.folder(to.0)?;
        self.folder_mut(from.0)?.written.remove(from.1);
        self.folder_mut(to.0)?.written.insert(to.1.to_owned(), moved);
        self.record([
            Op::Leave { folder: from.0, name: from.1.to_owned(), ino: moved },
            Op::Enter { folder: to.0, name: to.1.to_owned(), ino: moved },
        ]);
        Ok(replaced)
    }

    /// The target of a symbolic link.
    pub(crate) fn target(&self, ino: Ino) -> Result<&OsStr, Refusal> {
        match &self.inode(ino)?.body {
            Body::Link(target) => Ok(target),
            Body::File(_) | Body::Folder(_) | Body::Special(_) => Err(Refusal::NotThere),
        }
    }

    /// At most `length` bytes from an offset.
    pub(crate) fn read(&self, ino: Ino, at: u64, length: usize) -> Result<&[u8], Refusal> {
        let bytes = &self.file(ino)?.written;
        let start = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
        Ok(&bytes[start..start.saturating_add(length).min(bytes.len())])
    }

    /// Writes bytes to a file.
    pub(crate) fn write(&mut self, ino: Ino, at: u64, bytes: &[u8], now: SystemTime) -> Result<(), Refusal> {
        let end = at.checked_add(bytes.len() as u64).ok_or(Refusal::NoSpace)?;
        let length = self.file(ino)?.written.len() as u64;
        self.take_space(length, end.max(length))?;
        let at = usize::try_from(at).map_err(|_| Refusal::NoSpace)?;
        self.change(ino, Change::Write { at, bytes: bytes.into() }, now)
    }

    /// Sets the length of a file: truncates it, or extends it with zeros.
    pub(crate) fn set_length(&mut self, ino: Ino, length: u64, now: SystemTime) -> Result<(), Refusal> {
        self.take_space(self.file(ino)?.written.len() as u64, length)?;
        let length = usize::try_from(length).map_err(|_| Refusal::NoSpace)?;
        self.change(ino, Change::Length(length), now)
    }

    fn take_space(&mut self, before: u64, after: u64) -> Result<(), Refusal> {
        let bytes = (self.bytes - before).checked_add(after).filter(|bytes| *bytes <= CAPACITY);
        self.bytes = bytes.ok_or(Refusal::NoSpace)?;
        Ok(())
    }

    fn change(&mut self, ino: Ino, change: Change, now: SystemTime) -> Result<(), Refusal> {
        let length = if let Change::Length(length) = change { Some(length) } else { None };
        let sequence = match length {
            Some(length) => self.record([Op::Length { ino, length }]),
            None => self.next_sequence(),
        };
        let inode = self.inode_mut(ino)?;
        inode.modified = now;
        if let Body::File(file) = &mut inode.body {
            change.apply(&mut file.written);
            file.pending.push_back((sequence, change));
        }
        Ok(())
    }

    /// Sets the owner of an entry.
    pub(crate) fn set_owner(&mut self, ino: Ino, owner: Owner) -> Result<(), Refusal> {
        self.inode_mut(ino)?.owner = Some(owner);
        Ok(())
    }

    /// Sets the permission bits.
    pub(crate) fn set_mode(&mut self, ino: Ino, mode: u32) -> Result<(), Refusal> {
        self.inode_mut(ino)?.mode = mode;
        Ok(())
    }

    /// Whether a file has unsynced bytes.
    pub(crate) fn is_pending(&self, ino: Ino) -> bool {
        self.file(ino).is_ok_and(|file| !file.pending.is_empty())
    }

    /// The unsynced bytes of a file.
    pub(crate) fn pending_bytes(&self, ino: Ino) -> u64 {
        let changes = self.file(ino).map(|file| file.pending.iter()).into_iter().flatten();
        changes.map(|(_, change)| change.bytes() as u64).sum()
    }

    /// The path of an inode; its number if it has no name.
    pub(crate) fn path(&self, wanted: Ino) -> String {
        if wanted == ROOT {
            return String::new();
        }
        let found = self.tree().into_iter().find(|(_, ino)| *ino == wanted);
        found.map_or_else(|| format!("a removed file ({wanted})"), |(path, _)| path.display().to_string())
    }

    /// The extent of a sync that is requested now.
    pub(crate) fn mark(&self, ino: Ino) -> Mark {
        let touched = self.inodes.get(&ino).is_some_and(|inode| inode.touched > self.committed);
        Mark { until: self.sequence, commits: touched || self.is_pending(ino) }
    }

    /// Makes the changes that the mark covers durable.
    pub(crate) fn sync(&mut self, ino: Ino, mark: Mark) {
        if mark.commits {
            self.commit(mark.until);
        }
        match self.inodes.get_mut(&ino).map(|inode| &mut inode.body) {
            Some(Body::File(file)) => file.flush(mark.until),
            Some(Body::Folder(_)) => self.apply(mark.until, Some(ino)),
            Some(Body::Link(_) | Body::Special(_)) | None => {}
        }
    }

    /// Makes all changes up to a sequence number durable, as the kernel does with old data.
    pub(crate) fn write_back(&mut self, until: u64) {
        self.commit(until);
        self.apply(until, None);
        for inode in self.inodes.values_mut() {
            if let Body::File(file) = &mut inode.body {
                file.flush(until);
            }
        }
    }

    /// Fails a sync. As on Linux, its data can still be read, but no later sync writes it.
    pub(crate) fn fail_sync(&mut self, ino: Ino) {
        if let Some(Inode { body: Body::File(file), .. }) = self.inodes.get_mut(&ino) {
            file.pending.retain(|(_, change)| matches!(change, Change::Length(_)));
        }
    }

    /// Registers that no program has the file open any more; removes it if it has no name.
    pub(crate) fn let_go(&mut self, ino: Ino) {
        if ino == ROOT || self.is_named(ino, |folder| &folder.written) {
            return;
        }
        self.nameless.insert(ino);
        self.remove_nameless();
    }

    fn is_named(&self, ino: Ino, entries: impl Fn(&Folder) -> &BTreeMap<OsString, Ino>) -> bool {
        self.inodes.values().any(|inode| match &inode.body {
            Body::Folder(folder) => entries(folder).values().any(|own| *own == ino),
            Body::File(_) | Body::Link(_) | Body::Special(_) => false,
        })
    }

    /// Removes files without a name that no power loss can bring back.
    fn remove_nameless(&mut self) {
        for ino in self.nameless.clone() {
            if self.is_named(ino, |folder| &folder.synced) || self.journal_names(ino) {
                continue;
            }
            self.nameless.remove(&ino);
            match self.inodes.remove(&ino).map(|inode| inode.body) {
                Some(Body::File(file)) => self.bytes -= file.written.len() as u64,
                Some(Body::Folder(_)) => self.forget_folder(ino),
                Some(Body::Link(_) | Body::Special(_)) | None => {}
            }
        }
    }

    /// All files and folders by path, folders before their entries.
    pub(crate) fn tree(&self) -> Vec<(PathBuf, Ino)> {
        self.walk(|_, folder| &folder.written)
    }

    fn walk<'a>(
        &'a self,
        entries: impl Fn(Ino, &'a Folder) -> &'a BTreeMap<OsString, Ino>,
    ) -> Vec<(PathBuf, Ino)> {
        let mut found = Vec::new();
        let mut folders = vec![(PathBuf::new(), ROOT)];
        let mut seen = BTreeSet::from([ROOT]);
        while let Some((path, ino)) = folders.pop() {
            let Ok(folder) = self.folder(ino) else { continue };
            for (name, ino) in entries(ino, folder) {
                let path = Path::join(&path, name);
                // A moved folder may be an entry of two synced folders; it is visited once.
                if self.folder(*ino).is_ok() && seen.insert(*ino) {
                    folders.push((path.clone(), *ino));
                }
                found.push((path, *ino));
            }
        }
        found
    }
}
