//! The entry point of programs that may be started again to play a part, and the table of parts.

use crate::reexec::{self, Part};
use std::process::ExitCode;

/// The parts that this program can play besides its own.
#[cfg(target_os = "linux")]
const PARTS: &[Part] = &[
    (reexec::INIT, reexec::run_init),
    (crate::network::PROBE, crate::network::probe_inside),
    (crate::disk::PART, crate::disk::serve),
    (crate::process::GUARD, crate::process::guard_a_node),
    (crate::process::GUARD_COMMAND, crate::process::guard_a_command),
    (crate::sweeper::PART, crate::sweeper::sweep),
    (crate::clock::PART, crate::clock::stand),
    (crate::hosts::AGENT, crate::hosts::serve),
    (crate::hosts::WATCHDOG, crate::hosts::watch_over),
];
#[cfg(not(target_os = "linux"))]
const PARTS: &[Part] = &[];

/// Must be called before anything else in `main`.
///
/// In the processes of a lab, it plays their part and returns the exit code. In any other process, and in the
/// bench inside the lab, it returns none.
pub fn lab_entry() -> Option<ExitCode> {
    play_part().map(ExitCode::from)
}

/// Plays the part of this process and returns the exit code; none in a process without a part.
pub(crate) fn play_part() -> Option<u8> {
    reexec::play_part(PARTS)
}

#[cfg(test)]
mod tests {
    /// Not a test: the entry of this program when it was started again to play a part.
    #[test]
    #[ignore = "started by other tests as a process of its own"]
    fn part() {
        if let Some(code) = super::play_part() {
            std::process::exit(i32::from(code));
        }
    }
}
