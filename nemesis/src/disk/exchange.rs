//! Moves the data of nodes from each to the next.

use super::empty;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The amount of data that was moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct HandedOn {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

/// A move of the content of one folder to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) from: PathBuf,
    pub(crate) to: PathBuf,
}

/// Moves the content of folders among them; returns the amount that each target received.
///
/// The folders themselves stay, for they may be mounts. Meanwhile a copy is beside each folder, where no mount hides it.
pub(crate) fn exchange(moves: &[Move]) -> io::Result<Vec<HandedOn>> {
    let aside = |folder: &Path| folder.with_extension("swapped");
    for Move { from, .. } in moves {
        match fs::remove_dir_all(aside(from)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        copy(from, &aside(from))?;
    }
    let mut handed = Vec::new();
    for Move { from, to } in moves {
        empty(to)?;
        handed.push(copy(&aside(from), to)?);
    }
    moves.iter().try_for_each(|Move { from, .. }| fs::remove_dir_all(aside(from)))?;
    Ok(handed)
}

/// Copies the content of a folder into another, with permissions, and makes it durable.
fn copy(from: &Path, to: &Path) -> io::Result<HandedOn> {
    fs::create_dir_all(to)?;
    let mut all = HandedOn::default();
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, source, target) = (entry.file_type()?, entry.path(), to.join(entry.file_name()));
        if kind.is_dir() {
            let inside = copy(&source, &target)?;
            all.files += inside.files;
            all.bytes += inside.bytes;
            fs::set_permissions(&target, entry.metadata()?.permissions())?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&source)?, &target)?;
        } else if kind.is_file() {
            all.files += 1;
            all.bytes += fs::copy(&source, &target)?;
            // On a disk in memory it would be gone after a power loss.
            fs::OpenOptions::new().write(true).open(&target)?.sync_all()?;
        }
    }
    fs::File::open(to)?.sync_all()?;
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn exchange_rotates_the_folders() {
        let top = tempfile::tempdir().unwrap();
        let folders: Vec<PathBuf> = ["a", "b", "c"].map(|name| top.path().join(name).join("data")).to_vec();
        for (folder, text) in folders.iter().zip(["one", "three", "fifteen"]) {
            fs::create_dir_all(folder.join("deep")).unwrap();
            fs::write(folder.join("deep/log"), text).unwrap();
            fs::set_permissions(folder.join("deep"), fs::Permissions::from_mode(0o700)).unwrap();
        }
        fs::write(folders[2].join("only"), "here").unwrap();
        let turn = |order: [usize; 3]| {
            let moved = |index: usize| Move {
                from: folders[order[(index + 2) % 3]].clone(),
                to: folders[order[index]].clone(),
            };
            [0, 1, 2].map(moved)
        };
        fs::create_dir_all(top.path().join("a/data.swapped/of-an-earlier-attempt")).unwrap();
        let handed = exchange(&turn([0, 1, 2])).unwrap();
        let bytes: Vec<u64> = handed.iter().map(|handed| handed.bytes).collect();
        assert_eq!((bytes, handed[0].files), (vec![11, 3, 5], 2));
        let read = |index: usize| fs::read_to_string(folders[index].join("deep/log")).unwrap();
        assert_eq!([read(0), read(1), read(2)], ["fifteen", "one", "three"]);
        assert!(folders[0].join("only").exists() && !folders[2].join("only").exists());
        let mode = fs::metadata(folders[0].join("deep")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert_eq!(fs::read_dir(top.path().join("a")).unwrap().count(), 1, "no copy is left beside it");
        exchange(&turn([2, 1, 0])).unwrap();
        assert!(!folders[1].join("of-an-earlier-attempt").exists());
        assert_eq!([read(0), read(1), read(2)], ["one", "three", "fifteen"]);
    }
}
