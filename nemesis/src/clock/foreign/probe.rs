//! Probes whether the clock of another program can be shifted here, by shifting one.

use crate::clock::{ClockFault, NodeClock, ProcessClock};
use crate::process::Roots;
use crate::reexec::again_as;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::OnceLock;

/// The part of a process that only waits while its clock is shifted.
pub(crate) const PART: &str = "clock";

/// Whether the clocks of other programs can be shifted here; probed once.
///
/// The error is the reason and the remedy.
pub(crate) fn can_be_shifted() -> Result<(), &'static str> {
    static FOUND: OnceLock<Result<(), String>> = OnceLock::new();
    FOUND
        .get_or_init(|| try_it().map_err(|error| error.to_string()))
        .as_ref()
        .copied()
        .map_err(String::as_str)
}

/// The process whose clock the probe shifts: waits until its input ends.
pub(crate) fn stand() -> u8 {
    // The parent waits for this line or for the end of this process.
    let _ = std::io::stdout().write_all(b"\n");
    let _ = std::io::stdin().read(&mut [0]);
    0
}

fn try_it() -> std::io::Result<()> {
    // A file in memory: the kernel removes it however this process ends.
    let held = rustix::fs::memfd_create("bench-clock", rustix::fs::MemfdFlags::CLOEXEC)?;
    let file = PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), held.as_raw_fd()));
    let mut program = again_as(PART)?;
    program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = program.spawn()?;
    let tried = NodeClock::create(&ProcessClock::Foreign(file)).and_then(|clock| {
        if let Some(output) = &mut child.stdout {
            output.read_exact(&mut [0])?;
        }
        clock.began(Roots { first: child.id(), beside: Vec::new(), guard: None });
        let hour = 3_600_000_000_000;
        clock.apply(1, ClockFault::Jump { by: hour })?;
        let ahead = clock.read()?.ahead();
        clock.release(None)?;
        if (ahead - hour).abs() < hour / 2 {
            Ok(())
        } else {
            Err(std::io::Error::other("a clock that was shifted by an hour did not show it"))
        }
    });
    // Both calls fail only if the process has already ended.
    let _ = child.kill().and_then(|()| child.wait());
    tried
}
