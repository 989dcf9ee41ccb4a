//! The log on disk: the durable state of a node, in segments of checksummed frames.
//!
//! One frame holds everything that one sync makes durable, and no frame is written before the previous one is
//! synced. After a crash at most the last frame can be broken. It is then *torn*: no output depended on it, and
//! the log cuts it off. Every other defect is *damage*: a broken frame with a later one behind it, a broken
//! frame that a mark calls synced, a missing file, a short file. The node then refuses to start, because an
//! acceptor that forgets is not an acceptor.
//!
//! Bytes in a file that this life of the file did not write are never a record: see `frame.rs`.
//!
//! A snapshot has the index of the first segment that it does not cover. It is written after that segment was
//! started, so its state includes all earlier segments. The log removes these once the snapshot is durable.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the edge that owns the files"
)]

mod batch;
mod disk;
mod error;
mod frame;
#[cfg_attr(
    not(test),
    allow(dead_code, reason = "the crash tests of the log use all of it, the simulator a part")
)]
pub(crate) mod memory;
mod open;
mod owner;
mod salt;
mod segment;
mod snapshot;
mod writer;

pub use batch::Batch;
pub use error::LogError;
pub use salt::Salts;
pub use snapshot::DataFolder;
pub use writer::{LogEvent, LogOrder, LogWriter};

use crate::flaw::Flaw;
use crate::paxos::membership::Membership;
use crate::paxos::snapshot::Snapshot;
use crate::paxos::step::Record;
use disk::{Beside, Disk, Files};
use owner::Owner;
use segment::{HEADER, SIZES, Segment};
use std::path::{Path, PathBuf};

/// The version of all files of a folder.
const FORMAT: u32 = 2;

/// The content of the log when it was opened.
#[derive(Debug, Default)]
pub struct Recovered {
    /// The newest snapshot.
    pub snapshot: Option<Snapshot>,
    /// Its size in bytes.
    pub snapshot_bytes: u64,
    /// The index of the first segment that it does not cover, from 1.
    pub first_segment: u64,
    /// Every record since, in the order in which they were written.
    pub records: Vec<Record>,
    /// Bytes of the frames that hold them.
    pub bytes: u64,
    /// Number of bytes of a torn last frame that were cut off.
    pub torn_bytes: u64,
    /// Whether there was a log at all.
    pub existed: bool,
}

impl Recovered {
    /// The oldest membership in it.
    pub fn members(&self) -> Option<&Membership> {
        let records = self.records.iter().find_map(|record| match record {
            Record::Members(members) => Some(members),
            Record::Promise(_)
            | Record::Accepted(_)
            | Record::Round(_)
            | Record::Lease(_)
            | Record::Decided { .. } => None,
        });
        self.snapshot.as_ref().map(Snapshot::members).or(records)
    }
}

/// Largest number of spare segments: about as many as the log has when it is cut.
const SPARES: usize = 8;

/// An open log, ready for writing.
#[derive(Debug)]
pub struct Log<D: Disk = Files> {
    disk: D,
    folder: PathBuf,
    owner: Owner<D>,
    salts: Salts,
    /// Sizes of the first segment and of later ones, in bytes.
    sizes: (u64, u64),
    /// The lock on the folder, for the lifetime of the log.
    _lock: D::Lock,
    segment: Segment<D>,
    /// The segments before the current one: index, path, used bytes.
    earlier: Vec<(u64, PathBuf, u64)>,
    spares: Vec<PathBuf>,
    /// The thread that prepares a spare segment, so that a full segment delays no one.
    ahead: Option<Beside<Result<PathBuf, LogError>>>,
    next_frame: u64,
    /// Number of segments written into the file of a removed one, since the log was opened.
    reused: u64,
}

impl Log {
    /// Opens the log of the node `name` in `folder`, creates both if missing, and reads all of it.
    ///
    /// It applies the flaws that concern a log. Only this log may know the `salts`.
    pub fn open(
        folder: &Path,
        name: &str,
        salts: Salts,
        flaws: &[Flaw],
    ) -> Result<(Self, Recovered), LogError> {
        Self::open_on(Files, (folder, name), SIZES, salts, flaws)
    }
}

impl<D: Disk> Log<D> {
    /// Its folder.
    pub fn folder(&self) -> DataFolder {
        DataFolder { path: self.folder.clone(), id: self.owner.id }
    }

    /// Used bytes of all segments, without zeros written ahead.
    pub fn bytes(&self) -> u64 {
        self.earlier.iter().map(|(_, _, used)| used).sum::<u64>() + self.segment.used()
    }

    /// Number of segments written into the file of a removed one, since the log was opened.
    pub(crate) fn reused(&self) -> u64 {
        self.reused
    }

    /// Writes a batch as one frame, and syncs it if requested.
    ///
    /// After an error the log accepts no further write.
    fn append(&mut self, batch: &Batch, sync: bool) -> Result<(), LogError> {
        let (count, records) = batch.encoded();
        let length = frame::FRAME_HEADER + count.len() + records.len();
        if !self.segment.fits(length) {
            self.next_segment(self.next_size().max((HEADER + length) as u64))?;
        }
        self.segment.write(&frame::encode(self.segment.salt, self.next_frame, (&count, records)))?;
        self.next_frame += 1;
        if self.segment.is_half_full() && self.ahead.is_none() && self.spares.is_empty() {
            self.write_ahead();
        }
        if sync { self.sync() } else { Ok(()) }
    }

    /// Makes everything durable that was appended.
    fn sync(&mut self) -> Result<(), LogError> {
        self.segment.sync()?;
        self.owner.advance(self.segment.mark())
    }

    fn next_size(&self) -> u64 {
        (2 * self.segment.size()).min(self.sizes.1)
    }

    fn write_ahead(&mut self) {
        let (making, size) =
            (self.folder.join(format!("{:08}.ahead", self.segment.index + 1)), self.next_size());
        let disk = self.disk.clone();
        let write = move || segment::write_ahead(&disk, &making, size).map(|_| making);
        self.ahead = Some(self.disk.beside(write));
    }

    fn next_segment(&mut self, size: u64) -> Result<(), LogError> {
        let index = self.segment.index + 1;
        let spare = match self.ahead.take() {
            Some(ahead) => Some(ahead.join()?),
            None => self.spares.pop().inspect(|_| self.reused += 1),
        };
        let (folder, salt) = (self.owner.id, self.salts.draw());
        let header = segment::Header { folder, index, first_frame: self.next_frame, salt, size };
        let next = Segment::create(&self.disk, &self.folder, header, spare)?;
        self.owner.begin(next.mark())?;
        let full = std::mem::replace(&mut self.segment, next);
        self.earlier.push((full.index, full.path().to_owned(), full.used()));
        Ok(())
    }

    /// Starts a new segment, unless the current one is empty, and returns its index.
    ///
    /// A snapshot of a state taken from now on covers all earlier segments.
    fn rotate(&mut self) -> Result<u64, LogError> {
        if !self.segment.is_empty() {
            self.next_segment(self.segment.size().min(self.sizes.1))?;
        }
        Ok(self.segment.index)
    }

    /// Removes the segments before `index`, and all snapshots older than the one that covers them.
    fn remove_before(&mut self, index: u64) -> Result<(), LogError> {
        for (_, path, _) in self.earlier.extract_if(.., |(earlier, _, _)| *earlier < index) {
            let keep = self.spares.len() < SPARES;
            self.spares.extend(Segment::retire(&self.disk, &path, keep)?);
        }
        for (older, path) in segment::list(&self.disk, &self.folder)?.snapshots {
            if older < index {
                segment::remove(&self.disk, &path)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod crash;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod tests;
