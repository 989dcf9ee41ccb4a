//! How a node reads the time.

use std::path::{Path, PathBuf};

/// How a node comes to the time that the bench wants it to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessClock {
    /// It reads this file itself, whenever it reads its clock; made before it starts.
    Itself(PathBuf),
    /// It knows of nothing: the bench shifts its clock from outside, with the help of this file.
    Foreign(PathBuf),
}

impl ProcessClock {
    /// The file, which is made when the node starts first.
    pub fn file(&self) -> &Path {
        match self {
            Self::Itself(path) | Self::Foreign(path) => path,
        }
    }
}
