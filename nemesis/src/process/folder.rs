//! Fills the data folder of a node before the node starts.

use super::command::NodeFile;
use super::user::User;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::chown;
use std::path::Path;

/// Gives the folder to the user and writes the files; returns whether the folder has no other content.
///
/// Everything is synced: its loss in a power loss would be no fault of the system.
pub(super) fn fill(data: &Path, files: &[NodeFile], user: Option<User>) -> io::Result<bool> {
    let own = |path: &Path| user.map_or(Ok(()), |user| chown(path, Some(user.uid), Some(user.gid)));
    own(data)?;
    let is_ours = |path: &Path| files.iter().any(|file| file.path == path);
    let empty = holds_only(data, data, &is_ours)?;
    for file in files {
        let path = data.join(&file.path);
        let there = fs::read(&path);
        let is_there = there.as_ref().is_ok_and(|bytes| file.keep || *bytes == file.text.as_bytes());
        if is_there {
            continue;
        }
        let mut folder = data.to_owned();
        for part in file.path.parent().into_iter().flat_map(Path::components) {
            folder.push(part);
            if !folder.is_dir() {
                fs::create_dir(&folder)?;
                own(&folder)?;
            }
        }
        let mut written = File::create(&path)?;
        written.write_all(file.text.as_bytes())?;
        written.sync_all()?;
        own(&path)?;
        for folder in path.ancestors().skip(1).take_while(|folder| folder.starts_with(data)) {
            File::open(folder)?.sync_all()?;
        }
    }
    Ok(empty)
}

/// Whether a folder has no files and folders but ours.
fn holds_only(data: &Path, folder: &Path, is_ours: &impl Fn(&Path) -> bool) -> io::Result<bool> {
    let mut entries = 0;
    for entry in fs::read_dir(folder)? {
        entries += 1;
        let entry = entry?;
        let path = entry.path();
        let fine = if entry.file_type()?.is_dir() {
            holds_only(data, &path, is_ours)?
        } else {
            path.strip_prefix(data).is_ok_and(is_ours)
        };
        if !fine {
            return Ok(false);
        }
    }
    // An empty folder belongs to the program.
    Ok(folder == data || entries > 0)
}

/// Syncs everything in a folder.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            sync(&entry.path())?;
        } else if kind.is_file() {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str, keep: bool) -> NodeFile {
        NodeFile { path: path.into(), text: text.to_owned(), keep }
    }

    #[test]
    fn files_are_rewritten_unless_kept() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        let files = [file("a.conf", "one", false), file("deep/er/b.conf", "one", true)];
        assert!(fill(data, &files, None).unwrap());
        for file in &files {
            assert_eq!(fs::read_to_string(data.join(&file.path)).unwrap(), "one");
            fs::write(data.join(&file.path), "two").unwrap();
        }
        assert!(fill(data, &files, None).unwrap(), "the folder has only these files");
        assert_eq!(fs::read_to_string(data.join("a.conf")).unwrap(), "one");
        assert_eq!(fs::read_to_string(data.join("deep/er/b.conf")).unwrap(), "two");
        sync(data).unwrap();
    }

    #[test]
    fn folder_with_other_entries_has_data() {
        for path in ["log", "deep/log", "deep/empty/"] {
            let folder = tempfile::tempdir().unwrap();
            let at = folder.path().join(path);
            fs::create_dir_all(if path.ends_with('/') { &at } else { at.parent().unwrap() }).unwrap();
            if !path.ends_with('/') {
                fs::write(&at, "x").unwrap();
            }
            assert!(!fill(folder.path(), &[file("a", "", false)], None).unwrap(), "{path}");
        }
    }
}
