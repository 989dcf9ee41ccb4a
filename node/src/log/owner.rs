//! The file `owner`: the node that owns a folder, and the known durable part of its log.
//!
//! Problem: the log must cut off a torn last frame but refuse a damaged one, and both look the same. A missing
//! last segment leaves no trace either.
//!
//! Idea: *marks*. A mark states that a segment is durable up to a byte. It is written after the sync that made
//! this true, so a mark is never wrong, only old. The mark of a new segment is synced before any record in the
//! segment is acknowledged. Marks within a segment are not synced, because a sync would double the cost of an
//! append. After the end of a process the last mark is exact; after a power loss it may be old.
//!
//! Three blocks hold marks. Two are synced in turn, so that one of them is intact whatever a crash does to the
//! other. The third is overwritten after each append. Each block fits into a sector.

use super::disk::Disk;
use super::error::failed;
use super::segment::{self, Listing};
use super::{FORMAT, LogError};
use std::io;
use std::path::{Path, PathBuf};

/// Size of a block: the first names the owner, the other three hold marks.
const BLOCK: usize = 512;

/// Size of the file.
const SIZE: usize = 4 * BLOCK;

/// Offset of the latest mark; synced ones are in the two blocks before.
const LATEST: usize = 3 * BLOCK;

/// Size of a mark: segment (8), salt (8), end (8), checksum of these and the folder's number (4).
const MARK: usize = 28;

/// The longest name of a node, in bytes.
const NAME_MAX: usize = 255;

/// The start of the file, followed by the number of the format.
const TITLE: &str = "bench node data, format ";

/// A mark: segment `segment` with this salt is durable up to byte `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Mark {
    pub(super) segment: u64,
    pub(super) salt: u64,
    pub(super) end: u64,
}

/// The `owner` file of a folder, open for marks.
#[derive(Debug)]
pub(super) struct Owner<D: Disk> {
    disk: D,
    path: PathBuf,
    file: D::File,
    /// The random number in all files of the folder.
    pub(super) id: u64,
}

impl<D: Disk> Owner<D> {
    /// Opens the file of a folder and reads its marks; none if the folder is new.
    ///
    /// It refuses the folder of another node, and log files without an owner. It writes nothing.
    pub(super) fn open(
        disk: &D,
        folder: &Path,
        name: &str,
        listing: &Listing,
    ) -> Result<Option<(Self, Vec<Mark>)>, LogError> {
        let path = folder.join("owner");
        let bytes = match disk.read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                segment::check_version(disk, listing)?;
                let reason = "this folder has files of a log of an unknown node".to_owned();
                return if listing.is_empty() { Ok(None) } else { Err(LogError::Missing { path, reason }) };
            }
            Err(error) => return Err(failed(&path, "read it")(error)),
        };
        let Identity { name: owner, id } = match read_identity(&path, &bytes) {
            Err(LogError::Damaged { .. }) if segment::check_version(disk, listing).is_err() => {
                return segment::check_version(disk, listing).map(|()| None);
            }
            read => read?,
        };
        if owner != name {
            return Err(LogError::Another { path, owner, name: name.to_owned() });
        }
        let marks = read_marks(&path, &bytes, id)?;
        let file = disk.open(&path).map_err(failed(&path, "open it for writing"))?;
        Ok(Some((Self { disk: disk.clone(), path, file, id }, marks)))
    }

    /// Creates the file for a new folder of this node, atomically.
    pub(super) fn create(disk: &D, folder: &Path, name: &str, id: u64) -> Result<Self, LogError> {
        if !fits(name) {
            return Err(LogError::Name { name: name.to_owned(), max: NAME_MAX });
        }
        let path = folder.join("owner");
        let making = folder.join("owner.making");
        let mut bytes = encode_identity(name, id);
        for _ in 0..3 {
            let mut block = encode_mark(Mark::default(), id).to_vec();
            block.resize(BLOCK, 0);
            bytes.extend(block);
        }
        let file = disk.create(&making).map_err(failed(&making, "make it"))?;
        let written = disk.write_at(&file, &bytes, 0).and_then(|()| disk.sync(&file));
        written.map_err(failed(&making, "write it"))?;
        disk.rename(&making, &path).map_err(failed(&making, "rename it"))?;
        segment::sync_folder(disk, folder)?;
        Ok(Self { disk: disk.clone(), path, file, id })
    }

    /// Makes a mark durable, for a segment that was started or will be written.
    pub(super) fn begin(&self, mark: Mark) -> Result<(), LogError> {
        self.write(mark, BLOCK + BLOCK * usize::from(mark.segment % 2 == 1))?;
        self.disk.sync(&self.file).map_err(failed(&self.path, "sync it"))
    }

    /// Writes the latest mark and does not sync it.
    pub(super) fn advance(&self, mark: Mark) -> Result<(), LogError> {
        self.write(mark, LATEST)
    }

    fn write(&self, mark: Mark, offset: usize) -> Result<(), LogError> {
        let written = self.disk.write_at(&self.file, &encode_mark(mark, self.id), offset as u64);
        written.map_err(failed(&self.path, "write to it"))
    }
}

/// The owner of a folder.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    name: String,
    id: u64,
}

/// Whether a name fits into the first block.
fn fits(name: &str) -> bool {
    name.len() <= NAME_MAX && !name.chars().any(char::is_control)
}

fn encode_identity(name: &str, id: u64) -> Vec<u8> {
    let mut text = format!("{TITLE}{FORMAT}\nfolder {id:016x}\nnode {name}\n").into_bytes();
    let checksum = crc32fast::hash(&text);
    text.extend(format!("checksum {checksum:08x}\n").bytes());
    text.resize(BLOCK, 0);
    text
}

fn read_identity(path: &Path, bytes: &[u8]) -> Result<Identity, LogError> {
    let damaged =
        |reason: &str| LogError::Damaged { path: path.to_owned(), offset: 0, reason: reason.into() };
    let block = bytes.get(..BLOCK).ok_or_else(|| damaged("the file is shorter than it was made"))?;
    let text = String::from_utf8_lossy(block);
    let mut lines = text.lines();
    let mut field = |title| lines.next().and_then(|line| line.strip_prefix(title)).map(str::to_owned);
    let format = field(TITLE).ok_or_else(|| damaged("it does not name the owner of this folder"))?;
    if format.parse() != Ok(FORMAT) && format.parse::<u32>().is_ok() && intact(block) {
        return Err(LogError::Version { path: path.to_owned(), found: format });
    }
    let id = field("folder ").and_then(|id| u64::from_str_radix(&id, 16).ok());
    let identity = id.zip(field("node ")).map(|(id, name)| Identity { name, id });
    let identity = identity.filter(|it| fits(&it.name) && encode_identity(&it.name, it.id) == block);
    identity.ok_or_else(|| damaged("the checksum of the node's name is wrong"))
}

/// Whether the checksum of a block of any format is right.
fn intact(block: &[u8]) -> bool {
    let Some(end) = memchr::memmem::find(block, b"\nchecksum ") else { return false };
    let (text, checksum) = block.split_at(end + 1);
    checksum.starts_with(format!("checksum {:08x}\n", crc32fast::hash(text)).as_bytes())
}

fn encode_mark(mark: Mark, id: u64) -> [u8; MARK] {
    let mut bytes = [0; MARK];
    bytes[..8].copy_from_slice(&mark.segment.to_le_bytes());
    bytes[8..16].copy_from_slice(&mark.salt.to_le_bytes());
    bytes[16..24].copy_from_slice(&mark.end.to_le_bytes());
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&id.to_le_bytes());
    hasher.update(&bytes[..24]);
    bytes[24..].copy_from_slice(&hasher.finalize().to_le_bytes());
    bytes
}

/// The marks that describe a segment. At least one synced mark is intact after any crash.
fn read_marks(path: &Path, bytes: &[u8], id: u64) -> Result<Vec<Mark>, LogError> {
    let damaged = |offset, reason: String| LogError::Damaged { path: path.to_owned(), offset, reason };
    if bytes.len() != SIZE {
        return Err(damaged(
            bytes.len().min(SIZE),
            format!("it was made with {SIZE} bytes and has {}", bytes.len()),
        ));
    }
    let mark = |offset: usize| {
        let word = |at: usize| {
            let word = &bytes[offset + at..offset + at + 8];
            u64::from_le_bytes(word.try_into().expect("eight bytes are eight bytes"))
        };
        let mark = Mark { segment: word(0), salt: word(8), end: word(16) };
        (encode_mark(mark, id) == bytes[offset..offset + MARK]).then_some(mark)
    };
    let (synced, latest) = ([mark(BLOCK), mark(2 * BLOCK)], mark(LATEST));
    if synced == [None, None] {
        return Err(damaged(
            BLOCK,
            "both synced marks are damaged, which no single crash can cause".to_owned(),
        ));
    }
    Ok(synced.into_iter().chain([latest]).flatten().filter(|mark| mark.segment > 0).collect())
}

#[cfg(test)]
mod tests {
    use super::super::disk::Files;
    use super::*;

    type Opened = Option<(Owner<Files>, Vec<Mark>)>;

    fn open(folder: &Path, name: &str) -> Result<Opened, LogError> {
        Owner::open(&Files, folder, name, &segment::list(&Files, folder)?)
    }

    #[test]
    fn a_folder_belongs_to_the_first_node() {
        let folder = tempfile::tempdir().unwrap();
        assert!(open(folder.path(), "n1").unwrap().is_none());
        Owner::create(&Files, folder.path(), "n1", 7).unwrap();
        let (owner, marks) = open(folder.path(), "n1").unwrap().unwrap();
        assert_eq!((owner.id, marks), (7, Vec::new()));
        let error = open(folder.path(), "n2").unwrap_err().to_string();
        assert!(error.contains("data of node \"n1\", and this is node \"n2\""), "{error}");
    }

    #[test]
    fn marks_are_read_back_from_three_blocks() {
        let folder = tempfile::tempdir().unwrap();
        let owner = Owner::create(&Files, folder.path(), "n1", 7).unwrap();
        let mark = |segment, end| Mark { segment, salt: 5, end };
        owner.begin(mark(1, 64)).unwrap();
        owner.advance(mark(1, 90)).unwrap();
        owner.begin(mark(2, 64)).unwrap();
        let (_, mut marks) = open(folder.path(), "n1").unwrap().unwrap();
        marks.sort_by_key(|mark| (mark.segment, mark.end));
        assert_eq!(marks, [mark(1, 64), mark(1, 90), mark(2, 64)]);
    }

    #[test]
    fn flipped_bit_is_refused_or_costs_mark() {
        let folder = tempfile::tempdir().unwrap();
        let owner = Owner::create(&Files, folder.path(), "n1", 7).unwrap();
        let marks = [1, 2].map(|segment| Mark { segment, salt: 5, end: 64 });
        for mark in marks {
            owner.begin(mark).unwrap();
        }
        owner.advance(marks[1]).unwrap();
        let path = folder.path().join("owner");
        let good = std::fs::read(&path).unwrap();
        let used = (0..good.len()).filter(|at| *at < BLOCK || at % BLOCK < MARK);
        for (at, bit) in used.flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut bytes = good.clone();
            bytes[at] ^= 1_u8 << bit;
            std::fs::write(&path, &bytes).unwrap();
            match open(folder.path(), "n1") {
                Ok(found) => {
                    let found = found.unwrap().1;
                    assert!(at >= BLOCK && found.len() == 2, "bit {bit} of byte {at}: {found:?}");
                    assert!(found.iter().all(|mark| marks.contains(mark)), "{found:?}");
                }
                Err(LogError::Damaged { .. }) => assert!(at < BLOCK, "bit {bit} of byte {at}"),
                Err(error) => unreachable!("bit {bit} of byte {at}: {error}"),
            }
        }
    }

    #[test]
    fn every_cut_and_a_wrong_name_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        Owner::create(&Files, folder.path(), "n1", 7).unwrap();
        let path = folder.path().join("owner");
        let good = std::fs::read(&path).unwrap();
        for length in 0..good.len() {
            std::fs::write(&path, &good[..length]).unwrap();
            assert!(matches!(open(folder.path(), "n1"), Err(LogError::Damaged { .. })), "{length} bytes");
        }
        for name in ["a\nb".to_owned(), "x".repeat(256)] {
            let error = Owner::create(&Files, folder.path(), &name, 1).unwrap_err();
            assert!(matches!(error, LogError::Name { .. }), "{error}");
        }
    }

    #[test]
    fn later_format_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("{TITLE}3\nnode n1\n");
        let checksum = crc32fast::hash(text.as_bytes());
        let mut bytes = format!("{text}checksum {checksum:08x}\n").into_bytes();
        bytes.resize(SIZE, 0);
        std::fs::write(folder.path().join("owner"), bytes).unwrap();
        let error = open(folder.path(), "n1").unwrap_err();
        assert!(error.to_string().contains("format 3, and this version reads format 2 only"), "{error}");
    }
}
