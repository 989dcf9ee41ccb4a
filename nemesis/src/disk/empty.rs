//! Counts and removes the data of a node.

use std::fs;
use std::io;
use std::path::Path;

/// Counts of removed files and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Removed {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

/// Removes the content of a folder, but not the folder itself, which may be a mount.
///
/// A missing folder counts as
/// empty.
pub(crate) fn empty(folder: &Path) -> io::Result<Removed> {
    let mut removed = Removed::default();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(removed),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let about = entry.metadata()?;
        if about.is_dir() {
            let inside = empty(&entry.path())?;
            removed.files += inside.files;
            removed.bytes += inside.bytes;
            fs::remove_dir(entry.path())?;
        } else {
            removed.files += 1;
            removed.bytes += about.len();
            fs::remove_file(entry.path())?;
        }
    }
    // On a disk in memory they would be back after a power loss.
    fs::File::open(folder)?.sync_all()?;
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emptying_counts_and_keeps_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        assert_eq!(empty(&data).unwrap(), Removed::default());
        fs::create_dir_all(data.join("deep/er")).unwrap();
        fs::write(data.join("log"), b"12345").unwrap();
        fs::write(data.join("deep/er/snapshot"), b"678").unwrap();
        assert_eq!(empty(&data).unwrap(), Removed { files: 2, bytes: 8 });
        assert_eq!(fs::read_dir(&data).unwrap().count(), 0);
    }
}
