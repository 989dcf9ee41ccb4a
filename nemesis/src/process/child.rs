//! One process from start to end: signals that cannot hit another process, and a waiting thread.

use super::ending::End;
use super::excuse::Excuses;
use super::exit::Exit;
use super::family::{self, Roots};
use super::far::FarProcess;
use super::guard::{Guarded, say_stop};
use super::spawner::Spawned;
use super::{listener, state};
use crate::hosts::StartedProcess;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use tokio::time::Instant;

/// Longest time for a process to stop or continue after the signal.
const SIGNAL_PATIENCE: Duration = Duration::from_secs(1);

/// Number of searches for processes that were started while others were being stopped.
const STOP_ROUNDS: u32 = 5;

/// Pause between checks while a tracer holds the process.
const TRACED_PAUSE: Duration = Duration::from_millis(1);

/// A process that was started.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) pid: u32,
    /// The roots of the node's process trees.
    pub(super) roots: Roots,
    /// The names of its helper programs.
    beside: Vec<String>,
    watched: Arc<Watched>,
    ended: watch::Receiver<Option<End>>,
    /// Its process on another machine.
    far: Option<FarProcess>,
}

#[derive(Debug, Default)]
struct Watched {
    shared: Mutex<Shared>,
    /// Signals the reaping to threads without a runtime.
    reaped: Condvar,
}

#[derive(Debug, Default)]
struct Shared {
    /// Set under the lock in which the process is reaped: until then, the kernel cannot reuse the id.
    end: Option<End>,
    killed_by_us: bool,
    /// Whether the bench requested the end, which may then have any form.
    asked_to_end: bool,
    /// The input of its guard, which ends when this closes.
    control: Option<ChildStdin>,
}

impl Running {
    /// Watches a started process and its helper programs.
    ///
    /// `exits` receives an end that the bench did not request.
    pub(super) fn watch(
        mut spawned: Spawned,
        (node, beside): (&str, Vec<String>),
        incarnation: u32,
        exits: UnboundedSender<Exit>,
        excuses: Excuses,
    ) -> io::Result<Self> {
        let mut watched = Watched::default();
        let roots = match &mut spawned {
            Spawned::Guarded(guarded) => {
                watched.shared.get_mut().unwrap_or_else(PoisonError::into_inner).control =
                    guarded.take_control();
                let (first, others) = guarded.pids.split_first().expect("a guard has a program");
                Roots { first: *first, beside: others.to_vec(), guard: Some(guarded.child.id()) }
            }
            Spawned::Bare(child) => Roots { first: child.id(), beside: Vec::new(), guard: None },
        };
        let pid = roots.first;
        let watched = Arc::new(watched);
        let (publish, ended) = watch::channel(None);
        let exit =
            Exit { node: node.to_owned(), pid, incarnation, program: None, how: String::new(), excuse: None };
        let (theirs, hang, names) = (Arc::clone(&watched), roots.clone(), beside.clone());
        let waiter = std::thread::Builder::new().name(format!("wait-{node}")).spawn(move || {
            let (end, left) = match &mut spawned {
                Spawned::Guarded(guarded) => hear(guarded, &hang, &names, &theirs),
                Spawned::Bare(child) => (reap(child, &theirs), 0),
            };
            if let Some(end) = &end {
                let shared = lock(&theirs.shared);
                let ordered = shared.asked_to_end || shared.killed_by_us && end.status.signal() == Some(9);
                drop(shared);
                if !ordered {
                    let excuse = excuses.in_words();
                    // The receiver may be gone: the testbed is stopping.
                    let (how, program) = (with_left(end.how(), left), end.who.clone());
                    let _ = exits.send(Exit { program, how, excuse, ..exit });
                }
            }
            publish.send_replace(end);
        });
        if let Err(error) = waiter {
            // Without a thread that waits for it, the process must not continue.
            let _ = kill_process_group(rustix_pid(pid), Signal::KILL);
            return Err(error);
        }
        Ok(Self { pid, roots, beside, watched, ended, far: None })
    }

    /// Watches a process on another machine; `exits` receives an end that the bench did not request.
    pub(super) fn watch_far(
        (far, started): (FarProcess, &StartedProcess),
        (node, beside): (&str, Vec<String>),
        incarnation: u32,
        exits: UnboundedSender<Exit>,
        excuses: Excuses,
    ) -> Self {
        let pid = started.pid;
        let roots = Roots { first: pid, beside: started.beside.clone(), guard: None };
        let watched = Arc::new(Watched::default());
        let (publish, ended) = watch::channel(None);
        let (theirs, node) = (Arc::clone(&watched), node.to_owned());
        far.on_end(move |end, unrequested| {
            lock(&theirs.shared).end.clone_from(&end);
            theirs.reaped.notify_all();
            if let (Some(end), Some(how)) = (&end, unrequested) {
                let (program, excuse) = (end.who.clone(), excuses.in_words());
                // The receiver may be gone: the testbed is stopping.
                let _ = exits.send(Exit { node, pid, incarnation, program, how, excuse });
            }
            publish.send_replace(end);
        });
        Self { pid, roots, beside, watched, ended, far: Some(far) }
    }

    /// Its helper programs with their process ids, as `, sentinel as pid 7`.
    pub(super) fn beside_in_words(&self) -> String {
        let named = self.beside.iter().zip(&self.roots.beside);
        let named = named.map(|(name, pid)| format!(", {name} as pid {pid}"));
        named.collect::<Vec<_>>().concat()
    }

    /// Its end, if it has ended.
    pub(super) fn end(&self) -> Option<End> {
        lock(&self.watched.shared).end.clone()
    }

    /// Signals every process of the node; returns the number besides its programs.
    ///
    /// None if it has ended.
    pub(super) async fn signal(&self, signal: Signal) -> io::Result<Option<usize>> {
        match &self.far {
            Some(_) if self.end().is_some() => Ok(None),
            Some(far) => far.signal(signal).await,
            None => self.signal_here(signal),
        }
    }

    /// The same without waiting for another machine.
    pub(super) fn signal_soon(&self, signal: Signal) -> io::Result<()> {
        match &self.far {
            Some(far) => far.signal_soon(signal),
            None => drop(self.signal_here(signal)?),
        }
        Ok(())
    }

    fn signal_here(&self, signal: Signal) -> io::Result<Option<usize>> {
        let mut shared = lock(&self.watched.shared);
        if shared.end.is_some() {
            return Ok(None);
        }
        shared.killed_by_us |= signal == Signal::KILL;
        if ![Signal::KILL, Signal::STOP, Signal::CONT].contains(&signal) {
            shared.asked_to_end = true;
            if let Some(control) = &mut shared.control {
                // It fails only if the guard has ended.
                let _ = say_stop(control);
            }
        }
        // Processes that may leave the group are searched first, as the first process must be alive for that.
        let others = family::of(&self.roots).len().saturating_sub(1 + self.beside.len());
        kill_process_group(rustix_pid(self.pid), signal)?;
        let mut signalled = family::signal_others(&self.roots, signal);
        // A process that stopped later may have started others meanwhile.
        let rounds = if signal == Signal::STOP { STOP_ROUNDS } else { 0 };
        for _ in 0..rounds {
            let before = std::mem::replace(&mut signalled, family::signal_others(&self.roots, signal));
            if before == signalled {
                break;
            }
        }
        Ok(Some(others))
    }

    /// Why a signal to all its processes proves nothing: another process listens at its address.
    pub(super) async fn objection(&self, address: SocketAddr) -> Option<String> {
        match &self.far {
            Some(far) => far.objection(address).await,
            None => listener::objection(address, &self.roots),
        }
    }

    /// The process that still listens at its address after its end, if there is one.
    pub(super) async fn still_listening(&self, address: SocketAddr) -> Option<String> {
        match &self.far {
            Some(far) => far.still_listening(address).await,
            None => listener::still_listening(address, &self.roots),
        }
    }

    /// Waits until it has ended and was reaped.
    pub(super) async fn ended(&mut self) -> Option<End> {
        let ended = self.ended.wait_for(Option::is_some).await;
        ended.ok().and_then(|end| end.clone())
    }

    /// The same without exclusive access.
    pub(super) async fn end_later(&self) -> Option<End> {
        let mut ended = self.ended.clone();
        let ended = ended.wait_for(Option::is_some).await;
        ended.ok().and_then(|end| end.clone())
    }

    /// The same without a runtime, up to this time; false if it has not ended.
    ///
    /// A process on another machine ends with its agent.
    pub(super) fn ended_within(&self, patience: Duration) -> bool {
        if self.far.is_some() {
            return true;
        }
        let shared = lock(&self.watched.shared);
        let waited = self.watched.reaped.wait_timeout_while(shared, patience, |shared| shared.end.is_none());
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Waits until every thread of every process is stopped, or none is.
    ///
    /// The error describes the actual state.
    pub(super) async fn is_stopped(&self, stopped: bool) -> Result<String, String> {
        if let Some(far) = &self.far {
            return far.is_stopped(stopped).await;
        }
        let deadline = Instant::now() + SIGNAL_PATIENCE;
        loop {
            let first =
                state::states(self.pid).map_err(|error| format!("{}: {error}", state::source(self.pid)))?;
            let others: Vec<u32> =
                family::of(&self.roots).into_iter().filter(|pid| *pid != self.pid).collect();
            // A process that has ended meanwhile counts as stopped.
            let odd = others.iter().find(|pid| !all_are(&state::states(**pid).unwrap_or_default(), stopped));
            let letter = first.first().copied().unwrap_or('?');
            let seen = format!("state {letter} in {}", state::source(self.pid));
            if !first.is_empty() && all_are(&first, stopped) && odd.is_none() {
                let beside = self.beside.iter().zip(&self.roots.beside);
                let beside = beside.map(|(name, pid)| format!(", of {name} in {}", state::source(*pid)));
                let seen = seen + &beside.collect::<String>();
                return Ok(and_more(seen, others.len().saturating_sub(self.beside.len())));
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

/// Appends the number of other processes of the node.
pub(super) fn and_more(seen: String, others: usize) -> String {
    match others {
        0 => seen,
        1 => format!("{seen}, and one process more"),
        _ => format!("{seen}, and {others} processes more"),
    }
}

/// Describes its end, with the processes that outlived it.
fn with_left(how: String, left: usize) -> String {
    match left {
        0 => how,
        1 => format!("{how}; a process that it had left behind was killed"),
        _ => format!("{how}; {left} processes that it had left behind were killed"),
    }
}

/// Waits until the guard reports the end, before the kernel can reuse the process ids.
fn hear(guarded: &mut Guarded, roots: &Roots, beside: &[String], watched: &Watched) -> (Option<End>, usize) {
    let ended = guarded.ended();
    let mut shared = lock(&watched.shared);
    if ended.is_none() {
        // Another process has killed the guard. Its processes must not run without one.
        let _ = family::signal_others(roots, Signal::KILL);
        let _ = kill_process_group(rustix_pid(roots.first), Signal::KILL);
    }
    // The guard ends when its input closes.
    shared.control = None;
    let guard = guarded.child.wait().ok();
    let left = ended.as_ref().map_or(0, |ended| ended.left);
    shared.end = match ended {
        Some(ended) => {
            let others = beside.iter().zip(&roots.beside).zip(&ended.statuses[1..]);
            Some(End {
                status: ended.statuses[ended.first],
                who: ended.first.checked_sub(1).and_then(|first| beside.get(first).cloned()),
                own: ended.statuses[0],
                beside: others.map(|((name, pid), status)| (name.clone(), *pid, *status)).collect(),
            })
        }
        None => guard.map(End::alone),
    };
    watched.reaped.notify_all();
    (shared.end.clone(), left)
}

/// Waits for the end, kills the rest of the group, and reaps the process.
///
/// Its id cannot be reused before.
fn reap(child: &mut Child, watched: &Watched) -> Option<End> {
    let pid = rustix_pid(child.id());
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    loop {
        match waitid(WaitId::Pid(pid), options) {
            Err(rustix::io::Errno::INTR) => {}
            // The bench stops it for a moment to shift its clock; `waitid` reports that to all threads of this
            // process.
            Ok(Some(status)) if !(status.exited() || status.killed() || status.dumped()) => {
                std::thread::sleep(TRACED_PAUSE);
            }
            Ok(_) | Err(_) => break,
        }
    }
    let mut shared = lock(&watched.shared);
    // It fails if no process is left, which is the normal case.
    let _ = kill_process_group(pid, Signal::KILL);
    shared.end = child.wait().ok().map(End::alone);
    watched.reaped.notify_all();
    shared.end.clone()
}

fn rustix_pid(pid: u32) -> Pid {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.expect("the system gives processes positive ids")
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
