//! The undecided proposals of a replica, and their total size.

use crate::paxos::message::{Command, Slot};
use crate::paxos::pace::{Budget, UNDER_WAY, patience};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A proposal for a slot, and the time at which it is repeated.
#[derive(Debug)]
struct Proposal {
    command: Arc<Command>,
    again: Duration,
}

/// The proposals of a replica, by slot.
#[derive(Debug, Default)]
pub(super) struct Proposals {
    slots: BTreeMap<Slot, Proposal>,
    bytes: usize,
    copies: Budget,
}

impl Proposals {
    /// Number of proposals.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is a proposal for this slot.
    pub(super) fn contains(&self, slot: Slot) -> bool {
        self.slots.contains_key(&slot)
    }

    /// Whether the replica may propose more before some of these are decided.
    pub(super) fn has_room(&self) -> bool {
        self.bytes < UNDER_WAY
    }

    /// Adds a proposal that is made now.
    pub(super) fn insert(&mut self, now: Duration, resend: Duration, slot: Slot, command: Arc<Command>) {
        self.remove(slot);
        self.bytes += command.size();
        let again = now + patience(resend, self.bytes);
        self.slots.insert(slot, Proposal { command, again });
    }

    /// Removes and returns the proposal for a slot.
    pub(super) fn remove(&mut self, slot: Slot) -> Option<Arc<Command>> {
        let Proposal { command, .. } = self.slots.remove(&slot)?;
        self.bytes -= command.size();
        Some(command)
    }

    /// Removes and returns the proposals for slots below this one, in order.
    pub(super) fn take_below(&mut self, slot: Slot) -> Vec<Arc<Command>> {
        let below: Vec<Slot> = self.slots.range(..slot).map(|(&slot, _)| slot).collect();
        below.into_iter().filter_map(|slot| self.remove(slot)).collect()
    }

    /// Makes all of them due now.
    pub(super) fn hurry(&mut self, now: Duration) {
        self.slots.values_mut().for_each(|proposal| proposal.again = now);
    }

    /// The time at which the next one is due.
    pub(super) fn wake(&self) -> Duration {
        self.slots.values().map(|proposal| proposal.again).min().unwrap_or(Duration::MAX)
    }

    /// The due proposals, for this number of leaders: lowest slots first, within the budget of copies.
    pub(super) fn due(
        &mut self,
        now: Duration,
        resend: Duration,
        leaders: usize,
    ) -> Vec<(Slot, Arc<Command>)> {
        let again = now + patience(resend, self.bytes);
        let Self { slots, copies, .. } = self;
        let due = slots.iter_mut().filter(|(_, proposal)| proposal.again <= now);
        let due = due.filter_map(|(&slot, proposal)| {
            proposal.again = again;
            let may = copies.take(now, resend, proposal.command.size() * leaders);
            may.then(|| (slot, Arc::clone(&proposal.command)))
        });
        due.collect()
    }
}
