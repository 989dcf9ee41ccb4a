//! Re-execution: this program starts itself again to play a part, such as the first process of a lab or the guard of a
//! node.
//!
//! A variable of the environment names the part. The [entry](crate::lab_entry) of the program looks it up in a table
//! of parts and runs it instead of `main`. The table is handed in, so this module knows none of its users.

mod enter;
mod init;
mod launch;

pub use enter::{EnterError, enter_lab, enter_lab_with};
pub(crate) use enter::{INIT, entering_took, run_init};
pub(crate) use init::{end_with_the_outer_process, mounts};
pub(crate) use launch::Launched;

use launch::{Launch, Step};
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::UNIX_EPOCH;

/// The variable that names the part of a process.
pub(crate) const STAGE: &str = "BENCH_LAB";
/// The variable that says when the lab was begun, in nanoseconds of the wall clock.
const SINCE: &str = "BENCH_LAB_SINCE";
/// The bench inside a lab.
const INSIDE: &str = "inside";

/// What makes the test program play its part and nothing else.
#[cfg(test)]
const TEST_PART: [&str; 4] = ["entry::tests::part", "--exact", "--ignored", "--nocapture"];

/// The name of a part, and what plays it; the number is the exit code.
pub(crate) type Part = (&'static str, fn() -> u8);

/// Whether this program looks up its part before anything else. One that does not must never be started again.
static WIRED: AtomicBool = AtomicBool::new(false);

/// Plays the part of this process and returns the exit code; nothing in a process without one of these parts.
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

/// Whether this program may be started again; one that plays no part would do all of its work once more.
pub(crate) fn may_start_again() -> Result<(), &'static str> {
    WIRED
        .load(Relaxed)
        .then_some(())
        .ok_or("this program cannot be started again as a part of a lab (it does not call lab_entry)")
}

/// This program once more, to play a part beside this process.
pub(crate) fn again_as(part: &str) -> io::Result<Command> {
    may_start_again().map_err(io::Error::other)?;
    let mut program = Command::new("/proc/self/exe");
    program.env(STAGE, part);
    // The program of the tests would run them all.
    #[cfg(test)]
    program.args(TEST_PART);
    Ok(program)
}

/// Starts this program as the first process of new namespaces. The error is a sentence with the remedy.
pub(crate) fn start(stage: &str, args: &[OsString], capture: bool) -> Result<Launched, String> {
    start_with(stage, args, capture, &[])
}

fn start_with(
    stage: &str,
    args: &[OsString],
    capture: bool,
    env: &[(&str, OsString)],
) -> Result<Launched, String> {
    may_start_again()?;
    let root = rustix::process::geteuid().is_root();
    let try_launch = |new_user| {
        let mut launch = description(stage, args, capture, new_user);
        let more = env.iter().map(|(name, value)| [OsStr::new(name), value].join(OsStr::new("=")));
        launch.env.extend(more.map(|pair| CString::new(pair.into_vec()).unwrap_or_default()));
        launch::launch(&launch)
    };
    let launched = match try_launch(!root) {
        // Root of a container, which has not the rights of root: a user namespace may still be had.
        Err((Step::Namespaces, error)) if root && error.kind() == io::ErrorKind::PermissionDenied => {
            try_launch(true)
        }
        other => other,
    };
    launched.map_err(|(step, error)| reason(step, &error))
}

fn description(stage: &str, args: &[OsString], capture: bool, new_user: bool) -> Launch {
    let text =
        |text: &OsStr| CString::new(text.as_bytes()).expect("arguments and variables have no zero bytes");
    let own = std::env::vars_os().filter(|(name, _)| name != STAGE && name != SINCE);
    let own = own.map(|(name, value)| [name, value].join(OsStr::new("=")));
    let since = UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
    let ours = [format!("{STAGE}={stage}"), format!("{SINCE}={since}")].map(OsString::from);
    Launch {
        program: c"/proc/self/exe".to_owned(),
        args: std::env::args_os().take(1).chain(args.iter().cloned()).map(|arg| text(&arg)).collect(),
        env: own.chain(ours).map(|pair| CString::new(pair.into_vec()).unwrap_or_default()).collect(),
        new_user,
        capture,
    }
}

/// Why the system did not let a lab be made, and what would help.
fn reason(step: Step, error: &io::Error) -> String {
    match (step, error.raw_os_error()) {
        (Step::Namespaces, Some(libc::ENOSPC | libc::EUSERS)) => format!(
            "user namespaces are switched off here ({error}); `sysctl -w user.max_user_namespaces=10000` as root allows them"
        ),
        (Step::Namespaces, Some(libc::EPERM)) => format!(
            "namespaces are forbidden here ({error}), as in containers; start the container with `--security-opt \
             seccomp=unconfined`, or on old Debian set `sysctl -w kernel.unprivileged_userns_clone=1`"
        ),
        (Step::UserMap, _) => format!(
            "a user namespace has no rights here ({error}), as on Ubuntu 24.04; `sysctl -w \
             kernel.apparmor_restrict_unprivileged_userns=0` as root gives them"
        ),
        (Step::Namespaces, _) => format!("no namespaces can be made ({error})"),
        (Step::Start, _) => format!("this program cannot be started again ({error})"),
    }
}
