//! The driver: one loop that feeds the roles, makes what they save durable, and only then lets them speak.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the edge that owns the clock"
)]

mod members;
mod outbox;
mod snapshots;
mod waiting;

use crate::config::{NodeConfig, Read, Role};
use crate::flaw::Flaw;
use crate::log::{Log, LogError, LogWriter, Recovered, Told};
use crate::paxos::acceptor::Acceptor;
use crate::paxos::leader::Leader;
use crate::paxos::membership::{Membership, Roster};
use crate::paxos::message::{Command, Decided, Message, NodeId, Slot};
use crate::paxos::packet::Packet;
use crate::paxos::replica::Replica;
use crate::paxos::snapshot::{Roles, encode};
use crate::paxos::step::{Record, Step, Ticket};
use crate::status::{Recovery, Status};
use crate::store::{Answer, Operation};
use crate::transport::{Peers, Room};
use outbox::Outbox;
use snapshots::{Saved, Snapshots};
use std::collections::{BTreeSet, VecDeque};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Sleep;
use waiting::Waiting;

/// Inputs handled before the outputs of all of them leave together.
const TURN: usize = 1024;

/// The flaw `acceptor-answers-before-write`: how much later the record follows.
const LATE: Duration = Duration::from_millis(700);

/// What a client's request comes to.
#[derive(Debug)]
pub enum Reply {
    /// The command was applied in this slot, with this answer.
    Applied(Answer, Slot),
    /// It was not proposed, and never will be.
    Refused(&'static str),
    /// Nobody knows yet, after so long.
    Undecided(Duration),
}

/// What reaches the driver from outside.
#[derive(Debug)]
pub enum Input {
    /// A client's command.
    Request {
        /// The command.
        command: Command,
        /// How a read is to be answered; by the node's own option if none.
        read: Option<Read>,
        /// Where the answer goes.
        reply: oneshot::Sender<Reply>,
    },
    /// Messages of another node.
    Frame {
        /// The node's name.
        from: Arc<str>,
        /// Its messages, in order.
        packets: Vec<Packet>,
        /// What they take from the room for waiting frames of this connection, until they are handled.
        room: Room,
    },
    /// The connection from this node broke.
    Lost(Arc<str>),
    /// The log has done something, or has failed for good.
    Log(Result<Told, LogError>),
    /// A snapshot is durable, or could not be written.
    Saved(Result<Saved, LogError>),
    /// Somebody wants to know who the members are.
    Members(oneshot::Sender<Membership>),
    /// Somebody wants to know how the node is.
    Status(oneshot::Sender<Status>),
    /// Somebody wants the decisions of slots from one (inclusive) to another (exclusive).
    Decisions(Slot, Slot, oneshot::Sender<Decisions>),
}

/// Decisions that a replica still keeps.
#[derive(Debug)]
pub struct Decisions {
    /// The decisions, in the order of their slots.
    pub decisions: Vec<Decided>,
    /// The first slot whose decision is kept.
    pub first: Slot,
    /// The next slot to be applied.
    pub slot_out: Slot,
}

/// The roles of one node, and all that stands between them and the world.
pub struct Driver {
    config: NodeConfig,
    roster: Roster,
    hosts: BTreeSet<Role>,
    started: Instant,
    acceptor: Option<Acceptor>,
    leader: Option<Leader>,
    replica: Option<Replica>,
    outbox: Outbox,
    log: LogWriter,
    snapshots: Snapshots,
    log_bytes: u64,
    syncs: u64,
    local: VecDeque<Message>,
    waiting: Waiting,
    next_ticket: u64,
    /// Reads for which the leader held a lease.
    leased: u64,
    recovery: Recovery,
    /// Whether it has yet to say that it is level.
    says_level: bool,
    late: VecDeque<(Duration, Vec<Record>)>,
    /// Empty between two inputs; kept for its room.
    step: Step,
}

impl Driver {
    /// Builds the roles from what the log holds. `roster` is who is who before the first record.
    ///
    /// `life` differs from that of every earlier process of this node.
    pub fn new(
        config: NodeConfig,
        roster: &Roster,
        (started, life): (Instant, u64),
        log: (Log, Recovered),
        peers: Peers,
        inbox: mpsc::UnboundedSender<Input>,
    ) -> Self {
        let (log, recovered) = log;
        let recovery_started = Instant::now();
        let mut recovery = Recovery {
            restarted: recovered.existed,
            records: recovered.records.len() as u64,
            bytes: recovered.bytes,
            torn_bytes: recovered.torn_bytes,
            decisions_from_snapshot: recovered
                .snapshot
                .as_ref()
                .map_or(0, |it| it.slot_out().saturating_sub(1)),
            snapshot_bytes: recovered.snapshot_bytes,
            ..Recovery::default()
        };
        let joins = roster.version > 0 && recovered.members().is_none();
        let Recovered { snapshot, records, .. } = recovered;
        let chance = (config.seed, life);
        let (roles, decisions) =
            Roles::recover((roster, &config.name), &config.paxos, chance, snapshot, records);
        let Roles { acceptor, leader, replica, roster } = roles;
        let own = |membership: &Membership| membership.named(&config.name).map(|node| node.roles.clone());
        let own_member = || config.members.iter().find(|member| member.name == config.name);
        let hosts = own_member().map(|member| member.roles.clone()).or_else(|| own(&roster.membership));
        let hosts = hosts.unwrap_or_default();
        recovery.decisions_from_log = decisions;
        recovery.log_seconds =
            recovery_started.duration_since(started).as_secs_f64() + recovery_started.elapsed().as_secs_f64();
        let log_bytes = log.bytes();
        let mut driver = Self {
            acceptor: hosts.contains(&Role::Acceptor).then_some(acceptor),
            leader: hosts.contains(&Role::Leader).then_some(leader),
            replica: hosts.contains(&Role::Replica).then_some(replica),
            outbox: Outbox::new(roster.me, peers),
            snapshots: Snapshots::new(
                log.folder(),
                config.paxos.snapshot_bytes,
                recovery.snapshot_bytes,
                inbox.clone(),
            ),
            log: LogWriter::start(log, move |told| {
                // The driver only goes away when the process ends.
                let _ = inbox.send(Input::Log(told));
            }),
            roster,
            hosts,
            started,
            config,
            log_bytes,
            syncs: 0,
            local: VecDeque::new(),
            waiting: Waiting::default(),
            next_ticket: 0,
            leased: 0,
            says_level: recovery.restarted,
            recovery,
            late: VecDeque::new(),
            step: Step::default(),
        };
        driver.begin(joins || !driver.recovery.restarted);
        driver
    }

    /// What it brought back from its log.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Runs until the log fails, or everybody who could send an input has gone.
    pub async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Input>) -> Result<(), LogError> {
        let mut inputs = Vec::with_capacity(TURN);
        let mut alarm = pin!(tokio::time::sleep_until(self.started.into()));
        loop {
            let wake = self.started + self.wake();
            tokio::select! {
                biased;
                received = inbox.recv_many(&mut inputs, TURN) => if received == 0 { return Ok(()) },
                () = ring(alarm.as_mut(), wake) => {}
            }
            let now = self.started.elapsed();
            for input in inputs.drain(..) {
                self.input(now, input)?;
                self.deliver_local(now);
            }
            self.tick(now);
            self.deliver_local(now);
            self.outbox.flush(now, &self.log, self.replica.as_ref().map_or(1, Replica::noted));
            let wanted = self.replica.as_ref().is_some_and(Replica::wants_snapshot);
            self.snapshots.consider(&self.log, self.log_bytes, wanted);
            self.say_level();
        }
    }

    /// Says, once after a restart, what it took to be level with the others.
    fn say_level(&mut self) {
        let Some(learned) = self.replica.as_ref().map(Replica::learned) else { return };
        if let (true, Some(level)) = (self.says_level, learned.level_at) {
            self.says_level = false;
            println!(
                "level with the other replicas {:.3} s after the start: {} decisions and the state of {} slots from them ({} bytes)",
                level.as_secs_f64(),
                learned.decisions,
                learned.slots_of_state,
                learned.bytes
            );
        }
    }

    /// The time of the next thing to do, and never so far off that a clock could not hold it.
    fn wake(&self) -> Duration {
        let hour = self.started.elapsed() + Duration::from_secs(3600);
        let leader = self.leader.as_ref().map_or(hour, Leader::wake);
        let replica = self.replica.as_ref().map_or(hour, Replica::wake);
        let late = self.late.front().map_or(hour, |(due, _)| *due);
        let acceptor = self.acceptor.as_ref().map_or(hour, Acceptor::wake);
        let (outbox, waiting) = (self.outbox.wake(), self.waiting.wake());
        acceptor.min(leader).min(replica).min(late).min(outbox).min(waiting).min(hour)
    }

    fn input(&mut self, now: Duration, input: Input) -> Result<(), LogError> {
        match input {
            Input::Request { command, read, reply } => self.request(now, command, read, reply),
            Input::Frame { from, packets, room: _ } => self.frame(now, &from, packets),
            Input::Lost(from) => {
                if let (Some(id), Some(leader)) = (self.id_of(&from), &mut self.leader) {
                    leader.lost(now, id);
                }
            }
            Input::Members(reply) => {
                let _ = reply.send(self.roster.membership.clone());
            }
            Input::Log(told) => self.told(told?),
            Input::Saved(saved) => {
                let slot_out = self.snapshots.saved(saved?, &self.log);
                if let Some(replica) = &mut self.replica {
                    replica.saved(slot_out);
                }
            }
            Input::Status(reply) => {
                let _ = reply.send(self.status());
            }
            Input::Decisions(from, to, reply) => {
                let nothing = || Decisions { decisions: Vec::new(), first: 1, slot_out: 1 };
                let answer = self.replica.as_ref().map_or_else(nothing, |replica| Decisions {
                    decisions: page(replica.applied(from, to)),
                    first: replica.first(),
                    slot_out: replica.slot_out(),
                });
                let _ = reply.send(answer);
            }
        }
        Ok(())
    }

    fn told(&mut self, told: Told) {
        match told {
            Told::Synced { number, log_bytes } => {
                self.log_bytes = log_bytes;
                self.syncs += 1;
                let stored = self.outbox.synced(number, &mut self.local, &mut self.waiting);
                if let (Some(replica), Some(stored)) = (&mut self.replica, stored) {
                    replica.stored(stored);
                }
            }
            Told::Rotated(index) => {
                let (acceptor, leader, replica) =
                    (self.acceptor.as_ref(), self.leader.as_ref(), self.replica.as_ref());
                self.snapshots.take(index, encode(&self.roster.membership, acceptor, leader, replica));
                if self.has(Flaw::LogRemovesEarly) {
                    self.log.remove_before(index);
                }
            }
            Told::Removed(log_bytes) => self.log_bytes = log_bytes,
        }
    }

    fn request(
        &mut self,
        now: Duration,
        command: Command,
        read: Option<Read>,
        reply: oneshot::Sender<Reply>,
    ) {
        let Some(replica) = &mut self.replica else {
            let _ = reply.send(Reply::Refused("this node hosts no replica"));
            return;
        };
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        let mut step = Step::default();
        let by_lease = read.unwrap_or(self.config.paxos.read) == Read::Lease
            && matches!(command.operation, Operation::Get { .. });
        let leased = self.leader.as_mut().filter(|_| by_lease).and_then(|leader| leader.lease(now));
        self.leased += u64::from(leased.is_some());
        if replica.request(now, ticket, command, (read, leased), &mut step) {
            self.waiting.insert(ticket, now + self.config.paxos.deadline, reply);
            self.carry_out(now, Role::Replica, &mut step);
        } else {
            let _ = reply.send(Reply::Refused("too many commands wait for a slot"));
        }
    }

    /// Hands a message to the roles it is for; some are for two.
    fn message(&mut self, now: Duration, from: NodeId, message: Message) {
        let roles: &[Role] = match &message {
            Message::P1a { .. } | Message::P2a(_) | Message::Ask { .. } | Message::Lease { .. } => {
                &[Role::Acceptor]
            }
            Message::Propose(_)
            | Message::P1b { .. }
            | Message::P2b { .. }
            | Message::Leased { .. }
            | Message::Ping
            | Message::Pong { .. } => &[Role::Leader],
            Message::Decision(_)
            | Message::Request(_)
            | Message::Learn { .. }
            | Message::Learned { .. }
            | Message::State { .. }
            | Message::Fetch { .. }
            | Message::Highest { .. } => &[Role::Replica],
            Message::Progress { .. } => &[Role::Replica, Role::Acceptor, Role::Leader],
            Message::Knows { .. } | Message::Who | Message::Members(_) => &[],
        };
        let Some((last, others)) = roles.split_last() else { return };
        for &role in others {
            self.deliver(now, from, role, message.clone());
        }
        self.deliver(now, from, *last, message);
    }

    fn deliver(&mut self, now: Duration, from: NodeId, role: Role, message: Message) {
        let mut step = std::mem::take(&mut self.step);
        match role {
            Role::Replica => {
                if let Some(role) = &mut self.replica {
                    role.handle(now, from, message, &mut step);
                }
            }
            Role::Acceptor => {
                if let Some(role) = &mut self.acceptor {
                    role.handle(now, from, message, &mut step);
                }
            }
            Role::Leader => {
                if let Some(role) = &mut self.leader {
                    role.handle(now, from, message, &mut step);
                }
            }
        }
        self.carry_out(now, role, &mut step);
        self.step = step;
    }

    fn tick(&mut self, now: Duration) {
        if let Some(acceptor) = self.acceptor.as_mut().filter(|acceptor| acceptor.wake() <= now) {
            let mut step = Step::default();
            acceptor.tick(now, &mut step);
            self.carry_out(now, Role::Acceptor, &mut step);
        }
        if let Some(leader) = &mut self.leader {
            let mut step = Step::default();
            leader.tick(now, &mut step);
            self.carry_out(now, Role::Leader, &mut step);
        }
        if let Some(replica) = &mut self.replica {
            let mut step = Step::default();
            replica.tick(now, &mut step);
            self.carry_out(now, Role::Replica, &mut step);
        }
        self.waiting.tick(now, self.config.paxos.deadline);
        while self.late.front().is_some_and(|(due, _)| *due <= now) {
            for record in self.late.pop_front().map(|(_, records)| records).unwrap_or_default() {
                self.outbox.note(now, &record);
            }
        }
    }

    /// Does what a role wants done, in the one order that is safe.
    fn carry_out(&mut self, now: Duration, role: Role, step: &mut Step) {
        self.follow_replica(now);
        let early = role == Role::Acceptor && self.has(Flaw::AcceptorAnswersBeforeWrite);
        if early && !step.save.is_empty() {
            self.late.push_back((now + LATE, std::mem::take(&mut step.save)));
        }
        for record in step.note.drain(..) {
            self.outbox.note(now, &self.shorten(record));
        }
        self.outbox.carry_out(role, step, &mut self.local, &mut self.waiting);
        if let (Role::Leader, Some(leader), Some(replica)) = (role, &self.leader, &mut self.replica) {
            replica.follow(now, leader.leads());
        }
    }

    /// Leaves a decision's command out of its record if the acceptor's own record has it.
    fn shorten(&self, record: Record) -> Record {
        if let Record::Decided { slot, command: Some(command) } = &record
            && let Some(acceptor) = &self.acceptor
            && !self.has(Flaw::AcceptorAnswersBeforeWrite)
            && acceptor.accepted(*slot).is_some_and(|(_, accepted)| accepted == command)
        {
            return Record::Decided { slot: *slot, command: None };
        }
        record
    }

    fn deliver_local(&mut self, now: Duration) {
        while let Some(message) = self.local.pop_front() {
            self.message(now, self.roster.me, message);
        }
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.config.paxos.flaw.contains(&flaw)
    }

    fn status(&self) -> Status {
        let leader = self.leader.as_ref();
        let replica = self.replica.as_ref();
        let promised = self.acceptor.as_ref().and_then(Acceptor::promised);
        let highest = leader.and_then(Leader::highest).max(promised);
        let learned = replica.map(Replica::learned).unwrap_or_default();
        Status {
            name: self.config.name.clone(),
            pid: std::process::id(),
            roles: self.hosts.clone(),
            flaws: self.config.paxos.flaw.clone(),
            active: leader.is_some_and(Leader::is_active),
            round: leader.map_or(0, Leader::round),
            leader: highest
                .and_then(|ballot| self.roster.membership.name_of(ballot.leader))
                .map(str::to_owned),
            configuration: self.roster.membership.clone(),
            slot_in: replica.map_or(1, Replica::slot_in),
            slot_out: replica.map_or(1, Replica::slot_out),
            preemptions: leader.map_or(0, |leader| leader.preemptions),
            adoptions: leader.map_or(0, |leader| leader.adoptions),
            backoff_ms: leader
                .map_or(0, |leader| u64::try_from(leader.backoff().as_millis()).unwrap_or(u64::MAX)),
            leased: self.leased,
            recovery: Recovery {
                decisions_from_peers: learned.decisions,
                slots_of_state_from_peers: learned.slots_of_state,
                bytes_from_peers: learned.bytes,
                level_seconds: learned.level_at.map(|level| level.as_secs_f64()),
                ..self.recovery.clone()
            },
            first_kept: replica.map_or(1, Replica::first),
            collected: self.acceptor.as_ref().map_or(1, Acceptor::collected),
            log_bytes: self.log_bytes,
            snapshot_bytes: self.snapshots.bytes(),
            snapshots: self.snapshots.count(),
            syncs: self.syncs,
        }
    }
}

/// Bytes of decisions in one answer, about.
const PAGE: usize = 1 << 20;

/// The first decisions, as many as fit, and one at least.
fn page(decisions: impl Iterator<Item = Decided>) -> Vec<Decided> {
    let mut bytes = 0;
    let fits = |decided: &Decided| {
        let before = bytes;
        bytes += decided.command.size();
        before == 0 || bytes <= PAGE
    };
    decisions.take_while(fits).collect()
}

/// Waits until then, or less. Setting an alarm costs a system call, so one that rings too early is left as it is.
async fn ring(mut alarm: Pin<&mut Sleep>, wake: Instant) {
    if alarm.deadline().into_std() > wake || alarm.is_elapsed() {
        alarm.as_mut().reset(wake.into());
    }
    alarm.await;
}
