//! Whose data a folder holds: a file in it names the node, and another node does not start on it.
//!
//! An acceptor that came back with the promises of another would break its own.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is an edge that owns a file")]

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The name of the file.
const FILE: &str = "owner";

/// Why a node may not use a folder.
#[derive(Debug, thiserror::Error)]
pub enum OwnerError {
    /// It belongs to another node.
    #[error(
        "{path}: these are the data of node {owner:?}, and this is node {name:?}; give this node its own folder back, or an \
         empty one (with \"join\": true) as to a new node"
    )]
    Another {
        /// The file that says so.
        path: PathBuf,
        /// Whom it names.
        owner: String,
        /// The node that was to start.
        name: String,
    },
    /// The file system refused something.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Refuses the folder of another node. Nothing is written.
pub(crate) fn check(folder: &Path, name: &str) -> Result<(), OwnerError> {
    let path = folder.join(FILE);
    match fs::read(&path) {
        Ok(owner) if owner == name.as_bytes() => Ok(()),
        Ok(owner) => {
            let owner = String::from_utf8_lossy(&owner).into_owned();
            Err(OwnerError::Another { path, owner, name: name.to_owned() })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(OwnerError::Io { path, source }),
    }
}

/// Writes the name of its node into a folder that has none; the file is there as a whole or not at all.
pub(crate) fn claim(folder: &Path, name: &str) -> Result<(), OwnerError> {
    let path = folder.join(FILE);
    if path.exists() {
        return Ok(());
    }
    let making = folder.join("owner.making");
    let write = || {
        let mut file = File::create(&making)?;
        file.write_all(name.as_bytes())?;
        file.sync_all()?;
        fs::rename(&making, &path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|source| OwnerError::Io { path: path.clone(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_belongs_to_the_first_node_that_claims_it() {
        let folder = tempfile::tempdir().unwrap();
        check(folder.path(), "n1").unwrap();
        claim(folder.path(), "n1").unwrap();
        claim(folder.path(), "n1").unwrap();
        check(folder.path(), "n1").unwrap();
        let error = check(folder.path(), "n2").unwrap_err().to_string();
        assert!(error.contains("data of node \"n1\", and this is node \"n2\""), "{error}");
        fs::write(folder.path().join(FILE), "").unwrap();
        assert!(check(folder.path(), "n1").is_err(), "a name that was cut off is not this one");
    }
}
