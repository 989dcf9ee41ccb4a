//! The log on disk: what a node must remember over a restart, in segments of checksummed frames.
//!
//! One frame holds everything that one sync makes durable, and no frame is written before the one before it
//! is synced. So after a crash at most the last frame can be broken: it is *torn*, nothing that left the node
//! depended on it, and it is cut off. A broken frame with a good one behind it is *damage*: the node refuses
//! to start, because an acceptor that forgets is not an acceptor.
//!
//! A snapshot bears the index of the first segment that it does not cover. It is written when that segment has been
//! begun, so that a state taken then has all of the segments before; these are removed when it is durable.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the edge that owns the files"
)]

mod batch;
mod disk;
mod frame;
mod segment;
mod snapshot;
mod writer;

pub use batch::Batch;
pub use snapshot::save as save_snapshot;
pub use writer::{LogWriter, Told};

use crate::flaw::Flaw;
use crate::paxos::membership::Membership;
use crate::paxos::snapshot::Snapshot;
use crate::paxos::step::Record;
use disk::{Disk, Files};
use frame::{Scan, Tail};
use segment::{HEADER, Listing, SIZES, Segment};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

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
    /// The newest snapshot.
    pub snapshot: Option<Snapshot>,
    /// Bytes of it.
    pub snapshot_bytes: u64,
    /// Every record since, in the order in which they were written.
    pub records: Vec<Record>,
    /// Bytes of the frames that hold them.
    pub bytes: u64,
    /// Bytes of a torn last frame that were cut off.
    pub torn_bytes: u64,
    /// Whether there was a log at all.
    pub existed: bool,
}

/// The flaw `acceptor-answers-before-sync`: how long it leaves records unsynced.
const LATE: Duration = Duration::from_millis(700);

impl Recovered {
    /// The oldest word in it on who the members are.
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

/// Spare segments that are kept, at most: about as many as the log has when it is cut.
const SPARES: usize = 8;

/// A log that was read, ready to be written on.
#[derive(Debug)]
pub struct Log<D: Disk = Files> {
    disk: D,
    folder: PathBuf,
    /// Bytes of the first segment, and of a late one.
    sizes: (u64, u64),
    /// Holds the lock on the folder as long as the log lives.
    _lock: D::Lock,
    segment: Segment<D>,
    /// The segments before the present one: index, path, bytes in use.
    earlier: Vec<(u64, PathBuf, u64)>,
    spares: Vec<PathBuf>,
    /// The thread that writes a spare segment ahead, so that a full one does not keep everybody waiting.
    ahead: Option<JoinHandle<Result<PathBuf, LogError>>>,
    next_frame: u64,
    /// The flaw `acceptor-answers-before-sync`: when it was synced last, where it is not synced with each frame.
    late: Option<Instant>,
}

impl Log {
    /// Opens the log in `folder`, making both if they are not there, and reads all of it; it has those of the flaws
    /// that a log can have.
    pub fn open(folder: &Path, flaws: &[Flaw]) -> Result<(Self, Recovered), LogError> {
        Self::open_on(Files, folder, SIZES, flaws)
    }
}

impl<D: Disk> Log<D> {
    /// Opens the log on this disk; its first segment and its late ones have these sizes in bytes.
    fn open_on(
        disk: D,
        folder: &Path,
        sizes: (u64, u64),
        flaws: &[Flaw],
    ) -> Result<(Self, Recovered), LogError> {
        disk.make_folder(folder).map_err(failed(folder, "make the folder"))?;
        let lock = lock(&disk, folder)?;
        let Listing { mut segments, snapshots, spares, unfinished } = segment::list(&disk, folder)?;
        // A node that was killed before a sync finds names and bytes that only the page cache has. It acts on them and
        // speaks of them, so they must last.
        segment::sync_folder(&disk, folder)?;
        if segments.is_empty() {
            segment::sync_folder(&disk, disk::above(folder))?;
        }
        let mut recovered = Recovered::default();
        unfinished.iter().try_for_each(|path| segment::remove(&disk, path))?;
        let first = read_snapshot(&disk, snapshots, &mut recovered)?;
        for (_, path) in segments.extract_if(.., |(index, _)| *index < first) {
            segment::remove(&disk, &path)?;
        }
        let mut next_frame = None;
        let mut earlier = Vec::new();
        let mut last: Option<Segment<D>> = None;
        let count = segments.len() as u64;
        for ((_, path), index) in segments.iter().zip(first..) {
            earlier.extend(last.take().map(|it| (it.index, it.path().to_owned(), it.used())));
            let is_last = index + 1 == first + count;
            let place = (path.as_path(), index, is_last);
            last = Some(read_segment(&disk, place, flaws, &mut next_frame, &mut recovered)?);
        }
        recovered.existed = last.is_some();
        let next_frame = next_frame.unwrap_or(1);
        let segment = match last {
            Some(segment) => segment,
            None if first == 1 => Segment::create(&disk, folder, 1, next_frame, sizes.0, None)?,
            None => {
                let path = folder.join(format!("{first:08}.log"));
                let reason = "the segment behind the snapshot is missing".to_owned();
                return Err(LogError::Damaged { path, offset: 0, reason });
            }
        };
        segment.sync()?;
        let folder = folder.to_owned();
        let late = flaws.contains(&Flaw::AcceptorAnswersBeforeSync).then(Instant::now);
        let ahead = None;
        let log =
            Self { disk, folder, sizes, _lock: lock, segment, earlier, spares, ahead, next_frame, late };
        Ok((log, recovered))
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Bytes in use in all segments, without what was written ahead.
    pub fn bytes(&self) -> u64 {
        self.earlier.iter().map(|(_, _, used)| used).sum::<u64>() + self.segment.used()
    }

    /// Writes a batch as one frame and syncs it. After an error nothing may be written any more.
    fn append(&mut self, batch: &Batch) -> Result<(), LogError> {
        let (count, records) = batch.encoded();
        let frame = frame::encode(self.next_frame, (&count, records));
        if !self.segment.fits(frame.len()) {
            self.next_segment(self.next_size().max((HEADER + frame.len()) as u64))?;
        }
        self.segment.write(&frame)?;
        self.next_frame += 1;
        if self.segment.is_half_full() && self.ahead.is_none() && self.spares.is_empty() {
            self.write_ahead();
        }
        match &mut self.late {
            Some(last) if last.elapsed() < LATE => Ok(()),
            late => {
                *late = late.map(|_| Instant::now());
                self.segment.sync()
            }
        }
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
        if let Some(ahead) = self.ahead.take() {
            self.spares.push(ahead.join().expect("a thread that writes zeros has nothing to panic about")?);
        }
        let spare = self.spares.pop();
        let next = Segment::create(&self.disk, &self.folder, index, self.next_frame, size, spare)?;
        let full = std::mem::replace(&mut self.segment, next);
        self.earlier.push((full.index, full.path().to_owned(), full.used()));
        Ok(())
    }

    /// Begins a segment, unless the present one is empty, and returns its index: a snapshot of the state that
    /// is taken from now on covers all segments before it.
    fn rotate(&mut self) -> Result<u64, LogError> {
        if !self.segment.is_empty() {
            self.next_segment(self.segment.size().min(self.sizes.1))?;
        }
        Ok(self.segment.index)
    }

    /// Removes the segments before `index`, and the snapshots that are older than the one which covers them.
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

/// Reads the newest snapshot and removes older ones; returns the index of the first segment that is needed.
fn read_snapshot<D: Disk>(
    disk: &D,
    mut snapshots: Vec<(u64, PathBuf)>,
    recovered: &mut Recovered,
) -> Result<u64, LogError> {
    let Some((index, path)) = snapshots.pop() else { return Ok(1) };
    let payload = snapshot::read(disk, &path, index)?;
    recovered.snapshot_bytes = payload.len() as u64;
    let snapshot = postcard::from_bytes(&payload).map_err(|error| {
        let reason = format!("the checksum is right but the snapshot cannot be read ({error})");
        LogError::Damaged { path, offset: 0, reason }
    })?;
    recovered.snapshot = Some(snapshot);
    for (_, older) in snapshots {
        segment::remove(disk, &older)?;
    }
    Ok(index)
}

fn lock<D: Disk>(disk: &D, folder: &Path) -> Result<D::Lock, LogError> {
    let path = folder.join("lock");
    let locked = disk.lock(&path).map_err(failed(&path, "lock it"))?;
    locked.ok_or_else(|| LogError::InUse { path: folder.to_owned() })
}

/// Reads one segment, cutting a torn last frame off the last one.
fn read_segment<D: Disk>(
    disk: &D,
    (path, index, is_last): (&Path, u64, bool),
    flaws: &[Flaw],
    next_frame: &mut Option<u64>,
    recovered: &mut Recovered,
) -> Result<Segment<D>, LogError> {
    let damaged = |offset, reason: String| LogError::Damaged { path: path.to_owned(), offset, reason };
    let bytes = disk.read(path).map_err(failed(path, "read it"))?;
    let first = segment::check_header(&bytes, index, *next_frame).map_err(|reason| damaged(0, reason))?;
    let read = |range: &Range<usize>| postcard::from_bytes::<Vec<Record>>(&bytes[range.clone()]);
    let mut scan = frame::scan(&bytes, HEADER, first);
    if is_last {
        scan.misread(&bytes, flaws, |range| read(range).is_ok());
    }
    let Scan { frames, end, tail } = scan;
    for range in &frames {
        let records = read(range).map_err(|error| {
            damaged(range.start, format!("the checksum is right but the records cannot be read ({error})"))
        })?;
        recovered.records.extend(records);
    }
    *next_frame = Some(first + frames.len() as u64);
    recovered.bytes += (end - HEADER) as u64;
    let mut segment = Segment::open(disk, path, index, end as u64)?;
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
mod crash;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod tests;
