//! A disk in memory with all its crash states, for crash tests of the log and for the simulator.
//!
//! Bytes are durable once their file is synced, names once their folder is synced. After a power loss, none,
//! all or any part of the unsynced data is on the disk, in any order. Only the names of one file change in
//! their order.

#![allow(clippy::unwrap_used, reason = "the disk belongs to tests and to the simulator")]

use super::disk::{Beside, Disk, above};
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

/// One operation, in the order of time.
#[derive(Debug, Clone)]
pub(crate) enum Done {
    Write {
        file: usize,
        offset: usize,
        bytes: Vec<u8>,
    },
    Sync {
        file: usize,
    },
    /// A file got a new name, lost a name, or both.
    Name {
        file: usize,
        lost: Option<PathBuf>,
        got: Option<PathBuf>,
    },
    SyncFolder {
        folder: PathBuf,
    },
    /// No operation of the disk: the log acknowledged this many records.
    Acknowledged {
        records: u64,
    },
}

/// A sync that a broken disk, or a buggy log, omits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeftOut {
    Nothing,
    FileSyncs,
    FolderSyncs,
}

#[derive(Debug, Clone, Default)]
struct Content {
    durable: Vec<u8>,
    unsynced: Vec<(usize, Vec<u8>)>,
}

type NameChange = (usize, Option<PathBuf>, Option<PathBuf>);

/// The durable and the pending content of a disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Volume {
    files: Vec<Content>,
    names: BTreeMap<PathBuf, usize>,
    renamed: Vec<NameChange>,
}

fn overwrite(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    content.resize(content.len().max(offset + bytes.len()), 0);
    content[offset..offset + bytes.len()].copy_from_slice(bytes);
}

fn rename(names: &mut BTreeMap<PathBuf, usize>, (file, lost, got): &NameChange) {
    if let Some(lost) = lost
        && names.get(lost) == Some(file)
    {
        names.remove(lost);
    }
    if let Some(got) = got {
        names.insert(got.clone(), *file);
    }
}

/// The positions at which a write of `length` bytes is cut: every byte, if it is short.
fn cuts(length: usize) -> impl Iterator<Item = usize> {
    (1..length).step_by(1 + length / 200)
}

impl Volume {
    fn names(&self) -> BTreeMap<PathBuf, usize> {
        let mut names = self.names.clone();
        for change in &self.renamed {
            rename(&mut names, change);
        }
        names
    }

    fn content(&self, file: usize) -> Vec<u8> {
        let Content { durable, unsynced } = &self.files[file];
        let mut content = durable.clone();
        for (offset, bytes) in unsynced {
            overwrite(&mut content, *offset, bytes);
        }
        content
    }

    /// The files with their bytes, as a process sees them.
    pub(crate) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        self.names().into_iter().map(|(name, file)| (name, self.content(file))).collect()
    }

    /// The same with other bytes in this file, or without the file.
    pub(crate) fn with_file(&self, name: &Path, bytes: Option<Vec<u8>>) -> Self {
        let mut volume = self.clone();
        let file = volume.names()[name];
        match bytes {
            Some(durable) => volume.files[file] = Content { durable, unsynced: Vec::new() },
            None => volume.renamed.push((file, Some(name.to_owned()), None)),
        }
        volume
    }

    /// Performs an operation, unless it is the omitted sync.
    pub(crate) fn perform(&mut self, done: &Done, left_out: LeftOut) {
        match done {
            Done::Write { file, offset, bytes } => {
                self.files[*file].unsynced.push((*offset, bytes.clone()));
            }
            Done::Sync { .. } if left_out == LeftOut::FileSyncs => {}
            Done::Sync { file } => {
                self.files[*file].durable = self.content(*file);
                self.files[*file].unsynced.clear();
            }
            Done::Name { file, lost, got } => {
                self.files.resize_with(self.files.len().max(file + 1), Content::default);
                self.renamed.push((*file, lost.clone(), got.clone()));
            }
            Done::SyncFolder { .. } if left_out == LeftOut::FolderSyncs => {}
            Done::SyncFolder { folder } => {
                let of = |(_, lost, got): &mut NameChange| {
                    lost.as_ref().or(got.as_ref()).is_some_and(|name| above(name) == folder)
                };
                for change in self.renamed.extract_if(.., of) {
                    rename(&mut self.names, &change);
                }
            }
            Done::Acknowledged { .. } => {}
        }
    }

    /// The possible states after a power loss.
    ///
    /// Every combination of names, with none, all, or torn parts of the writes.
    pub(crate) fn losses(&self, rng: &mut ChaCha8Rng) -> Vec<Self> {
        let mut left = Vec::new();
        let all = self.names_left();
        for (index, names) in all.iter().enumerate() {
            let thorough = index == 0 || index + 1 == all.len();
            for files in self.contents_left(thorough, rng) {
                let files = files.into_iter().map(|durable| Content { durable, unsynced: Vec::new() });
                let volume = Self { files: files.collect(), names: names.clone(), renamed: Vec::new() };
                left.push(volume);
            }
        }
        left
    }

    /// Every choice of the number of durable name changes of each file, from none to all.
    fn names_left(&self) -> Vec<BTreeMap<PathBuf, usize>> {
        let mut choices: Vec<BTreeMap<usize, usize>> = vec![BTreeMap::new()];
        for file in 0..self.files.len() {
            let changes = self.renamed.iter().filter(|(changed, ..)| *changed == file).count();
            let with = |choice: &BTreeMap<usize, usize>| {
                let choice = choice.clone();
                (0..=changes)
                    .map(move |kept| choice.iter().map(|(a, b)| (*a, *b)).chain([(file, kept)]).collect())
            };
            choices = choices.iter().flat_map(with).collect();
            assert!(choices.len() < 2_000, "too many names are unsynced to try every loss");
        }
        choices.into_iter().map(|choice| self.names_with(choice)).collect()
    }

    /// The names, if this many name changes of each file are durable.
    fn names_with(&self, mut durable: BTreeMap<usize, usize>) -> BTreeMap<PathBuf, usize> {
        let mut names = self.names.clone();
        for change in &self.renamed {
            let left = durable.entry(change.0).or_default();
            if *left > 0 {
                *left -= 1;
                rename(&mut names, change);
            }
        }
        let folders = names.clone();
        names.retain(|name, _| above(name) == Path::new("/") || folders.contains_key(above(name)));
        names
    }

    /// A random state after a power loss. Files without a name are omitted.
    pub(crate) fn loss(&self, rng: &mut ChaCha8Rng) -> Self {
        let mut changes: BTreeMap<usize, usize> = BTreeMap::new();
        self.renamed.iter().for_each(|(file, ..)| *changes.entry(*file).or_default() += 1);
        for count in changes.values_mut() {
            *count = rng.random_range(0..=*count);
        }
        let mut left = Self::default();
        let kept = rng.random_range(0..4);
        for (name, file) in self.names_with(changes) {
            let Content { durable, unsynced } = &self.files[file];
            let mut durable = durable.clone();
            for (offset, bytes) in unsynced {
                for (index, sector) in bytes.chunks(16).enumerate() {
                    if kept == 1 || kept > 1 && rng.random() {
                        overwrite(&mut durable, offset + 16 * index, sector);
                    }
                }
            }
            left.names.insert(name, left.files.len());
            left.files.push(Content { durable, unsynced: Vec::new() });
        }
        left
    }

    /// The bytes of all files, if none, all, or torn parts of the writes are durable.
    fn contents_left(&self, thorough: bool, rng: &mut ChaCha8Rng) -> Vec<Vec<Vec<u8>>> {
        let durable: Vec<_> = self.files.iter().map(|file| file.durable.clone()).collect();
        let written: Vec<_> = (0..self.files.len()).map(|file| self.content(file)).collect();
        let mut left = vec![durable.clone()];
        if durable == written {
            return left;
        }
        left.push(written.clone());
        let torn = |others: &[Vec<u8>], file: usize, offset, bytes: &[u8]| {
            let mut contents = others.to_vec();
            overwrite(&mut contents[file], offset, bytes);
            contents
        };
        for (file, content) in self.files.iter().enumerate().filter(|_| thorough) {
            for (index, (offset, bytes)) in content.unsynced.iter().enumerate() {
                let same = |(later, more): &(usize, Vec<u8>)| later == offset && more.len() == bytes.len();
                if content.unsynced[index + 1..].iter().any(same) {
                    left.push(torn(&durable, file, *offset, bytes));
                    continue;
                }
                for cut in cuts(bytes.len()) {
                    left.push(torn(&durable, file, *offset, &bytes[..cut]));
                    left.push(torn(&durable, file, offset + cut, &bytes[cut..]));
                }
            }
        }
        for _ in 0..if thorough { 20 } else { 2 } {
            let mut contents = durable.clone();
            for (file, content) in self.files.iter().enumerate() {
                for (offset, bytes) in &content.unsynced {
                    for (index, sector) in bytes.chunks(16).enumerate().filter(|_| rng.random()) {
                        overwrite(&mut contents[file], offset + 16 * index, sector);
                    }
                }
            }
            left.push(contents);
        }
        left
    }
}

#[derive(Debug, Default)]
struct State {
    volume: Volume,
    /// The recorded operations, if recording is on.
    done: Option<Vec<Done>>,
}

/// The disk; copies share its content.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    state: Arc<Mutex<State>>,
    left_out: LeftOut,
}

impl Memory {
    /// A disk with this content, which omits a sync.
    pub(crate) fn with(volume: Volume, left_out: LeftOut) -> Self {
        Self { state: Arc::new(Mutex::new(State { volume, done: Some(Vec::new()) })), left_out }
    }

    /// A disk with this content, without recording.
    pub(crate) fn unrecorded(volume: Volume) -> Self {
        Self { state: Arc::new(Mutex::new(State { volume, done: None })), left_out: LeftOut::Nothing }
    }

    /// Starts to record operations.
    pub(crate) fn record(&self) {
        self.state().done = Some(Vec::new());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Performs an operation and records it.
    pub(crate) fn perform(&self, done: Done) {
        let mut state = self.state();
        state.volume.perform(&done, self.left_out);
        if let Some(list) = &mut state.done {
            list.push(done);
        }
    }

    /// Its content.
    pub(crate) fn volume(&self) -> Volume {
        self.state().volume.clone()
    }

    /// The recorded operations.
    pub(crate) fn done(&self) -> Vec<Done> {
        self.state().done.clone().unwrap_or_default()
    }

    fn file(&self, path: &Path) -> io::Result<usize> {
        self.state().volume.names().get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn make(&self, path: &Path) -> usize {
        let file = self.state().volume.files.len();
        self.perform(Done::Name { file, lost: None, got: Some(path.to_owned()) });
        file
    }
}

impl Disk for Memory {
    type File = usize;
    type Lock = ();

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        if self.file(folder).is_err() {
            self.make(folder);
            self.sync_folder(above(folder))?;
        }
        Ok(())
    }

    fn lock(&self, _path: &Path) -> io::Result<Option<()>> {
        Ok(Some(()))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let names = self.state().volume.names();
        Ok(names.into_keys().filter(|name| above(name) == folder).collect())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.file(path)?;
        Ok(self.state().volume.content(file))
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        Ok(self.read(path)?.len() as u64)
    }

    fn create(&self, path: &Path) -> io::Result<usize> {
        assert!(self.file(path).is_err(), "{}: the new file exists already", path.display());
        Ok(self.make(path))
    }

    fn open(&self, path: &Path) -> io::Result<usize> {
        self.file(path)
    }

    fn write_at(&self, file: &usize, bytes: &[u8], offset: u64) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        self.perform(Done::Write { file: *file, offset, bytes: bytes.to_vec() });
        Ok(())
    }

    fn sync(&self, file: &usize) -> io::Result<()> {
        self.perform(Done::Sync { file: *file });
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.perform(Done::SyncFolder { folder: folder.to_owned() });
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let file = self.file(from)?;
        self.perform(Done::Name { file, lost: Some(from.to_owned()), got: Some(to.to_owned()) });
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let file = self.file(path)?;
        self.perform(Done::Name { file, lost: Some(path.to_owned()), got: None });
        Ok(())
    }

    /// At once, so that every run performs the same operations in the same order.
    fn beside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Beside<T> {
        Beside::Done(work())
    }
}
