//! The log's view of a file system, as a trait, so that a disk in memory can replace it and lose data.

use std::fmt::Debug;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

/// A file system as the log uses it.
///
/// A crash may lose everything that is not synced: the bytes of files and, separately, the names in folders.
pub trait Disk: Clone + Debug + Send + 'static {
    /// A file that is open for writing.
    type File: Debug + Send;
    /// A lock on a folder, for its lifetime.
    type Lock: Debug + Send;

    /// Creates a folder and its missing parents.
    fn make_folder(&self, folder: &Path) -> io::Result<()>;
    /// Locks this file, which is created if missing; none if another process holds the lock.
    fn lock(&self, path: &Path) -> io::Result<Option<Self::Lock>>;
    /// The files in a folder.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;
    /// All bytes of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Length of a file, in bytes.
    fn length(&self, path: &Path) -> io::Result<u64>;
    /// Creates an empty file.
    fn create(&self, path: &Path) -> io::Result<Self::File>;
    /// Opens a file for writing.
    fn open(&self, path: &Path) -> io::Result<Self::File>;
    /// Writes all these bytes at this offset.
    fn write_at(&self, file: &Self::File, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes a file's bytes durable, and its length.
    fn sync(&self, file: &Self::File) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Renames a file, and replaces an existing one.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Runs `work` while the caller continues.
    fn beside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Beside<T> {
        Beside::Thread(std::thread::spawn(work))
    }
}

/// Work of a disk while the caller continues.
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

/// The parent folder of a path.
pub(super) fn above(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}
