//! Starts this program again as the first process of new namespaces.

use super::launch::{self, Launch, Launched, Step};
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::UNIX_EPOCH;

/// The variable that names the part of a process.
pub(crate) const STAGE: &str = "BENCH_LAB";
/// The variable with the start time of the lab, in nanoseconds of the wall clock.
pub(super) const SINCE: &str = "BENCH_LAB_SINCE";
/// The bench inside a lab.
pub(super) const INSIDE: &str = "inside";

/// Whether this program looks up its part first. A program that does not must never be started again.
pub(super) static WIRED: AtomicBool = AtomicBool::new(false);

/// Whether this program may be started again; without parts it would repeat all of its work.
pub(crate) fn may_start_again() -> Result<(), &'static str> {
    WIRED
        .load(Relaxed)
        .then_some(())
        .ok_or("this program cannot be started again as a process of a lab (it does not call lab_entry)")
}

/// Starts this program as the first process of new namespaces. The error is a sentence with the remedy.
pub(crate) fn start(stage: &str, args: &[OsString], capture: bool) -> Result<Launched, String> {
    start_with(stage, args, capture, &[])
}

pub(super) fn start_with(
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
        // Root of a container has not all rights of root, but may still create a user namespace.
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

/// Why the system did not allow a lab, with the remedy.
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
