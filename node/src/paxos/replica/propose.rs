//! Assignment of slots: the replica beside the active leader assigns them, others forward commands.
//!
//! If every replica chose slots itself, as in section 2.1, they would choose the same ones. All but one of the
//! commands would then have to try again. This happens only if no leader is known to be active, or if leaders
//! compete.

use super::{QUEUE_MAX, Replica};
use crate::config::Leadership;
use crate::paxos::message::{Command, Decided, Message, NodeId, Slot};
use crate::paxos::pace::{UNDER_WAY, patience};
use crate::paxos::step::Step;
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

/// A command identified by its name: its client and its number.
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
    /// The node of the active leader, as far as the leader on this node knows.
    active: Option<NodeId>,
    /// Forwarded commands, each with the time at which this replica proposes it itself.
    passed: VecDeque<(Duration, Arc<Command>)>,
    /// Total size of these commands, in bytes.
    bytes: usize,
    /// Number of undecided ones.
    undecided: usize,
    /// Total size of the undecided ones, in bytes.
    undecided_bytes: usize,
    /// Whether commands were taken back, to be proposed at the next tick.
    taken_back: bool,
}

impl Relay {
    /// Removes and returns the forwarded commands.
    pub(super) fn take_passed(&mut self) -> impl Iterator<Item = Arc<Command>> {
        (self.bytes, self.undecided, self.undecided_bytes) = (0, 0, 0);
        std::mem::take(&mut self.passed).into_iter().map(|(_, command)| command)
    }

    /// Records a command that is forwarded now.
    fn pass(&mut self, now: Duration, resend: Duration, command: Arc<Command>) {
        self.bytes += command.size();
        self.undecided += 1;
        self.undecided_bytes += command.size();
        let again = now + patience(resend, self.bytes);
        // Kept in time order, because more bytes may be in flight before than after.
        let again = self.passed.back().map_or(again, |(before, _)| again.max(*before));
        self.passed.push_back((again, command));
    }

    /// Removes and returns overdue forwarded commands.
    fn take_overdue(&mut self, now: Duration) -> Vec<Arc<Command>> {
        let due = self.passed.partition_point(|(again, _)| *again <= now);
        let overdue: Vec<_> = self.passed.drain(..due).map(|(_, command)| command).collect();
        self.bytes -= overdue.iter().map(|command| command.size()).sum::<usize>();
        overdue
    }

    /// Records that a waiting command of `bytes` bytes was decided or taken back.
    pub(super) fn decided(&mut self, bytes: usize) {
        self.undecided = self.undecided.saturating_sub(1);
        self.undecided_bytes = self.undecided_bytes.saturating_sub(bytes);
    }

    /// Whether more may be forwarded before some are decided.
    fn has_room(&self) -> bool {
        self.bytes.min(self.undecided_bytes) < UNDER_WAY
    }

    /// Number of recently forwarded, undecided commands.
    ///
    /// A command that is forwarded twice counts twice, but only while it is remembered.
    fn under_way(&self) -> usize {
        self.undecided.min(self.passed.len())
    }
}

impl Replica {
    /// The node whose leader is active, as far as this replica knows.
    pub fn followed(&self) -> Option<NodeId> {
        self.relay.active
    }

    /// Follows another active leader, or none. Commands forwarded to the former are forwarded again.
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

    /// Accepts a command that another replica forwards. It gets a slot unless it has one.
    pub(super) fn take_over(&mut self, now: Duration, command: Arc<Command>, step: &mut Step) {
        if !self.serves() || self.known_result(&command).is_some() || self.requests.len() >= QUEUE_MAX {
            return;
        }
        if self.undecided.has_room_for(&command) && self.undecided.add(&command, None) {
            self.requests.push_back(command);
            self.gather(now, step);
        }
    }

    /// Proposes at once if no leader is known to be active; otherwise the next tick proposes.
    pub(super) fn gather(&mut self, now: Duration, step: &mut Step) {
        if self.relay.active.is_none() {
            self.propose(now, step);
        }
    }

    /// Proposes waiting commands once they reach the size in flight: larger batches mean fewer of them.
    pub(super) fn propose_gathered(&mut self, now: Duration, step: &mut Step) {
        if self.has_gathered() {
            self.propose(now, step);
        }
    }

    /// Whether [`propose_gathered`](Self::propose_gathered) has work.
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

    /// Proposes commands that wait for a slot, or forwards them to the replica that assigns slots.
    pub(super) fn propose(&mut self, now: Duration, step: &mut Step) {
        match self.elsewhere() {
            Some(node) => self.pass_on(now, node, step),
            None => self.propose_here(now, step),
        }
    }

    /// Proposes commands that were taken back, and overdue forwarded ones.
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

    /// Takes an undecided forwarded command back, first in the queue; returns whether it did.
    fn take_back(&mut self, command: Arc<Command>) -> bool {
        let named = Named(command);
        let undecided = self.undecided.contains(&named);
        if undecided {
            self.requests.push_front(named.0);
        }
        undecided
    }

    /// The time at which [`propose_overdue`](Self::propose_overdue) has work.
    pub(super) fn overdue(&self) -> Duration {
        if self.relay.taken_back {
            return Duration::ZERO;
        }
        self.relay.passed.front().map_or(Duration::MAX, |(again, _)| *again)
    }

    /// The other replica that assigns slots, if there is one.
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

    /// Assigns the next free slots within the window to waiting commands, and proposes them.
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
