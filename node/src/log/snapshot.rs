//! Snapshots on disk: one file replaces all earlier segments.

use super::LogError;
use super::disk::{Disk, Files};
use super::error::failed;
use std::path::{Path, PathBuf};

/// Size of the header.
///
/// - magic (8), number of the folder (8), index of the first segment that it does not cover (8)
/// - length (8), checksum of the payload and these three (4), zeros (12)
const HEADER: usize = 48;

const MAGIC: &[u8; 8] = b"benchsn2";

/// The folder of a log, for the thread that writes snapshots into it.
#[derive(Debug, Clone)]
pub struct DataFolder {
    /// Its path.
    pub(super) path: PathBuf,
    /// Its random number.
    pub(super) id: u64,
}

impl DataFolder {
    /// Writes a snapshot of everything in the segments before `index`.
    ///
    /// It writes beside the final name, syncs, renames, and syncs the folder. Only after it has returned may
    /// those segments be removed.
    pub fn save_snapshot(&self, index: u64, payload: &[u8]) -> Result<(), LogError> {
        self.save_on(&Files, index, payload)
    }

    /// The same on any disk.
    pub(crate) fn save_on<D: Disk>(&self, disk: &D, index: u64, payload: &[u8]) -> Result<(), LogError> {
        let path = self.path.join(format!("{index:08}.snapshot"));
        let making = self.path.join(format!("{index:08}.snapshot.making"));
        let file = disk.create(&making).map_err(failed(&making, "make the snapshot"))?;
        let header = header(self.id, index, payload);
        disk.write_at(&file, &header, 0).map_err(failed(&making, "write it"))?;
        disk.write_at(&file, payload, HEADER as u64).map_err(failed(&making, "write it"))?;
        disk.sync(&file).map_err(failed(&making, "sync it"))?;
        disk.rename(&making, &path).map_err(failed(&making, "rename it"))?;
        disk.sync_folder(&self.path).map_err(failed(&self.path, "sync the folder"))
    }
}

fn header(folder: u64, index: u64, payload: &[u8]) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(MAGIC);
    header[8..16].copy_from_slice(&folder.to_le_bytes());
    header[16..24].copy_from_slice(&index.to_le_bytes());
    header[24..32].copy_from_slice(&(payload.len() as u64).to_le_bytes());
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[8..32]);
    hasher.update(payload);
    header[32..36].copy_from_slice(&hasher.finalize().to_le_bytes());
    header
}

/// Reads the payload of the snapshot `index` of the folder with the number `folder`.
pub(super) fn read<D: Disk>(disk: &D, path: &Path, folder: u64, index: u64) -> Result<Vec<u8>, LogError> {
    let mut bytes = disk.read(path).map_err(failed(path, "read it"))?;
    let payload = bytes.split_off(HEADER.min(bytes.len()));
    if bytes != header(folder, index, &payload) {
        let reason = "the checksum of the snapshot is wrong, or it is that of another folder".to_owned();
        return Err(LogError::Damaged { path: path.to_owned(), offset: 0, reason });
    }
    Ok(payload)
}
