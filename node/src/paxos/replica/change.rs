//! Changes of the members: how a replica completes them quickly (section 2.1).

use super::Replica;
use crate::paxos::message::Command;
use crate::paxos::step::Step;
use crate::store::Operation;
use std::sync::Arc;
use std::time::Duration;

impl Replica {
    /// During a change, fills the slots before it with no-ops, so that it does not wait for clients.
    ///
    /// It retires the old members once the new ones have all their slots. At first one replica does so, then
    /// all.
    pub(super) fn help_change(&mut self, now: Duration, step: &mut Step) {
        let Some(coming) = self.store.membership().coming() else {
            self.help = None;
            return;
        };
        let index = self.roster.replicas.iter().position(|&node| node == self.roster.me).unwrap_or_default();
        let wait = self.options.resend * u32::try_from(index).unwrap_or(u32::MAX);
        if *self.help.get_or_insert(now + wait) > now {
            return;
        }
        self.help = Some(now + self.options.resend);
        self.slot_in = self.slot_in.max(self.slot_out);
        while self.slot_in < coming.min(self.slot_out + self.options.window) {
            let slot = self.slot_in;
            self.slot_in += 1;
            if self.decision(slot).is_none() {
                self.propose_for(now, slot, Arc::new(Command::no_op()), step);
            }
        }
        if self.progress.newest() >= coming {
            let version = self.store.membership().version;
            self.requests.push_back(Arc::new(Command::internal(Operation::Retire { version })));
            self.propose(now, step);
        }
    }
}
