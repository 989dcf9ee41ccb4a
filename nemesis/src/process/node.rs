//! The process of a node over all its incarnations, and the faults that hold it down or paused.
//!
//! Faults may overlap: a node is down while any fault holds it down, and paused while any fault pauses it. A
//! node that restarts during a pause is paused again at once.

use super::child::{Running, and_more};
use super::command::{Prepare, ProcessCommand};
use super::effect::Effect;
use super::error::ProcessError;
use super::excuse::{Excuse, Excuses};
use super::exit::Exit;
use super::far::FarProcess;
use super::folder;
use super::remote::{Purpose, RemoteCommands};
use super::spawner::Spawner;
use super::stop_signal::StopSignal;
use crate::claim::Claim;
use crate::clock::NodeClock;
use crate::disk::{DiskError, NodeDisk};
use crate::hosts::{HostConnection, HostError, Order};
use crate::network::Namespace;
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// Time for a process to end after the stop signal, before it is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// The process of one node.
#[derive(Debug)]
pub(crate) struct NodeProcess {
    node: String,
    /// Its address.
    address: SocketAddr,
    /// Its network namespace, if it has its own.
    namespace: Option<Namespace>,
    /// Its machine, if it is not that of the bench.
    host: Option<Arc<HostConnection>>,
    /// Its disk, if it is in memory.
    disk: Option<NodeDisk>,
    clock: Option<NodeClock>,
    command: Option<ProcessCommand>,
    /// The commands that reach it, if the user started it.
    remote: Option<RemoteCommands>,
    /// Whether it was prepared and starts only on request.
    waits: bool,
    running: Option<Running>,
    incarnation: u32,
    /// Why the last kill of its processes is no evidence, if so.
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
            host: None,
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

    /// The same on another machine.
    pub(crate) fn on_host(mut self, host: Option<Arc<HostConnection>>) -> Self {
        self.host = host;
        self
    }

    fn host_failed(&self) -> impl FnOnce(HostError) -> ProcessError + use<> {
        let node = self.node.clone();
        |source| ProcessError::Host { node, source }
    }

    /// Its process, if it lives.
    fn alive(&self) -> Option<&Running> {
        self.running.as_ref().filter(|running| running.end().is_none())
    }

    /// Its process id, if it lives.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.alive().map(|running| running.pid)
    }

    /// Whether it lives and no fault pauses it, so that it can answer.
    pub(crate) fn could_answer(&self) -> bool {
        let is_there = self.alive().is_some() || self.remote.is_some() && self.down.is_empty();
        is_there && self.still.is_empty()
    }

    /// Adopts a server that the user started; faults reach it through these commands.
    pub(crate) fn take_over(&mut self, commands: RemoteCommands) {
        self.remote = Some(commands);
    }

    /// Whether a fault holds it down or paused.
    pub(crate) fn is_silent(&self) -> bool {
        !self.down.is_empty() || !self.still.is_empty()
    }

    /// Whether the user started it.
    pub(crate) fn is_remote(&self) -> bool {
        self.remote.is_some()
    }

    /// The faults that hold it down, and those that pause it.
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

    /// Stores the command without starting it.
    pub(crate) fn prepare(&mut self, command: ProcessCommand) {
        self.command = Some(command);
        self.waits = true;
    }

    /// Starts a [prepared](Self::prepare) node, unless it runs, once no fault holds it down.
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
        if let Some(host) = &self.host {
            let (far, started) = FarProcess::start(host, command).await.map_err(self.host_failed())?;
            let excuses = self.excuses.clone();
            return Ok(Running::watch_far(
                (far, &started),
                (&self.node, beside),
                incarnation,
                exits,
                excuses,
            ));
        }
        let started = spawner.spawn(command, self.namespace.clone()).await;
        let started = started.and_then(|child| {
            Running::watch(child, (&self.node, beside), incarnation, exits, self.excuses.clone())
        });
        started.map_err(failed)
    }

    /// Writes the bench's own files into the data folder. Returns whether the folder has no other content.
    async fn fill(&self, command: &ProcessCommand) -> Result<bool, ProcessError> {
        let Some(data) = command.data.clone() else { return Ok(false) };
        if let Some(host) = &self.host {
            return host.ask(Order::Fill { command: command.clone() }).await.map_err(self.host_failed());
        }
        if command.files.is_empty() && command.prepare.is_none() && command.user.is_none() {
            return Ok(false);
        }
        let failed = |source| ProcessError::Folder { node: self.node.clone(), path: data.clone(), source };
        let (disk, folder) = (self.disk.clone(), data.clone());
        let (files, user) = (command.files.clone(), command.user);
        let filled = tokio::task::spawn_blocking(move || {
            std::fs::create_dir_all(&folder)?;
            let unhurt = |begin| disk.as_ref().map_or(Ok(()), |disk| disk.maintain(begin));
            // A fault of the disk must hit the system, not the bench.
            unhurt(true).map_err(std::io::Error::other)?;
            let filled = folder::fill(&folder, &files, user);
            unhurt(false).map_err(std::io::Error::other)?;
            filled
        });
        let filled = filled.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        filled.map_err(failed)
    }

    /// Runs the command that creates its data, and waits for its success.
    async fn prepare_data(
        &mut self,
        command: &ProcessCommand,
        prepare: &Prepare,
        spawner: &Spawner,
    ) -> Result<(), ProcessError> {
        // Its end is handled here.
        let (exits, _) = unbounded_channel();
        let running = self.run(command.preparing(prepare), self.incarnation, exits, spawner).await?;
        let running = self.running.insert(running);
        let ended = tokio::time::timeout(prepare.within, running.ended()).await;
        let how = match ended {
            Ok(Some(end)) if end.status.success() => None,
            Ok(Some(end)) => Some(end.how()),
            Ok(None) => Some("its end is unknown".to_owned()),
            Err(_) => {
                // It fails only if the process has just ended.
                let _ = running.signal_soon(Signal::KILL);
                Some(format!("no end within {:?}", prepare.within))
            }
        };
        let (node, output) = (self.node.clone(), command.output.clone());
        if let Some(how) = how {
            return Err(ProcessError::Prepare { node, how, output });
        }
        let Some(data) = command.data.clone() else { return Ok(()) };
        if let Some(host) = &self.host {
            return host.ask(Order::Sync { data }).await.map_err(self.host_failed());
        }
        let failed = |source| ProcessError::Folder { node, path: data.clone(), source };
        let folder = data.clone();
        let synced = tokio::task::spawn_blocking(move || folder::sync(&folder));
        synced.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())).map_err(failed)
    }

    /// Its data folder, once it was started with one.
    pub(crate) fn data(&self) -> Option<&Path> {
        self.command.as_ref()?.data.as_deref()
    }

    /// Number of the bench's own files in its data folder.
    pub(crate) fn given_files(&self) -> u64 {
        self.command.as_ref().map_or(0, |command| command.files.len() as u64)
    }

    /// Its disk, if it is in memory.
    pub(crate) fn disk(&self) -> Option<&NodeDisk> {
        self.disk.as_ref()
    }

    /// Its clock, once it was started with one that can be shifted.
    pub(crate) fn clock(&self) -> Option<&NodeClock> {
        self.clock.as_ref()
    }

    /// Mounts its disk, also while it is down, so that the bench can change its data.
    pub(crate) async fn mount_disk(&self) -> Result<(), ProcessError> {
        match &self.command {
            Some(command) => self.mount(command).await,
            None => Ok(()),
        }
    }

    /// Mounts its disk unless it is mounted.
    async fn mount(&self, command: &ProcessCommand) -> Result<(), ProcessError> {
        let (Some(disk), Some(data)) = (self.disk.clone(), command.data.clone()) else { return Ok(()) };
        let mounted = tokio::task::spawn_blocking(move || {
            std::fs::create_dir_all(&data).map_err(DiskError::Process)?;
            disk.mount(&data)
        });
        Ok(mounted.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?)
    }

    /// A description of its end, if it ended while no fault holds it down.
    pub(crate) fn ended_by_itself(&self) -> Option<String> {
        let running = self.running.as_ref().filter(|_| self.down.is_empty())?;
        running.end().map(|end| end.how())
    }

    /// The faults that excuse its end, in words; none without any.
    pub(crate) fn excuse_in_words(&self) -> Option<String> {
        self.excuses.in_words()
    }

    /// Whether a fault without lasting damage excuses its end.
    pub(crate) fn is_hurt_in_passing(&self) -> bool {
        self.excuses.are_passing()
    }

    /// Allows it to end by itself because of a fault.
    pub(crate) fn excuse(&self, claim: Claim, excuse: Excuse) {
        self.excuses.add(claim, excuse);
    }

    /// Stops it for good and resets it to "never started": it is no longer a member.
    ///
    /// It may have ended by itself because of the removal.
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
        running.signal(Signal::KILL).await.map_err(failed)?;
        answer_held(self.disk.as_ref());
        let ended = running.ended().await;
        let how = ended.map_or_else(|| format!("pid {pid} has ended"), |end| end.each(pid));
        Ok(Effect::seen(format!("{} was ended: {how}", self.node)))
    }

    /// Whether it starts only on request.
    pub(crate) fn waits(&self) -> bool {
        self.waits
    }

    /// Withdraws the excuse by faults of a kind.
    pub(crate) fn no_excuse(&self, kind: &str) {
        self.excuses.remove(kind);
    }

    /// Kills it with SIGKILL for a fault, and waits for its end.
    pub(crate) async fn kill(&mut self, claim: Claim) -> Result<Effect, ProcessError> {
        self.bring_down(claim, Signal::KILL).await
    }

    /// Stops it with its stop signal for a fault, and waits for its end; SIGKILL after a time limit.
    pub(crate) async fn stop(&mut self, claim: Claim) -> Result<Effect, ProcessError> {
        let signal = self.stop_signal().signal();
        self.bring_down(claim, signal).await
    }

    /// The signal that requests its end.
    fn stop_signal(&self) -> StopSignal {
        self.command.as_ref().map(|command| command.stop).unwrap_or_default()
    }

    async fn bring_down(&mut self, claim: Claim, signal: Signal) -> Result<Effect, ProcessError> {
        let (held, stop_signal) = (!self.down.is_empty(), self.stop_signal());
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
        let objection = running.objection(self.address).await;
        let others = running.signal(signal).await.map_err(failed)?.unwrap_or_default();
        if !self.still.is_empty() && signal != Signal::KILL {
            // A stopped process handles the signal only after SIGCONT.
            running.signal(Signal::CONT).await.map_err(failed)?;
        }
        if signal == Signal::KILL {
            answer_held(self.disk.as_ref());
        }
        let mut insisted = None;
        if signal != Signal::KILL && tokio::time::timeout(STOP_PATIENCE, running.ended()).await.is_err() {
            insisted =
                Some(format!("{node} did not end within {STOP_PATIENCE:?} of {stop_signal}, and was killed"));
            running.signal(Signal::KILL).await.map_err(failed)?;
            answer_held(self.disk.as_ref());
        }
        let ended = running.ended().await;
        let unknown = || format!("{node}: pid {pid} has ended, with an unknown status");
        let unhit = match objection {
            Some(reason) => Some(reason),
            None => running.still_listening(self.address).await,
        };
        self.unhit = unhit.map(|reason| format!("{node}: {reason}"));
        Ok(self.unless_unhit(match ended {
            Some(end) => Effect { note: insisted, ..Effect::seen(and_more(end.each(pid), others)) },
            None => Effect::none(insisted.unwrap_or_else(unknown)),
        }))
    }

    /// Removes the evidence of an effect if the last kill missed the processes that serve.
    pub(crate) fn unless_unhit(&self, effect: Effect) -> Effect {
        self.unhit.as_ref().map_or(effect, Effect::none)
    }

    /// Releases a fault's hold, and restarts the node if no other fault holds it down.
    pub(crate) async fn restart(&mut self, claim: Claim, spawner: &Spawner) -> Result<Effect, ProcessError> {
        self.down.remove(&claim);
        self.start_unless_held(spawner).await
    }

    /// Restarts it if it ended by itself and no fault holds it down; none if there was no need.
    pub(crate) async fn start_ended(&mut self, spawner: &Spawner) -> Result<Option<Effect>, ProcessError> {
        match self.ended_by_itself() {
            Some(_) => self.start_unless_held(spawner).await.map(Some),
            None => Ok(None),
        }
    }

    /// Starts it if it does not run and no fault holds it down; pauses it at once if a fault requires that.
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
            return Ok(Effect::seen(format!("{} was never started, so it is not restarted", self.node)));
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

    /// Pauses it with SIGSTOP for a fault, and waits until every thread is stopped.
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
            return Ok(Effect::none(format!("{} was down, so no process was paused", self.node)));
        };
        self.signal(running, Signal::STOP).await?;
        Ok(match running.is_stopped(true).await {
            Ok(seen) => match running.objection(self.address).await {
                Some(reason) => Effect::none(format!("{}: {reason}", self.node)),
                None => Effect::seen(seen),
            },
            Err(seen) => Effect::none(format!("{}: {seen}", self.node)),
        })
    }

    /// Releases a fault's hold, and resumes the process if no other fault pauses it.
    pub(crate) async fn resume(&mut self, claim: Claim) -> Result<Effect, ProcessError> {
        self.still.remove(&claim);
        if let Some(other) = self.still.first() {
            return Ok(Effect::seen(format!("{} stays paused until fault {other} ends", self.node)));
        }
        if let Some(remote) = &self.remote {
            return remote.run(&self.node, Purpose::Resume).await;
        }
        let Some(running) = self.alive() else {
            return Ok(Effect::seen(format!("{} is down, so no process was resumed", self.node)));
        };
        self.signal(running, Signal::CONT).await?;
        match running.is_stopped(false).await {
            Ok(seen) => Ok(Effect::seen(seen)),
            Err(_) if running.end().is_some() => {
                Ok(Effect::seen(format!("{} ended by itself when it should resume", self.node)))
            }
            Err(seen) => Err(ProcessError::StillPaused { node: self.node.clone(), seen }),
        }
    }

    async fn signal(&self, running: &Running, signal: Signal) -> Result<(), ProcessError> {
        let sent = running.signal(signal).await.map(drop);
        sent.map_err(|source| ProcessError::Signal { node: self.node.clone(), pid: running.pid, source })
    }

    /// Kills it for good, whatever faults hold it.
    pub(crate) fn order_end(&self) {
        if let Some(running) = self.alive() {
            // It fails only if the process has just ended.
            let _ = running.signal_soon(Signal::KILL);
            answer_held(self.disk.as_ref());
        }
    }

    /// Waits for its end; false after this time.
    pub(crate) async fn ended(&mut self, patience: Duration) -> bool {
        match &mut self.running {
            Some(running) => tokio::time::timeout(patience, running.ended()).await.is_ok(),
            None => true,
        }
    }

    /// How often it was started.
    pub(crate) fn incarnation(&self) -> u32 {
        self.incarnation
    }

    /// Waits for its end without a runtime; false after this time.
    pub(crate) fn ended_within(&self, patience: Duration) -> bool {
        self.running.as_ref().is_none_or(|running| running.ended_within(patience))
    }
}

/// Answers held syncs, because a process in a sync only dies after the answer.
fn answer_held(disk: Option<&NodeDisk>) {
    if let Some(disk) = disk {
        // It fails only if the disks' process has ended, which also answers every request.
        let _ = disk.let_go();
    }
}
