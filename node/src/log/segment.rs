//! Segments: files of fixed size, filled with zeros ahead of use, so that a sync writes no metadata.

use super::LogError;
use super::disk::Disk;
use super::error::failed;
use super::owner::Mark;
use std::path::{Path, PathBuf};

/// Size of the segment's header.
pub(super) const HEADER: usize = 64;

/// The start of the header; the last byte is the format.
const MAGIC: &[u8; 8] = b"benchlg2";

/// Sizes of the first segment and of later ones, in bytes.
///
/// Each segment has twice the size of the previous one, up to the second value, so that a short run leaves a
/// small folder. A frame that does not fit gets a larger segment.
pub(super) const SIZES: (u64, u64) = (256 << 10, 8 << 20);

/// The segment that is being written.
#[derive(Debug)]
pub(super) struct Segment<D: Disk> {
    /// Its index among the segments; the first is 1.
    pub(super) index: u64,
    path: PathBuf,
    disk: D,
    file: D::File,
    /// Binds its frames to this life of the file.
    pub(super) salt: u64,
    end: u64,
    size: u64,
}

/// The files of a folder.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Segments with their indices, in order.
    pub(super) segments: Vec<(u64, PathBuf)>,
    /// Snapshots with the index of the first segment that they do not cover, in order.
    pub(super) snapshots: Vec<(u64, PathBuf)>,
    /// Former segments that can be reused.
    pub(super) spares: Vec<PathBuf>,
    /// Files that were incomplete when the process ended.
    pub(super) unfinished: Vec<PathBuf>,
}

impl Listing {
    /// Whether the folder has no file of a log.
    pub(super) fn is_empty(&self) -> bool {
        let Self { segments, snapshots, spares, unfinished } = self;
        let begun = unfinished.iter().any(|path| path.file_stem().is_none_or(|stem| stem != "owner"));
        segments.is_empty() && snapshots.is_empty() && spares.is_empty() && !begun
    }
}

/// Lists a folder.
pub(super) fn list<D: Disk>(disk: &D, folder: &Path) -> Result<Listing, LogError> {
    let mut listing = Listing::default();
    for path in disk.list(folder).map_err(failed(folder, "list the folder"))? {
        let text = |part: Option<&std::ffi::OsStr>| part.and_then(|part| part.to_str()).map(str::to_owned);
        let index = text(path.file_stem()).and_then(|stem| stem.parse::<u64>().ok());
        match (text(path.extension()).as_deref(), index) {
            (Some("log"), Some(index)) => listing.segments.push((index, path)),
            (Some("snapshot"), Some(index)) => listing.snapshots.push((index, path)),
            (Some("spare"), Some(_)) => listing.spares.push(path),
            (Some("making" | "ahead"), _) => listing.unfinished.push(path),
            (Some(_) | None, _) => {}
        }
    }
    listing.segments.sort();
    listing.snapshots.sort();
    Ok(listing)
}

/// Removes a file.
pub(super) fn remove<D: Disk>(disk: &D, path: &Path) -> Result<(), LogError> {
    disk.remove(path).map_err(failed(path, "remove it"))
}

/// Makes renames in a folder durable.
pub(super) fn sync_folder<D: Disk>(disk: &D, folder: &Path) -> Result<(), LogError> {
    disk.sync_folder(folder).map_err(failed(folder, "sync the folder"))
}

/// Refuses segments of another format.
pub(super) fn check_version<D: Disk>(disk: &D, listing: &Listing) -> Result<(), LogError> {
    let Some((_, path)) = listing.segments.first() else { return Ok(()) };
    let bytes = disk.read(path).map_err(failed(path, "read it"))?;
    check_magic(path, &bytes)
}

/// Refuses a segment of another format, according to its first eight bytes.
fn check_magic(path: &Path, bytes: &[u8]) -> Result<(), LogError> {
    let format = bytes.get(..8).and_then(|magic| magic.strip_prefix(&MAGIC[..7]));
    let found = format.and_then(|format| str::from_utf8(format).ok()?.parse::<u32>().ok());
    match found {
        Some(1) => Err(LogError::Version { path: path.to_owned(), found: "1".to_owned() }),
        Some(_) | None => Ok(()),
    }
}

/// The header of a segment.
///
/// - magic (8), folder (8), index (8), number of the first frame (8), salt (8)
/// - size of the file (8), checksum of all these (4), zeros (12)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// The random number of the folder.
    pub(super) folder: u64,
    /// Its index among the segments.
    pub(super) index: u64,
    /// The number of its first frame.
    pub(super) first_frame: u64,
    /// The salt at the start of each of its frames.
    pub(super) salt: u64,
    /// Size of the file, all of it written before the segment got its name.
    pub(super) size: u64,
}

impl Header {
    fn encode(&self) -> [u8; HEADER] {
        let mut header = [0; HEADER];
        header[..8].copy_from_slice(MAGIC);
        let words = [self.folder, self.index, self.first_frame, self.salt, self.size];
        for (word, field) in words.iter().zip(header[8..48].chunks_exact_mut(8)) {
            field.copy_from_slice(&word.to_le_bytes());
        }
        let checksum = crc32fast::hash(&header[..48]);
        header[48..52].copy_from_slice(&checksum.to_le_bytes());
        header
    }

    /// Reads the header of segment `index` of the folder with number `folder`, and checks the length.
    pub(super) fn read(path: &Path, bytes: &[u8], folder: u64, index: u64) -> Result<Self, LogError> {
        let damaged = |offset, reason| Err(LogError::Damaged { path: path.to_owned(), offset, reason });
        let Some(header) = bytes.get(..HEADER) else {
            return damaged(bytes.len(), "the file ends within its header".to_owned());
        };
        let word = |at: usize| {
            u64::from_le_bytes(header[at..at + 8].try_into().expect("eight bytes are eight bytes"))
        };
        let read =
            Self { folder: word(8), index: word(16), first_frame: word(24), salt: word(32), size: word(40) };
        if header != read.encode() {
            check_magic(path, bytes)?;
            return damaged(0, "the checksum of the segment's header is wrong".to_owned());
        }
        if (read.folder, read.index) != (folder, index) {
            return damaged(
                0,
                format!("this is segment {} of another folder, or under another name", read.index),
            );
        }
        if (bytes.len() as u64) < read.size {
            let reason = format!("the file ends here, and was made with {} bytes", read.size);
            return damaged(bytes.len(), reason);
        }
        Ok(read)
    }
}

/// Renames a spare segment for another use, or removes it if it is too small.
fn reuse<D: Disk>(
    disk: &D,
    spare: &Path,
    making: &Path,
    size: u64,
) -> Result<Option<(D::File, u64)>, LogError> {
    let has = disk.length(spare).map_err(failed(spare, "read its size"))?;
    if has < size {
        remove(disk, spare)?;
        return Ok(None);
    }
    disk.rename(spare, making).map_err(failed(spare, "rename it"))?;
    Ok(Some((disk.open(making).map_err(failed(making, "open it for writing"))?, has)))
}

/// Number of zeros per sync, so that a concurrent sync of the log does not wait for the whole file.
const AHEAD: usize = 256 << 10;

/// Creates a file of zeros.
pub(super) fn write_ahead<D: Disk>(disk: &D, making: &Path, size: u64) -> Result<(D::File, u64), LogError> {
    let file = disk.create(making).map_err(failed(making, "make the segment"))?;
    let zeros = vec![0; AHEAD];
    for begin in (0..size).step_by(AHEAD) {
        let length = usize::try_from(size - begin).map_or(AHEAD, |left| left.min(AHEAD));
        let written = disk.write_at(&file, &zeros[..length], begin).and_then(|()| disk.sync(&file));
        written.map_err(failed(making, "write the segment ahead"))?;
    }
    Ok((file, size))
}

impl<D: Disk> Segment<D> {
    /// Creates a segment beside its final name, syncs it, renames it, and syncs the folder.
    ///
    /// It has the header's size, or reuses a large enough spare segment.
    pub(super) fn create(
        disk: &D,
        folder: &Path,
        mut header: Header,
        spare: Option<PathBuf>,
    ) -> Result<Self, LogError> {
        let Header { index, salt, size, .. } = header;
        let path = folder.join(format!("{index:08}.log"));
        let making = path.with_extension("making");
        let spare = spare.map(|spare| reuse(disk, &spare, &making, size)).transpose()?.flatten();
        let (file, size) = spare.map_or_else(|| write_ahead(disk, &making, size), Ok)?;
        header.size = size;
        disk.write_at(&file, &header.encode(), 0).map_err(failed(&making, "write the segment's header"))?;
        disk.sync(&file).map_err(failed(&making, "sync it"))?;
        disk.rename(&making, &path).map_err(failed(&making, "rename it"))?;
        sync_folder(disk, folder)?;
        Ok(Self { index, path, disk: disk.clone(), file, salt, end: HEADER as u64, size })
    }

    /// Takes a file out of use; returns it as a spare if `keep`.
    pub(super) fn retire(disk: &D, path: &Path, keep: bool) -> Result<Option<PathBuf>, LogError> {
        if !keep {
            remove(disk, path)?;
            return Ok(None);
        }
        let spare = path.with_extension("spare");
        disk.rename(path, &spare).map_err(failed(path, "rename it"))?;
        Ok(Some(spare))
    }

    /// Size of the file.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Opens a segment with this header whose frames end at `end`.
    pub(super) fn open(disk: &D, path: &Path, header: &Header, end: u64) -> Result<Self, LogError> {
        let Header { index, salt, .. } = *header;
        let file = disk.open(path).map_err(failed(path, "open it for writing"))?;
        let size = disk.length(path).map_err(failed(path, "read its size"))?;
        Ok(Self { index, path: path.to_owned(), disk: disk.clone(), file, salt, end, size })
    }

    /// Its mark, valid once it is synced.
    pub(super) fn mark(&self) -> Mark {
        Mark { segment: self.index, salt: self.salt, end: self.end }
    }

    /// Its file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it has no frame yet.
    pub(super) fn is_empty(&self) -> bool {
        self.end == HEADER as u64
    }

    /// Number of used bytes.
    pub(super) fn used(&self) -> u64 {
        self.end
    }

    /// Whether it is full enough to prepare the next one.
    pub(super) fn is_half_full(&self) -> bool {
        self.end > self.size / 2
    }

    /// Whether a frame of this length fits.
    pub(super) fn fits(&self, frame: usize) -> bool {
        self.end + frame as u64 <= self.size
    }

    /// Writes a frame behind the last one.
    pub(super) fn write(&mut self, frame: &[u8]) -> Result<(), LogError> {
        self.disk.write_at(&self.file, frame, self.end).map_err(failed(&self.path, "write to it"))?;
        self.end += frame.len() as u64;
        Ok(())
    }

    /// Makes the written bytes durable.
    pub(super) fn sync(&self) -> Result<(), LogError> {
        self.disk.sync(&self.file).map_err(failed(&self.path, "sync it"))
    }

    /// Overwrites the bytes behind the last good frame with zeros, and syncs them.
    pub(super) fn wipe_tail(&mut self) -> Result<(), LogError> {
        let length = usize::try_from(self.size.saturating_sub(self.end)).unwrap_or(usize::MAX);
        let cut = self.disk.write_at(&self.file, &vec![0; length], self.end);
        cut.map_err(failed(&self.path, "wipe the bytes behind the last good frame"))?;
        self.sync()
    }
}
