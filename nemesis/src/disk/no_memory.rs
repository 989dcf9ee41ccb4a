//! Stub for platforms without disks in memory.

use super::error::DiskError;
use super::message::{Catch, Condition, DiskCounters, OpenSync};
use super::model::DiskModel;
use super::store::{Image, Loss};
use crate::claim::Claim;
use std::path::Path;
use std::sync::Arc;

/// No disks: the type has no values.
#[derive(Debug)]
pub(crate) enum Disks {}

impl Disks {
    pub(crate) fn start() -> Result<Arc<Self>, DiskError> {
        Err(DiskError::NoMemory("it is mounted in a lab, which only Linux has".to_owned()))
    }
}

/// No disk: the type has no values.
#[derive(Debug, Clone)]
pub(crate) enum NodeDisk {}

impl NodeDisk {
    pub(crate) fn new(disks: &Arc<Disks>, _: &str, _: u64, _: DiskModel) -> Self {
        match **disks {}
    }

    pub(crate) fn mount(&self, _: &Path) -> Result<(), DiskError> {
        match *self {}
    }

    pub(crate) fn apply(&self, _: Claim, _: Condition) -> Result<(), DiskError> {
        match *self {}
    }

    pub(crate) fn release(&self, _: Claim) -> Result<(), DiskError> {
        match *self {}
    }

    pub(crate) fn release_all(&self) -> Result<(), DiskError> {
        match *self {}
    }

    pub(crate) fn arm(&self, _: Option<Catch>) -> Result<(), DiskError> {
        match *self {}
    }

    pub(crate) fn maintain(&self, _: bool) -> Result<(), DiskError> {
        match *self {}
    }

    pub(crate) fn caught(&self) -> Result<Vec<OpenSync>, DiskError> {
        match *self {}
    }

    pub(crate) fn let_go(&self) -> Result<(), DiskError> {
        match *self {}
    }

    pub(crate) fn lose_power(&self, _: Option<u64>) -> Result<Loss, DiskError> {
        match *self {}
    }

    pub(crate) fn leave_image(&self, _: u64) -> Result<Image, DiskError> {
        match *self {}
    }

    pub(crate) fn counters(&self) -> Result<DiskCounters, DiskError> {
        match *self {}
    }

    pub(crate) fn save(&self) -> Result<(), DiskError> {
        match *self {}
    }
}
