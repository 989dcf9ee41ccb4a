//! How commands get their slots: the replica beside the active leader gives them out, and the others pass theirs on to it.
//!
//! Were every replica to choose slots for itself, as in section 2.1, they would choose the same ones, and all but one of
//! the commands would have to try again. That is what happens where no leader is known to be active, or where leaders compete.

use super::{QUEUE_MAX, Replica};
use crate::config::Leadership;
use crate::paxos::message::{Command, Decided, Message, NodeId, Slot};
use crate::paxos::pace::{UNDER_WAY, patience};
use crate::paxos::step::Step;
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

/// A command that is known by its name: its client, and its number among the client's commands.
#[derive(Debug, Clone)]
pub(super) struct Named(pub(super) Arc<Command>);

impl PartialEq for Named {
    fn eq(&self, other: &Self) -> bool {
        (&self.0.client, self.0.sequence) == (&other.0.client, other.0.sequence)
    }
}

impl Eq for Named {}

impl Hash for Named {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.0.client, self.0.sequence).hash(state);
    }
}

/// The replica to which commands are forwarded, and the forwarded commands.
#[derive(Debug, Default)]
pub(super) struct Relay {
    /// The node whose leader is active, as far as the leader beside this replica knows.
    active: Option<NodeId>,
    /// Commands that were passed on to the replica there, and when each is proposed here instead.
    passed: VecDeque<(Duration, Arc<Command>)>,
    /// Bytes of these commands.
    bytes: usize,
    /// How many of them are undecided.
    undecided: usize,
    /// Bytes of those.
    undecided_bytes: usize,
    /// Commands were taken back, and leave with the next tick.
    taken_back: bool,
}

impl Relay {
    /// The commands that were passed on.
    pub(super) fn take_passed(&mut self) -> impl Iterator<Item = Arc<Command>> {
        (self.bytes, self.undecided, self.undecided_bytes) = (0, 0, 0);
        std::mem::take(&mut self.passed).into_iter().map(|(_, command)| command)
    }

    /// Notes a command that is passed on now.
    fn pass(&mut self, now: Duration, resend: Duration, command: Arc<Command>) {
        self.bytes += command.size();
        self.undecided += 1;
        self.undecided_bytes += command.size();
        let again = now + patience(resend, self.bytes);
        // In the order of their times, because more bytes may be under way before than after.
        let again = self.passed.back().map_or(again, |(before, _)| again.max(*before));
        self.passed.push_back((again, command));
    }

    /// The commands that were passed on long ago.
    fn take_overdue(&mut self, now: Duration) -> Vec<Arc<Command>> {
        let due = self.passed.partition_point(|(again, _)| *again <= now);
        let overdue: Vec<_> = self.passed.drain(..due).map(|(_, command)| command).collect();
        self.bytes -= overdue.iter().map(|command| command.size()).sum::<usize>();
        overdue
    }

    /// A command of `bytes` bytes that waited here was decided or taken back.
    pub(super) fn decided(&mut self, bytes: usize) {
        self.undecided = self.undecided.saturating_sub(1);
        self.undecided_bytes = self.undecided_bytes.saturating_sub(bytes);
    }

    /// Whether more may be passed on before some of it is decided.
    fn has_room(&self) -> bool {
        self.bytes.min(self.undecided_bytes) < UNDER_WAY
    }

    /// How many commands were passed on not long ago and are undecided. A command that is passed on twice counts twice,
    /// but not for longer than it is remembered.
    fn under_way(&self) -> usize {
        self.undecided.min(self.passed.len())
    }
}

impl Replica {
    /// The node whose leader is active, as far as this replica knows.
    pub fn followed(&self) -> Option<NodeId> {
        self.relay.active
    }

    /// Another leader is the active one, or none is known to be. What was passed on to the former is passed on again.
    pub fn follow(&mut self, now: Duration, active: Option<NodeId>) {
        if self.relay.active == active {
            return;
        }
        self.relay.active = active;
        self.relay.taken_back = true;
        if active.is_some() {
            let passed: Vec<_> = self.relay.take_passed().collect();
            for command in passed.into_iter().rev() {
                self.take_back(command);
            }
            self.proposals.hurry(now);
        }
    }

    /// Takes a command that another replica passes on. It gets a slot unless it has one.
    pub(super) fn take_over(&mut self, now: Duration, command: Arc<Command>, step: &mut Step) {
        if !self.serves() || self.known_result(&command).is_some() || self.requests.len() >= QUEUE_MAX {
            return;
        }
        if self.undecided.has_room_for(&command) && self.undecided.add(&command, None) {
            self.requests.push_back(command);
            self.gather(now, step);
        }
    }

    /// Proposes at once where no leader is known to be active; otherwise the next tick does, for all that have come.
    pub(super) fn gather(&mut self, now: Duration, step: &mut Step) {
        if self.relay.active.is_none() {
            self.propose(now, step);
        }
    }

    /// Proposes what has gathered, if that is as much as is under way: the fuller the batches, the fewer they are.
    pub(super) fn propose_gathered(&mut self, now: Duration, step: &mut Step) {
        if self.has_gathered() {
            self.propose(now, step);
        }
    }

    /// Whether [`propose_gathered`](Self::propose_gathered) has something to do.
    pub(super) fn has_gathered(&self) -> bool {
        let room = self.slot_in() < self.slot_out + self.options.window;
        if self.requests.is_empty() || self.relay.active.is_none() || !room {
            return false;
        }
        let (under_way, room) = if self.elsewhere().is_some() {
            (self.relay.under_way(), self.relay.has_room())
        } else {
            (self.proposals.len(), self.proposals.has_room())
        };
        room && self.requests.len() >= under_way
    }

    /// Proposes commands that wait for a slot, or passes them on to where they get one.
    pub(super) fn propose(&mut self, now: Duration, step: &mut Step) {
        match self.elsewhere() {
            Some(node) => self.pass_on(now, node, step),
            None => self.propose_here(now, step),
        }
    }

    /// Proposes what was taken back, and here what was passed on long ago.
    pub(super) fn propose_overdue(&mut self, now: Duration, step: &mut Step) {
        if std::mem::take(&mut self.relay.taken_back) {
            self.propose(now, step);
        }
        let before = self.requests.len();
        for command in self.relay.take_overdue(now).into_iter().rev() {
            let bytes = command.size();
            if self.take_back(command) {
                self.relay.decided(bytes);
            }
        }
        if self.requests.len() > before {
            self.propose_here(now, step);
        }
    }

    /// Takes back a command that was passed on, if it is not decided, as the first to be proposed; whether it did.
    fn take_back(&mut self, command: Arc<Command>) -> bool {
        let named = Named(command);
        let undecided = self.undecided.contains(&named);
        if undecided {
            self.requests.push_front(named.0);
        }
        undecided
    }

    /// When [`propose_overdue`](Self::propose_overdue) has something to do.
    pub(super) fn overdue(&self) -> Duration {
        if self.relay.taken_back {
            return Duration::ZERO;
        }
        self.relay.passed.front().map_or(Duration::MAX, |(again, _)| *again)
    }

    /// The other replica that gives out slots, if there is one.
    fn elsewhere(&self) -> Option<NodeId> {
        self.relay.active.filter(|node| *node != self.roster.me && self.roster.replicas.contains(node))
    }

    fn pass_on(&mut self, now: Duration, node: NodeId, step: &mut Step) {
        let (internal, mut others): (VecDeque<_>, VecDeque<_>) =
            self.requests.drain(..).partition(|command| command.is_internal());
        while self.relay.has_room()
            && let Some(command) = others.pop_front()
        {
            step.send.push((node, Message::Request(Arc::clone(&command))));
            self.relay.pass(now, self.options.resend, command);
        }
        self.requests = internal;
        self.propose_here(now, step);
        self.requests.append(&mut others);
    }

    /// Gives waiting commands the next free slots inside the window, and proposes them.
    fn propose_here(&mut self, now: Duration, step: &mut Step) {
        self.slot_in = self.slot_in.max(self.slot_out);
        let end = self.slot_out + self.options.window;
        while !self.requests.is_empty() && self.slot_in < end && self.proposals.has_room() {
            let slot = self.slot_in;
            self.slot_in += 1;
            if self.decision(slot).is_none()
                && let Some(command) = self.requests.pop_front()
            {
                self.propose_for(now, slot, command, step);
            }
        }
    }

    pub(super) fn propose_for(&mut self, now: Duration, slot: Slot, command: Arc<Command>, step: &mut Step) {
        assert!(
            slot < self.slot_out + self.options.window,
            "R5: a proposal for slot {slot} outside the window from slot {} on",
            self.slot_out
        );
        let proposal = Decided { slot, command: Arc::clone(&command) };
        let me = self.roster.me;
        if self.options.leadership == Leadership::Monitor && self.roster.leaders.contains(&me) {
            step.send.push((me, Message::Propose(proposal)));
        } else {
            step.broadcast(&self.roster.leaders, &Message::Propose(proposal));
        }
        self.proposals.insert(now, self.options.resend, slot, command);
    }
}
