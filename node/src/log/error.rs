//! Errors of a log, with the file, the offset and the remedy.

use super::FORMAT;
use std::io;
use std::path::{Path, PathBuf};

/// An error of a log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file system reported an error.
    #[error("{path}: cannot {action}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The attempted action.
        action: &'static str,
        /// The operating system's error.
        source: io::Error,
    },
    /// A file is damaged in a way that no crash explains.
    #[error(
        "{path}: damaged at byte {offset}: {reason}; nothing was changed. Put back all files of this folder as they were \
         when the node stopped, or replace this node by a new one (POST /config)"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The offset in the file.
        offset: usize,
        /// The problem there.
        reason: String,
    },
    /// A file is missing, and no crash removes it.
    #[error(
        "{path}: missing: {reason}; nothing was changed. Put back all files of this folder as they were when the node \
         stopped, or replace this node by a new one (POST /config)"
    )]
    Missing {
        /// The file.
        path: PathBuf,
        /// The evidence for that.
        reason: String,
    },
    /// The folder has the format of another version of the program.
    #[error(
        "{path}: written in format {found}, and this version reads format {FORMAT} only; start it with the version that \
         wrote it, or replace this node by a new one (POST /config)"
    )]
    Version {
        /// The file with the format.
        path: PathBuf,
        /// The format in it.
        found: String,
    },
    /// The folder belongs to another node.
    #[error(
        "{path}: these are the data of node {owner:?}, and this is node {name:?}; give this node its own folder back, or an \
         empty one (with \"join\": true) as to a new node"
    )]
    Another {
        /// The file with the owner's name.
        path: PathBuf,
        /// The owner in it.
        owner: String,
        /// The node that should start.
        name: String,
    },
    /// The node's name cannot be written into its folder.
    #[error("name: {name:?} must have at most {max} bytes, and no control characters")]
    Name {
        /// The name.
        name: String,
        /// The limit in bytes.
        max: usize,
    },
    /// Another process has the folder open.
    #[error(
        "{path}: another node process is using this folder; stop it first, or give this node a folder of its own"
    )]
    InUse {
        /// The folder.
        path: PathBuf,
    },
}

/// Turns an [`io::Error`] into a [`LogError`] with the path and the action.
pub(super) fn failed<'a>(path: &'a Path, action: &'static str) -> impl FnOnce(io::Error) -> LogError + 'a {
    move |source| LogError::Io { path: path.to_owned(), action, source }
}
