//! Re-execution: this program starts itself again to play a part, for example the guard of a node.
//!
//! An environment variable names the part. The [entry](crate::lab_entry) of the program looks it up in a table
//! of parts and runs it instead of `main`. The caller passes the table, so this module knows none of its users.

mod enter;
mod init;
mod launch;
mod start;

pub use enter::{EnterError, enter_lab, enter_lab_with};
pub(crate) use enter::{INIT, entering_took, run_init};
pub(crate) use init::{end_with_the_outer_process, mounts};
pub(crate) use start::{STAGE, may_start_again, start};

use start::{INSIDE, SINCE, WIRED};
use std::io;
use std::process::Command;
use std::sync::atomic::Ordering::Relaxed;

/// Arguments that make the test program play only its part.
#[cfg(test)]
const TEST_PART: [&str; 4] = ["entry::tests::part", "--exact", "--ignored", "--nocapture"];

/// The name of a part, and the function that plays it and returns the exit code.
pub(crate) type Part = (&'static str, fn() -> u8);

/// Plays the part of this process and returns the exit code; none without a part in `parts`.
pub(crate) fn play_part(parts: &[Part]) -> Option<u8> {
    WIRED.store(true, Relaxed);
    let stage = std::env::var(STAGE).unwrap_or_default();
    let part = parts.iter().find(|(name, _)| *name == stage);
    if part.is_none() {
        enter::note_time(std::env::var(SINCE).ok());
    }
    part.map(|(_, play)| play())
}

/// Whether this process runs inside a lab.
pub fn inside_lab() -> bool {
    std::env::var(STAGE).is_ok_and(|stage| stage == INSIDE)
}

/// A command for this program again, to play a part beside this process.
pub(crate) fn again_as(part: &str) -> io::Result<Command> {
    may_start_again().map_err(io::Error::other)?;
    let mut program = Command::new("/proc/self/exe");
    program.env(STAGE, part);
    // Without these arguments, the test program would run all tests.
    #[cfg(test)]
    program.args(TEST_PART);
    Ok(program)
}
