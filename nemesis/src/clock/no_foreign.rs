//! Stub for platforms on which the clocks of other programs cannot be shifted.

use super::Reading;
use std::path::Path;

const REASON: &str = "the clocks of other programs can be shifted on Linux on x86-64 only";

/// The part of a process that only waits while its clock is shifted.
pub(crate) const PART: &str = "clock";

/// Always an error, with the reason.
pub(crate) fn can_be_shifted() -> Result<(), &'static str> {
    Err(REASON)
}

/// Never used.
pub(crate) fn stand() -> u8 {
    1
}

pub(super) fn adopt(_: &crate::process::Roots, _: &Path) -> Result<usize, String> {
    Err(REASON.to_owned())
}

pub(super) fn read(_: u32, _: &Path) -> Result<Reading, String> {
    Err(REASON.to_owned())
}
