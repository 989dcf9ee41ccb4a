//! Snapshots on disk: one file that replaces all segments before it.

use super::disk::{Disk, Files};
use super::{LogError, failed};
use std::path::Path;

/// Bytes before the payload: magic (8), index of the first segment it does not cover (8), length (8), checksum of
/// the payload and these two (4), zeros (4).
const HEADER: usize = 32;

const MAGIC: &[u8; 8] = b"benchsn1";

fn header(index: u64, payload: &[u8]) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(MAGIC);
    header[8..16].copy_from_slice(&index.to_le_bytes());
    header[16..24].copy_from_slice(&(payload.len() as u64).to_le_bytes());
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[8..24]);
    hasher.update(payload);
    header[24..28].copy_from_slice(&hasher.finalize().to_le_bytes());
    header
}

/// Writes a snapshot of all that the segments before `index` hold: beside its final name, synced, renamed, the
/// folder synced. Only when this has returned may those segments be removed.
pub fn save(folder: &Path, index: u64, payload: &[u8]) -> Result<(), LogError> {
    save_on(&Files, folder, index, payload)
}

/// The same on any disk.
pub(super) fn save_on<D: Disk>(disk: &D, folder: &Path, index: u64, payload: &[u8]) -> Result<(), LogError> {
    let path = folder.join(format!("{index:08}.snapshot"));
    let making = folder.join(format!("{index:08}.snapshot.making"));
    let file = disk.create(&making).map_err(failed(&making, "make the snapshot"))?;
    disk.write_at(&file, &header(index, payload), 0).map_err(failed(&making, "write it"))?;
    disk.write_at(&file, payload, HEADER as u64).map_err(failed(&making, "write it"))?;
    disk.sync(&file).map_err(failed(&making, "sync it"))?;
    disk.rename(&making, &path).map_err(failed(&making, "rename it"))?;
    disk.sync_folder(folder).map_err(failed(folder, "sync the folder"))
}

/// Reads a snapshot's payload.
pub(super) fn read<D: Disk>(disk: &D, path: &Path, index: u64) -> Result<Vec<u8>, LogError> {
    let mut bytes = disk.read(path).map_err(failed(path, "read it"))?;
    let payload = bytes.split_off(HEADER.min(bytes.len()));
    if bytes != header(index, &payload) {
        let reason = "the checksum of the snapshot is wrong".to_owned();
        return Err(LogError::Damaged { path: path.to_owned(), offset: 0, reason });
    }
    Ok(payload)
}
