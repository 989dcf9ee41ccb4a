//! One node without I/O: the roles, and all logic around them that needs no clock, file or socket.
//!
//! [`Core::step`] accepts the time and one [`Input`], and appends the resulting [`Output`]s to a list. It reads
//! no clock, starts no task and makes no random choice of its own, so equal inputs at equal times give equal
//! outputs. The [driver](crate::driver) runs it in a real process; the [simulator](crate::sim) runs many in
//! virtual time. Both share its routing, its membership checks, its save-before-send order, its snapshot policy
//! and its deadlines.
//!
//! A *turn* is any number of inputs, then [`Input::Tick`], then [`Input::Flush`]. All records of a turn form
//! one batch, which one sync makes durable. [`Core::wake`] returns the latest time of the next turn.

mod input;
mod members;
mod outbox;
mod snapshots;
mod start;
mod waiting;

pub use input::{Decisions, Input, Notice, Other, Output, Reply, Saved};
pub use start::{joined, known_roster};

use crate::config::{NodeConfig, Read, Role};
use crate::flaw::Flaw;
use crate::log::{LogEvent, LogOrder, Recovered};
use crate::paxos::acceptor::Acceptor;
use crate::paxos::leader::Leader;
use crate::paxos::membership::{Membership, Roster};
use crate::paxos::message::{Command, Decided, Message, NodeId, Slot};
use crate::paxos::replica::Replica;
use crate::paxos::snapshot::{Roles, encode};
use crate::paxos::step::{Record, Step};
use crate::status::{Recovery, Status};
use crate::store::Operation;
use outbox::Outbox;
use snapshots::Snapshots;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// The flaw `acceptor-answers-before-write`: the delay of the record.
const WRITE_LATE: Duration = Duration::from_millis(700);

/// Approximate size of a page of decisions, in bytes.
const PAGE: usize = 1 << 20;

/// The roles of one node and the logic around them. `C` is the shell's handle of a waiting client.
#[derive(Debug)]
pub struct Core<C> {
    config: NodeConfig,
    roster: Roster,
    hosts: BTreeSet<Role>,
    acceptor: Option<Acceptor>,
    leader: Option<Leader>,
    replica: Option<Replica>,
    outbox: Outbox<C>,
    snapshots: Snapshots,
    log_bytes: u64,
    syncs: u64,
    /// Number of reads answered under a lease of the leader.
    leased: u64,
    recovery: Recovery,
    /// Whether the notice that the node is level is still pending.
    reports_level: bool,
    /// With the flaw `acceptor-answers-before-write`: delayed records and the times of their writes.
    late: VecDeque<(Duration, Vec<Record>)>,
    /// Empty between two inputs; kept to reuse its memory.
    step: Step,
}

impl<C> Core<C> {
    /// Builds the roles and the first outputs from the log's content.
    ///
    /// `roster` is the membership before the first record.
    ///
    /// `life` differs from that of every earlier process of this node; `log_bytes` is the size of its log.
    pub fn new(
        config: NodeConfig,
        roster: &Roster,
        life: u64,
        (recovered, log_bytes): (Recovered, u64),
        outputs: &mut Vec<Output<C>>,
    ) -> Self {
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
        let seeds = (config.seed, life);
        let (roles, decisions) =
            Roles::recover((roster, &config.name), &config.paxos, seeds, snapshot, records);
        let Roles { acceptor, leader, replica, roster } = roles;
        let configured = config.members.iter().find(|member| member.name == config.name);
        let hosts = configured.map(|member| member.roles.clone());
        let known = || roster.membership.named(&config.name).map(|node| node.roles.clone());
        // A removed node keeps its roles idle, because the cluster may add it again while it runs.
        let all = || [Role::Replica, Role::Leader, Role::Acceptor].into();
        let hosts = hosts.or_else(known).unwrap_or_else(all);
        recovery.decisions_from_log = decisions;
        let mut core = Self {
            acceptor: hosts.contains(&Role::Acceptor).then_some(acceptor),
            leader: hosts.contains(&Role::Leader).then_some(leader),
            replica: hosts.contains(&Role::Replica).then_some(replica),
            outbox: Outbox::new(roster.me, &config.paxos.flaw),
            snapshots: Snapshots::new(config.paxos.snapshot_bytes, recovery.snapshot_bytes),
            roster,
            hosts,
            config,
            log_bytes,
            syncs: 0,
            leased: 0,
            reports_level: recovery.restarted,
            recovery,
            late: VecDeque::new(),
            step: Step::default(),
        };
        std::mem::swap(&mut core.outbox.outputs, outputs);
        core.begin(joins || !core.recovery.restarted);
        std::mem::swap(&mut core.outbox.outputs, outputs);
        core
    }

    /// Handles one input at this time since the process started, and appends its outputs to `outputs`.
    pub fn step(&mut self, now: Duration, input: Input<C>, outputs: &mut Vec<Output<C>>) {
        // The outbox borrows the outputs for the step, which is cheaper than passing them to every function.
        std::mem::swap(&mut self.outbox.outputs, outputs);
        self.input(now, input);
        while let Some(message) = self.outbox.local.pop_front() {
            self.message(now, self.roster.me, message);
        }
        std::mem::swap(&mut self.outbox.outputs, outputs);
    }

    fn input(&mut self, now: Duration, input: Input<C>) {
        match input {
            Input::Request { command, read, client } => self.request(now, command, read, client),
            Input::Packets { from, packets } => self.packets(now, &from, packets),
            Input::Lost(from) => {
                if let (Some(id), Some(leader)) = (self.id_of(&from), &mut self.leader) {
                    leader.lost(now, id);
                }
            }
            Input::Log(event) => self.logged(event),
            Input::Saved(saved) => {
                self.snapshots.saved(saved, &mut self.outbox.outputs);
                if let Some(replica) = &mut self.replica {
                    replica.saved(saved.slot_out);
                }
            }
            Input::Tick => self.tick(now),
            Input::Flush => self.flush(now),
        }
    }

    /// The time at which [`Input::Tick`] has work; `Duration::MAX` if only another input can create work.
    pub fn wake(&self) -> Duration {
        let never = Duration::MAX;
        let leader = self.leader.as_ref().map_or(never, Leader::wake);
        let replica = self.replica.as_ref().map_or(never, Replica::wake);
        let acceptor = self.acceptor.as_ref().map_or(never, Acceptor::wake);
        let late = self.late.front().map_or(never, |(due, _)| *due);
        let (outbox, waiting) = (self.outbox.wake(), self.outbox.waiting.wake());
        acceptor.min(leader).min(replica).min(late).min(outbox).min(waiting)
    }

    fn logged(&mut self, event: LogEvent) {
        match event {
            LogEvent::Synced { number, log_bytes } => {
                self.log_bytes = log_bytes;
                self.syncs += 1;
                let stored = self.outbox.synced(number);
                if let (Some(replica), Some(stored)) = (&mut self.replica, stored) {
                    replica.stored(stored);
                }
            }
            LogEvent::Rotated(index) => {
                let (acceptor, leader, replica) =
                    (self.acceptor.as_ref(), self.leader.as_ref(), self.replica.as_ref());
                let state = encode(&self.roster.membership, acceptor, leader, replica);
                self.snapshots.rotated(index, state, &mut self.outbox.outputs);
                if self.has(Flaw::LogRemovesEarly) {
                    self.outbox.outputs.push(Output::Log(LogOrder::RemoveBefore(index)));
                }
            }
            LogEvent::Removed(log_bytes) => self.log_bytes = log_bytes,
        }
    }

    fn request(&mut self, now: Duration, command: Command, read: Option<Read>, client: C) {
        let refused = |client, why| Output::Reply(client, Reply::Refused(why));
        let Some(replica) = &mut self.replica else {
            self.outbox.outputs.push(refused(client, "this node hosts no replica"));
            return;
        };
        let ticket = self.outbox.waiting.ticket();
        let mut step = Step::default();
        let by_lease = read.unwrap_or(self.config.paxos.read) == Read::Lease
            && matches!(command.operation, Operation::Get { .. });
        let leased = self.leader.as_mut().filter(|_| by_lease).and_then(|leader| leader.lease(now));
        self.leased += u64::from(leased.is_some());
        if replica.request(now, ticket, command, (read, leased), &mut step) {
            self.outbox.waiting.insert(ticket, now + self.config.paxos.deadline, client);
            self.carry_out(now, Role::Replica, &mut step);
        } else {
            self.outbox.outputs.push(refused(client, "too many commands wait for a slot"));
        }
    }

    /// Routes a message to the roles that handle it.
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
        let Outbox { waiting, outputs, .. } = &mut self.outbox;
        waiting.tick(now, self.config.paxos.deadline, outputs);
        while self.late.front().is_some_and(|(due, _)| *due <= now) {
            for record in self.late.pop_front().map(|(_, records)| records).unwrap_or_default() {
                self.outbox.note(now, &record);
            }
        }
    }

    /// Ends a turn: hands records to the log, begins a snapshot if it is due, and reports catch-up.
    fn flush(&mut self, now: Duration) {
        self.outbox.flush(now, self.replica.as_ref().map_or(1, Replica::noted));
        let wanted = self.replica.as_ref().is_some_and(Replica::wants_snapshot);
        self.snapshots.consider(self.log_bytes, wanted, &mut self.outbox.outputs);
        self.report_level();
    }

    fn report_level(&mut self) {
        let Some(learned) = self.replica.as_ref().map(Replica::learned) else { return };
        if let (true, Some(after)) = (self.reports_level, learned.level_at) {
            self.reports_level = false;
            self.outbox.outputs.push(Output::Notice(Notice::Level {
                after,
                decisions: learned.decisions,
                slots_of_state: learned.slots_of_state,
                bytes: learned.bytes,
            }));
        }
    }

    /// Executes a role's step in the only safe order: records first.
    fn carry_out(&mut self, now: Duration, role: Role, step: &mut Step) {
        self.follow_replica(now);
        let early = role == Role::Acceptor && self.has(Flaw::AcceptorAnswersBeforeWrite);
        if early && !step.save.is_empty() {
            self.late.push_back((now + WRITE_LATE, std::mem::take(&mut step.save)));
        }
        for record in step.note.drain(..) {
            let record = self.shorten(record);
            self.outbox.note(now, &record);
        }
        self.outbox.carry_out(role, step);
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

    fn has(&self, flaw: Flaw) -> bool {
        self.config.paxos.flaw.contains(&flaw)
    }

    /// The acceptor, if the node hosts one.
    pub fn acceptor(&self) -> Option<&Acceptor> {
        self.acceptor.as_ref()
    }

    /// The leader, if the node hosts one.
    pub fn leader(&self) -> Option<&Leader> {
        self.leader.as_ref()
    }

    /// The replica, if the node hosts one.
    pub fn replica(&self) -> Option<&Replica> {
        self.replica.as_ref()
    }

    /// The members of the cluster by role, as this node knows them.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The membership on which this node acts.
    pub fn membership(&self) -> &Membership {
        &self.roster.membership
    }

    /// Number of reads answered under the leader's lease.
    pub fn leased(&self) -> u64 {
        self.leased
    }

    /// The data that the node recovered from its own log.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Records the time for reading the log and recovering the roles.
    pub fn recovered_in(&mut self, seconds: f64) {
        self.recovery.log_seconds = seconds;
    }

    /// The decisions of slots `from` (inclusive) to `to` (exclusive) that fit into one page, at least one.
    pub fn decisions(&self, from: Slot, to: Slot) -> Decisions {
        let none = || Decisions { decisions: Vec::new(), first: 1, slot_out: 1 };
        self.replica.as_ref().map_or_else(none, |replica| Decisions {
            decisions: page(replica.applied(from, to)),
            first: replica.first(),
            slot_out: replica.slot_out(),
        })
    }

    /// The body of `GET /status` of the process with this id.
    pub fn status(&self, pid: u32) -> Status {
        let leader = self.leader.as_ref();
        let replica = self.replica.as_ref();
        let promised = self.acceptor.as_ref().and_then(Acceptor::promised);
        let highest = leader.and_then(Leader::highest).max(promised);
        let learned = replica.map(Replica::learned).unwrap_or_default();
        Status {
            name: self.config.name.clone(),
            pid,
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

/// The first decisions that fit into one page, at least one.
fn page(decisions: impl Iterator<Item = Decided>) -> Vec<Decided> {
    let mut bytes = 0;
    let fits = |decided: &Decided| {
        let before = bytes;
        bytes += decided.command.size();
        before == 0 || bytes <= PAGE
    };
    decisions.take_while(fits).collect()
}

#[cfg(test)]
mod tests;
