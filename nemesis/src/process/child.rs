//! One process from its start to its end: signals that cannot hit a stranger, and a thread that waits for it.

use super::ending::how_it_ended;
use super::excuse::Excuses;
use super::exit::Exit;
use super::family::{self, Roots};
use super::guard::Guarded;
use super::spawner::Spawned;
use super::{listener, state};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long a process may take to stop or go on after the signal.
const SIGNAL_PATIENCE: Duration = Duration::from_secs(1);

/// How often processes are looked for that were started while others were being stopped.
const STOP_ROUNDS: u32 = 5;

/// How long is waited for whoever traces the process.
const TRACED_PAUSE: Duration = Duration::from_millis(1);

/// A process that was started.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) pid: u32,
    /// Where all processes of the node hang.
    pub(super) roots: Roots,
    watched: Arc<Watched>,
    ended: watch::Receiver<Option<ExitStatus>>,
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
    /// Watches over a process that was just started; `exits` receives an end that was not ordered.
    pub(super) fn watch(
        mut spawned: Spawned,
        node: &str,
        incarnation: u32,
        exits: UnboundedSender<Exit>,
        excuses: Excuses,
    ) -> io::Result<Self> {
        let roots = match &spawned {
            Spawned::Guarded(guarded) => Roots { first: guarded.pid, guard: Some(guarded.child.id()) },
            Spawned::Bare(child) => Roots { first: child.id(), guard: None },
        };
        let pid = roots.first;
        let watched = Arc::new(Watched::default());
        let (publish, ended) = watch::channel(None);
        let exit = Exit { node: node.to_owned(), pid, incarnation, how: String::new(), excuse: None };
        let theirs = Arc::clone(&watched);
        let waiter = std::thread::Builder::new().name(format!("wait-{node}")).spawn(move || {
            let (status, left) = match &mut spawned {
                Spawned::Guarded(guarded) => hear(guarded, roots, &theirs),
                Spawned::Bare(child) => (reap(child, &theirs), 0),
            };
            if let Some(status) = status {
                let shared = lock(&theirs.shared);
                let ordered = shared.asked_to_end || shared.killed_by_us && status.signal() == Some(9);
                drop(shared);
                if !ordered {
                    let excuse = excuses.in_words();
                    // The receiver may be gone: the testbed is being stopped.
                    let _ = exits.send(Exit { how: with_left(how_it_ended(status), left), excuse, ..exit });
                }
            }
            publish.send_replace(status);
        });
        if let Err(error) = waiter {
            // Without a thread that waits for it, the process must not go on.
            let _ = kill_process_group(rustix_pid(pid), Signal::KILL);
            return Err(error);
        }
        Ok(Self { pid, roots, watched, ended })
    }

    /// How it ended, if it has.
    pub(super) fn status(&self) -> Option<ExitStatus> {
        lock(&self.watched.shared).status
    }

    /// Signals every process of the node; says how many there are besides the first, or none if that has ended.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<Option<usize>> {
        let mut shared = lock(&self.watched.shared);
        if shared.status.is_some() {
            return Ok(None);
        }
        shared.killed_by_us |= signal == Signal::KILL;
        shared.asked_to_end |= signal == Signal::TERM;
        // Those that may leave the group are looked for before, as the first process must live for that.
        let others = family::of(self.roots).len().saturating_sub(1);
        kill_process_group(rustix_pid(self.pid), signal)?;
        let mut signalled = family::signal_others(self.roots, signal);
        // Whoever stood still later than others may have started some meanwhile.
        let rounds = if signal == Signal::STOP { STOP_ROUNDS } else { 0 };
        for _ in 0..rounds {
            let before = std::mem::replace(&mut signalled, family::signal_others(self.roots, signal));
            if before == signalled {
                break;
            }
        }
        Ok(Some(others))
    }

    /// Why a signal to all its processes proves nothing, if it does not: others listen at its address.
    pub(super) fn objection(&self, address: SocketAddr) -> Option<String> {
        listener::objection(address, self.roots)
    }

    /// Who still listens at its address though it has ended, if anybody does.
    pub(super) fn still_listening(&self, address: SocketAddr) -> Option<String> {
        listener::still_listening(address, self.roots)
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

    /// Waits until every thread of every process is stopped, or none is. The error says what was seen instead.
    pub(super) async fn is_stopped(&self, stopped: bool) -> Result<String, String> {
        let deadline = Instant::now() + SIGNAL_PATIENCE;
        loop {
            let first =
                state::states(self.pid).map_err(|error| format!("{}: {error}", state::source(self.pid)))?;
            let others: Vec<u32> =
                family::of(self.roots).into_iter().filter(|pid| *pid != self.pid).collect();
            // One that has ended meanwhile stands as still as can be.
            let odd = others.iter().find(|pid| !all_are(&state::states(**pid).unwrap_or_default(), stopped));
            let letter = first.first().copied().unwrap_or('?');
            let seen = format!("state {letter} in {}", state::source(self.pid));
            if !first.is_empty() && all_are(&first, stopped) && odd.is_none() {
                return Ok(and_more(seen, others.len()));
            }
            if Instant::now() >= deadline {
                let who = odd.map_or(seen, |pid| format!("another state in {}", state::source(*pid)));
                return Err(format!("still {who} after {SIGNAL_PATIENCE:?}"));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

fn all_are(states: &[char], stopped: bool) -> bool {
    states.iter().all(|state| (*state == 'T') == stopped)
}

/// The same, with the number of other processes of the node.
pub(super) fn and_more(seen: String, others: usize) -> String {
    match others {
        0 => seen,
        1 => format!("{seen}, and one process more"),
        _ => format!("{seen}, and {others} processes more"),
    }
}

/// How it ended, with what it had left behind.
fn with_left(how: String, left: usize) -> String {
    match left {
        0 => how,
        1 => format!("{how}; a process that it had left behind was killed"),
        _ => format!("{how}; {left} processes that it had left behind were killed"),
    }
}

/// Waits until the guard tells of the end, which it does while the process id cannot be given to another.
fn hear(guarded: &mut Guarded, roots: Roots, watched: &Watched) -> (Option<ExitStatus>, usize) {
    let ended = guarded.ended();
    let mut shared = lock(&watched.shared);
    if ended.is_none() {
        // Somebody has killed the guard. What it had must not go on without one.
        let _ = family::signal_others(roots, Signal::KILL);
        let _ = kill_process_group(rustix_pid(roots.first), Signal::KILL);
    }
    // This closes its input, whereupon it ends.
    let guard = guarded.child.wait().ok();
    shared.status = ended.map(|ended| ended.status).or(guard);
    watched.reaped.notify_all();
    (shared.status, ended.map_or(0, |ended| ended.left))
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
    // Fails when no process is left, which is the rule.
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
