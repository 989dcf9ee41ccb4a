//! The simulator: whole clusters in virtual time, with the core that a real node runs.
//!
//! The problem: protocol errors show only when messages are lost, repeated or reordered, when processes crash at bad moments,
//! and when disks lose what was not synced. A test with real processes meets few such schedules, and cannot repeat one.
//!
//! The idea: one event queue stands for the world. A simulated node is a [`Core`](crate::core::Core) and a real
//! [`Log`](crate::log::Log) on a disk in memory; the network, the disk, the clocks, the clients and the faults are made of events.
//! All random choices come from one seed, so a seed that breaks a promise breaks it again. `FoundationDB` (Zhou et al., SIGMOD 2021)
//! and `TigerBeetle` made this kind of discrete-event simulation known.
//!
//! While a cluster runs, the simulator checks that replicas agree on every slot, that a ballot is used in one life of its leader only,
//! that an acceptor forgets a slot only when enough replicas have it on disk, that a restarted node has everything it reported as
//! durable, and that every log opens after every crash. It validates the [traces](crate::invariants) of all nodes. At the end it checks that the counter is linearizable, and that every call
//! is answered that began long after the last fault. The roles assert the paper's invariants themselves.
//!
//! A cluster has clients and faults of its own ([`Cluster::new`], [`Cluster::run`]), or is driven from outside
//! ([`Cluster::driven`]): the caller sends the requests, takes the replies and injects the faults, at virtual times of its choice.

#![allow(clippy::unwrap_used, reason = "the simulator is a test bench: a broken assumption ends it")]

mod calls;
mod checks;
mod driven;
mod faults;
mod network;
mod operator;
mod process;

pub use driven::{LinkCondition, LinkCounters, Seen, Travel};

use crate::config::{Member, NodeConfig, PaxosOptions, Role};
use crate::core::{Input, Output};
use crate::invariants::Invariants;
use crate::paxos::message::{Ballot, Command, Message, NodeId, Slot};
use crate::paxos::replica::Replica;
use crate::trace::Tracer;
use calls::Calls;
use driven::Driven;
use network::Network;
use process::{Node, Process};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// No fault begins after this time.
const FAULTS_END: Duration = Duration::from_secs(3);

/// The end of a run.
const END: Duration = Duration::from_secs(8);

/// What a cluster did while it kept every promise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Commands that were decided.
    pub decided: u64,
    /// Snapshots that became durable.
    pub snapshots: u64,
    /// States that a replica took over from another one.
    pub transfers: u64,
    /// Runs of messages that arrived as one packet.
    pub folded: u64,
    /// Reads that were answered by a leader's lease.
    pub leased: u64,
    /// Changes of the members that came to their end.
    pub changes: u64,
    /// Promises that were too large for one message.
    pub parts: u64,
    /// Batches of records that shared a sync with another one.
    pub grouped: u64,
    /// Records of decisions that leave out the command.
    pub short_records: u64,
    /// Segments of logs that were written into the file of a removed one.
    pub reused: u64,
    /// Crashes of processes.
    pub crashes: u64,
}

/// The outcome of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every promise was kept.
    Kept(Counts),
    /// A promise was broken.
    Broken(String),
}

/// The next thing to happen to the cluster.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A packet arrives.
    Deliver { to: usize, from: usize, number: u64 },
    /// A node's connection to another sends what was collected.
    Send { from: usize, to: usize },
    /// The log thread has carried out its order.
    Logged { node: usize, life: u32 },
    /// The snapshot thread is done.
    Saved { node: usize, life: u32 },
    /// A node's turn: it handles what has arrived, or what is due.
    Turn { node: usize, life: u32 },
    /// A crashed node starts again.
    Restart { node: usize },
    /// All nodes lose their power.
    PowerFails,
    /// The operator changes the members.
    Operator,
    /// A node that waits to be added asks another one.
    Join { node: usize },
    /// A client calls.
    Client,
    /// The next fault begins or ends.
    Fault,
}

/// A simulated cluster with its network, its clients and its faults.
pub struct Cluster {
    options: PaxosOptions,
    members: Vec<Member>,
    nodes: Vec<Node>,
    now: Duration,
    events: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    network: Network,
    /// The number of the last event or packet.
    last: u64,
    calls: Calls,
    /// The decision of each slot, as the first replica that applied it has it.
    decided: BTreeMap<Slot, Arc<Command>>,
    /// No sync ends before this time.
    disks_stall_until: Duration,
    /// The life of its leader in which each ballot was used.
    ballots: BTreeMap<Ballot, (usize, u32)>,
    /// The newest version of the membership that a node knows.
    version: u64,
    counts: Counts,
    broken: Option<String>,
    /// Whether the run is written to standard output, event by event.
    traced: bool,
    /// The traces of all nodes, and the invariants over them; none in a cluster that is driven from outside.
    traces: Option<(Vec<Tracer>, Invariants)>,
    /// What a cluster needs that is driven from outside; none if its clients and faults are its own.
    driven: Option<Driven>,
    rng: ChaCha8Rng,
}

impl Cluster {
    /// A cluster of `size` nodes that host all roles, and `spares` nodes with which an operator changes the members all the
    /// time. All random choices come from `seed`.
    pub fn new(size: usize, spares: usize, options: &PaxosOptions, seed: u64) -> Self {
        let member = |index| Member {
            name: format!("n{index}"),
            address: ([127, 0, 0, 1], 1).into(),
            roles: [Role::Replica, Role::Leader, Role::Acceptor].into(),
        };
        let mut cluster = Self::empty((0..size).map(member).collect(), size + spares, options, seed);
        let tracers = (0..size + spares).map(|_| Tracer::default()).collect();
        cluster.traces = Some((tracers, Invariants::default()));
        for index in 0..size + spares {
            let config = cluster.config(format!("n{index}"), index as u64, index >= size);
            cluster.nodes.push(Node::new(config));
        }
        for index in 0..size + spares {
            if index < size {
                cluster.start(index);
            } else {
                cluster.wait(index, 0);
            }
        }
        if spares > 0 {
            cluster.at(100 * MS, Event::Operator);
        }
        cluster.at(5 * MS, Event::Client);
        cluster.at(50 * MS, Event::Fault);
        cluster
    }

    /// A cluster without nodes that will have so many.
    fn empty(members: Vec<Member>, size: usize, options: &PaxosOptions, seed: u64) -> Self {
        Self {
            options: options.clone(),
            members,
            nodes: Vec::new(),
            now: Duration::ZERO,
            events: BinaryHeap::new(),
            network: Network::new(size),
            last: 0,
            calls: Calls::default(),
            decided: BTreeMap::new(),
            disks_stall_until: Duration::ZERO,
            ballots: BTreeMap::new(),
            version: 0,
            counts: Counts::default(),
            broken: None,
            traced: false,
            traces: None,
            driven: None,
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// The same with clocks that are faster or slower than true time, by at most this fraction of it.
    #[must_use]
    pub fn with_drift(mut self, drift: f64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(self.rng.random());
        for node in &mut self.nodes {
            // The extremes break more than what is in between.
            node.rate = [1.0 - drift, 1.0, 1.0 + drift][rng.random_range(0..3)];
        }
        self
    }

    /// The same with large values in every third command.
    #[must_use]
    pub fn with_large(mut self) -> Self {
        self.calls.large = true;
        self
    }

    /// The same with a trace on standard output, for a seed that breaks a promise.
    #[must_use]
    pub fn with_trace(mut self) -> Self {
        self.traced = true;
        self
    }

    /// Adds to the trace of a node, and lets the invariants see what was added.
    fn validate(&mut self, index: usize, add: impl FnOnce(&mut Tracer)) {
        let Some((tracers, invariants)) = &mut self.traces else { return };
        add(&mut tracers[index]);
        for event in tracers[index].take() {
            invariants.see(&self.nodes[index].config.name, &event);
        }
        if let Some(why) = invariants.broken() {
            let why = why.to_owned();
            self.fail(why);
        }
    }

    /// Adds the outputs of a step to the trace of a node.
    fn validate_outputs(&mut self, index: usize, outputs: &[Output<u64>]) {
        let Some((tracers, _)) = &mut self.traces else { return };
        if let Some(process) = &self.nodes[index].process {
            tracers[index].outputs(&process.core, outputs);
        }
        self.validate(index, |_| {});
    }

    /// Writes a line of the trace.
    fn trace(&self, line: impl FnOnce() -> String) {
        if self.traced {
            println!("{:>9.3} ms  {}", self.now.as_secs_f64() * 1000.0, line());
        }
    }

    /// The configuration of a node, as the operator of real nodes would write it.
    fn config(&self, name: String, seed: u64, join: bool) -> NodeConfig {
        let others = |member: &&Member| !join || member.name != name;
        NodeConfig {
            listen: ([127, 0, 0, 1], 1).into(),
            enclosed: false,
            secret: None,
            data: "/log".into(),
            clock: None,
            trace: None,
            seed,
            members: self.members.iter().filter(others).cloned().collect(),
            routes: BTreeMap::new(),
            join,
            join_after: None,
            hosts: Vec::new(),
            paxos: self.options.clone(),
            name,
        }
    }

    fn at(&mut self, time: Duration, event: Event) {
        self.last += 1;
        self.events.push(Reverse((time, self.last, event)));
    }

    /// A random time of this many milliseconds.
    fn milliseconds(&mut self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_micros(self.rng.random_range(range.start * 1000..range.end * 1000))
    }

    fn fail(&mut self, why: String) {
        self.broken.get_or_insert(why);
    }

    /// Runs to the end, or to the first broken promise.
    pub fn run(mut self) -> Outcome {
        while let Some(Reverse((time, _, event))) = self.events.pop() {
            if time > END || self.broken.is_some() {
                break;
            }
            self.take(time, event);
        }
        if self.broken.is_none() {
            self.check_calls();
        }
        if self.broken.is_none() {
            self.check_service();
        }
        if let Some((_, invariants)) = self.traces.take() {
            self.broken = self.broken.or_else(|| invariants.finish());
        }
        (0..self.nodes.len()).for_each(|index| self.count_process(index));
        self.counts.decided = self.decided.len() as u64;
        self.counts.changes = self.version / 2;
        self.broken.map_or(Outcome::Kept(self.counts), Outcome::Broken)
    }

    /// Lets an event happen at its time, or later where its process stands still.
    fn take(&mut self, time: Duration, event: Event) {
        self.now = time;
        if let Some(resumed) = self.paused(&event) {
            let pause = self.milliseconds(0..4);
            self.at(resumed + pause, event);
        } else {
            self.happen(&event);
        }
    }

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Deliver { to, from, number } => self.deliver(to, from, number),
            Event::Send { from, to } => self.send_collected(from, to),
            Event::Logged { node, life } => self.logged(node, life),
            Event::Saved { node, life } => self.saved(node, life),
            Event::Turn { node, life } => self.turn(node, life),
            Event::Restart { node } => self.start(node),
            Event::PowerFails => (0..self.nodes.len()).for_each(|index| self.crash(index, true)),
            Event::Operator => self.operate(),
            Event::Join { node } => self.join(node),
            Event::Client => self.client(),
            Event::Fault => self.fault(),
        }
    }

    /// When the paused process that this event is for resumes, if there is one.
    fn paused(&self, event: &Event) -> Option<Duration> {
        let index = match *event {
            Event::Send { from, .. } => from,
            Event::Logged { node, .. } | Event::Saved { node, .. } | Event::Turn { node, .. } => node,
            Event::Deliver { .. }
            | Event::Restart { .. }
            | Event::PowerFails
            | Event::Operator
            | Event::Join { .. }
            | Event::Client
            | Event::Fault => return None,
        };
        Some(self.nodes[index].paused_until).filter(|until| *until > self.now)
    }

    /// The process of a node, if it runs in this life.
    fn process(&mut self, index: usize, life: u32) -> Option<&mut Process> {
        let node = &mut self.nodes[index];
        if node.life == life { node.process.as_mut() } else { None }
    }

    /// Gives a running process an input, and a turn soon.
    fn input(&mut self, index: usize, input: Input<u64>) {
        let life = self.nodes[index].life;
        if let Some(process) = self.process(index, life) {
            process.inbox.push(input);
            let soon = self.now + Duration::from_micros(self.rng.random_range(0..800));
            self.schedule(index, soon);
        }
    }

    /// Gives a process a turn at this time, unless it has one before.
    fn schedule(&mut self, index: usize, time: Duration) {
        let node = &mut self.nodes[index];
        let Some(process) = &mut node.process else { return };
        if process.next_turn.is_none_or(|next| time < next) {
            process.next_turn = Some(time);
            let life = node.life;
            self.at(time, Event::Turn { node: index, life });
        }
    }

    /// One turn of a process, as the driver of a real node makes it: what has arrived, then what is due.
    fn turn(&mut self, index: usize, life: u32) {
        let age = self.age(index);
        let now = self.now;
        let Some(process) = self.process(index, life) else { return };
        if process.next_turn.is_none_or(|next| next > now) {
            return;
        }
        process.next_turn = None;
        let mut outputs = std::mem::take(&mut process.outputs);
        let wanted = process.core.replica().is_some_and(Replica::wants_snapshot);
        let version = process.core.membership().version;
        let inputs = std::mem::take(&mut process.inbox);
        for input in inputs.into_iter().chain([Input::Tick, Input::Flush]) {
            self.validate(index, |tracer| tracer.input(&input));
            let before = outputs.len();
            let Some(process) = self.process(index, life) else { return };
            process.core.step(age, input, &mut outputs);
            self.validate_outputs(index, &outputs[before..]);
        }
        let Some(process) = self.process(index, life) else { return };
        let wants = process.core.replica().is_some_and(Replica::wants_snapshot);
        self.counts.transfers += u64::from(wants && !wanted);
        self.carry_out(index, &mut outputs);
        self.check_turn(index, version);
        if let Some(process) = self.process(index, life) {
            process.outputs = outputs;
            let wake = process.core.wake();
            if wake < Duration::MAX {
                let node = &self.nodes[index];
                let due = node.began + wake.div_f64(node.rate);
                let late = Duration::from_micros(self.rng.random_range(50..2000));
                self.schedule(index, due.max(now) + late);
            }
        }
    }

    /// Carries out what a core ordered.
    fn carry_out(&mut self, index: usize, outputs: &mut Vec<Output<u64>>) {
        for output in outputs.drain(..) {
            match output {
                Output::Send(to, message) => self.send(index, to, message),
                Output::Reply(call, reply) => match &mut self.driven {
                    Some(driven) => driven.replies.push((call, reply)),
                    None => self.replied(call, reply),
                },
                Output::Log(order) => self.order(index, order),
                Output::Snapshot { index: segment, slot_out, payload } => {
                    self.save(index, (segment, slot_out, payload));
                }
                Output::Dial { greeting, others } => {
                    let others = others.into_iter().map(|it| (it.id, self.index_of(&it.name))).collect();
                    let process = self.nodes[index].process.as_mut().unwrap();
                    (process.greeting, process.others) = (Some(greeting), others);
                }
                Output::Notice(_) => {}
            }
        }
    }

    fn send(&mut self, index: usize, to: NodeId, message: Message) {
        let process = self.nodes[index].process.as_ref().unwrap();
        let (Some(&to), Some(greeting)) = (process.others.get(&to), process.greeting.clone()) else { return };
        self.check_message(index, &message);
        self.collect(index, to, greeting, message);
    }

    /// The age of a process by its own clock.
    fn age(&self, index: usize) -> Duration {
        let node = &self.nodes[index];
        self.now.saturating_sub(node.began).mul_f64(node.rate)
    }

    /// The index of the node of this name.
    fn index_of(&self, name: &str) -> usize {
        self.nodes.iter().position(|node| node.config.name == name).unwrap()
    }
}
