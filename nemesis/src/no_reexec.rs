//! Stub for platforms without namespaces.

use std::ffi::OsString;
use std::time::Duration;

/// The name of a part, and the function that plays it.
pub(crate) type Part = (&'static str, fn() -> u8);

/// An error: no lab can be created.
#[derive(Debug, thiserror::Error)]
#[error("network namespaces exist on Linux only")]
pub struct EnterError;

/// Plays no part.
pub(crate) fn play_part(_: &[Part]) -> Option<u8> {
    None
}

/// Whether this process runs inside a lab: never.
pub fn inside_lab() -> bool {
    false
}

/// Zero, as no process ever enters a lab.
pub(crate) fn entering_took() -> Duration {
    Duration::ZERO
}

/// Always an error.
pub fn enter_lab() -> Result<u8, EnterError> {
    Err(EnterError)
}

/// Always an error.
pub fn enter_lab_with(_: &[(&str, OsString)]) -> Result<u8, EnterError> {
    Err(EnterError)
}
