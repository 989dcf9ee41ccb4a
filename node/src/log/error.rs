//! Why a log cannot be used, with the file, the offset and the remedy.

use super::FORMAT;
use std::io;
use std::path::{Path, PathBuf};

/// Why a log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file system refused something.
    #[error("{path}: cannot {action}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A file is broken in a way that a crash does not explain.
    #[error(
        "{path}: damaged at byte {offset}: {reason}; nothing was changed. Put back all files of this folder as they were \
         when the node stopped, or replace this node by a new one (POST /config)"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in the file.
        offset: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A file is not there, and no crash removes it.
    #[error(
        "{path}: missing: {reason}; nothing was changed. Put back all files of this folder as they were when the node \
         stopped, or replace this node by a new one (POST /config)"
    )]
    Missing {
        /// The file.
        path: PathBuf,
        /// How that is known.
        reason: String,
    },
    /// The folder was written by another version of the program.
    #[error(
        "{path}: written in format {found}, and this version reads format {FORMAT} only; start it with the version that \
         wrote it, or replace this node by a new one (POST /config)"
    )]
    Version {
        /// The file that says so.
        path: PathBuf,
        /// The format that it names.
        found: String,
    },
    /// The folder belongs to another node.
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

/// Turns an [`io::Error`] into a [`LogError`] that says where and what.
pub(super) fn failed<'a>(path: &'a Path, action: &'static str) -> impl FnOnce(io::Error) -> LogError + 'a {
    move |source| LogError::Io { path: path.to_owned(), action, source }
}
