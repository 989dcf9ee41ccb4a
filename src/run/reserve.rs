//! Space on the disk that is reserved for the end of a run, whose results must be written even to a full disk.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Enough for `load.json`, and for the tables of a short run.
const BYTES: usize = 256 * 1024;

/// A disk that has less room than this is full.
const FULL: u64 = 1024 * 1024;

/// Room in a folder; it is there for others when this is dropped. Nothing of it is left if the bench is killed.
pub(super) struct Reserve {
    #[cfg_attr(not(test), expect(dead_code, reason = "it is there to be dropped"))]
    file: Option<File>,
}

impl Reserve {
    /// Takes the room, or what there is of it.
    ///
    /// # Errors
    /// When not even a file can be made.
    pub(super) fn take(folder: &Path) -> io::Result<Self> {
        let path = folder.join("reserve");
        let mut file = File::create_new(&path)?;
        // A file without a name is gone when it is closed.
        std::fs::remove_file(&path)?;
        let taken = file.write_all(&vec![b'-'; BYTES]).and_then(|()| file.sync_data());
        // Where there is so little, the history says so at once.
        Ok(Self { file: taken.is_ok().then_some(file) })
    }
}

/// Whether the disk of a folder has next to no room left, so that whoever writes there may end because of it.
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
