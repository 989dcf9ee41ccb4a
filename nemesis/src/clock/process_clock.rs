//! How a node reads the time.

use std::path::{Path, PathBuf};

/// The way in which a node gets the time that the bench intends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessClock {
    /// The node reads this file itself whenever it reads its clock; the file exists before it starts.
    Itself(PathBuf),
    /// The node has no support for the bench: the bench shifts its clock from outside, through this file.
    Foreign(PathBuf),
}

impl ProcessClock {
    /// The file; the first start of the node creates it.
    pub fn file(&self) -> &Path {
        match self {
            Self::Itself(path) | Self::Foreign(path) => path,
        }
    }
}
