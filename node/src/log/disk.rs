//! What the log asks of the file system, as one trait, so that a disk in memory can stand in for it and lose what a crash may lose.

use std::fmt::Debug;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

/// A file system as the log uses it. What is not synced may be lost in a crash: the bytes of files, and separately
/// the names in folders.
pub trait Disk: Clone + Debug + Send + 'static {
    /// A file that is open for writing.
    type File: Debug + Send;
    /// What keeps others out of a folder as long as it lives.
    type Lock: Debug + Send;

    /// Makes a folder, with those above it that are not there.
    fn make_folder(&self, folder: &Path) -> io::Result<()>;
    /// Locks this file, which is made if it is not there; none if another process has it.
    fn lock(&self, path: &Path) -> io::Result<Option<Self::Lock>>;
    /// The files in a folder.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;
    /// All bytes of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// How many bytes a file has.
    fn length(&self, path: &Path) -> io::Result<u64>;
    /// Makes an empty file.
    fn create(&self, path: &Path) -> io::Result<Self::File>;
    /// Opens a file for writing.
    fn open(&self, path: &Path) -> io::Result<Self::File>;
    /// Writes all these bytes at this offset.
    fn write_at(&self, file: &Self::File, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes a file's bytes durable, and its length.
    fn sync(&self, file: &Self::File) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Gives a file another name, and replaces the one that has it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Does something while the caller goes on.
    fn beside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Beside<T> {
        Beside::Thread(std::thread::spawn(work))
    }
}

/// Work that a disk does while the caller goes on.
#[derive(Debug)]
pub enum Beside<T> {
    /// A thread does it.
    Thread(JoinHandle<T>),
    /// It is done.
    Done(T),
}

impl<T> Beside<T> {
    /// Waits for the result.
    pub(super) fn join(self) -> T {
        match self {
            Self::Thread(thread) => thread.join().expect("a thread that writes zeros has no reason to panic"),
            Self::Done(result) => result,
        }
    }
}

/// The file system of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Files;

impl Disk for Files {
    type File = File;
    type Lock = File;

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        let missing: Vec<_> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
        for folder in missing.into_iter().rev().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)?;
            self.sync_folder(above(folder))?;
        }
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Option<File>> {
        let file = File::create(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        Ok(path.metadata()?.len())
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        File::create(path)
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).open(path)
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }
}

/// The folder that a file or folder is in.
pub(super) fn above(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}
