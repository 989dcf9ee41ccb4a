//! A cluster in virtual time, with everything that can go wrong between its nodes and on their disks.

#![allow(clippy::unwrap_used, reason = "in a test a broken assumption should end it")]

use node::config::{Member, PaxosOptions, Role};
use node::flaw::Flaw;
use node::paxos::acceptor::Acceptor;
use node::paxos::leader::Leader;
use node::paxos::message::{Command, Message, NodeId, Roster};
use node::paxos::replica::Replica;
use node::paxos::step::{Record, Step, Ticket};
use node::store::{Answer, Operation};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const FAULTS_END: Duration = Duration::from_secs(3);
const END: Duration = Duration::from_secs(8);

/// What became of a run.
pub(super) enum Outcome {
    /// Everything that was promised held.
    Kept {
        /// Commands that were decided.
        decided: u64,
    },
    /// Something did not.
    Broken(String),
}

/// What happens next, and when.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Deliver { to: usize, from: usize, number: u64 },
    Synced { node: usize, life: u32, batch: u64 },
    Tick { node: usize, life: u32 },
    Restart { node: usize },
    Client,
    Fault,
}

/// Records that are not on disk yet, and what waits for them.
struct Batch {
    number: u64,
    records: Vec<Record>,
    step: Step,
}

struct Node {
    up: bool,
    life: u32,
    began: Duration,
    acceptor: Acceptor,
    leader: Leader,
    replica: Replica,
    disk: Vec<Record>,
    unsynced: VecDeque<Batch>,
    next_batch: u64,
}

/// One increment or read of the one counter, as its client saw it.
struct Call {
    began: Duration,
    ended: Option<(Duration, i64)>,
    reads: bool,
}

/// The cluster, its network and its clients.
pub(super) struct World {
    options: PaxosOptions,
    members: Vec<Member>,
    nodes: Vec<Node>,
    now: Duration,
    events: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    messages: BTreeMap<u64, Message>,
    next: u64,
    cut: Vec<bool>,
    calls: BTreeMap<u64, Call>,
    tickets: BTreeMap<(usize, u32, Ticket), u64>,
    decided: BTreeMap<u64, Arc<Command>>,
    broken: Option<String>,
    chance: ChaCha8Rng,
}

impl Node {
    fn new(roster: &Roster, options: &PaxosOptions, life: u32, disk: Vec<Record>, now: Duration) -> Self {
        let mut acceptor = Acceptor::default();
        let mut replica = Replica::new(roster.clone(), options.clone());
        let mut round = 0;
        for record in disk.iter().cloned() {
            match record {
                Record::Promise(ballot) => acceptor.recover_promise(ballot),
                Record::Accepted(pvalue) => acceptor.recover_accepted(pvalue),
                Record::Round(used) => round = used.max(round),
                Record::Decided { slot, command } => replica.recover(slot, command.unwrap()),
            }
        }
        let seed = u64::from(roster.me.0) + 1000 * u64::from(life);
        Self {
            up: true,
            life,
            began: now,
            acceptor,
            leader: Leader::new(roster.clone(), options.clone(), seed, round),
            replica,
            disk,
            unsynced: VecDeque::new(),
            next_batch: 0,
        }
    }
}

impl World {
    /// A cluster of `size` nodes that host all roles; everything that chance decides comes from `seed`.
    pub(super) fn new(size: usize, options: &PaxosOptions, seed: u64) -> Self {
        let member = |place| Member {
            name: format!("n{place}"),
            address: ([127, 0, 0, 1], 1).into(),
            roles: [Role::Replica, Role::Leader, Role::Acceptor].into(),
        };
        let members: Vec<_> = (0..size).map(member).collect();
        let mut world = Self {
            options: options.clone(),
            nodes: Vec::new(),
            now: Duration::ZERO,
            events: BinaryHeap::new(),
            messages: BTreeMap::new(),
            next: 0,
            cut: vec![false; size * size],
            calls: BTreeMap::new(),
            tickets: BTreeMap::new(),
            decided: BTreeMap::new(),
            broken: None,
            chance: ChaCha8Rng::seed_from_u64(seed),
            members,
        };
        for place in 0..size {
            let node = Node::new(&world.roster(place), options, 0, Vec::new(), Duration::ZERO);
            world.nodes.push(node);
            world.at(MS, Event::Tick { node: place, life: 0 });
        }
        world.at(5 * MS, Event::Client);
        world.at(50 * MS, Event::Fault);
        world
    }

    fn roster(&self, place: usize) -> Roster {
        Roster::new(&self.members, &self.members[place].name).unwrap()
    }

    fn at(&mut self, time: Duration, event: Event) {
        self.next += 1;
        self.events.push(Reverse((time, self.next, event)));
    }

    fn milliseconds(&mut self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_micros(self.chance.random_range(range.start * 1000..range.end * 1000))
    }

    /// Runs to the end and says what became of it.
    pub(super) fn run(mut self) -> Outcome {
        while let Some(Reverse((time, _, event))) = self.events.pop() {
            if time > END || self.broken.is_some() {
                break;
            }
            self.now = time;
            self.happen(&event);
        }
        if self.broken.is_none() {
            self.check_calls();
        }
        if self.broken.is_none() {
            self.check_service();
        }
        match self.broken {
            Some(why) => Outcome::Broken(why),
            None => Outcome::Kept { decided: self.decided.len() as u64 },
        }
    }

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Deliver { to, from, number } => {
                let message = self.messages.remove(&number).unwrap();
                if self.nodes[to].up && !self.cut[from * self.nodes.len() + to] {
                    self.message(to, from, &message);
                }
            }
            Event::Synced { node, life, batch } => self.synced(node, life, batch),
            Event::Tick { node, life } => {
                if self.nodes[node].up && self.nodes[node].life == life {
                    self.tick(node);
                    let pause = self.milliseconds(1..6);
                    self.at(self.now + pause, Event::Tick { node, life });
                }
            }
            Event::Restart { node } => self.restart(node),
            Event::Client => self.client(),
            Event::Fault => self.fault(),
        }
    }

    /// How long ago a node's process began: its clock.
    fn age(&self, place: usize) -> Duration {
        self.now.saturating_sub(self.nodes[place].began)
    }

    fn message(&mut self, to: usize, from: usize, message: &Message) {
        let now = self.age(to);
        let from = NodeId(u8::try_from(from).unwrap());
        let node = &mut self.nodes[to];
        for role in 0..3 {
            let mut step = Step::default();
            match role {
                0 => node.acceptor.handle(from, message.clone(), &mut step),
                1 => node.leader.handle(now, from, message.clone(), &mut step),
                _ => node.replica.handle(now, from, message.clone(), &mut step),
            }
            Self::keep(node, step);
        }
        self.carry_on(to);
    }

    fn tick(&mut self, place: usize) {
        let now = self.age(place);
        let node = &mut self.nodes[place];
        let mut step = Step::default();
        node.leader.tick(now, &mut step);
        Self::keep(node, step);
        let mut step = Step::default();
        node.replica.tick(now, &mut step);
        Self::keep(node, step);
        self.carry_on(place);
    }

    /// Queues a step: nothing of it is heard before its records, and all earlier ones, are on disk.
    fn keep(node: &mut Node, mut step: Step) {
        let mut records = std::mem::take(&mut step.save);
        records.append(&mut step.note);
        node.next_batch += 1;
        node.unsynced.push_back(Batch { number: node.next_batch, records, step });
    }

    /// Releases what waits for nothing, and starts a sync for the rest.
    fn carry_on(&mut self, place: usize) {
        while self.nodes[place].unsynced.front().is_some_and(|batch| batch.records.is_empty()) {
            let batch = self.nodes[place].unsynced.pop_front().unwrap();
            self.release(place, batch.step);
        }
        self.note_decisions(place);
        if let Some(batch) = self.nodes[place].unsynced.back().map(|batch| batch.number) {
            let pause = self.milliseconds(0..4);
            let life = self.nodes[place].life;
            self.at(self.now + pause, Event::Synced { node: place, life, batch });
        }
    }

    fn synced(&mut self, place: usize, life: u32, batch: u64) {
        if !self.nodes[place].up || self.nodes[place].life != life {
            return;
        }
        while self.nodes[place].unsynced.front().is_some_and(|front| front.number <= batch) {
            let Batch { records, step, .. } = self.nodes[place].unsynced.pop_front().unwrap();
            self.nodes[place].disk.extend(records);
            self.release(place, step);
        }
        if self.nodes[place].unsynced.is_empty() {
            let slot_out = self.nodes[place].replica.slot_out();
            self.nodes[place].replica.stored(slot_out);
        }
    }

    fn release(&mut self, place: usize, step: Step) {
        for (to, message) in step.send {
            let to = usize::from(to.0);
            let copies = if to == place || self.now > FAULTS_END {
                1
            } else {
                match self.chance.random_range(0..100) {
                    0..4 => 0,
                    4..7 => 2,
                    _ => 1,
                }
            };
            for _ in 0..copies {
                self.next += 1;
                let number = self.next;
                let slow = if self.chance.random_range(0..20) == 0 { 60 } else { 6 };
                let pause = self.milliseconds(0..slow);
                self.messages.insert(number, message.clone());
                self.at(self.now + pause, Event::Deliver { to, from: place, number });
            }
        }
        for (ticket, answer, _) in step.answer {
            let life = self.nodes[place].life;
            let Some(call) = self.tickets.remove(&(place, life, ticket)) else { continue };
            let (Answer::Value(value), Some(call)) = (answer, self.calls.get_mut(&call)) else { continue };
            let value = value.map_or(0, |value| value.parse().unwrap());
            call.ended.get_or_insert((self.now, value));
        }
    }

    /// Every replica's decisions must agree with every other's, for ever.
    fn note_decisions(&mut self, place: usize) {
        let replica = &self.nodes[place].replica;
        let from = replica.slot_out().saturating_sub(40);
        let applied: Vec<_> = replica.applied(from, replica.slot_out()).collect();
        for decided in applied {
            let known = self.decided.entry(decided.slot).or_insert_with(|| Arc::clone(&decided.command));
            if *known != decided.command {
                self.broken = Some(format!("slot {}: {known:?} and {:?}", decided.slot, decided.command));
            }
        }
    }

    /// A client calls one replica, and sometimes a second one with the same command.
    fn client(&mut self) {
        let pause = self.milliseconds(1..12);
        if self.now + pause + Duration::from_secs(1) < END {
            self.at(self.now + pause, Event::Client);
        }
        let call = self.calls.len() as u64;
        let reads = self.chance.random_range(0..3) == 0;
        let key = "counter".to_owned();
        let operation = if reads { Operation::Get { key } } else { Operation::Incr { key, by: 1 } };
        self.calls.insert(call, Call { began: self.now, ended: None, reads });
        let asked = if self.chance.random_range(0..4) == 0 { 2 } else { 1 };
        for copy in 0..asked {
            let place = self.chance.random_range(0..self.nodes.len());
            let now = self.age(place);
            let node = &mut self.nodes[place];
            if !node.up {
                continue;
            }
            let ticket = Ticket(2 * call + copy);
            let command = Command { client: format!("c{call}"), sequence: 1, operation: operation.clone() };
            let mut step = Step::default();
            self.tickets.insert((place, node.life, ticket), call);
            assert!(node.replica.request(now, ticket, command, None, &mut step));
            Self::keep(node, step);
            self.carry_on(place);
        }
    }

    fn fault(&mut self) {
        let size = self.nodes.len();
        if self.now > FAULTS_END {
            self.cut.fill(false);
            return;
        }
        match self.chance.random_range(0..3) {
            0 => {
                let place = self.chance.random_range(0..size);
                if self.nodes[place].up {
                    self.crash(place);
                    let pause = self.milliseconds(20..400);
                    self.at(self.now + pause, Event::Restart { node: place });
                }
            }
            1 => {
                let halves: Vec<bool> = (0..size).map(|_| self.chance.random_range(0..2) == 0).collect();
                for link in 0..size * size {
                    self.cut[link] = halves[link / size] != halves[link % size];
                }
            }
            _ => self.cut.fill(false),
        }
        let pause = self.milliseconds(50..500);
        self.at(self.now + pause, Event::Fault);
    }

    /// What was not synced is gone, but for a part of it that happened to reach the disk.
    fn crash(&mut self, place: usize) {
        let node = &mut self.nodes[place];
        node.up = false;
        let lucky = self.chance.random_range(0..=node.unsynced.len());
        let kept: Vec<_> = node.unsynced.drain(..).take(lucky).collect();
        node.disk.extend(kept.into_iter().flat_map(|batch| batch.records));
    }

    fn restart(&mut self, place: usize) {
        let roster = self.roster(place);
        let old = &mut self.nodes[place];
        let disk = std::mem::take(&mut old.disk);
        let life = old.life + 1;
        *old = Node::new(&roster, &self.options, life, disk, self.now);
        if self.options.flaw.contains(&Flaw::AcceptorForgetsPromise) {
            self.nodes[place].acceptor.forget_promise();
        }
        self.at(self.now + MS, Event::Tick { node: place, life });
    }

    /// The counter is linearizable: each increment has a result of its own, nothing that began after a
    /// call ended is told less than that call was, and nothing is told of more increments than had begun.
    fn check_calls(&mut self) {
        let mut ended: Vec<_> = self.calls.values().filter_map(|call| Some((call, call.ended?))).collect();
        let mut seen = BTreeMap::new();
        for (call, (_, value)) in &ended {
            if !call.reads && seen.insert(*value, call.began).is_some() {
                self.broken = Some(format!("two increments were both told {value}"));
            }
        }
        ended.sort_by_key(|(_, (end, _))| *end);
        for (later, (end, value)) in &ended {
            let before = ended.iter().take_while(|(_, (end, _))| *end < later.began);
            let begun = self.calls.values().filter(|call| !call.reads && call.began <= *end);
            let most = i64::try_from(begun.count()).unwrap();
            if *value > most {
                self.broken = Some(format!("a call was told {value} when {most} increments had begun"));
            }
            let least = before.map(|(_, (_, value))| *value).max().unwrap_or(0);
            if *value < least + i64::from(!later.reads) {
                self.broken = Some(format!("a call that began after {least} was told {value}"));
            }
        }
    }

    /// Long after the last fault every call to a living node is answered.
    fn check_service(&mut self) {
        let late = self.calls.values().filter(|call| call.began + Duration::from_secs(2) > END);
        let (answered, all) =
            late.fold((0, 0), |(answered, all), call| (answered + u32::from(call.ended.is_some()), all + 1));
        if answered < all {
            self.broken = Some(format!("long after the faults {answered} of {all} calls were answered"));
        }
    }
}
