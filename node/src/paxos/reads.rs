//! Quorum reads (section 4.5): a read needs no slot of its own.
//!
//! It waits until the replica has applied every slot that a majority of acceptors had accepted when it arrived.
//!
//! An answered command was accepted by a majority, which shares an acceptor with every other majority. One
//! request serves all reads that arrived before it; later reads wait for the next request.

use super::message::{Message, NodeId, NodeSet, Slot};
use super::step::{Step, Ticket};
use std::collections::BTreeMap;
use std::time::Duration;

/// A client's read: its ticket and its key.
pub(super) type Read = (Ticket, String);

/// The unanswered reads of one replica.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// The life of the replica.
    life: u64,
    number: u64,
    /// Reads that arrived after the last request.
    fresh: Vec<Read>,
    /// The reads of the current request.
    in_flight: Vec<Read>,
    answered: NodeSet,
    highest: Slot,
    /// The time at which it asks the silent acceptors again.
    again: Duration,
    /// Reads by the slot up to which the replica must apply before it answers.
    due: BTreeMap<Slot, Vec<Read>>,
}

impl Reads {
    /// No reads yet; `life` differs from that of every earlier process of this node.
    pub(super) fn new(life: u64) -> Self {
        Self { life, ..Self::default() }
    }

    /// Adds a read.
    ///
    /// With a lease, the replica answers it once all slots below `leased` are applied. Otherwise the next
    /// [`tick`](Self::tick) asks the acceptors.
    pub(super) fn add(&mut self, read: Read, leased: Option<Slot>) {
        match leased {
            Some(slot) => self.due.entry(slot).or_default().push(read),
            None => self.fresh.push(read),
        }
    }

    /// Number of unanswered reads.
    pub(super) fn len(&self) -> usize {
        self.fresh.len() + self.in_flight.len() + self.due.values().map(Vec::len).sum::<usize>()
    }

    /// Every slot below must be applied before all requested reads are answered.
    pub(super) fn furthest(&self) -> Slot {
        self.due.last_key_value().map_or(1, |(slot, _)| *slot)
    }

    /// The time at which [`tick`](Self::tick) has work.
    pub(super) fn wake(&self) -> Duration {
        match (self.in_flight.is_empty(), self.fresh.is_empty()) {
            (false, _) => self.again,
            (true, false) => Duration::ZERO,
            (true, true) => Duration::MAX,
        }
    }

    /// Asks the acceptors about new reads, or asks the silent ones again.
    pub(super) fn tick(&mut self, now: Duration, resend: Duration, acceptors: &[NodeId], step: &mut Step) {
        if self.wake() > now {
            return;
        }
        if self.in_flight.is_empty() {
            self.in_flight = std::mem::take(&mut self.fresh);
            self.number += 1;
            (self.answered, self.highest) = (NodeSet::default(), 0);
        }
        self.again = now + resend;
        let question = Message::Ask { life: self.life, number: self.number };
        let silent = acceptors.iter().filter(|&&acceptor| !self.answered.contains(acceptor));
        step.send.extend(silent.map(|&acceptor| (acceptor, question.clone())));
    }

    /// Handles a change of the members: acceptors that may have accepted a pvalue since must be asked.
    pub(super) fn ask_again(&mut self) {
        let due = std::mem::take(&mut self.due).into_values().flatten();
        self.fresh.extend(std::mem::take(&mut self.in_flight).into_iter().chain(due));
    }

    /// Handles an acceptor's answer; once the answering acceptors are `enough`, the required slot is known.
    pub(super) fn heard(
        &mut self,
        from: NodeId,
        (life, number): (u64, u64),
        slot: Slot,
        enough: impl Fn(&NodeSet) -> bool,
    ) {
        if (life, number) != (self.life, self.number) || self.in_flight.is_empty() {
            return;
        }
        self.answered.insert(from);
        self.highest = self.highest.max(slot);
        if enough(&self.answered) {
            let in_flight = std::mem::take(&mut self.in_flight);
            self.due.entry(self.highest + 1).or_default().extend(in_flight);
        }
    }

    /// The reads that may be answered once every slot below this one is applied.
    pub(super) fn ready(&mut self, slot_out: Slot) -> Vec<Read> {
        let mut ready = Vec::new();
        while let Some(entry) = self.due.first_entry().filter(|entry| *entry.key() <= slot_out) {
            ready.extend(entry.remove());
        }
        ready
    }
}
