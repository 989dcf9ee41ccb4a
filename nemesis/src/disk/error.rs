//! Why the disks could not do something.

use std::io;

/// Something about the disks could not be done.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// `disk = "memory"`, and it cannot be had.
    #[error(
        "disk = \"memory\" cannot be had: {0}; disk = \"real\" works everywhere, and cannot lose its power"
    )]
    NoMemory(String),
    /// The process that answers for the disks does not.
    #[error("the process of the disks: {0}")]
    Process(io::Error),
    /// It could not do what it was asked.
    #[error("the disk of {node}: {reason}")]
    Failed {
        /// The node.
        node: String,
        /// What it said.
        reason: String,
    },
}
