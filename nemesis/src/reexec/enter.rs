//! A run inside a lab: this program starts itself again as the first process of new namespaces.
//!
//! The outer process forwards signals and ends with the exit code of the inner one. When it is killed, the
//! kernel kills the first process of the namespaces, and with it everything in them.

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

/// Time from the request for a lab to the start of the bench inside.
static ENTERING: OnceLock<Duration> = OnceLock::new();

/// The error of a lab that could not be created or did not end by itself.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    /// It could not be created.
    #[error("{0}")]
    Forbidden(String),
    /// A signal from outside ended it.
    #[error("{0} ended the lab; its files so far are on disk")]
    Ended(String),
    /// The outer process failed.
    #[error("the lab cannot be waited for: {0}")]
    Outer(#[from] io::Error),
}

/// The part of the first process of a lab.
pub(crate) fn run_init() -> u8 {
    init::run()
}

/// Records the time to enter, given its start.
pub(super) fn note_time(since: Option<String>) {
    let began = since.and_then(|since| since.parse().ok());
    let began = began.and_then(|since| UNIX_EPOCH.checked_add(Duration::from_nanos(since)));
    if let Some(took) = began.and_then(|began| began.elapsed().ok()) {
        ENTERING.get_or_init(|| took);
    }
}

/// The time to enter the lab; zero in a process outside.
pub(crate) fn entering_took() -> Duration {
    ENTERING.get().copied().unwrap_or_default()
}

/// Starts this program again, with the same arguments, inside a lab; returns its exit code.
///
/// Interruptions are forwarded. It needs no privileges. It starts its own runtime, so there must be none.
pub fn enter_lab() -> Result<u8, EnterError> {
    enter_lab_with(&[])
}

/// The same, with variables for the inner program only.
pub fn enter_lab_with(env: &[(&str, OsString)]) -> Result<u8, EnterError> {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let launched = start_with(INIT, &args, false, env).map_err(EnterError::Forbidden)?;
    wait(&launched)
}

/// Waits for the lab's end and forwards interruptions.
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
            // The lab's processes are a process group of their own, so Ctrl-C reaches them only through this
            // call, once.
            let _ = kill_process_group(pid, signal);
        }
    })
}

/// Waits for a hang-up, unless this process ignores it.
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
        (None, None) => Err(EnterError::Ended("an unknown signal".to_owned())),
    }
}
