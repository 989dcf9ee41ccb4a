//! A simulated process: a core, a log on a disk in memory, and the threads of a real node as events.

use super::{Cluster, Event, MS, Seen};
use crate::config::NodeConfig;
use crate::core::{self, Core, Input, Output, Saved, known_roster};
use crate::log::memory::{LeftOut, Memory, Volume};
use crate::log::{Log, LogOrder, Recovered, Salts};
use crate::paxos::acceptor::Acceptor;
use crate::paxos::membership::Roster;
use crate::paxos::message::{Message, NodeId, Slot};
use crate::paxos::step::Record;
use crate::trace::{Restored, Started};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::time::Duration;

/// Bytes of the first and of a late segment: small, so that a short run uses many, and some of them again.
const SIZES: (u64, u64) = (4 << 10, 8 << 10);

/// A node: what outlives its process, and its process if there is one.
pub(super) struct Node {
    pub(super) config: NodeConfig,
    /// What is on its disk, as long as no process runs.
    pub(super) volume: Volume,
    pub(super) process: Option<Process>,
    /// Counts its processes.
    pub(super) life: u32,
    /// When its present process began.
    pub(super) began: Duration,
    /// Seconds that its clock counts in a true one.
    pub(super) rate: f64,
    /// Its process stands still until then.
    pub(super) paused_until: Duration,
    /// Whether it waits to be added to the cluster.
    pub(super) waits: bool,
    /// The highest progress that it reported to another node.
    pub(super) reported: Slot,
    /// How far its acceptor has collected.
    pub(super) collected: Slot,
}

/// A running process.
pub(super) struct Process {
    pub(super) core: Core<u64>,
    /// What has arrived since the last turn.
    pub(super) inbox: Vec<Input<u64>>,
    /// When its next turn is.
    pub(super) next_turn: Option<Duration>,
    /// Empty between two turns; kept so that its memory is used again.
    pub(super) outputs: Vec<Output<u64>>,
    /// The first packet of everything that it sends.
    pub(super) greeting: Option<Message>,
    /// The indices of the nodes that it sends to.
    pub(super) others: BTreeMap<NodeId, usize>,
    /// Every slot below was compared with the decisions of the other replicas.
    pub(super) checked: Slot,
    disk: Memory,
    log: Log<Memory>,
    /// Orders that wait for the log thread.
    orders: VecDeque<LogOrder>,
    /// The order that the log thread carries out.
    writing: Option<LogOrder>,
    /// When it is carried out.
    due: Duration,
    /// The snapshot that is being written: first segment that it does not cover, next slot, bytes.
    saving: Option<(u64, Slot, Vec<u8>)>,
}

impl Node {
    pub(super) fn new(config: NodeConfig) -> Self {
        Self {
            config,
            volume: Volume::default(),
            process: None,
            life: 0,
            began: Duration::ZERO,
            rate: 1.0,
            paused_until: Duration::ZERO,
            waits: false,
            reported: 1,
            collected: 1,
        }
    }
}

impl Process {
    /// Whether a crash now leaves something half written.
    pub(super) fn is_writing(&self) -> bool {
        self.writing.is_some() || self.saving.is_some()
    }

    /// What a crash leaves on the disk: also a prefix of what the threads were doing.
    fn crash(mut self, rng: &mut ChaCha8Rng) -> Volume {
        let mut left = self.disk.volume();
        if !self.is_writing() {
            return left;
        }
        let mut doing = Vec::new();
        if let Some(order) = self.writing.take() {
            self.disk.record();
            // Whether the order succeeds does not matter any more.
            let _ = self.log.carry_out(&order);
            doing.push(self.disk.done());
        }
        if let Some((index, _, payload)) = self.saving.take() {
            self.disk.record();
            let _ = self.log.folder().save_on(&self.disk, index, &payload);
            doing.push(self.disk.done());
        }
        for done in doing {
            let prefix = rng.random_range(0..=done.len());
            done[..prefix].iter().for_each(|done| left.perform(done, LeftOut::Nothing));
        }
        left
    }
}

impl Cluster {
    /// Starts the process of a node on what is on its disk.
    pub(super) fn start(&mut self, index: usize) {
        let (log, recovered, disk) = match self.open(index) {
            Ok(opened) => opened,
            Err(error) => return self.fail(format!("n{index} cannot start after a crash: {error}")),
        };
        match known_roster(&self.nodes[index].config, &recovered, None) {
            Ok(Some(roster)) => self.run_core(index, &roster, (log, recovered, disk)),
            // It crashed before it had saved that it is a member: it asks again.
            Ok(None) => {
                self.nodes[index].volume = disk.volume();
                self.nodes[index].waits = true;
                self.at(self.now + 20 * MS, Event::Join { node: index });
            }
            Err(error) => self.fail(format!("n{index}: {error}")),
        }
    }

    /// Starts a node that another one counts as a member.
    pub(super) fn start_joined(&mut self, index: usize, roster: &Roster) {
        match self.open(index) {
            Ok(opened) => self.run_core(index, roster, opened),
            Err(error) => self.fail(format!("n{index} cannot start: {error}")),
        }
    }

    fn open(&mut self, index: usize) -> Result<(Log<Memory>, Recovered, Memory), crate::log::LogError> {
        let mut salts = ChaCha8Rng::seed_from_u64(self.rng.random());
        let node = &mut self.nodes[index];
        let disk = Memory::unrecorded(std::mem::take(&mut node.volume));
        let (path, name) = (Path::new("/log"), node.config.name.as_str());
        let salts = Salts::new(move || salts.random());
        let (log, recovered) = Log::open_on(disk.clone(), (path, name), SIZES, salts, &self.options.flaw)?;
        Ok((log, recovered, disk))
    }

    fn run_core(
        &mut self,
        index: usize,
        roster: &Roster,
        (log, recovered, disk): (Log<Memory>, Recovered, Memory),
    ) {
        let node = &mut self.nodes[index];
        node.life += 1;
        node.began = self.now;
        node.waits = false;
        let mut outputs = Vec::new();
        let (config, life) = (node.config.clone(), u64::from(node.life));
        let restored = self.traces.is_some().then(|| Restored::of(&recovered));
        let core = Core::new(config, roster, life, (recovered, log.bytes()), &mut outputs);
        let has = core.replica().map_or(1, |replica| replica.slot_out().max(1));
        node.collected = core.acceptor().map_or(1, Acceptor::collected);
        let started = restored.map(|restored| Started::of(&core, restored));
        node.process = Some(Process {
            core,
            inbox: Vec::new(),
            next_turn: None,
            outputs: Vec::new(),
            greeting: None,
            others: BTreeMap::new(),
            checked: 1,
            disk,
            log,
            orders: VecDeque::new(),
            writing: None,
            due: Duration::ZERO,
            saving: None,
        });
        let (reported, version) = (node.reported, roster.version);
        self.trace(|| {
            format!("n{index} starts life {life} with version {version}; it has the slots below {has}")
        });
        if has < reported {
            self.fail(format!(
                "n{index} reported that it has all slots below {reported} on disk, and recovered those below {has}"
            ));
        }
        self.see(Seen::Starts(index));
        if let Some(started) = started {
            self.validate(index, |tracer| tracer.start(started));
            self.validate_outputs(index, &outputs);
        }
        self.carry_out(index, &mut outputs);
        self.schedule(index, self.now + MS);
    }

    /// The process ends, and starts again later.
    pub(super) fn crash(&mut self, index: usize, power: bool) {
        if self.end_process(index, power) {
            let pause = self.milliseconds(20..400);
            self.at(self.now + pause, Event::Restart { node: index });
        }
    }

    /// The process ends. After a loss of power, what was not synced may be gone. Returns whether there was a process.
    pub(super) fn end_process(&mut self, index: usize, power: bool) -> bool {
        self.count_process(index);
        let Some(process) = self.nodes[index].process.take() else {
            // A process that was killed before may have left unsynced bytes in the page cache.
            if power {
                self.nodes[index].volume = self.nodes[index].volume.loss(&mut self.rng);
            }
            return false;
        };
        let mut left = process.crash(&mut self.rng);
        if power {
            left = left.loss(&mut self.rng);
        }
        self.nodes[index].volume = left;
        self.see(Seen::Ends(index));
        self.network.forget(index);
        self.counts.crashes += 1;
        self.trace(|| format!("n{index} crashes{}", if power { " with the loss of its power" } else { "" }));
        true
    }

    /// Adds what the log and the core of a process counted.
    pub(super) fn count_process(&mut self, index: usize) {
        if let Some(process) = &self.nodes[index].process {
            self.counts.reused += process.log.reused();
            self.counts.leased += process.core.leased();
        }
    }

    /// Hands an order to the log thread.
    pub(super) fn order(&mut self, index: usize, order: LogOrder) {
        if let LogOrder::Append { batch, .. } = &order {
            let short = |record: &Record| matches!(record, Record::Decided { command: None, .. });
            if self.last.is_multiple_of(16) {
                let short = batch.records().iter().filter(|record| short(record)).count() as u64;
                self.counts.short_records += short;
            }
        }
        let process = self.nodes[index].process.as_mut().unwrap();
        process.orders.push_back(order);
        if process.writing.is_none() {
            self.begin_write(index);
        }
    }

    /// The log thread takes its next order, with all later ones that can share its sync.
    fn begin_write(&mut self, index: usize) {
        let process = self.nodes[index].process.as_mut().unwrap();
        let Some(mut order) = process.orders.pop_front() else { return };
        let mut grouped = 0;
        while let Some(later) = process.orders.pop_front() {
            if let Err(later) = order.join(later) {
                process.orders.push_front(later);
                break;
            }
            grouped += 1;
        }
        process.writing = Some(order);
        self.see(Seen::SyncBegins(index));
        self.counts.grouped += grouped;
        let pause = self.disks_stall_until.saturating_sub(self.now) + self.sync_time(index);
        self.write_until(index, self.now + pause);
    }

    /// Lets the log thread carry out its order at this time.
    pub(super) fn write_until(&mut self, index: usize, due: Duration) {
        let node = &mut self.nodes[index];
        let life = node.life;
        if let Some(process) = &mut node.process {
            process.due = due;
            self.at(due, Event::Logged { node: index, life });
        }
    }

    /// When the write of a node that is under way is carried out.
    pub(super) fn writes_until(&self, index: usize) -> Option<Duration> {
        let process = self.nodes[index].process.as_ref()?;
        process.writing.as_ref().map(|_| process.due)
    }

    /// The log thread has carried out its order.
    pub(super) fn logged(&mut self, index: usize, life: u32) {
        let now = self.now;
        let Some(process) = self.process(index, life) else { return };
        // A sync that was healed has come earlier than it would have.
        if process.due > now {
            return;
        }
        let Some(order) = process.writing.take() else { return };
        match process.log.carry_out(&order) {
            Ok(event) => {
                self.see(Seen::SyncEnds(index));
                self.input(index, Input::Log(event));
                self.begin_write(index);
            }
            Err(error) => self.fail(format!("n{index} cannot write its log: {error}")),
        }
    }

    /// A thread begins to write a snapshot.
    pub(super) fn save(&mut self, index: usize, saving: (u64, Slot, Vec<u8>)) {
        let node = &mut self.nodes[index];
        node.process.as_mut().unwrap().saving = Some(saving);
        let life = node.life;
        let pause = self.milliseconds(1..40);
        self.at(self.now + pause, Event::Saved { node: index, life });
    }

    /// The snapshot is written.
    pub(super) fn saved(&mut self, index: usize, life: u32) {
        let Some(process) = self.process(index, life) else { return };
        let (segment, slot_out, payload) = process.saving.take().unwrap();
        match process.log.folder().save_on(&process.disk, segment, &payload) {
            Ok(()) => {
                self.counts.snapshots += 1;
                self.trace(|| format!("n{index} has a snapshot of the slots below {slot_out}"));
                let saved = Saved { index: segment, slot_out, bytes: payload.len() as u64 };
                self.input(index, core::Input::Saved(saved));
            }
            Err(error) => self.fail(format!("n{index} cannot write a snapshot: {error}")),
        }
    }
}
