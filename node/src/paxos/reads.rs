//! Quorum reads (section 4.5): a read waits for no slot of its own, but until the replica has applied every slot
//! that a majority of acceptors had accepted when it came.
//!
//! A command that was answered was accepted by a majority, and every majority has an acceptor in common with it. One
//! question serves all reads that came before it was asked; those that come later wait for the next one.

use super::message::{Message, NodeId, NodeSet, Slot};
use super::step::{Step, Ticket};
use std::collections::BTreeMap;
use std::time::Duration;

/// A client's read: where its answer goes, and the key.
pub(super) type Read = (Ticket, String);

/// The reads of one replica that are not answered yet.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// Which life of the replica this is.
    life: u64,
    number: u64,
    /// Reads that came after the last question was asked.
    fresh: Vec<Read>,
    /// The reads that the present question is for.
    asked: Vec<Read>,
    answered: NodeSet,
    highest: Slot,
    /// When the silent acceptors are asked again.
    again: Duration,
    /// Reads by the slot that must be the next to apply before they are answered.
    due: BTreeMap<Slot, Vec<Read>>,
}

impl Reads {
    /// No reads yet; `life` differs from that of every earlier process of this node.
    pub(super) fn new(life: u64) -> Self {
        Self { life, ..Self::default() }
    }

    /// Takes a read, which is answered when all slots below `leased` are applied, if a lease says so;
    /// otherwise acceptors are asked with the next [`tick`](Self::tick).
    pub(super) fn add(&mut self, read: Read, leased: Option<Slot>) {
        match leased {
            Some(slot) => self.due.entry(slot).or_default().push(read),
            None => self.fresh.push(read),
        }
    }

    /// Reads that are not answered.
    pub(super) fn len(&self) -> usize {
        self.fresh.len() + self.asked.len() + self.due.values().map(Vec::len).sum::<usize>()
    }

    /// Every slot below must be applied before all reads that were asked for are answered.
    pub(super) fn furthest(&self) -> Slot {
        self.due.last_key_value().map_or(1, |(slot, _)| *slot)
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(super) fn wake(&self) -> Duration {
        match (self.asked.is_empty(), self.fresh.is_empty()) {
            (false, _) => self.again,
            (true, false) => Duration::ZERO,
            (true, true) => Duration::MAX,
        }
    }

    /// Asks the acceptors for the reads that have come, or asks those again that are silent.
    pub(super) fn tick(&mut self, now: Duration, resend: Duration, acceptors: &[NodeId], step: &mut Step) {
        if self.wake() > now {
            return;
        }
        if self.asked.is_empty() {
            self.asked = std::mem::take(&mut self.fresh);
            self.number += 1;
            (self.answered, self.highest) = (NodeSet::default(), 0);
        }
        self.again = now + resend;
        let question = Message::Ask { life: self.life, number: self.number };
        let silent = acceptors.iter().filter(|&&acceptor| !self.answered.contains(acceptor));
        step.send.extend(silent.map(|&acceptor| (acceptor, question.clone())));
    }

    /// The members have changed: acceptors that may have accepted a pvalue since must be asked.
    pub(super) fn ask_again(&mut self) {
        let due = std::mem::take(&mut self.due).into_values().flatten();
        self.fresh.extend(std::mem::take(&mut self.asked).into_iter().chain(due));
    }

    /// Takes an acceptor's answer; when those that answered are `enough`, they say how far the reads must see.
    pub(super) fn heard(
        &mut self,
        from: NodeId,
        (life, number): (u64, u64),
        slot: Slot,
        enough: impl Fn(&NodeSet) -> bool,
    ) {
        if (life, number) != (self.life, self.number) || self.asked.is_empty() {
            return;
        }
        self.answered.insert(from);
        self.highest = self.highest.max(slot);
        if enough(&self.answered) {
            let asked = std::mem::take(&mut self.asked);
            self.due.entry(self.highest + 1).or_default().extend(asked);
        }
    }

    /// The reads that may be answered when every slot below this one is applied.
    pub(super) fn ready(&mut self, slot_out: Slot) -> Vec<Read> {
        let mut ready = Vec::new();
        while let Some(entry) = self.due.first_entry().filter(|entry| *entry.key() <= slot_out) {
            ready.extend(entry.remove());
        }
        ready
    }
}
