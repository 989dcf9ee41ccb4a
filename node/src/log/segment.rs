//! Segments: files whose size is set when they are made, written with zeros ahead of use, so that a sync need not write metadata.

use super::{LogError, failed};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Bytes of the segment's own header: magic (8), index (8), number of its first frame (8), checksum (4), zeros (4).
pub(super) const HEADER: usize = 32;

const MAGIC: &[u8; 8] = b"benchlg1";

/// Bytes of the first segment, and of a late one: each has twice the size of the one before, up to the second, so
/// that a short run leaves a small folder. One frame that does not fit gets a larger segment.
const SIZES: (usize, usize) = (256 << 10, 8 << 20);

/// The file that is being written.
#[derive(Debug)]
pub(super) struct Segment {
    /// Its place among the segments; the first is 1.
    pub(super) index: u64,
    path: PathBuf,
    file: File,
    end: u64,
    size: u64,
}

/// The paths of a folder's segments, in order. A segment whose making was cut short is removed.
pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>, LogError> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed(folder, "list the folder"))? {
        let path = entry.map_err(failed(folder, "list the folder"))?.path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("log") => paths.push(path),
            Some("making") => {
                std::fs::remove_file(&path).map_err(failed(&path, "remove the unfinished segment"))?;
            }
            Some(_) | None => {}
        }
    }
    paths.sort();
    Ok(paths)
}

/// Says what is wrong with a segment's header, if anything is.
pub(super) fn check_header(bytes: &[u8], index: u64, first_frame: u64) -> Result<(), String> {
    let header = bytes.get(..HEADER).ok_or("the file is shorter than its header")?;
    if &header[..8] != MAGIC {
        return Err("this is not a segment of a log, or not of this version".to_owned());
    }
    if header != encode_header(index, first_frame) {
        return Err(format!(
            "the header does not say segment {index} from frame {first_frame} on; a segment is missing or broken"
        ));
    }
    Ok(())
}

fn encode_header(index: u64, first_frame: u64) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(MAGIC);
    header[8..16].copy_from_slice(&index.to_le_bytes());
    header[16..24].copy_from_slice(&first_frame.to_le_bytes());
    let checksum = crc32fast::hash(&header[..24]);
    header[24..28].copy_from_slice(&checksum.to_le_bytes());
    header
}

impl Segment {
    /// Makes a segment beside its final name, syncs it, renames it, and syncs the folder.
    pub(super) fn create(
        folder: &Path,
        index: u64,
        first_frame: u64,
        frame: usize,
    ) -> Result<Self, LogError> {
        let path = folder.join(format!("{index:08}.log"));
        let making = path.with_extension("making");
        let doubled = SIZES.0 << index.clamp(1, 16) >> 1;
        let size = doubled.min(SIZES.1).max(HEADER + frame);
        let mut bytes = vec![0; size];
        bytes[..HEADER].copy_from_slice(&encode_header(index, first_frame));
        let file = File::create(&making).map_err(failed(&making, "make the segment"))?;
        file.write_all_at(&bytes, 0).map_err(failed(&making, "write the segment ahead"))?;
        file.sync_all().map_err(failed(&making, "sync it"))?;
        std::fs::rename(&making, &path).map_err(failed(&making, "rename it"))?;
        let entry = File::open(folder).and_then(|folder| folder.sync_all());
        entry.map_err(failed(folder, "sync the folder"))?;
        Ok(Self { index, path, file, end: HEADER as u64, size: size as u64 })
    }

    /// Opens a segment whose frames end at `end`.
    pub(super) fn open(path: &Path, index: u64, end: u64) -> Result<Self, LogError> {
        let file = OpenOptions::new().write(true).open(path).map_err(failed(path, "open it for writing"))?;
        let size = file.metadata().map_err(failed(path, "read its size"))?.len();
        Ok(Self { index, path: path.to_owned(), file, end, size })
    }

    /// Bytes that hold something.
    pub(super) fn used(&self) -> u64 {
        self.end
    }

    /// Whether a frame of this length fits.
    pub(super) fn fits(&self, frame: usize) -> bool {
        self.end + frame as u64 <= self.size
    }

    /// Writes a frame behind the last one, and syncs it.
    pub(super) fn write(&mut self, frame: &[u8]) -> Result<(), LogError> {
        self.file.write_all_at(frame, self.end).map_err(failed(&self.path, "write to it"))?;
        self.file.sync_data().map_err(failed(&self.path, "sync it"))?;
        self.end += frame.len() as u64;
        Ok(())
    }

    /// Overwrites everything behind the last good frame with zeros, and syncs that.
    pub(super) fn cut_torn_tail(&mut self) -> Result<(), LogError> {
        let length = usize::try_from(self.size.saturating_sub(self.end)).unwrap_or(usize::MAX);
        self.file
            .write_all_at(&vec![0; length], self.end)
            .map_err(failed(&self.path, "cut the torn frame off"))?;
        self.file.sync_data().map_err(failed(&self.path, "sync it"))
    }
}
