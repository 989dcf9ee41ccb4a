//! Reading and writing the files of a run, with errors that name the file.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Why a run's folder could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{}, line {line}: {message}", path.display())]
    Malformed {
        /// Which one.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// A history does not follow its own rules.
    #[error("{}: {message}", path.display())]
    History {
        /// Which one.
        path: PathBuf,
        /// What is wrong, with line and column.
        message: String,
    },
}

impl ResultsError {
    pub(super) fn read(path: &Path, source: std::io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }

    pub(super) fn write(path: &Path, source: std::io::Error) -> Self {
        Self::Write { path: path.to_owned(), source }
    }

    pub(super) fn history(path: &Path, message: &impl ToString) -> Self {
        Self::History { path: path.to_owned(), message: message.to_string() }
    }

    pub(super) fn malformed(path: &Path, line: usize, message: &impl ToString) -> Self {
        Self::Malformed { path: path.to_owned(), line, message: message.to_string() }
    }
}

/// The text of a file; none if there is no such file.
pub(super) fn read_optional(path: &Path) -> Result<Option<String>, ResultsError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ResultsError::read(path, error)),
    }
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), ResultsError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(ResultsError::write(path, error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes a file under another name and renames it, so that no reader sees half of it.
pub(super) fn write_whole(path: &Path, content: &[u8]) -> Result<(), ResultsError> {
    stream_whole(path, |file| file.write_all(content))
}

/// The same for a file that need not fit into memory: `content` writes it.
pub(super) fn stream_whole(
    path: &Path,
    content: impl FnOnce(&mut fs::File) -> io::Result<()>,
) -> Result<(), ResultsError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = path.with_file_name(name);
    let write = || {
        let mut file = fs::File::create(&partial)?;
        content(&mut file)?;
        drop(file);
        fs::rename(&partial, path)
    };
    write().map_err(|error| ResultsError::write(path, error))
}
