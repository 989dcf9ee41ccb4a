//! Opening a log: reads and checks everything first, and writes only to an intact log.

use super::disk::{self, Disk};
use super::error::failed;
use super::frame::{self, Scan, Tail};
use super::owner::{Mark, Owner};
use super::segment::{self, HEADER, Header, Listing, Segment};
use super::{Log, LogError, Recovered, Salts, snapshot};
use crate::flaw::Flaw;
use crate::paxos::step::Record;
use std::ops::Range;
use std::path::{Path, PathBuf};

impl<D: Disk> Log<D> {
    /// Opens the log of a node on this disk; the sizes of its first and its later segments are in bytes.
    pub(crate) fn open_on(
        disk: D,
        (folder, name): (&Path, &str),
        sizes: (u64, u64),
        mut salts: Salts,
        flaws: &[Flaw],
    ) -> Result<(Self, Recovered), LogError> {
        disk.make_folder(folder).map_err(failed(folder, "make the folder"))?;
        let lock = lock(&disk, folder)?;
        let listing = segment::list(&disk, folder)?;
        let known = Owner::open(&disk, folder, name, &listing)?;
        // A node that was killed before a sync finds names and bytes that only the page cache has. It will act
        // on them and report them, so they must become durable.
        segment::sync_folder(&disk, folder)?;
        if listing.segments.is_empty() {
            segment::sync_folder(&disk, disk::above(folder))?;
        }
        let spares = listing.spares.clone();
        let (id, marks) = known.as_ref().map_or((0, &[][..]), |(owner, marks)| (owner.id, marks));
        let mut reader = Reader::new(&disk, folder, (id, marks), flaws);
        let replaced = reader.read(listing)?;
        let Reader { recovered, mut read, next_frame, .. } = reader;
        replaced.iter().try_for_each(|path| segment::remove(&disk, path))?;
        let owner = match known {
            Some((owner, _)) => owner,
            None => Owner::create(&disk, folder, name, salts.draw())?,
        };
        let segment = if let Some(last) = read.pop() {
            last.open(&disk)?
        } else {
            let (id, salt) = (owner.id, salts.draw());
            let header = Header { folder: id, index: 1, first_frame: next_frame, salt, size: sizes.0 };
            Segment::create(&disk, folder, header, None)?
        };
        owner.begin(segment.mark())?;
        let earlier = read.into_iter().map(|it| (it.header.index, it.path, it.end as u64)).collect();
        let folder = folder.to_owned();
        let log = Self {
            disk,
            folder,
            owner,
            salts,
            sizes,
            _lock: lock,
            segment,
            earlier,
            spares,
            ahead: None,
            next_frame,
            reused: 0,
        };
        Ok((log, recovered))
    }
}

fn lock<D: Disk>(disk: &D, folder: &Path) -> Result<D::Lock, LogError> {
    let path = folder.join("lock");
    let locked = disk.lock(&path).map_err(failed(&path, "lock it"))?;
    locked.ok_or_else(|| LogError::InUse { path: folder.to_owned() })
}

/// A segment after reading its frames.
struct ReadSegment {
    path: PathBuf,
    header: Header,
    /// The offset behind its good frames.
    end: usize,
    /// Whether there are other bytes than zeros behind them.
    littered: bool,
}

impl ReadSegment {
    /// Opens it for writing, makes the read frames durable, and wipes the bytes behind them.
    ///
    /// These may be a torn frame, or the rest of a frame without its header. A later torn frame could otherwise
    /// complete that one again.
    fn open<D: Disk>(&self, disk: &D) -> Result<Segment<D>, LogError> {
        let mut segment = Segment::open(disk, &self.path, &self.header, self.end as u64)?;
        if self.littered {
            segment.wipe_tail()?;
        }
        segment.sync()?;
        Ok(segment)
    }
}

/// The reader of a log, with its results so far. It writes nothing.
struct Reader<'a, D: Disk> {
    disk: &'a D,
    folder: &'a Path,
    flaws: &'a [Flaw],
    /// The random number in all files of the folder.
    id: u64,
    marks: &'a [Mark],
    recovered: Recovered,
    read: Vec<ReadSegment>,
    next_frame: u64,
}

impl<'a, D: Disk> Reader<'a, D> {
    fn new(disk: &'a D, folder: &'a Path, (id, marks): (u64, &'a [Mark]), flaws: &'a [Flaw]) -> Self {
        let recovered = Recovered::default();
        Self { disk, folder, flaws, id, marks, recovered, read: Vec::new(), next_frame: 1 }
    }

    /// Reads the newest snapshot and all later segments; returns the files that these replace.
    fn read(&mut self, listing: Listing) -> Result<Vec<PathBuf>, LogError> {
        let Listing { mut segments, mut snapshots, unfinished, .. } = listing;
        let newest = snapshots.pop();
        let first = newest.as_ref().map_or(1, |(index, _)| *index);
        if let Some((index, path)) = newest {
            self.read_snapshot(index, path)?;
        }
        let covered: Vec<_> = segments.extract_if(.., |(index, _)| *index < first).collect();
        let last = self.check_that_all_are_there(first, &segments)?;
        for (index, path) in segments {
            self.read_segment(index, path, index == last)?;
        }
        self.recovered.existed = !self.read.is_empty();
        self.recovered.first_segment = first;
        Ok(unfinished.into_iter().chain(covered.into_iter().chain(snapshots).map(|(_, path)| path)).collect())
    }

    fn read_snapshot(&mut self, index: u64, path: PathBuf) -> Result<(), LogError> {
        let payload = snapshot::read(self.disk, &path, self.id, index)?;
        self.recovered.snapshot_bytes = payload.len() as u64;
        let snapshot = postcard::from_bytes(&payload).map_err(|error| {
            let reason = format!("the checksum is right but the snapshot cannot be read ({error})");
            LogError::Damaged { path, offset: 0, reason }
        })?;
        self.recovered.snapshot = Some(snapshot);
        Ok(())
    }

    /// Refuses a log with a missing segment from `first` on; returns the last index.
    fn check_that_all_are_there(&self, first: u64, segments: &[(u64, PathBuf)]) -> Result<u64, LogError> {
        let missing = |index: u64, reason: &str| {
            let path = self.folder.join(format!("{index:08}.log"));
            Err(LogError::Missing { path, reason: reason.to_owned() })
        };
        if let Some((index, _)) = (first..).zip(segments).find(|(index, (found, _))| index != found) {
            let reason = "later segments of the log are there, and no snapshot that replaces it";
            return missing(index, reason);
        }
        let next = first + segments.len() as u64;
        let marked = self.marks.iter().map(|mark| mark.segment).max().unwrap_or(0);
        if marked >= next {
            return missing(next, "the file \"owner\" says that this segment was begun");
        }
        if first > 1 && segments.is_empty() {
            return missing(first, "the snapshot needs this segment");
        }
        Ok(next - 1)
    }

    fn read_segment(&mut self, index: u64, path: PathBuf, is_last: bool) -> Result<(), LogError> {
        let bytes = self.disk.read(&path).map_err(failed(&path, "read it"))?;
        let header = Header::read(&path, &bytes, self.id, index)?;
        self.check_order(&header)?;
        let damaged = |offset, reason| LogError::Damaged { path: path.clone(), offset, reason };
        let read = |range: &Range<usize>| postcard::from_bytes::<Vec<Record>>(&bytes[range.clone()]);
        let mut scan = frame::scan(&bytes, HEADER, header.salt, header.first_frame);
        self.check_end(&header, &scan, is_last).map_err(|reason| damaged(scan.end, reason))?;
        if is_last {
            scan.misread(&bytes, self.flaws, |range| read(range).is_ok());
        }
        let Scan { frames, end, tail } = scan;
        for range in &frames {
            let records = read(range).map_err(|error| {
                damaged(
                    range.start,
                    format!("the checksum is right but the records cannot be read ({error})"),
                )
            })?;
            self.recovered.records.extend(records);
        }
        self.next_frame = header.first_frame + frames.len() as u64;
        self.recovered.bytes += (end - HEADER) as u64;
        let littered = bytes.get(end..).is_some_and(|behind| behind.iter().any(|byte| *byte != 0));
        if let Tail::Torn { bytes } = tail {
            self.recovered.torn_bytes = bytes as u64;
        }
        self.read.push(ReadSegment { path, header, end, littered });
        Ok(())
    }

    /// Refuses a segment that does not start where the previous one ends, which has lost frames.
    fn check_order(&self, header: &Header) -> Result<(), LogError> {
        let Some(before) = self.read.last().filter(|_| header.first_frame != self.next_frame) else {
            return Ok(());
        };
        let reason = format!(
            "its frames end with number {} here, and the next segment begins with number {}",
            self.next_frame - 1,
            header.first_frame
        );
        Err(LogError::Damaged { path: before.path.clone(), offset: before.end, reason })
    }

    /// The reason why the bytes behind a segment's good frames cannot be a torn frame of a crash.
    fn check_end(&self, header: &Header, scan: &Scan, is_last: bool) -> Result<(), String> {
        match scan.tail {
            Tail::Damaged { later } => {
                return Err(format!("a broken record with a later one behind it at byte {later}"));
            }
            Tail::Torn { .. } if !is_last => {
                return Err("a broken record, though a later segment was begun".to_owned());
            }
            Tail::Torn { .. } | Tail::Clean => {}
        }
        for mark in self.marks.iter().filter(|mark| mark.segment == header.index) {
            if mark.salt != header.salt {
                return Err("the file \"owner\" names another segment of this name; this file was replaced"
                    .to_owned());
            }
            if mark.end > scan.end as u64 {
                return Err(format!(
                    "the good records end here, and the file \"owner\" says that they were synced up to byte {}",
                    mark.end
                ));
            }
        }
        Ok(())
    }
}
