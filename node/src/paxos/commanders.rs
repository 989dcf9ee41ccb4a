//! The commanders of a leader, one per slot to decide, and their bytes in flight.

use super::commander::Commander;
use super::membership::Roster;
use super::message::{Message, Slot};
use super::pace::{Budget, patience};
use super::step::Step;
use std::collections::BTreeMap;
use std::time::Duration;

/// A leader's commanders.
#[derive(Debug, Default)]
pub(super) struct Commanders {
    slots: BTreeMap<Slot, Commander>,
    /// Total size of their commands, in bytes.
    bytes: usize,
    copies: Budget,
}

impl Commanders {
    /// Time for acceptors to answer a request that is sent now.
    pub(super) fn patience(&self, resend: Duration) -> Duration {
        patience(resend, self.bytes)
    }

    /// Adds a commander, in place of an earlier one for its slot.
    pub(super) fn insert(&mut self, commander: Commander) {
        let slot = commander.pvalue().slot;
        self.remove(slot);
        self.bytes += commander.pvalue().command.size();
        self.slots.insert(slot, commander);
    }

    /// The commander for a slot.
    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Commander> {
        self.slots.get_mut(&slot)
    }

    /// Ends the commander for a slot.
    pub(super) fn remove(&mut self, slot: Slot) {
        if let Some(commander) = self.slots.remove(&slot) {
            self.bytes -= commander.pvalue().command.size();
        }
    }

    /// Ends all commanders.
    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.bytes = 0;
    }

    /// Ends the commanders for slots below this one.
    pub(super) fn forget(&mut self, floor: Slot) {
        while let Some((&slot, _)) = self.slots.first_key_value().filter(|(slot, _)| **slot < floor) {
            self.remove(slot);
        }
    }

    /// The commander for the lowest slot.
    pub(super) fn first(&self) -> Option<&Commander> {
        self.slots.values().next()
    }

    /// The time at which [`ask_again`](Self::ask_again) has work.
    pub(super) fn wake(&self) -> Duration {
        self.slots.values().map(|commander| commander.again).min().unwrap_or(Duration::MAX)
    }

    /// Repeats requests to acceptors that have not answered in time, lowest slots first.
    ///
    /// The budget limits the bytes that are sent twice.
    pub(super) fn ask_again(&mut self, now: Duration, resend: Duration, roster: &Roster, step: &mut Step) {
        let again = now + self.patience(resend);
        for commander in self.slots.values_mut().filter(|commander| commander.again <= now) {
            commander.again = again;
            let pvalue = commander.pvalue();
            for &acceptor in &roster.group(pvalue.slot).acceptors {
                if !commander.has_answer_of(acceptor) && self.copies.take(now, resend, pvalue.command.size())
                {
                    step.send.push((acceptor, Message::P2a(pvalue.clone())));
                }
            }
        }
    }
}
