//! The data folders of nodes: a node that starts again without its own would lose what it had promised to keep.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The folders of nodes that were started, by device and inode.
#[derive(Debug, Default)]
pub(super) struct DataFolders(BTreeMap<PathBuf, (u64, u64)>);

impl DataFolders {
    /// Whether a folder is the one of the last start; the reason if not.
    pub(super) fn check(&self, folder: &Path) -> Result<(), String> {
        match (self.0.get(folder), identity(folder)) {
            (Some(noted), Some(found)) if *noted != found => {
                Err(format!("the data in {} were replaced during the run", folder.display()))
            }
            (Some(_), None) => Err(format!("the data in {} were removed during the run", folder.display())),
            (_, _) => Ok(()),
        }
    }

    /// Notes the folder of a node that has started.
    pub(super) fn note(&mut self, folder: PathBuf) {
        if let Some(identity) = identity(&folder) {
            self.0.insert(folder, identity);
        }
    }
}

fn identity(folder: &Path) -> Option<(u64, u64)> {
    fs::metadata(folder).ok().map(|found| (found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaced_data_are_noticed() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("data");
        let mut folders = DataFolders::default();
        assert_eq!(folders.check(&folder), Ok(()));
        fs::create_dir(&folder).unwrap();
        folders.note(folder.clone());
        assert_eq!(folders.check(&folder), Ok(()));
        // The other folder exists first, so that it cannot have the inode of the first.
        fs::create_dir(parent.path().join("other")).unwrap();
        fs::remove_dir(&folder).unwrap();
        assert!(folders.check(&folder).unwrap_err().contains("removed"));
        fs::rename(parent.path().join("other"), &folder).unwrap();
        assert!(folders.check(&folder).unwrap_err().contains("replaced"));
    }
}
