//! Disks in memory that can lose their power: a FUSE file system in a process of its own.

mod client;
mod disk;
mod files;
mod probe;
mod serve;
#[cfg(test)]
mod tests;

pub(crate) use client::{Disks, NodeDisk, PART};
pub(crate) use probe::probe;
pub(crate) use serve::serve;
