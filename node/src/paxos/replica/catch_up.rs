//! Catch-up: a replica learns decisions or the state from others, and proposes no-ops for gaps.

use super::Replica;
use super::propose::Named;
use crate::flaw::Flaw;
use crate::paxos::message::{Command, Decided, Message, NodeId, Slot};
use crate::paxos::step::Step;
use crate::paxos::transfer::Received;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Largest number of decisions in one answer to a lagging replica, and their approximate size.
const LEARNED_MAX: usize = 2_000;
const LEARNED_BYTES: usize = 1 << 20;

/// The pause before the next large answer, in multiples of the time that the last one took.
///
/// Without pauses, catch-up takes the processors of the others from their clients.
const PAUSE: u32 = 8;

/// The longest pause: what takes longer is the network, which catch-up does not use up.
const PAUSE_MAX: Duration = Duration::from_millis(20);

/// The pause after a large answer that took this time.
fn pause(took: Duration) -> Duration {
    took.saturating_mul(PAUSE).min(PAUSE_MAX)
}

/// The data that a replica learned from others until it was level.
#[derive(Debug, Clone, Copy, Default)]
pub struct Learned {
    /// Number of decisions, from answers or from a leader that proposed them again.
    pub decisions: u64,
    /// Number of slots in a received state.
    pub slots_of_state: u64,
    /// Approximate size of both, in bytes.
    pub bytes: u64,
    /// Time since the process started at which it was level with a replica that answered.
    pub level_at: Option<Duration>,
}

/// The known progress of the other replicas.
#[derive(Debug, Default)]
pub(super) struct CatchUp {
    /// The last reported next slot of each other replica.
    pub(super) others: BTreeMap<NodeId, Slot>,
    /// The time of the next request.
    pub(super) next: Duration,
    /// The time of the last request for decisions.
    asked: Duration,
    /// The replica that answers next, and the time at which it is asked.
    teacher: Option<(Duration, NodeId)>,
    /// The time since which the replica has lagged without applying a slot.
    pub(super) lagging_since: Option<Duration>,
    /// The data that it learned from other replicas until it was level.
    pub(super) learned: Learned,
}

impl Replica {
    /// The answer to a replica that lacks this slot: decisions, or the state if they were dropped.
    pub(super) fn teach(&mut self, now: Duration, from: Slot) -> Message {
        if from < self.first {
            let forgetful = self.has(Flaw::SnapshotForgetsResults);
            let late = u64::from(self.has(Flaw::SnapshotWrongSlot));
            let Self { slot_out, store, .. } = self;
            return self.transfer.serve(now, self.first, || {
                let forgetful = forgetful.then(|| store.without_results());
                let bytes = postcard::to_stdvec(forgetful.as_ref().unwrap_or(store))
                    .expect("the store is made of types that postcard can write");
                (*slot_out + late, bytes)
            });
        }
        let mut bytes = 0;
        let fits = |decided: &Decided| {
            bytes += decided.command.size();
            bytes <= LEARNED_BYTES || decided.slot == from
        };
        let decisions = self.applied(from, self.slot_out).take(LEARNED_MAX).take_while(fits).collect();
        Message::Learned { decisions, slot_out: self.slot_out }
    }

    /// Adds a part of another replica's state, and adopts the state once complete.
    pub(super) fn handed(
        &mut self,
        now: Duration,
        from: NodeId,
        slot_out: Slot,
        range: (u64, u64),
        part: &Bytes,
        step: &mut Step,
    ) {
        if slot_out <= self.slot_out {
            return;
        }
        self.catch_up.next = now + self.options.resend;
        match self.transfer.take(now, from, slot_out, range, part) {
            Received::Dropped => {}
            Received::Part => step.send.extend(self.transfer.question(now, Duration::MAX)),
            Received::Complete(slot_out, store, bytes) => {
                let noted = self.noted();
                let learned = &mut self.catch_up.learned;
                if learned.level_at.is_none() {
                    learned.slots_of_state += slot_out - self.slot_out;
                    learned.bytes += bytes;
                }
                self.replace(slot_out, store);
                self.unsaved = Some((noted, slot_out));
                self.catch_up.lagging_since = None;
                self.propose_again(step);
                self.decided(now, Vec::new(), step);
                step.send.push((from, Message::Learn { from: self.slot_out }));
            }
        }
    }

    /// After a jump over slots: answers the commands decided in them, and proposes the others again.
    fn propose_again(&mut self, step: &mut Step) {
        let proposed = self.proposals.take_below(self.slot_out).into_iter();
        let proposed: Vec<_> = proposed.chain(self.relay.take_passed()).collect();
        for command in proposed.into_iter().rev() {
            if let Some(answer) = self.known_result(&command) {
                for ticket in self.undecided.remove(&Named(command)).unwrap_or_default() {
                    step.answer.push((ticket, answer.clone(), self.slot_out - 1));
                }
            } else if !command.is_internal() {
                self.requests.push_front(command);
            }
        }
    }

    pub(super) fn taught(
        &mut self,
        now: Duration,
        from: NodeId,
        decisions: Vec<Decided>,
        slot_out: Slot,
        step: &mut Step,
    ) {
        let bytes: usize = decisions.iter().map(|decided| decided.command.size()).sum();
        let large = decisions.len() >= LEARNED_MAX / 2 || bytes >= LEARNED_BYTES / 2;
        let taught = self.decided(now, decisions, step);
        self.heard(from, slot_out);
        if self.catch_up.learned.level_at.is_none() && self.slot_out >= slot_out.max(1) {
            self.catch_up.learned.level_at = Some(now);
        }
        if slot_out > self.slot_out && taught > 0 {
            let took = now.saturating_sub(self.catch_up.asked);
            let pause = if large { pause(took) } else { Duration::ZERO };
            self.catch_up.teacher = Some((now + pause, from));
            self.catch_up.next = now + pause + self.options.resend;
            self.ask_teacher(now, step);
        }
    }

    /// The time at which [`ask_teacher`](Self::ask_teacher) has work.
    pub(super) fn teacher_due(&self) -> Duration {
        self.catch_up.teacher.map_or(Duration::MAX, |(due, _)| due)
    }

    /// Asks the replica that has more decisions for them, after the pause.
    pub(super) fn ask_teacher(&mut self, now: Duration, step: &mut Step) {
        if let Some((_, teacher)) = self.catch_up.teacher.take_if(|(due, _)| *due <= now) {
            self.catch_up.asked = now;
            step.send.push((teacher, Message::Learn { from: self.slot_out }));
        }
    }

    pub(super) fn heard(&mut self, from: NodeId, slot_out: Slot) {
        let known = self.catch_up.others.entry(from).or_insert(1);
        *known = slot_out.max(*known);
    }

    /// Asks a replica that is ahead. If there is none, proposes no-ops for slots without a proposal.
    pub(super) fn ask(&mut self, now: Duration, step: &mut Step) {
        if let Some(question) = self.transfer.question(now, self.options.resend * 5) {
            step.send.push(question);
            return;
        }
        self.catch_up.asked = now;
        let others = self.roster.replicas.iter().filter(|&&node| node != self.roster.me);
        if self.catch_up.learned.level_at.is_none() {
            if self.roster.replicas.len() == 1 {
                self.catch_up.learned.level_at = Some(now);
            }
            let ask = Message::Learn { from: self.slot_out };
            step.send.extend(others.map(|&node| (node, ask.clone())));
            return;
        }
        let ahead = self.catch_up.others.iter().max_by_key(|(_, slot_out)| **slot_out);
        let ahead = ahead.filter(|(_, slot_out)| **slot_out > self.slot_out).map(|(&node, _)| node);
        let gap = self.end().max(self.reads.furthest()) > self.slot_out;
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
        let end = self.end().max(self.reads.furthest()).min(self.slot_out + self.options.window);
        for slot in self.slot_out.max(1)..end {
            if self.decision(slot).is_none() && !self.proposals.contains(slot) {
                self.propose_for(now, slot, Arc::new(Command::no_op()), step);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pause_follows_load_but_not_network() {
        assert_eq!(pause(Duration::from_millis(2)), Duration::from_millis(16));
        assert_eq!(pause(Duration::from_millis(80)), PAUSE_MAX);
        assert_eq!(pause(Duration::MAX), PAUSE_MAX);
    }
}
