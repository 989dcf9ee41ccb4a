//! A run inside a lab: this program starts itself again as the first process of new namespaces, and waits for it.
//!
//! The outer process stays as it is: it passes signals on and ends with the exit code of the inner one. When it is
//! killed, the kernel kills the first process of the namespaces, and with it everything in them.

use super::init;
use super::launch::Launched;
use super::start::start_with;
use rustix::process::{Signal, WaitOptions, WaitStatus, kill_process_group, waitpid};
use std::ffi::OsString;
use std::io;
use std::sync::OnceLock;
use std::time::{Duration, UNIX_EPOCH};
use tokio::signal::unix::{SignalKind, signal};

/// The first process of the lab.
pub(crate) const INIT: &str = "init";

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

/// The part of the first process of a lab.
pub(crate) fn run_init() -> u8 {
    init::run()
}

/// Notes how long it took to get inside, given when that began.
pub(super) fn note_time(since: Option<String>) {
    let began = since.and_then(|since| since.parse().ok());
    let began = began.and_then(|since| UNIX_EPOCH.checked_add(Duration::from_nanos(since)));
    if let Some(took) = began.and_then(|began| began.elapsed().ok()) {
        ENTERING.get_or_init(|| took);
    }
}

/// How long it took to get inside; nothing in a process that is not.
pub(crate) fn entering_took() -> Duration {
    ENTERING.get().copied().unwrap_or_default()
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

/// Waits for the lab's end and passes interruptions on to it.
fn wait(launched: &Launched) -> Result<u8, EnterError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let pid = launched.pid;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hang_up =
            if crate::hang_up::hang_up_is_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
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
