//! The replica (section 2.1): proposes clients' commands for slots, and applies what is decided.

use super::message::{Command, Decided, Message, NodeId, PValue, Roster, Slot};
use super::step::{Record, Step, Ticket};
use crate::config::{PaxosOptions, Read};
use crate::flaw::Flaw;
use crate::store::{Answer, Operation, Store};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Decisions in one answer to a replica that catches up, at most; and their bytes, roughly.
const LEARNED_MAX: usize = 2_000;
const LEARNED_BYTES: usize = 1 << 20;

/// How many commands may wait for a slot before clients are turned away.
const QUEUE_MAX: usize = 20_000;

/// A command that was proposed for a slot, and when it is proposed again.
#[derive(Debug)]
struct Proposal {
    command: Arc<Command>,
    again: Duration,
}

/// What the replica knows of the others' progress, for catching up.
#[derive(Debug, Default)]
struct CatchUp {
    /// The next slot of each other replica, as it last said.
    others: BTreeMap<NodeId, Slot>,
    /// When the next question may be sent.
    next: Duration,
    /// Since when the replica has lagged behind without applying anything.
    lagging_since: Option<Duration>,
    /// Decisions it learned from others until it was level, by an answer or from a leader that proposed them again.
    from_peers: u64,
    /// When it was level with a replica that answered.
    level_at: Option<Duration>,
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
    proposals: BTreeMap<Slot, Proposal>,
    /// The decision of slot `i + 1` at index `i`.
    decisions: Vec<Option<Arc<Command>>>,
    waiting: BTreeMap<(String, u64), Vec<Ticket>>,
    catch_up: CatchUp,
    /// Every slot below is applied, and its decision is on disk.
    stored: Slot,
    next_progress: Duration,
    told: Slot,
}

/// How often a replica tells its progress while it makes some, and while it makes none.
const PROGRESS_BUSY: Duration = Duration::from_millis(25);
const PROGRESS_IDLE: Duration = Duration::from_millis(200);

impl Replica {
    /// A replica with nothing decided.
    pub fn new(roster: Roster, options: PaxosOptions) -> Self {
        Self {
            roster,
            options,
            store: Store::default(),
            slot_in: 1,
            slot_out: 1,
            requests: VecDeque::new(),
            proposals: BTreeMap::new(),
            decisions: Vec::new(),
            waiting: BTreeMap::new(),
            catch_up: CatchUp::default(),
            stored: 1,
            next_progress: Duration::ZERO,
            told: 0,
        }
    }

    /// The next slot it would propose for.
    pub fn slot_in(&self) -> Slot {
        self.slot_in.max(self.slot_out)
    }

    /// The next slot it will apply.
    pub fn slot_out(&self) -> Slot {
        self.slot_out
    }

    /// Decisions it learned from others until it was level, and when (since the process began) that was.
    pub fn caught_up(&self) -> (u64, Option<Duration>) {
        (self.catch_up.from_peers, self.catch_up.level_at)
    }

    /// The applied commands of slots `from` to `to` (exclusive), in order.
    pub fn applied(&self, from: Slot, to: Slot) -> impl Iterator<Item = Decided> {
        let index = |slot: Slot| usize::try_from(slot.clamp(1, self.slot_out) - 1).unwrap_or(usize::MAX);
        let range = index(from)..index(to).max(index(from));
        let first = from.max(1);
        (first..).zip(&self.decisions[range]).filter_map(|(slot, command)| {
            command.as_ref().map(|command| Decided { slot, command: Arc::clone(command) })
        })
    }

    /// Takes back, from the log, a decision it knew.
    pub fn recover(&mut self, slot: Slot, command: Arc<Command>) {
        self.learn(slot, command);
        self.apply_decided(&mut Step::default());
        self.stored = self.slot_out;
    }

    /// The decisions of all slots below this one are on disk now.
    pub fn stored(&mut self, slot: Slot) {
        self.stored = self.stored.max(slot);
    }

    /// A client asks for a command. An answer follows under the ticket, unless the command stays undecided.
    /// Returns whether it was taken; a command that was not taken will never be proposed.
    pub fn request(
        &mut self,
        now: Duration,
        ticket: Ticket,
        command: Command,
        read: Option<Read>,
        step: &mut Step,
    ) -> bool {
        let local = read.unwrap_or(self.options.read) == Read::Local || self.has(Flaw::ReplicaReadsOwnState);
        if let (Operation::Get { key }, true) = (&command.operation, local) {
            step.answer.push((ticket, Answer::Value(self.store.get(key).cloned()), self.slot_out - 1));
            return true;
        }
        if let Some(answer) = self.known_result(&command) {
            step.answer.push((ticket, answer, self.slot_out - 1));
            return true;
        }
        if self.requests.len() >= QUEUE_MAX {
            return false;
        }
        let tickets = self.waiting.entry((command.client.clone(), command.sequence)).or_default();
        tickets.push(ticket);
        if tickets.len() == 1 {
            self.requests.push_back(Arc::new(command));
            self.propose(now, step);
        }
        true
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.options.flaw.contains(&flaw)
    }

    fn known_result(&self, command: &Command) -> Option<Answer> {
        if self.has(Flaw::ReplicaAppliesTwice) {
            return None;
        }
        self.store.result(&command.client, command.sequence)
    }

    fn decision(&self, slot: Slot) -> Option<&Arc<Command>> {
        self.decisions.get(usize::try_from(slot - 1).ok()?)?.as_ref()
    }

    /// Gives waiting commands the next free slots inside the window, and proposes them to every leader.
    fn propose(&mut self, now: Duration, step: &mut Step) {
        self.slot_in = self.slot_in.max(self.slot_out);
        while !self.requests.is_empty() && self.slot_in < self.slot_out + self.options.window {
            let slot = self.slot_in;
            self.slot_in += 1;
            if self.decision(slot).is_none()
                && let Some(command) = self.requests.pop_front()
            {
                self.propose_for(now, slot, command, step);
            }
        }
    }

    fn propose_for(&mut self, now: Duration, slot: Slot, command: Arc<Command>, step: &mut Step) {
        let proposal = Decided { slot, command: Arc::clone(&command) };
        step.broadcast(&self.roster.leaders, &Message::Propose(proposal));
        self.proposals.insert(slot, Proposal { command, again: now + self.options.resend });
    }

    /// Handles a message from a leader or another replica.
    pub fn handle(&mut self, now: Duration, from: NodeId, message: Message, step: &mut Step) {
        match message {
            Message::Decision(PValue { slot, command, .. }) => {
                self.decided(now, vec![Decided { slot, command }], step);
            }
            Message::Learn { from: slot } => step.send.push((from, self.learned(slot))),
            Message::Learned { decisions, slot_out } => self.taught(now, from, decisions, slot_out, step),
            Message::Progress { slot_out } => self.heard(from, slot_out),
            Message::Propose(_)
            | Message::P1a { .. }
            | Message::P1b { .. }
            | Message::P2a(_)
            | Message::P2b { .. }
            | Message::Ping
            | Message::Pong { .. } => {}
        }
    }

    fn decided(&mut self, now: Duration, decisions: Vec<Decided>, step: &mut Step) -> u64 {
        let mut new = 0;
        for Decided { slot, command } in decisions {
            if self.learn(slot, Arc::clone(&command)) {
                new += 1;
                step.note.push(Record::Decided { slot, command: Some(command) });
            }
        }
        if self.catch_up.level_at.is_none() {
            self.catch_up.from_peers += new;
        }
        if self.apply_decided(step) {
            self.catch_up.lagging_since = None;
        }
        self.propose(now, step);
        new
    }

    /// Notes a decision; false if it was known. R1: a slot has one decision.
    fn learn(&mut self, slot: Slot, command: Arc<Command>) -> bool {
        let index = usize::try_from(slot - 1).unwrap_or(usize::MAX);
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

    /// Applies what is decided next, as far as there is no gap; whether there was anything.
    fn apply_decided(&mut self, step: &mut Step) -> bool {
        let before = self.slot_out;
        while let Some(command) = self.decision(self.slot_out).map(Arc::clone) {
            if let Some(proposal) = self.proposals.remove(&self.slot_out)
                && proposal.command != command
                && proposal.command.operation != Operation::Nothing
            {
                self.requests.push_front(proposal.command);
            }
            self.perform(&command, step);
            self.slot_out += 1;
        }
        self.slot_out > before
    }

    fn perform(&mut self, command: &Command, step: &mut Step) {
        if command.operation == Operation::Nothing {
            return;
        }
        let answer = self.known_result(command).unwrap_or_else(|| {
            let answer = self.store.apply(&command.operation);
            self.store.remember(&command.client, command.sequence, answer.clone());
            answer
        });
        let name = (command.client.clone(), command.sequence);
        for ticket in self.waiting.remove(&name).unwrap_or_default() {
            step.answer.push((ticket, answer.clone(), self.slot_out));
        }
    }

    fn learned(&self, from: Slot) -> Message {
        let mut bytes = 0;
        let fits = |decided: &Decided| {
            bytes += decided.command.size();
            bytes <= LEARNED_BYTES || decided.slot == from
        };
        let decisions = self.applied(from, self.slot_out).take(LEARNED_MAX).take_while(fits).collect();
        Message::Learned { decisions, slot_out: self.slot_out }
    }

    fn taught(
        &mut self,
        now: Duration,
        from: NodeId,
        decisions: Vec<Decided>,
        slot_out: Slot,
        step: &mut Step,
    ) {
        let taught = self.decided(now, decisions, step);
        self.heard(from, slot_out);
        if self.catch_up.level_at.is_none() && self.slot_out >= slot_out {
            self.catch_up.level_at = Some(now);
        }
        if slot_out > self.slot_out && taught > 0 {
            step.send.push((from, Message::Learn { from: self.slot_out }));
            self.catch_up.next = now + self.options.resend;
        }
    }

    fn heard(&mut self, from: NodeId, slot_out: Slot) {
        let known = self.catch_up.others.entry(from).or_insert(1);
        *known = slot_out.max(*known);
    }

    /// When [`tick`](Self::tick) has something to do next.
    pub fn wake(&self) -> Duration {
        let proposals = self.proposals.values().map(|proposal| proposal.again).min();
        let proposals = proposals.unwrap_or(Duration::MAX);
        self.next_progress.min(self.catch_up.next).min(proposals)
    }

    /// Does what is due: tells its progress, asks for decisions it lacks, proposes again, closes gaps.
    pub fn tick(&mut self, now: Duration, step: &mut Step) {
        if self.next_progress <= now {
            let busy = self.told != self.stored;
            self.next_progress = now + if busy { PROGRESS_BUSY } else { PROGRESS_IDLE };
            self.told = self.stored;
            self.tell_progress(step);
        }
        if self.catch_up.next <= now {
            self.catch_up.next = now + self.options.resend / 2;
            self.ask(now, step);
        }
        for (&slot, proposal) in self.proposals.iter_mut().filter(|(_, proposal)| proposal.again <= now) {
            proposal.again = now + self.options.resend;
            let command = Arc::clone(&proposal.command);
            step.broadcast(&self.roster.leaders, &Message::Propose(Decided { slot, command }));
        }
    }

    fn tell_progress(&self, step: &mut Step) {
        let message = Message::Progress { slot_out: self.stored };
        step.broadcast(&self.roster.leaders, &message);
        let elsewhere = |node: &&NodeId| !self.roster.leaders.contains(node) && **node != self.roster.me;
        step.send.extend(self.roster.replicas.iter().filter(elsewhere).map(|&node| (node, message.clone())));
    }

    /// Asks whoever is ahead; closes a gap with a no-op when nobody is, and nothing else is proposed for it.
    fn ask(&mut self, now: Duration, step: &mut Step) {
        let others = self.roster.replicas.iter().filter(|&&node| node != self.roster.me);
        if self.catch_up.level_at.is_none() {
            if self.roster.replicas.len() == 1 {
                self.catch_up.level_at = Some(now);
            }
            let ask = Message::Learn { from: self.slot_out };
            step.send.extend(others.map(|&node| (node, ask.clone())));
            return;
        }
        let ahead = self.catch_up.others.iter().max_by_key(|(_, slot_out)| **slot_out);
        let ahead = ahead.filter(|(_, slot_out)| **slot_out > self.slot_out).map(|(&node, _)| node);
        let gap = self.decisions.len() as Slot >= self.slot_out;
        if ahead.is_none() && !gap {
            self.catch_up.lagging_since = None;
            return;
        }
        let since = *self.catch_up.lagging_since.get_or_insert(now);
        if now < since + self.options.resend / 2 {
            return;
        }
        if let Some(node) = ahead {
            step.send.push((node, Message::Learn { from: self.slot_out }));
        } else if now >= since + self.options.resend * 2 {
            self.close_gap(now, step);
        }
    }

    fn close_gap(&mut self, now: Duration, step: &mut Step) {
        let end = self.decisions.len() as Slot;
        for slot in self.slot_out..=end {
            if self.decision(slot).is_none() && !self.proposals.contains_key(&slot) {
                self.propose_for(now, slot, Arc::new(Command::no_op()), step);
            }
        }
    }
}
