//! The log on disk: what a node must remember over a restart, in segments of checksummed frames.
//!
//! One frame holds everything that one sync makes durable, and no frame is written before the one before it
//! is synced. So after a crash at most the last frame can be broken: it is *torn*, nothing that left the node
//! depended on it, and it is cut off. A broken frame with a good one behind it is *damage*: the node refuses
//! to start, because an acceptor that forgets is not an acceptor.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the edge that owns the files"
)]

mod frame;
mod segment;
mod writer;

pub use writer::{LogWriter, Synced};

use crate::paxos::step::Record;
use frame::{Scan, Tail};
use segment::Segment;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Why a log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file system refused something.
    #[error("{path}: cannot {action}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The log is broken in a way that a crash does not explain.
    #[error(
        "{path}: damaged at byte {offset}: {reason}; the file is left as it is. Restore it from a copy, or replace this node by a new one"
    )]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Where in the segment.
        offset: usize,
        /// What is wrong there.
        reason: String,
    },
    /// Another process has the folder open.
    #[error(
        "{path}: another node process is using this folder; stop it first, or give this node a folder of its own"
    )]
    InUse {
        /// The folder.
        path: PathBuf,
    },
}

/// Turns an [`io::Error`] into a [`LogError`] that says where and what.
fn failed<'a>(path: &'a Path, action: &'static str) -> impl FnOnce(io::Error) -> LogError + 'a {
    move |source| LogError::Io { path: path.to_owned(), action, source }
}

/// What was in the log when it was opened.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Every record, in the order in which they were written.
    pub records: Vec<Record>,
    /// Bytes of the frames that hold them.
    pub bytes: u64,
    /// Bytes of a torn last frame that were cut off.
    pub torn_bytes: u64,
    /// Whether there was a log at all.
    pub existed: bool,
}

/// A log that was read, ready to be written on.
#[derive(Debug)]
pub struct Log {
    folder: PathBuf,
    /// Holds the lock on the folder as long as the log lives.
    _lock: File,
    segment: Segment,
    /// Bytes of all segments before the present one.
    bytes_before: u64,
    next_frame: u64,
}

impl Log {
    /// Opens the log in `folder`, making both if they are not there, and reads all of it.
    pub fn open(folder: &Path) -> Result<(Self, Recovered), LogError> {
        std::fs::create_dir_all(folder).map_err(failed(folder, "make the folder"))?;
        let lock = lock(folder)?;
        let mut recovered = Recovered::default();
        let mut next_frame = 1;
        let mut bytes_before = 0;
        let mut last: Option<Segment> = None;
        let paths = segment::list(folder)?;
        for (place, path) in paths.iter().enumerate() {
            bytes_before += last.as_ref().map_or(0, Segment::used);
            let is_last = place + 1 == paths.len();
            let segment = read_segment(path, place as u64 + 1, is_last, &mut next_frame, &mut recovered)?;
            last = Some(segment);
        }
        recovered.existed = last.is_some();
        let segment = match last {
            Some(segment) => segment,
            None => Segment::create(folder, 1, next_frame, 0)?,
        };
        let log = Self { folder: folder.to_owned(), _lock: lock, segment, bytes_before, next_frame };
        Ok((log, recovered))
    }

    /// Bytes in use on disk, without the zeros written ahead.
    pub fn bytes(&self) -> u64 {
        self.bytes_before + self.segment.used()
    }

    /// Writes `records` as one frame and syncs it. After an error nothing may be written any more.
    fn append(&mut self, records: &[Record]) -> Result<(), LogError> {
        let payload =
            postcard::to_stdvec(records).expect("records are made of types that postcard can write");
        let frame = frame::encode(self.next_frame, &payload);
        if !self.segment.fits(frame.len()) {
            self.bytes_before += self.segment.used();
            self.segment =
                Segment::create(&self.folder, self.segment.index + 1, self.next_frame, frame.len())?;
        }
        self.segment.write(&frame)?;
        self.next_frame += 1;
        Ok(())
    }
}

fn lock(folder: &Path) -> Result<File, LogError> {
    let path = folder.join("lock");
    let file = File::create(&path).map_err(failed(&path, "make the lock file"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(LogError::InUse { path: folder.to_owned() }),
        Err(std::fs::TryLockError::Error(error)) => Err(failed(&path, "lock it")(error)),
    }
}

/// Reads one segment, cutting a torn last frame off the last one.
fn read_segment(
    path: &Path,
    index: u64,
    is_last: bool,
    next_frame: &mut u64,
    recovered: &mut Recovered,
) -> Result<Segment, LogError> {
    let damaged = |offset, reason: String| LogError::Damaged { path: path.to_owned(), offset, reason };
    let bytes = std::fs::read(path).map_err(failed(path, "read it"))?;
    segment::check_header(&bytes, index, *next_frame).map_err(|reason| damaged(0, reason))?;
    let Scan { frames, end, tail } = frame::scan(&bytes, segment::HEADER, *next_frame);
    for range in &frames {
        let records: Vec<Record> = postcard::from_bytes(&bytes[range.clone()]).map_err(|error| {
            damaged(range.start, format!("the checksum is right but the records cannot be read ({error})"))
        })?;
        recovered.records.extend(records);
    }
    *next_frame += frames.len() as u64;
    recovered.bytes += (end - segment::HEADER) as u64;
    let mut segment = Segment::open(path, index, end as u64)?;
    match tail {
        Tail::Clean => {}
        Tail::Torn { bytes } if is_last => {
            recovered.torn_bytes = bytes as u64;
            segment.cut_torn_tail()?;
        }
        Tail::Torn { .. } => {
            return Err(damaged(end, "a broken frame, though a later segment was begun".to_owned()));
        }
        Tail::Damaged { good } => {
            return Err(damaged(end, format!("a broken frame with a good one behind it at byte {good}")));
        }
    }
    Ok(segment)
}

#[cfg(test)]
mod tests;
