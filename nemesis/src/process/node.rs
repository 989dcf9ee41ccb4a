//! A node's process over all its incarnations, and the faults that hold it down or still.
//!
//! Faults may overlap: a node is down while any fault holds it down, and still while any holds it still. A node that
//! comes back during a pause is stopped again at once.

use super::child::{Running, and_more};
use super::command::{Prepare, ProcessCommand};
use super::error::ProcessError;
use super::excuse::{Excuse, Excuses};
use super::exit::Exit;
use super::folder;
use super::remote::{Purpose, RemoteCommands};
use super::spawner::Spawner;
use super::stop_signal::StopSignal;
use crate::claim::Claim;
use crate::clock::NodeClock;
use crate::disk::{DiskError, NodeDisk};
use crate::network::Namespace;
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// How long a process may take to end when it is asked to, before it is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// What an action did: evidence that it took effect, or why there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// What was observed, for people; empty if the action had no effect.
    pub evidence: Vec<String>,
    /// What a reader should know besides.
    pub note: Option<String>,
}

impl Effect {
    pub(crate) fn seen(evidence: impl Into<String>) -> Self {
        Self { evidence: vec![evidence.into()], note: None }
    }

    pub(crate) fn none(note: impl Into<String>) -> Self {
        Self { evidence: Vec::new(), note: Some(note.into()) }
    }
}

/// The process of one node.
#[derive(Debug)]
pub(crate) struct NodeProcess {
    node: String,
    /// Where it serves.
    address: SocketAddr,
    /// The network it runs in, if it has one of its own.
    namespace: Option<Namespace>,
    /// Where its data are, if that is a disk of the bench's own.
    disk: Option<NodeDisk>,
    clock: Option<NodeClock>,
    command: Option<ProcessCommand>,
    /// How it is reached where somebody else has started it.
    remote: Option<RemoteCommands>,
    /// Whether it was prepared, and is not to run before somebody wants it.
    waits: bool,
    running: Option<Running>,
    incarnation: u32,
    /// Why the last kill of its processes is no evidence, if it is none.
    unhit: Option<String>,
    down: BTreeSet<Claim>,
    still: BTreeSet<Claim>,
    exits: UnboundedSender<Exit>,
    excuses: Excuses,
}

impl NodeProcess {
    pub(crate) fn new(
        node: &str,
        address: SocketAddr,
        namespace: Option<Namespace>,
        disk: Option<NodeDisk>,
        exits: UnboundedSender<Exit>,
    ) -> Self {
        Self {
            node: node.to_owned(),
            address,
            namespace,
            disk,
            clock: None,
            command: None,
            remote: None,
            waits: false,
            running: None,
            incarnation: 0,
            unhit: None,
            down: BTreeSet::new(),
            still: BTreeSet::new(),
            exits,
            excuses: Excuses::default(),
        }
    }

    /// Its process, if it lives.
    fn alive(&self) -> Option<&Running> {
        self.running.as_ref().filter(|running| running.end().is_none())
    }

    /// Its process id, if it lives.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.alive().map(|running| running.pid)
    }

    /// Whether it lives and no fault holds it still: whether it could answer.
    pub(crate) fn could_answer(&self) -> bool {
        let is_there = self.alive().is_some() || self.remote.is_some() && self.down.is_empty();
        is_there && self.still.is_empty()
    }

    /// Somebody else has started it, and this is how faults reach it.
    pub(crate) fn take_over(&mut self, commands: RemoteCommands) {
        self.remote = Some(commands);
    }

    /// Whether a fault holds it down or still.
    pub(crate) fn is_silent(&self) -> bool {
        !self.down.is_empty() || !self.still.is_empty()
    }

    /// Whether somebody else has started it.
    pub(crate) fn is_remote(&self) -> bool {
        self.remote.is_some()
    }

    /// The faults that hold it down, and those that hold it still.
    pub(crate) fn claims(&self) -> (Vec<Claim>, Vec<Claim>) {
        (self.down.iter().copied().collect(), self.still.iter().copied().collect())
    }

    /// Starts it for the first time, or again with another command.
    pub(crate) async fn spawn(
        &mut self,
        command: ProcessCommand,
        spawner: &Spawner,
    ) -> Result<u32, ProcessError> {
        if let Some(running) = self.alive() {
            return Err(ProcessError::Running { node: self.node.clone(), pid: running.pid });
        }
        self.make_clock(&command)?;
        self.command = Some(command);
        self.start(spawner).await
    }

    fn make_clock(&mut self, command: &ProcessCommand) -> Result<(), ProcessError> {
        if let (None, Some(clock)) = (&self.clock, &command.clock) {
            let failed = |source| ProcessError::Clock {
                node: self.node.clone(),
                path: clock.file().to_owned(),
                source,
            };
            self.clock = Some(NodeClock::create(clock).map_err(failed)?);
        }
        Ok(())
    }

    /// Whether it was ever started.
    pub(crate) fn was_started(&self) -> bool {
        self.running.is_some() || self.remote.is_some()
    }

    /// Says how it would be started, and does not start it.
    pub(crate) fn prepare(&mut self, command: ProcessCommand) {
        self.command = Some(command);
        self.waits = true;
    }

    /// Starts it as it was [prepared](Self::prepare), unless it runs; once no fault holds it down.
    pub(crate) async fn wake(&mut self, spawner: &Spawner) -> Result<Effect, ProcessError> {
        if let Some(running) = self.alive() {
            return Ok(Effect::seen(format!("{} was started before, as pid {}", self.node, running.pid)));
        }
        let Some(command) = self.command.clone() else {
            return Err(ProcessError::NeverStarted { node: self.node.clone() });
        };
        self.make_clock(&command)?;
        self.waits = false;
        let mut effect = self.start_unless_held(spawner).await?;
        if let (Some(pid), Some(seen)) = (self.pid(), effect.evidence.first_mut()) {
            let beside = self.alive().map(Running::beside_in_words).unwrap_or_default();
            *seen = format!("{} started as pid {pid}{beside}", self.node);
        }
        Ok(effect)
    }

    async fn start(&mut self, spawner: &Spawner) -> Result<u32, ProcessError> {
        let Some(command) = self.command.clone() else {
            return Err(ProcessError::NeverStarted { node: self.node.clone() });
        };
        self.mount(&command).await?;
        let fresh = self.fill(&command).await?;
        if let Some(prepare) = command.prepare.as_ref().filter(|_| fresh) {
            self.prepare_data(&command, prepare, spawner).await?;
        }
        let incarnation = self.incarnation + 1;
        let running = self.run(command, incarnation, self.exits.clone(), spawner).await?;
        let pid = running.pid;
        if let Some(clock) = &self.clock {
            clock.began(running.roots.clone());
        }
        self.incarnation = incarnation;
        self.running = Some(running);
        Ok(pid)
    }

    /// Starts its processes.
    async fn run(
        &self,
        command: ProcessCommand,
        incarnation: u32,
        exits: UnboundedSender<Exit>,
        spawner: &Spawner,
    ) -> Result<Running, ProcessError> {
        let program = command.program.clone();
        let failed = |source| ProcessError::Spawn { node: self.node.clone(), program, source };
        let beside = command.beside.iter().map(|beside| beside.name.clone()).collect();
        let started = spawner.spawn(command, self.namespace.clone()).await;
        let started = started.and_then(|child| {
            Running::watch(child, (&self.node, beside), incarnation, exits, self.excuses.clone())
        });
        started.map_err(failed)
    }

    /// Puts the bench's own files into the folder of the data. Says whether nothing else is in it.
    async fn fill(&self, command: &ProcessCommand) -> Result<bool, ProcessError> {
        let Some(data) = command.data.clone() else { return Ok(false) };
        if command.files.is_empty() && command.prepare.is_none() && command.user.is_none() {
            return Ok(false);
        }
        let failed = |source| ProcessError::Folder { node: self.node.clone(), path: data.clone(), source };
        let (disk, folder) = (self.disk.clone(), data.clone());
        let (files, user) = (command.files.clone(), command.user);
        let filled = tokio::task::spawn_blocking(move || {
            std::fs::create_dir_all(&folder)?;
            let unhurt = |begin| disk.as_ref().map_or(Ok(()), |disk| disk.maintain(begin));
            // A fault of the disk is one for the system, not for the bench.
            unhurt(true).map_err(std::io::Error::other)?;
            let filled = folder::fill(&folder, &files, user);
            unhurt(false).map_err(std::io::Error::other)?;
            filled
        });
        let filled = filled.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        filled.map_err(failed)
    }

    /// Runs the command that makes its data, and waits until it has succeeded.
    async fn prepare_data(
        &mut self,
        command: &ProcessCommand,
        prepare: &Prepare,
        spawner: &Spawner,
    ) -> Result<(), ProcessError> {
        // Nobody else hears of its end.
        let (exits, _) = unbounded_channel();
        let running = self.run(command.preparing(prepare), self.incarnation, exits, spawner).await?;
        let running = self.running.insert(running);
        let ended = tokio::time::timeout(prepare.within, running.ended()).await;
        let how = match ended {
            Ok(Some(end)) if end.status.success() => None,
            Ok(Some(end)) => Some(end.how()),
            Ok(None) => Some("its end is unknown".to_owned()),
            Err(_) => {
                // It fails only if it has ended in between.
                let _ = running.signal(Signal::KILL);
                Some(format!("no end within {:?}", prepare.within))
            }
        };
        let (node, output) = (self.node.clone(), command.output.clone());
        if let Some(how) = how {
            return Err(ProcessError::Prepare { node, how, output });
        }
        let Some(data) = command.data.clone() else { return Ok(()) };
        let failed = |source| ProcessError::Folder { node, path: data.clone(), source };
        let folder = data.clone();
        let synced = tokio::task::spawn_blocking(move || folder::sync(&folder));
        synced.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())).map_err(failed)
    }

    /// The folder of its data, once it was started with one.
    pub(crate) fn data(&self) -> Option<&Path> {
        self.command.as_ref()?.data.as_deref()
    }

    /// How many files in the folder of its data are the bench's own.
    pub(crate) fn given_files(&self) -> u64 {
        self.command.as_ref().map_or(0, |command| command.files.len() as u64)
    }

    /// Its disk, if that is one of the bench's own.
    pub(crate) fn disk(&self) -> Option<&NodeDisk> {
        self.disk.as_ref()
    }

    /// Its clock, once it was started with one that can be shifted.
    pub(crate) fn clock(&self) -> Option<&NodeClock> {
        self.clock.as_ref()
    }

    /// Makes sure that its disk is there, also while it is down, for what the bench does to its data.
    pub(crate) async fn mount_disk(&self) -> Result<(), ProcessError> {
        match &self.command {
            Some(command) => self.mount(command).await,
            None => Ok(()),
        }
    }

    /// Makes sure that its disk is there.
    async fn mount(&self, command: &ProcessCommand) -> Result<(), ProcessError> {
        let (Some(disk), Some(data)) = (self.disk.clone(), command.data.clone()) else { return Ok(()) };
        let mounted = tokio::task::spawn_blocking(move || {
            std::fs::create_dir_all(&data).map_err(DiskError::Process)?;
            disk.mount(&data)
        });
        Ok(mounted.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?)
    }

    /// How it ended, if it ended and no fault holds it down.
    pub(crate) fn ended_by_itself(&self) -> Option<String> {
        let running = self.running.as_ref().filter(|_| self.down.is_empty())?;
        running.end().map(|end| end.how())
    }

    /// The faults that excuse its end, in words; none if there are none.
    pub(crate) fn excuse_in_words(&self) -> Option<String> {
        self.excuses.in_words()
    }

    /// Whether a fault that leaves nothing behind excuses its end.
    pub(crate) fn is_hurt_in_passing(&self) -> bool {
        self.excuses.are_passing()
    }

    /// From now on it may end by itself because of a fault.
    pub(crate) fn excuse(&self, claim: Claim, excuse: Excuse) {
        self.excuses.add(claim, excuse);
    }

    /// Ends it for good, as if it had never been started: it is no member any more. It may have ended by itself because of that.
    pub(crate) async fn retire(&mut self) -> Result<Effect, ProcessError> {
        self.waits = true;
        let Some(mut running) = self.running.take() else {
            return Ok(Effect::seen(format!("{} was not started", self.node)));
        };
        let pid = running.pid;
        if let Some(end) = running.end() {
            return Ok(Effect::seen(format!("{} had ended: {}", self.node, end.each(pid))));
        }
        let failed = |source| ProcessError::Signal { node: self.node.clone(), pid, source };
        running.signal(Signal::KILL).map_err(failed)?;
        answer_held(self.disk.as_ref());
        let ended = running.ended().await;
        let how = ended.map_or_else(|| format!("pid {pid} is gone"), |end| end.each(pid));
        Ok(Effect::seen(format!("{} was ended: {how}", self.node)))
    }

    /// Whether it is not to run before somebody wants it.
    pub(crate) fn waits(&self) -> bool {
        self.waits
    }

    /// Faults of a kind no longer excuse its end.
    pub(crate) fn no_excuse(&self, kind: &str) {
        self.excuses.remove(kind);
    }

    /// SIGKILL for a fault, and waits until it is gone.
    pub(crate) async fn kill(&mut self, claim: Claim) -> Result<Effect, ProcessError> {
        self.bring_down(claim, Signal::KILL).await
    }

    /// The signal that asks it to end for a fault, and waits until it is gone; SIGKILL if it does not go.
    pub(crate) async fn stop(&mut self, claim: Claim) -> Result<Effect, ProcessError> {
        let signal = self.stop_signal().signal();
        self.bring_down(claim, signal).await
    }

    /// The signal that asks it to end.
    fn stop_signal(&self) -> StopSignal {
        self.command.as_ref().map(|command| command.stop).unwrap_or_default()
    }

    async fn bring_down(&mut self, claim: Claim, signal: Signal) -> Result<Effect, ProcessError> {
        let (held, asked) = (!self.down.is_empty(), self.stop_signal());
        self.down.insert(claim);
        let node = &self.node;
        if let Some(remote) = &self.remote {
            let purpose = if signal == Signal::KILL { Purpose::Kill } else { Purpose::Stop };
            if held {
                return Ok(Effect::seen(format!("{node} was down already")));
            }
            return remote.run(node, purpose).await;
        }
        let Some(running) = &mut self.running else {
            return Ok(Effect::none(format!("{node} was never started")));
        };
        let pid = running.pid;
        if let Some(end) = running.end() {
            let how = end.how();
            return Ok(if held {
                Effect::seen(format!("{node} was down already: pid {pid} ended by {how}"))
            } else {
                Effect::none(format!("{node} had ended by itself: pid {pid}, {how}"))
            });
        }
        let failed = |source| ProcessError::Signal { node: node.clone(), pid, source };
        let objection = running.objection(self.address);
        let others = running.signal(signal).map_err(failed)?.unwrap_or_default();
        if !self.still.is_empty() && signal != Signal::KILL {
            // A process that stands still does not hear of it before it goes on.
            running.signal(Signal::CONT).map_err(failed)?;
        }
        if signal == Signal::KILL {
            answer_held(self.disk.as_ref());
        }
        let mut insisted = None;
        if signal != Signal::KILL && tokio::time::timeout(STOP_PATIENCE, running.ended()).await.is_err() {
            insisted =
                Some(format!("{node} did not end within {STOP_PATIENCE:?} of {asked}, and was killed"));
            running.signal(Signal::KILL).map_err(failed)?;
            answer_held(self.disk.as_ref());
        }
        let ended = running.ended().await;
        let unknown = || format!("{node}: pid {pid} is gone, and nobody knows how it ended");
        let unhit = objection.or_else(|| running.still_listening(self.address));
        self.unhit = unhit.map(|reason| format!("{node}: {reason}"));
        Ok(self.unless_unhit(match ended {
            Some(end) => Effect { note: insisted, ..Effect::seen(and_more(end.each(pid), others)) },
            None => Effect::none(insisted.unwrap_or_else(unknown)),
        }))
    }

    /// What the last kill of its processes makes of an effect: nothing where it did not hit those that serve.
    pub(crate) fn unless_unhit(&self, effect: Effect) -> Effect {
        self.unhit.as_ref().map_or(effect, Effect::none)
    }

    /// Ends a fault's hold, and starts the node again if no other fault holds it down.
    pub(crate) async fn restart(&mut self, claim: Claim, spawner: &Spawner) -> Result<Effect, ProcessError> {
        self.down.remove(&claim);
        self.start_unless_held(spawner).await
    }

    /// Starts it again if it ended by itself and no fault holds it down; none if there is nothing to do.
    pub(crate) async fn start_ended(&mut self, spawner: &Spawner) -> Result<Option<Effect>, ProcessError> {
        match self.ended_by_itself() {
            Some(_) => self.start_unless_held(spawner).await.map(Some),
            None => Ok(None),
        }
    }

    /// Starts it if it does not run and no fault holds it down; it stands still at once if a fault wants that.
    async fn start_unless_held(&mut self, spawner: &Spawner) -> Result<Effect, ProcessError> {
        if let Some(other) = self.down.first() {
            return Ok(Effect::seen(format!("{} stays down until fault {other} ends", self.node)));
        }
        if let Some(remote) = &self.remote {
            return remote.run(&self.node, Purpose::Start).await;
        }
        if let Some(running) = self.alive() {
            return Ok(Effect::seen(format!("{} runs, as pid {}", self.node, running.pid)));
        }
        if self.waits {
            return Ok(Effect::seen(format!("{} was never started, and is not now", self.node)));
        }
        let pid = self.start(spawner).await?;
        let beside = self.running.as_ref().map(Running::beside_in_words).unwrap_or_default();
        let mut effect = Effect::seen(format!("new pid {pid} (incarnation {}){beside}", self.incarnation));
        if !self.still.is_empty() {
            let stopped = self.hold_still().await?;
            effect.evidence.extend(stopped.evidence);
            effect.note = stopped.note;
        }
        Ok(effect)
    }

    /// SIGSTOP for a fault, and waits until every thread stands.
    pub(crate) async fn pause(&mut self, claim: Claim) -> Result<Effect, ProcessError> {
        let held = !self.still.is_empty();
        self.still.insert(claim);
        if let Some(remote) = &self.remote {
            if held {
                return Ok(Effect::seen(format!("{} was paused already", self.node)));
            }
            return remote.run(&self.node, Purpose::Pause).await;
        }
        self.hold_still().await
    }

    async fn hold_still(&self) -> Result<Effect, ProcessError> {
        let Some(running) = self.alive() else {
            return Ok(Effect::none(format!("{} was down, so there was nothing to pause", self.node)));
        };
        self.signal(running, Signal::STOP)?;
        Ok(match running.is_stopped(true).await {
            Ok(seen) => match running.objection(self.address) {
                Some(reason) => Effect::none(format!("{}: {reason}", self.node)),
                None => Effect::seen(seen),
            },
            Err(seen) => Effect::none(format!("{}: {seen}", self.node)),
        })
    }

    /// Ends a fault's hold, and lets the process go on if no other fault holds it still.
    pub(crate) async fn resume(&mut self, claim: Claim) -> Result<Effect, ProcessError> {
        self.still.remove(&claim);
        if let Some(other) = self.still.first() {
            return Ok(Effect::seen(format!("{} stays paused until fault {other} ends", self.node)));
        }
        if let Some(remote) = &self.remote {
            return remote.run(&self.node, Purpose::Resume).await;
        }
        let Some(running) = self.alive() else {
            return Ok(Effect::seen(format!("{} is down, so there was nothing to resume", self.node)));
        };
        self.signal(running, Signal::CONT)?;
        match running.is_stopped(false).await {
            Ok(seen) => Ok(Effect::seen(seen)),
            Err(_) if running.end().is_some() => {
                Ok(Effect::seen(format!("{} ended by itself when it was to go on", self.node)))
            }
            Err(seen) => Err(ProcessError::StillPaused { node: self.node.clone(), seen }),
        }
    }

    fn signal(&self, running: &Running, signal: Signal) -> Result<(), ProcessError> {
        let sent = running.signal(signal).map(drop);
        sent.map_err(|source| ProcessError::Signal { node: self.node.clone(), pid: running.pid, source })
    }

    /// Ends it for good, whatever holds it.
    pub(crate) fn order_end(&self) {
        if let Some(running) = self.alive() {
            // It fails only if the process has ended in between.
            let _ = running.signal(Signal::KILL);
            answer_held(self.disk.as_ref());
        }
    }

    /// Waits until it has ended; false if it has not after this long.
    pub(crate) async fn ended(&mut self, patience: Duration) -> bool {
        match &mut self.running {
            Some(running) => tokio::time::timeout(patience, running.ended()).await.is_ok(),
            None => true,
        }
    }

    /// Waits without a runtime until it has ended; false if it has not after this long.
    pub(crate) fn ended_within(&self, patience: Duration) -> bool {
        self.running.as_ref().is_none_or(|running| running.ended_within(patience))
    }
}

/// A process that waits for a sync only dies of a signal once the sync is answered.
fn answer_held(disk: Option<&NodeDisk>) {
    if let Some(disk) = disk {
        // It fails only where the disks' process has ended, which answers everybody.
        let _ = disk.let_go();
    }
}
