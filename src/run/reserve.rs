//! Disk space reserved for the end of a run, so that its results can be written to a full disk.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Enough for `load.json` and the tables of a short run.
const BYTES: usize = 256 * 1024;

/// A disk with less free space than this counts as full.
const FULL: u64 = 1024 * 1024;

/// Reserved space in a folder, which is freed when this is dropped, and also when the bench is killed.
pub(super) struct Reserve {
    #[cfg_attr(not(test), expect(dead_code, reason = "dropping it frees the space"))]
    file: Option<File>,
}

impl Reserve {
    /// Reserves the space, as far as available.
    ///
    /// # Errors
    /// When no file can be created.
    pub(super) fn take(folder: &Path) -> io::Result<Self> {
        let path = folder.join("reserve");
        let mut file = File::create_new(&path)?;
        // The kernel frees a file without a name when it is closed.
        std::fs::remove_file(&path)?;
        let reserved = file.write_all(&vec![b'-'; BYTES]).and_then(|()| file.sync_data());
        // On such a small disk, writing the history fails at once.
        Ok(Self { file: reserved.is_ok().then_some(file) })
    }
}

/// Whether the disk of a folder is nearly full, so that processes writing to it may end.
pub(super) fn is_full(folder: &Path) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < FULL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_has_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = Reserve::take(folder.path()).unwrap();
        assert!(reserve.file.is_some());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
