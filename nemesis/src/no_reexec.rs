//! Stub for platforms without namespaces.

use std::ffi::OsString;
use std::time::Duration;

/// The name of a part, and what plays it.
pub(crate) type Part = (&'static str, fn() -> u8);

/// The lab could not be made.
#[derive(Debug, thiserror::Error)]
#[error("network namespaces exist on Linux only")]
pub struct EnterError;

/// There are no parts to play.
pub(crate) fn play_part(_: &[Part]) -> Option<u8> {
    None
}

/// Whether this process runs inside a lab: never.
pub fn inside_lab() -> bool {
    false
}

/// Zero, as no lab is ever entered.
pub(crate) fn entering_took() -> Duration {
    Duration::ZERO
}

/// Refuses.
pub fn enter_lab() -> Result<u8, EnterError> {
    Err(EnterError)
}

/// Refuses.
pub fn enter_lab_with(_: &[(&str, OsString)]) -> Result<u8, EnterError> {
    Err(EnterError)
}
