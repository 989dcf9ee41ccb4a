//! A cluster in virtual time, with everything that can go wrong between its nodes and on their disks.

#![allow(clippy::unwrap_used, reason = "in a test a broken assumption should end it")]

mod checks;
mod members;
mod network;

use network::{Network, first};
use node::config::{Member, PaxosOptions, Read, Role};
use node::flaw::Flaw;
use node::paxos::membership::Roster;
use node::paxos::message::{Ballot, Command, Message, NodeId};
use node::paxos::snapshot::{self, Roles};
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
        /// Snapshots that were saved.
        snapshots: u64,
        /// States that were taken over from another replica.
        transfers: u64,
        /// Runs of messages that arrived as one.
        folded: u64,
        /// Reads for which a leader held a lease.
        leased: u64,
        /// Changes of the members that came to their end.
        changes: u64,
        /// Promises that were too large for one message.
        parts: u64,
    },
    /// Something did not.
    Broken(String),
}

/// What happens next, and when.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Deliver { to: usize, from: usize, number: u64 },
    Flush { from: usize, to: usize },
    Synced { node: usize, life: u32, batch: u64 },
    Saved { node: usize, life: u32 },
    Tick { node: usize, life: u32 },
    Restart { node: usize },
    PowerFails,
    Operator,
    Join { node: usize },
    Client,
    Fault,
}

/// Records that are not on disk yet, and what of their role waits for them.
struct Batch {
    number: u64,
    role: Option<Role>,
    records: Vec<Record>,
    step: Step,
}

/// What a node has on its disk.
#[derive(Default)]
struct Disk {
    snapshot: Option<Vec<u8>>,
    records: Vec<Record>,
}

/// A snapshot that is being written, what its state reaches to, and how many records it replaces.
struct Saving {
    bytes: Vec<u8>,
    slot_out: u64,
    replaces: usize,
}

struct Node {
    up: bool,
    /// It is no member: it has nothing, and waits until it is one in a configuration newer than this version.
    waits: Option<u64>,
    /// Whether it knows from the start who the members are.
    genesis: bool,
    /// Who they were when it was added.
    joined: Option<Roster>,
    collected: u64,
    life: u32,
    began: Duration,
    /// How many of its own seconds its clock counts in a true one.
    rate: f64,
    /// Its process does nothing until then.
    paused_until: Duration,
    roles: Roles,
    disk: Disk,
    saving: Option<Saving>,
    /// The most progress it told anybody.
    told: u64,
    unsynced: VecDeque<Batch>,
    next_batch: u64,
}

/// One increment or read of the one counter, as its client saw it.
struct Call {
    began: Duration,
    ended: Option<(Duration, i64)>,
    reads: bool,
    /// Its client gives no name, so its result may be forgotten.
    unnamed: bool,
    /// Whether a replica took it, so that it may have been applied.
    taken: bool,
}

/// The cluster, its network and its clients.
pub(super) struct World {
    options: PaxosOptions,
    members: Vec<Member>,
    nodes: Vec<Node>,
    now: Duration,
    events: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    network: Network,
    next: u64,
    cut: Vec<bool>,
    calls: BTreeMap<u64, Call>,
    tickets: BTreeMap<(usize, u32, Ticket), u64>,
    decided: BTreeMap<u64, Arc<Command>>,
    /// No sync ends before this time.
    disks_stall_until: Duration,
    /// In which life of its leader each ballot was used.
    ballots: BTreeMap<Ballot, (usize, u32)>,
    /// The newest version of the membership that was seen.
    version: u64,
    snapshots: u64,
    transfers: u64,
    /// Runs of messages that arrived as one.
    folded: u64,
    /// Reads for which a leader held a lease.
    leased: u64,
    /// Whether every third command is large.
    large: bool,
    /// Promises that were too large for one message.
    parts: u64,
    broken: Option<String>,
    chance: ChaCha8Rng,
}

/// Records on a disk before a snapshot is taken.
const SNAPSHOT_AFTER: usize = 150;

impl Node {
    fn new(
        (roster, name): (&Roster, &str),
        options: &PaxosOptions,
        life: u32,
        disk: Disk,
        now: Duration,
    ) -> Self {
        let seed = u64::from(roster.me.0) + 1000 * u64::from(life);
        let snapshot = disk.snapshot.as_ref().map(|bytes| postcard::from_bytes(bytes).unwrap());
        let chance = (seed, u64::from(life));
        let (roles, _) = Roles::recover((roster, name), options, chance, snapshot, disk.records.clone());
        Self {
            up: true,
            waits: None,
            genesis: true,
            joined: None,
            collected: roles.acceptor.collected(),
            life,
            began: now,
            rate: 1.0,
            paused_until: Duration::ZERO,
            roles,
            disk,
            saving: None,
            told: 1,
            unsynced: VecDeque::new(),
            next_batch: 0,
        }
    }
}

impl World {
    /// A cluster of `size` nodes that host all roles, and so many `spares` with which an operator changes its members all
    /// the time; everything that chance decides comes from `seed`.
    pub(super) fn new(size: usize, spares: usize, options: &PaxosOptions, seed: u64) -> Self {
        let member = |place| Member {
            name: format!("n{place}"),
            address: ([127, 0, 0, 1], 1).into(),
            roles: [Role::Replica, Role::Leader, Role::Acceptor].into(),
        };
        let members: Vec<_> = (0..size).map(member).collect();
        let all = size + spares;
        let mut world = Self {
            options: options.clone(),
            nodes: Vec::new(),
            now: Duration::ZERO,
            events: BinaryHeap::new(),
            network: Network::default(),
            folded: 0,
            leased: 0,
            large: false,
            parts: 0,
            next: 0,
            cut: vec![false; all * all],
            version: 0,
            calls: BTreeMap::new(),
            tickets: BTreeMap::new(),
            decided: BTreeMap::new(),
            disks_stall_until: Duration::ZERO,
            ballots: BTreeMap::new(),
            snapshots: 0,
            transfers: 0,
            broken: None,
            chance: ChaCha8Rng::seed_from_u64(seed),
            members,
        };
        for place in 0..size {
            let who = (&world.roster(place), world.members[place].name.as_str());
            let node = Node::new(who, options, 0, Disk::default(), Duration::ZERO);
            world.nodes.push(node);
            world.at(MS, Event::Tick { node: place, life: 0 });
        }
        world.add_spares(spares);
        world.at(5 * MS, Event::Client);
        world.at(50 * MS, Event::Fault);
        world
    }

    /// Clocks that go faster or slower than true time, by at most this fraction of it.
    pub(super) fn with_drift(mut self, drift: f64) -> Self {
        let mut chance = ChaCha8Rng::seed_from_u64(self.chance.random());
        for node in &mut self.nodes {
            // The worst is what breaks things, and what is in between hides more.
            node.rate = [1.0 - drift, 1.0, 1.0 + drift][chance.random_range(0..3)];
        }
        self
    }

    fn roster(&self, place: usize) -> Roster {
        Roster::new(&self.members, &self.members[place].name, self.options.window).unwrap()
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
            if let Some(node) = self.paused(&event) {
                let pause = self.milliseconds(0..4);
                self.at(self.nodes[node].paused_until + pause, event);
            } else {
                self.happen(&event);
            }
        }
        if self.broken.is_none() {
            self.check_calls();
        }
        if self.broken.is_none() {
            self.check_service();
        }
        match self.broken {
            Some(why) => Outcome::Broken(why),
            None => Outcome::Kept {
                decided: self.decided.len() as u64,
                snapshots: self.snapshots,
                transfers: self.transfers,
                folded: self.folded,
                leased: self.leased,
                changes: self.version / 2,
                parts: self.parts,
            },
        }
    }

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Deliver { to, from, number } => self.deliver(to, from, number),
            Event::Flush { from, to } => self.flush(from, to),
            Event::Synced { node, life, batch } => self.synced(node, life, batch),
            Event::Saved { node, life } => self.saved(node, life),
            Event::Tick { node, life } => {
                if self.nodes[node].up && self.nodes[node].waits.is_none() && self.nodes[node].life == life {
                    self.tick(node);
                    let pause = self.milliseconds(1..6);
                    self.at(self.now + pause, Event::Tick { node, life });
                }
            }
            Event::Restart { node } => self.restart(node),
            Event::PowerFails => (0..self.nodes.len()).for_each(|place| self.crash(place)),
            Event::Operator => self.operate(),
            Event::Join { node } => self.join(node),
            Event::Client => self.client(),
            Event::Fault => self.fault(),
        }
    }

    /// How long ago a node's process began, by its own clock.
    fn age(&self, place: usize) -> Duration {
        self.now.saturating_sub(self.nodes[place].began).mul_f64(self.nodes[place].rate)
    }

    /// The node that this event is for, if it is paused: what happens to it then waits.
    fn paused(&self, event: &Event) -> Option<usize> {
        let node = match *event {
            Event::Deliver { to, .. } => to,
            Event::Flush { from, .. } => from,
            Event::Synced { node, .. } | Event::Saved { node, .. } | Event::Tick { node, .. } => node,
            Event::Restart { .. }
            | Event::PowerFails
            | Event::Operator
            | Event::Join { .. }
            | Event::Client
            | Event::Fault => return None,
        };
        (self.nodes[node].paused_until > self.now).then_some(node)
    }

    fn message(&mut self, to: usize, from: NodeId, message: &Message) {
        let now = self.age(to);
        let wanted = self.nodes[to].roles.replica.wants_snapshot();
        for role in [Role::Acceptor, Role::Leader, Role::Replica] {
            let roles = &mut self.nodes[to].roles;
            let mut step = Step::default();
            match role {
                Role::Acceptor => roles.acceptor.handle(now, from, message.clone(), &mut step),
                Role::Leader => roles.leader.handle(now, from, message.clone(), &mut step),
                Role::Replica => roles.replica.handle(now, from, message.clone(), &mut step),
            }
            self.keep(to, role, step);
        }
        self.transfers += u64::from(!wanted && self.nodes[to].roles.replica.wants_snapshot());
        self.carry_on(to);
        self.check_collected(to);
    }

    fn tick(&mut self, place: usize) {
        let now = self.age(place);
        let mut step = Step::default();
        self.nodes[place].roles.acceptor.tick(now, &mut step);
        self.keep(place, Role::Acceptor, step);
        let mut step = Step::default();
        self.nodes[place].roles.leader.tick(now, &mut step);
        self.keep(place, Role::Leader, step);
        let mut step = Step::default();
        self.nodes[place].roles.replica.tick(now, &mut step);
        self.keep(place, Role::Replica, step);
        self.carry_on(place);
    }

    /// Queues a step: nothing of it is heard before its role's records, and all its earlier ones, are on disk.
    fn keep(&mut self, place: usize, role: Role, mut step: Step) {
        if role == Role::Replica {
            self.follow_replica(place);
        }
        let now = self.age(place);
        let node = &mut self.nodes[place];
        if role == Role::Leader {
            let leads = node.roles.leader.leads();
            node.roles.replica.follow(now, leads);
        }
        let early = role == Role::Acceptor && self.options.flaw.contains(&Flaw::AcceptorAnswersBeforeSync);
        let waits = !step.save.is_empty() || node.unsynced.iter().any(|batch| batch.role == Some(role));
        let mut records = std::mem::take(&mut step.save);
        records.append(&mut step.note);
        let (role, step, now) =
            if waits && !early { (Some(role), step, Step::default()) } else { (None, Step::default(), step) };
        node.next_batch += 1;
        node.unsynced.push_back(Batch { number: node.next_batch, role, records, step });
        self.release(place, now);
    }

    /// Releases what waits for nothing, and starts a sync for the rest.
    fn carry_on(&mut self, place: usize) {
        while self.nodes[place].unsynced.front().is_some_and(|batch| batch.records.is_empty()) {
            let batch = self.nodes[place].unsynced.pop_front().unwrap();
            self.release(place, batch.step);
        }
        self.note_decisions(place);
        if let Some(batch) = self.nodes[place].unsynced.back().map(|batch| batch.number) {
            let stalled = self.disks_stall_until.saturating_sub(self.now);
            let pause = stalled + self.milliseconds(0..4);
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
            self.nodes[place].disk.records.extend(records);
            self.release(place, step);
        }
        if self.nodes[place].unsynced.is_empty() {
            let noted = self.nodes[place].roles.replica.noted();
            self.nodes[place].roles.replica.stored(noted);
        }
        self.consider_snapshot(place);
    }

    /// Takes a snapshot of the state as it is, which covers all that is on disk and more; it is durable later.
    fn consider_snapshot(&mut self, place: usize) {
        let node = &mut self.nodes[place];
        let wanted = node.roles.replica.wants_snapshot() || node.disk.records.len() > SNAPSHOT_AFTER;
        if node.saving.is_some() || !wanted {
            return;
        }
        let Roles { acceptor, leader, replica, roster } = &node.roles;
        let (slot_out, bytes) =
            snapshot::encode(&roster.membership, Some(acceptor), Some(leader), Some(replica));
        let mut replaces = node.disk.records.len();
        if self.options.flaw.contains(&Flaw::LogRemovesEarly) {
            node.disk.records.clear();
            replaces = 0;
        }
        node.saving = Some(Saving { bytes, slot_out, replaces });
        let life = node.life;
        let pause = self.milliseconds(1..40);
        self.at(self.now + pause, Event::Saved { node: place, life });
    }

    fn saved(&mut self, place: usize, life: u32) {
        let node = &mut self.nodes[place];
        if !node.up || node.life != life {
            return;
        }
        let Saving { bytes, slot_out, replaces } = node.saving.take().unwrap();
        node.disk.snapshot = Some(bytes);
        node.disk.records.drain(..replaces);
        node.roles.replica.saved(slot_out);
        self.snapshots += 1;
    }

    fn release(&mut self, place: usize, step: Step) {
        for (to, message) in step.send {
            match &message {
                Message::Progress { slot_out } => {
                    self.nodes[place].told = self.nodes[place].told.max(*slot_out);
                }
                Message::P1a { ballot, .. } => {
                    let life = (place, self.nodes[place].life);
                    if *self.ballots.entry(*ballot).or_insert(life) != life {
                        self.broken = Some(format!("{ballot:?} was used in two lives of its leader"));
                    }
                }
                Message::P1b { next, .. } => self.parts += u64::from(next.is_some()),
                _ => {}
            }
            let Some(to) = self.place_of(place, to) else { continue };
            let Roster { version, me, .. } = self.nodes[place].roles.roster;
            self.send(place, to, (version, me), message);
        }
        for (ticket, answer, _) in step.answer {
            let life = self.nodes[place].life;
            let Some(call) = self.tickets.remove(&(place, life, ticket)) else { continue };
            let Some(call) = self.calls.get_mut(&call) else { continue };
            match first(answer) {
                Answer::Value(value) => {
                    call.ended.get_or_insert((self.now, value.map_or(0, |value| value.parse().unwrap())));
                }
                Answer::Forgotten if call.unnamed => call.taken = false,
                _ => {}
            }
        }
    }

    /// Every replica's decisions must agree with every other's, for ever.
    fn note_decisions(&mut self, place: usize) {
        let replica = &self.nodes[place].roles.replica;
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
        let operation = if reads { Operation::Get { key } } else { self.increment(key) };
        let asked = if self.chance.random_range(0..4) == 0 { 2 } else { 1 };
        let unnamed = asked == 1 && call.is_multiple_of(3);
        let name: Arc<str> = if unnamed { Arc::default() } else { format!("c{call}").into() };
        self.calls.insert(call, Call { began: self.now, ended: None, reads, unnamed, taken: false });
        for copy in 0..asked {
            let place = self.chance.random_range(0..self.nodes.len());
            let now = self.age(place);
            let node = &mut self.nodes[place];
            if !node.up || node.waits.is_some() || node.paused_until > self.now {
                continue;
            }
            let ticket = Ticket(2 * call + copy);
            let command = Command { client: Arc::clone(&name), sequence: 1, operation: operation.clone() };
            let mut step = Step::default();
            let by_lease = reads && self.options.read == Read::Lease;
            let leased = if by_lease { node.roles.leader.lease(now) } else { None };
            self.leased += u64::from(leased.is_some());
            let taken = node.roles.replica.request(now, ticket, command, (None, leased), &mut step);
            self.tickets.insert((place, node.life, ticket), call);
            self.calls.entry(call).and_modify(|call| call.taken |= taken);
            self.keep(place, Role::Replica, step);
            self.carry_on(place);
        }
    }

    fn fault(&mut self) {
        let size = self.nodes.len();
        if self.now > FAULTS_END {
            self.cut.fill(false);
            return;
        }
        if self.options.read == Read::Lease && self.chance.random_range(0..4) == 0 {
            let place = self.chance.random_range(0..size);
            self.nodes[place].paused_until = self.now + self.milliseconds(20..300);
        }
        match self.chance.random_range(0..9) {
            0 => {
                self.disks_stall_until = self.now + 30 * MS;
                self.at(self.now + 25 * MS, Event::PowerFails);
            }
            1 | 2 => {
                let place = self.chance.random_range(0..size);
                self.crash(place);
            }
            3..6 => {
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

    /// What was not synced is gone, but for a part of it that happened to reach the disk. It starts again soon.
    fn crash(&mut self, place: usize) {
        let node = &mut self.nodes[place];
        if !node.up || node.waits.is_some() {
            return;
        }
        node.up = false;
        let lucky = self.chance.random_range(0..=node.unsynced.len());
        let kept: Vec<_> = node.unsynced.drain(..).take(lucky).collect();
        node.disk.records.extend(kept.into_iter().flat_map(|batch| batch.records));
        self.forget_outgoing(place);
        let pause = self.milliseconds(20..400);
        self.at(self.now + pause, Event::Restart { node: place });
    }

    fn restart(&mut self, place: usize) {
        let (roster, name) = (self.known_roster(place), self.name(place));
        let old = &mut self.nodes[place];
        let disk = std::mem::take(&mut old.disk);
        let (life, told, genesis, rate) = (old.life + 1, old.told, old.genesis, old.rate);
        let joined = old.joined.take();
        *old = Node::new((&roster, &name), &self.options, life, disk, self.now);
        (old.told, old.genesis, old.joined, old.rate) = (told, genesis, joined, rate);
        let has = old.roles.replica.slot_out();
        if has.max(1) < told {
            self.broken = Some(format!(
                "n{place} said it had all slots below {told} on disk, and has those below {has}"
            ));
        }
        self.at(self.now + MS, Event::Tick { node: place, life });
    }
}
