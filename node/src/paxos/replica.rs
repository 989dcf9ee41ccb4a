//! The replica (section 2.1): proposes clients' commands for slots, and applies decisions in order.
//!
//! The store is deterministic: replicas that apply the same decisions in the same order have the same state and
//! give the same answers (R1 to R3). A replica proposes within WINDOW slots of the next slot to apply (R5). A
//! command that loses its slot to another one is proposed again for a later slot. The store keeps the last
//! result of each client, so a command that is decided twice is applied once.

mod catch_up;
mod change;
mod proposals;
mod propose;
mod undecided;

use super::membership::{Membership, Roster};
use super::message::{ANONYMOUS, Command, Decided, Message, NodeId, NodeSet, PValue, Slot};
use super::progress::Progress;
use super::reads::Reads;
use super::step::{Record, Step, Ticket};
use super::transfer::Transfer;
use crate::config::{PaxosOptions, Read};
use crate::flaw::Flaw;
use crate::store::{Answer, Operation, Store};
use catch_up::CatchUp;
pub use catch_up::Learned;
use proposals::Proposals;
use propose::{Named, Relay};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use undecided::Undecided;

/// Decisions more than this number of windows ahead are dropped; the replica requests them later.
const WINDOWS_AHEAD: u64 = 10;

/// Number of commands that may wait for a slot before clients are refused.
const QUEUE_MAX: usize = 20_000;

/// Numbers for anonymous commands, under a name of this life of the replica.
#[derive(Debug)]
struct Unnamed {
    life: u64,
    /// Created on demand, because a joining node gets its number late.
    name: Option<Arc<str>>,
    next: u64,
}

impl Unnamed {
    fn take(&mut self, me: NodeId) -> (Arc<str>, u64) {
        let life = self.life;
        let name = self.name.get_or_insert_with(|| format!("{ANONYMOUS}{}-{life:x}", me.0).into());
        self.next += 1;
        (Arc::clone(name), self.next - 1)
    }
}

/// A copy of the store that applies decided commands in the order of their slots.
#[derive(Debug)]
pub struct Replica {
    roster: Roster,
    options: PaxosOptions,
    store: Store,
    slot_in: Slot,
    slot_out: Slot,
    requests: VecDeque<Arc<Command>>,
    proposals: Proposals,
    /// The decision of slot `first + i` at index `i`; the oldest applied ones are dropped.
    decisions: VecDeque<Option<Arc<Command>>>,
    first: Slot,
    /// Size of the retained applied commands, in bytes.
    kept_bytes: u64,
    undecided: Undecided,
    unnamed: Unnamed,
    relay: Relay,
    catch_up: CatchUp,
    reads: Reads,
    transfer: Transfer,
    /// A received state that is not on disk yet: the end of its own decisions, and the slot of the state.
    unsaved: Option<(Slot, Slot)>,
    /// Every slot below is applied, and its decision is on disk.
    stored: Slot,
    next_progress: Duration,
    /// The slot in its last progress report.
    reported: Slot,
    progress: Progress,
    /// During a change of the members: the time at which this replica next helps to complete it.
    help: Option<Duration>,
}

/// Interval of progress reports while it makes progress, and while it makes none.
const PROGRESS_BUSY: Duration = Duration::from_millis(25);
const PROGRESS_IDLE: Duration = Duration::from_millis(200);

impl Replica {
    /// A replica without decisions; `life` differs from that of every earlier process of this node.
    ///
    /// A replica that joins a changed cluster lacks even the initial state: it is in slot 0 until it receives a
    /// state.
    pub fn new(roster: Roster, options: PaxosOptions, life: u64) -> Self {
        let begin = u64::from(roster.version == 0);
        Self {
            store: if begin == 1 { Store::new(roster.membership.clone()) } else { Store::default() },
            progress: Progress::new(&roster),
            help: None,
            roster,
            options,
            slot_in: begin,
            slot_out: begin,
            requests: VecDeque::new(),
            proposals: Proposals::default(),
            decisions: VecDeque::new(),
            first: begin,
            kept_bytes: 0,
            reads: Reads::new(life),
            transfer: Transfer::default(),
            unsaved: None,
            undecided: Undecided::default(),
            unnamed: Unnamed { life, name: None, next: 0 },
            relay: Relay::default(),
            catch_up: CatchUp::default(),
            stored: begin,
            next_progress: Duration::ZERO,
            reported: 0,
        }
    }

    /// The membership after the applied commands.
    pub fn membership(&self) -> &Membership {
        self.store.membership()
    }

    /// Handles a change of the members, decided here or elsewhere.
    pub fn take_up(&mut self, roster: Roster) {
        self.reads.ask_again();
        self.catch_up.others.retain(|node, _| roster.all_nodes.contains(node));
        self.progress.take_up(&roster);
        self.roster = roster;
    }

    /// The next slot it would propose for.
    pub fn slot_in(&self) -> Slot {
        self.slot_in.max(self.slot_out)
    }

    /// The next slot it will apply.
    pub fn slot_out(&self) -> Slot {
        self.slot_out
    }

    /// Every slot below is applied, and its decision is on disk.
    pub fn durable(&self) -> Slot {
        self.stored
    }

    /// The decisions and states that it learned from other replicas until it was level.
    pub fn learned(&self) -> Learned {
        self.catch_up.learned
    }

    /// The first slot whose decision is retained.
    pub fn first(&self) -> Slot {
        self.first
    }

    /// The retained commands of slots `from` to `to` (exclusive), in order.
    pub fn applied(&self, from: Slot, to: Slot) -> impl Iterator<Item = Decided> {
        let from = from.clamp(self.first, self.slot_out.max(self.first));
        let to = to.clamp(from, self.slot_out.max(from));
        (from..to).filter_map(|slot| {
            let command = Arc::clone(self.decision(slot)?);
            Some(Decided { slot, command })
        })
    }

    /// The decisions that it knows but has not applied.
    pub fn unapplied(&self) -> Vec<Decided> {
        let decided = |slot| Some(Decided { slot, command: Arc::clone(self.decision(slot)?) });
        (self.slot_out..self.end()).filter_map(decided).collect()
    }

    /// Its next slot, and the store with all slots below applied.
    pub(super) fn state(&self) -> (Slot, &Store) {
        (self.slot_out, &self.store)
    }

    /// The slot after the last known decision.
    fn end(&self) -> Slot {
        self.first + self.decisions.len() as Slot
    }

    /// Whether the decision of this slot is or was known.
    pub(super) fn knows(&self, slot: Slot) -> bool {
        slot < self.slot_out || self.decision(slot).is_some()
    }

    /// Restores the state before `slot_out` from a snapshot.
    pub(super) fn restore(&mut self, slot_out: Slot, store: Store) {
        self.replace(slot_out, store);
        self.stored = slot_out;
    }

    /// Restores a decision from the log.
    pub fn recover(&mut self, slot: Slot, command: Arc<Command>) {
        self.learn(slot, command);
        self.apply_decided(&mut Step::default());
        self.stored = self.slot_out;
    }

    /// Every decision below was handed to the log, or is in a snapshot on disk.
    pub fn noted(&self) -> Slot {
        self.unsaved.map_or(self.slot_out, |(noted, _)| noted)
    }

    /// Whether it received a state from another replica that no snapshot on disk contains.
    pub fn wants_snapshot(&self) -> bool {
        self.unsaved.is_some()
    }

    /// Records that a snapshot up to this slot is on disk.
    pub fn saved(&mut self, slot_out: Slot) {
        if self.unsaved.is_some_and(|(_, state)| state <= slot_out) {
            self.unsaved = None;
        }
        self.stored(slot_out);
    }

    /// Records that the decisions of all slots below this one are on disk.
    pub fn stored(&mut self, slot: Slot) {
        assert!(
            slot <= self.slot_out || !self.options.flaw.is_empty(),
            "slots below {slot} are on disk, and those below {} are applied",
            self.slot_out
        );
        self.stored = self.stored.max(slot);
    }

    /// Handles a client's command. The answer carries the ticket, unless the command stays undecided.
    ///
    /// Returns whether the replica accepted it; a refused command is never proposed.
    ///
    /// For a read by lease, `leased` is the slot from the [leader](super::leader::Leader::lease) on this node.
    /// The replica answers once all slots below it are applied. Without a lease it asks acceptors.
    pub fn request(
        &mut self,
        now: Duration,
        ticket: Ticket,
        mut command: Command,
        (read, leased): (Option<Read>, Option<Slot>),
        step: &mut Step,
    ) -> bool {
        if !self.serves() {
            return false;
        }
        let local = read.unwrap_or(self.options.read) == Read::Local || self.has(Flaw::ReplicaReadsOwnState);
        if let (Operation::Get { key }, true) = (&command.operation, local) {
            step.answer.push((ticket, Answer::Value(self.store.get(key).cloned()), self.slot_out - 1));
            return true;
        }
        if let (Operation::Get { key }, Read::Quorum | Read::Lease) =
            (&command.operation, read.unwrap_or(self.options.read))
        {
            let room = self.reads.len() < QUEUE_MAX;
            if room {
                self.reads.add((ticket, key.clone()), leased);
                self.answer_reads(step);
            }
            return room;
        }
        if self.compares_early(ticket, &mut command, step) {
            return true;
        }
        if command.client.is_empty() {
            (command.client, command.sequence) = self.unnamed.take(self.roster.me);
        } else if let Some(answer) = self.known_result(&command) {
            step.answer.push((ticket, answer, self.slot_out - 1));
            return true;
        }
        let command = Arc::new(command);
        if self.requests.len() >= QUEUE_MAX || !self.undecided.has_room_for(&command) {
            return false;
        }
        if self.has(Flaw::ReplicaAnswersOnPropose) {
            step.answer.push((
                ticket,
                self.store.clone().apply(&command.operation, self.takes_effect()),
                self.slot_in(),
            ));
        }
        if self.undecided.add(&command, Some(ticket)) {
            self.requests.push_back(command);
            self.gather(now, step);
        }
        true
    }

    /// The flaw `replica-compares-on-propose`: answers a failed compare-and-set from the current state.
    ///
    /// A successful one becomes a put.
    fn compares_early(&self, ticket: Ticket, command: &mut Command, step: &mut Step) -> bool {
        let Operation::Cas { key, from, to } = &command.operation else { return false };
        if !self.has(Flaw::ReplicaComparesOnPropose) {
            return false;
        }
        let actual = self.store.get(key);
        if actual.map(|actual| actual.as_str()) != from.as_deref() {
            step.answer.push((ticket, Answer::Differs(actual.cloned()), self.slot_out - 1));
            return true;
        }
        command.operation = Operation::Put { key: key.clone(), value: Arc::new(to.clone()) };
        false
    }

    /// Whether it is a member with a state.
    fn serves(&self) -> bool {
        self.slot_out > 0 && (self.roster.is_replica() || self.slot_out < self.roster.group(Slot::MAX).from)
    }

    pub(super) fn has(&self, flaw: Flaw) -> bool {
        self.options.flaw.contains(&flaw)
    }

    fn known_result(&self, command: &Command) -> Option<Answer> {
        if self.has(Flaw::ReplicaAppliesTwice) || command.is_internal() {
            return None;
        }
        self.store.result(command)
    }

    fn decision(&self, slot: Slot) -> Option<&Arc<Command>> {
        self.decisions.get(usize::try_from(slot.checked_sub(self.first)?).ok()?)?.as_ref()
    }

    /// Handles a message from a leader or another replica.
    pub fn handle(&mut self, now: Duration, from: NodeId, message: Message, step: &mut Step) {
        match message {
            Message::Decision(PValue { slot, command, .. }) => {
                self.decided(now, vec![Decided { slot, command }], step);
            }
            Message::Request(command) => self.take_over(now, command, step),
            Message::Learn { from: slot } => {
                let answer = self.teach(now, slot);
                step.send.push((from, answer));
            }
            Message::Fetch { slot_out, offset } => {
                let part = self.transfer.part(now, Some(slot_out), offset);
                step.send.extend(part.map(|part| (from, part)));
            }
            Message::State { slot_out, offset, total, part } => {
                self.handed(now, from, slot_out, (offset, total), &part, step);
            }
            Message::Learned { decisions, slot_out } => self.taught(now, from, decisions, slot_out, step),
            Message::Highest { life, number, slot } => {
                let groups = &self.roster.groups;
                let enough = |answered: &NodeSet| {
                    groups.iter().all(|group| answered.has_majority_of(&group.acceptors))
                };
                self.reads.heard(from, (life, number), slot, enough);
                self.answer_reads(step);
            }
            Message::Progress { slot_out } => {
                self.progress.heard(from, slot_out);
                if from != self.roster.me {
                    self.heard(from, slot_out);
                }
            }
            Message::Propose(_)
            | Message::P1a { .. }
            | Message::P1b { .. }
            | Message::P2a(_)
            | Message::P2b { .. }
            | Message::Ask { .. }
            | Message::Lease { .. }
            | Message::Leased { .. }
            | Message::Ping
            | Message::Pong { .. }
            | Message::Knows { .. }
            | Message::Who
            | Message::Members(_) => {}
        }
    }

    fn decided(&mut self, now: Duration, decisions: Vec<Decided>, step: &mut Step) -> u64 {
        let (mut new, mut bytes) = (0, 0);
        for Decided { slot, command } in decisions {
            if self.learn(slot, Arc::clone(&command)) {
                new += 1;
                bytes += command.size() as u64;
                step.note.push(Record::Decided { slot, command: Some(command) });
            }
        }
        let learned = &mut self.catch_up.learned;
        if learned.level_at.is_none() {
            learned.decisions += new;
            learned.bytes += bytes;
        }
        if self.apply_decided(step) {
            self.catch_up.lagging_since = None;
        }
        self.gather(now, step);
        new
    }

    /// Records a decision; false if it is known, or too far ahead. R1: a slot has one decision.
    fn learn(&mut self, slot: Slot, command: Arc<Command>) -> bool {
        if slot < self.first || slot >= self.slot_out + WINDOWS_AHEAD * self.options.window {
            return false;
        }
        let index = usize::try_from(slot - self.first).unwrap_or(usize::MAX);
        if index >= self.decisions.len() {
            self.decisions.resize(index + 1, None);
        }
        if let Some(known) = &self.decisions[index] {
            let sound = self.options.flaw.is_empty();
            assert!(
                !sound || *known == command,
                "R1: slot {slot} was decided twice: {known:?} and {command:?}"
            );
            return false;
        }
        self.decisions[index] = Some(command);
        true
    }

    /// Applies decided slots up to the first gap; returns whether there were any.
    fn apply_decided(&mut self, step: &mut Step) -> bool {
        let before = self.slot_out;
        if self.has(Flaw::ReplicaAppliesAcrossGap) {
            while self.slot_out < self.end() && self.decision(self.slot_out).is_none() {
                self.slot_out += 1;
            }
        }
        while let Some(command) = self.decision(self.slot_out).map(Arc::clone) {
            if let Some(proposed) = self.proposals.remove(self.slot_out)
                && proposed != command
                && !proposed.is_internal()
            {
                self.requests.push_front(proposed);
            }
            self.kept_bytes += command.size() as u64;
            self.perform(command, step);
            self.slot_out += 1;
        }
        self.let_go();
        self.answer_reads(step);
        self.slot_out > before
    }

    fn answer_reads(&mut self, step: &mut Step) {
        for (ticket, key) in self.reads.ready(self.slot_out) {
            step.answer.push((ticket, Answer::Value(self.store.get(&key).cloned()), self.slot_out - 1));
        }
    }

    fn perform(&mut self, command: Arc<Command>, step: &mut Step) {
        if command.operation == Operation::Nothing {
            return;
        }
        let version = self.store.membership().version;
        let answer = self.known_result(&command).unwrap_or_else(|| {
            let answer = self.store.apply(&command.operation, self.takes_effect());
            if !command.is_internal() {
                self.store.remember(&command, &answer);
            }
            answer
        });
        let changed = self.store.membership().version;
        if changed > version {
            self.reads.ask_again();
            if self.has(Flaw::MembersChangeAtOnce) {
                self.store.apply(&Operation::Retire { version: changed }, self.slot_out);
            }
        }
        let size = command.size();
        if let Some(tickets) = self.undecided.remove(&Named(command)) {
            self.relay.decided(size);
            let slot = self.slot_out;
            step.answer.extend(tickets.into_iter().map(|ticket| (ticket, answer.clone(), slot)));
        }
    }

    /// The slot from which members decide that the current slot's command changes.
    fn takes_effect(&self) -> Slot {
        self.slot_out + if self.has(Flaw::MembersChangeAtOnce) { 1 } else { self.options.window }
    }

    /// Drops the oldest applied decisions beyond the limit.
    fn let_go(&mut self) {
        while self.kept_bytes > self.options.keep_bytes && self.first < self.slot_out {
            let dropped = self.decisions.pop_front().flatten();
            self.kept_bytes -= dropped.map_or(0, |command| command.size() as u64);
            self.first += 1;
        }
    }

    /// Replaces the state by one that includes all slots below `slot_out`.
    fn replace(&mut self, slot_out: Slot, store: Store) {
        assert!(slot_out >= self.slot_out, "R4: from slot {} back to {slot_out}", self.slot_out);
        let known = usize::try_from(slot_out - self.first).unwrap_or(usize::MAX);
        self.decisions.drain(..known.min(self.decisions.len()));
        (self.first, self.slot_out, self.kept_bytes) = (slot_out, slot_out, 0);
        self.store = store;
        self.reads.ask_again();
    }

    /// The time at which [`tick`](Self::tick) has work.
    pub fn wake(&self) -> Duration {
        if self.has_gathered() {
            return Duration::ZERO;
        }
        self.next_progress
            .min(self.catch_up.next)
            .min(self.teacher_due())
            .min(self.proposals.wake())
            .min(self.transfer.wake())
            .min(self.reads.wake())
            .min(self.help.unwrap_or(Duration::MAX))
            .min(self.overdue())
    }

    /// Acts on expired timers: reports progress, requests missing decisions, proposes again, closes gaps.
    pub fn tick(&mut self, now: Duration, step: &mut Step) {
        if self.next_progress <= now {
            let busy = self.reported != self.stored;
            self.next_progress = now + if busy { PROGRESS_BUSY } else { PROGRESS_IDLE };
            self.reported = self.stored;
            self.report_progress(step);
        }
        self.transfer.tick(now);
        self.reads.tick(now, self.options.resend, &self.roster.acceptors, step);
        self.ask_teacher(now, step);
        if self.catch_up.next <= now {
            self.catch_up.next = now + self.options.resend / 2;
            self.ask(now, step);
        }
        self.propose_overdue(now, step);
        self.propose_gathered(now, step);
        let leaders = self.roster.leaders.len();
        for (slot, command) in self.proposals.due(now, self.options.resend, leaders) {
            step.broadcast(&self.roster.leaders, &Message::Propose(Decided { slot, command }));
        }
        self.help_change(now, step);
    }

    fn report_progress(&self, step: &mut Step) {
        let slot_out = if self.has(Flaw::ReplicaTellsProgressEarly) { self.slot_out } else { self.stored };
        step.broadcast(&self.roster.all_nodes, &Message::Progress { slot_out });
    }
}
