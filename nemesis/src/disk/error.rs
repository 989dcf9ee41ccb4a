//! Errors of the disks.

use std::io;

/// An error of the disks.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// `disk = "memory"` is not available.
    #[error(
        "disk = \"memory\" is not available: {0}; disk = \"real\" works everywhere, and cannot lose its power"
    )]
    NoMemory(String),
    /// The process that serves the disks does not respond.
    #[error("the process of the disks: {0}")]
    Process(io::Error),
    /// A request to the process of the disks failed.
    #[error("the disk of {node}: {reason}")]
    Failed {
        /// The node.
        node: String,
        /// The reason.
        reason: String,
    },
}
