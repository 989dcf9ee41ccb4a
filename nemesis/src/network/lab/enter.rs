//! The re-execution: the bench starts itself again as the first process of new namespaces, and waits for it.
//!
//! The outer process stays as it is: it passes signals on and ends with the exit code of the inner one. When it is
//! killed, the kernel kills the first process of the namespaces, and with it everything in them.

use super::sys::{self, Launch, Launched, Step};
use super::{init, probes};
use rustix::process::{Signal, WaitOptions, WaitStatus, kill_process_group, waitpid};
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::{Command, ExitCode};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, UNIX_EPOCH};
use tokio::signal::unix::{SignalKind, signal};

/// The variable that tells a process which part it plays.
pub(crate) const STAGE: &str = "BENCH_LAB";
/// The variable that says when the lab was begun, in nanoseconds of the wall clock.
const SINCE: &str = "BENCH_LAB_SINCE";
/// The first process of the lab.
pub(super) const INIT: &str = "init";
/// The bench inside.
pub(super) const INSIDE: &str = "inside";
/// The first process of a lab that is only made to see whether it can be.
pub(super) const PROBE: &str = "probe";

/// The process that answers for the disks of a lab.
pub(crate) const DISK: &str = "disk";
/// The process between the bench and a node.
pub(crate) const GUARD: &str = "guard";
/// The process that removes the sockets of a bench that was killed.
pub(crate) const SWEEP: &str = "sweep";

/// Whether this program calls [`lab_entry`] first. One that does not must never be started again for a lab.
static WIRED: AtomicBool = AtomicBool::new(false);
/// How long it took from the wish for a lab to the bench inside.
static ENTERING: OnceLock<Duration> = OnceLock::new();

/// The lab could not be made, or it did not end by itself.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    /// It could not be made.
    #[error("{0}")]
    Forbidden(String),
    /// It was ended from outside.
    #[error("the lab was ended by {0}; what it had written is on disk")]
    Ended(String),
    /// Something about the outer process failed.
    #[error("the lab cannot be waited for: {0}")]
    Outer(#[from] io::Error),
}

/// To be called before anything else in `main`. In the processes that a lab is made of it does what they are for and
/// gives the exit code; in any other, and in the bench inside, it gives nothing.
pub fn lab_entry() -> Option<ExitCode> {
    play_part().map(ExitCode::from)
}

/// Does what this process of a lab is for, and gives the exit code; nothing in any other process.
pub(super) fn play_part() -> Option<u8> {
    WIRED.store(true, Relaxed);
    match std::env::var(STAGE).as_deref() {
        Ok(INIT) => Some(init::run()),
        Ok(PROBE) => Some(probes::inside()),
        Ok(DISK) => Some(crate::disk::serve()),
        Ok(GUARD) => Some(crate::process::guard_a_node()),
        Ok(SWEEP) => Some(crate::sweeper::sweep()),
        Ok(crate::clock::CLOCK) => Some(crate::clock::stand()),
        Ok(_) | Err(_) => {
            let began = std::env::var(SINCE).ok().and_then(|since| since.parse().ok());
            let began = began.and_then(|since| UNIX_EPOCH.checked_add(Duration::from_nanos(since)));
            if let Some(took) = began.and_then(|began| began.elapsed().ok()) {
                ENTERING.get_or_init(|| took);
            }
            None
        }
    }
}

/// How long it took to get inside; nothing in a process that is not.
pub(crate) fn entering_took() -> Duration {
    ENTERING.get().copied().unwrap_or_default()
}

/// Whether this process runs inside a lab.
pub fn inside_lab() -> bool {
    std::env::var(STAGE).is_ok_and(|stage| stage == INSIDE)
}

/// Starts this program again, with the same arguments, inside a lab; gives its exit code when it ends. Interruptions
/// are passed on. Needs no privileges. Starts a runtime of its own, so there must be none.
pub fn enter_lab() -> Result<u8, EnterError> {
    enter_lab_with(&[])
}

/// The same with variables that only the program inside has.
pub fn enter_lab_with(env: &[(&str, OsString)]) -> Result<u8, EnterError> {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let launched = start_with(INIT, &args, false, env).map_err(EnterError::Forbidden)?;
    wait(&launched)
}

/// Whether this program may be started again; one that plays no part then would do all that it does once more.
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
    program.args(super::tests::PART);
    Ok(program)
}

/// Starts this program as the first process of new namespaces. The error is a sentence with the remedy.
pub(super) fn start(stage: &str, args: &[OsString], capture: bool) -> Result<Launched, String> {
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
    let launch = |new_user| {
        let mut launch = description(stage, args, capture, new_user);
        let more = env.iter().map(|(name, value)| [OsStr::new(name), value].join(OsStr::new("=")));
        launch.env.extend(more.map(|pair| CString::new(pair.into_vec()).unwrap_or_default()));
        sys::launch(&launch)
    };
    let launched = match launch(!root) {
        // Root of a container, which has not the rights of root: a user namespace may still be had.
        Err((Step::Namespaces, error)) if root && error.kind() == io::ErrorKind::PermissionDenied => {
            launch(true)
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

/// Waits for the lab's end and passes interruptions on to it.
pub(super) fn wait(launched: &Launched) -> Result<u8, EnterError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let pid = launched.pid;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hang_up =
            if crate::process::hang_up_is_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
        let mut end = tokio::task::spawn_blocking(move || {
            loop {
                match waitpid(Some(pid), WaitOptions::empty()) {
                    Ok(Some((_, status))) => return Ok(status),
                    Ok(None) | Err(rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(io::Error::from(error)),
                }
            }
        });
        loop {
            let signal = tokio::select! {
                end = &mut end => return exit_code(end.map_err(io::Error::other)??),
                _ = interrupt.recv() => Signal::INT,
                _ = terminate.recv() => Signal::TERM,
                () = hung_up(hang_up.as_mut()) => Signal::TERM,
            };
            // The lab's processes are a group of their own, so that a terminal's Ctrl-C comes only this way, once.
            let _ = kill_process_group(pid, signal);
        }
    })
}

/// Waits for a hang-up, if one means anything.
async fn hung_up(hang_up: Option<&mut tokio::signal::unix::Signal>) {
    match hang_up {
        Some(hang_up) => drop(hang_up.recv().await),
        None => std::future::pending().await,
    }
}

fn exit_code(status: WaitStatus) -> Result<u8, EnterError> {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Ok(u8::try_from(code).unwrap_or(u8::MAX)),
        (None, Some(signal)) => Err(EnterError::Ended(format!("signal {signal}"))),
        (None, None) => Err(EnterError::Ended("something that is no signal".to_owned())),
    }
}
