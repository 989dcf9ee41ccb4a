//! The kind of disk that holds the nodes' data.

use super::error::DiskError;
use crate::network::{Mode, disk_can_be_mounted};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// `disk = …` of a spec: the requested kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Disk {
    /// In memory in a lab, where available; otherwise the results folder.
    #[default]
    Auto,
    /// A FUSE file system of the bench, which can lose its power. Needs network = "lab".
    Memory,
    /// The results folder.
    Real,
}

/// The kind of disk that a run uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskMode {
    /// A FUSE file system of the bench for each node.
    Memory,
    /// The results folder.
    Real,
}

impl Disk {
    /// The kind that this machine can provide for the request, in this network.
    ///
    /// It is probed once, by a program that begins with [`lab_entry`](crate::lab_entry).
    pub fn choose(self, mode: Mode) -> Result<DiskMode, DiskError> {
        match (self, mode) {
            (Self::Real, _) | (Self::Auto, Mode::Proxy | Mode::Host | Mode::Hosts | Mode::Messages) => {
                Ok(DiskMode::Real)
            }
            (Self::Memory, Mode::Proxy | Mode::Host | Mode::Hosts | Mode::Messages) => {
                Err(DiskError::NoMemory(format!(
                    "it is mounted where only the lab sees it, so it needs network = \"lab\", not \"{mode}\""
                )))
            }
            (Self::Auto, Mode::Lab) => {
                Ok(if disk_can_be_mounted().is_ok() { DiskMode::Memory } else { DiskMode::Real })
            }
            (Self::Memory, Mode::Lab) => {
                disk_can_be_mounted().map(|()| DiskMode::Memory).map_err(DiskError::NoMemory)
            }
        }
    }
}

impl fmt::Display for DiskMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Real => "real",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_disks_need_a_lab() {
        for mode in [Mode::Proxy, Mode::Host, Mode::Messages] {
            assert_eq!(Disk::Auto.choose(mode).unwrap(), DiskMode::Real);
            let error = Disk::Memory.choose(mode).unwrap_err().to_string();
            assert!(error.contains("network = \"lab\"") && error.contains("disk = \"real\""), "{error}");
        }
    }
}
