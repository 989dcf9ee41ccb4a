//! One process from its start to its end: signals that cannot hit a stranger, and a thread that waits for it.

use super::{Excuses, Exit, how_it_ended, state};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long a process may take to stop or go on after the signal.
const SIGNAL_PATIENCE: Duration = Duration::from_secs(1);

/// How long is waited for whoever traces the process.
const TRACED_PAUSE: Duration = Duration::from_millis(1);

/// A process that was started.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) pid: u32,
    watched: Arc<Watched>,
    ended: watch::Receiver<Option<ExitStatus>>,
    _stdin: Option<ChildStdin>,
}

#[derive(Debug, Default)]
struct Watched {
    shared: Mutex<Shared>,
    /// For those who cannot await.
    reaped: Condvar,
}

#[derive(Debug, Default)]
struct Shared {
    /// Set under the lock in which the process is reaped: while it is none, the id is still ours.
    status: Option<ExitStatus>,
    killed_by_us: bool,
    /// Whoever is asked to end may end as it likes.
    asked_to_end: bool,
}

impl Running {
    /// Watches over a process that was just started; `exits` hears of an end that nobody ordered.
    pub(super) fn watch(
        mut child: Child,
        node: &str,
        incarnation: u32,
        exits: UnboundedSender<Exit>,
        excuses: Excuses,
    ) -> io::Result<Self> {
        let pid = child.id();
        let watched = Arc::new(Watched::default());
        let (publish, ended) = watch::channel(None);
        let stdin = child.stdin.take();
        let exit = Exit { node: node.to_owned(), pid, incarnation, how: String::new(), excuse: None };
        let theirs = Arc::clone(&watched);
        let waiter = std::thread::Builder::new().name(format!("wait-{node}")).spawn(move || {
            let status = reap(&mut child, &theirs);
            if let Some(status) = status {
                let shared = lock(&theirs.shared);
                let ordered = shared.asked_to_end || shared.killed_by_us && status.signal() == Some(9);
                drop(shared);
                if !ordered {
                    let excuse = excuses.in_words();
                    // Nobody listening is fine: the lab is being stopped.
                    let _ = exits.send(Exit { how: how_it_ended(status), excuse, ..exit });
                }
            }
            publish.send_replace(status);
        });
        if let Err(error) = waiter {
            // Without a thread that waits for it, the process must not go on.
            let _ = kill_process_group(rustix_pid(pid), Signal::KILL);
            return Err(error);
        }
        Ok(Self { pid, watched, ended, _stdin: stdin })
    }

    /// How it ended, if it has.
    pub(super) fn status(&self) -> Option<ExitStatus> {
        lock(&self.watched.shared).status
    }

    /// Signals the whole process group; false if the process has ended.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<bool> {
        let mut shared = lock(&self.watched.shared);
        if shared.status.is_some() {
            return Ok(false);
        }
        shared.killed_by_us |= signal == Signal::KILL;
        shared.asked_to_end |= signal == Signal::TERM;
        kill_process_group(rustix_pid(self.pid), signal)?;
        Ok(true)
    }

    /// Waits until it has ended and was reaped.
    pub(super) async fn ended(&mut self) -> Option<ExitStatus> {
        let ended = self.ended.wait_for(Option::is_some).await;
        ended.ok().and_then(|status| *status)
    }

    /// The same without a runtime, for so long; false if it has not ended.
    pub(super) fn ended_within(&self, patience: Duration) -> bool {
        let shared = lock(&self.watched.shared);
        let waited =
            self.watched.reaped.wait_timeout_while(shared, patience, |shared| shared.status.is_none());
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Waits until every thread is stopped, or none is. The error says what was seen instead.
    pub(super) async fn is_stopped(&self, stopped: bool) -> Result<String, String> {
        let deadline = Instant::now() + SIGNAL_PATIENCE;
        loop {
            let states =
                state::states(self.pid).map_err(|error| format!("{}: {error}", state::source(self.pid)))?;
            let as_wanted = !states.is_empty() && states.iter().all(|state| (*state == 'T') == stopped);
            let letter = states.first().copied().unwrap_or('?');
            let seen = format!("state {letter} in {}", state::source(self.pid));
            if as_wanted {
                return Ok(seen);
            }
            if Instant::now() >= deadline {
                return Err(format!("still {seen} after {SIGNAL_PATIENCE:?}"));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Waits for the end, ends what is left of the group, and reaps; all while the process id cannot be given to another.
fn reap(child: &mut Child, watched: &Watched) -> Option<ExitStatus> {
    let pid = rustix_pid(child.id());
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    loop {
        match waitid(WaitId::Pid(pid), options) {
            Err(rustix::io::Errno::INTR) => {}
            // Whoever shifts its clock stops it for a moment, of which all threads of this process hear.
            Ok(Some(status)) if !(status.exited() || status.killed() || status.dumped()) => {
                std::thread::sleep(TRACED_PAUSE);
            }
            Ok(_) | Err(_) => break,
        }
    }
    let mut shared = lock(&watched.shared);
    // Fails when nobody is left, which is the rule.
    let _ = kill_process_group(pid, Signal::KILL);
    shared.status = child.wait().ok();
    watched.reaped.notify_all();
    shared.status
}

fn rustix_pid(pid: u32) -> Pid {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.expect("the system gives processes positive ids")
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
