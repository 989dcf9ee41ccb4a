//! The scout (section 2.3): asks acceptors for promises until a majority has adopted the ballot.

use super::message::{Ballot, Command, Message, NodeId, NodeSet, PValue, Slot};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// One leader's attempt to have one ballot adopted.
#[derive(Debug)]
pub struct Scout {
    ballot: Ballot,
    from: Slot,
    /// For each acceptor with a partial answer, the first slot of the next request.
    resume_at: BTreeMap<NodeId, Slot>,
    answered: NodeSet,
    collected: Slot,
    pvalues: BTreeMap<Slot, (Ballot, Arc<Command>)>,
    /// The flaw `scout-takes-lowest-ballot`.
    pub(super) lowest: bool,
    /// Whether no node of the cluster has a flaw, so that the paper's invariants hold.
    pub(super) sound: bool,
    /// The time at which it asks the silent acceptors again.
    pub(super) again: Duration,
}

/// The accepted pvalues in one answer of an acceptor.
#[derive(Debug)]
pub struct Accepted {
    /// The acceptor has forgotten the slots below this one.
    pub collected: Slot,
    /// The first requested slot.
    pub from: Slot,
    /// The pvalues.
    pub pvalues: Vec<PValue>,
    /// The first slot that did not fit.
    pub next: Option<Slot>,
}

/// The state of a scout after an answer.
#[derive(Debug)]
pub enum Scouted {
    /// It waits for more answers.
    Waiting,
    /// The answer was partial; the rest must be requested.
    Part,
    /// A majority promised the ballot.
    Adopted {
        /// The first slot that no acceptor of the majority has collected; all slots below are decided.
        collected: Slot,
        /// The pvalues with the highest ballot of each slot.
        pvalues: BTreeMap<Slot, (Ballot, Arc<Command>)>,
    },
    /// An acceptor has promised a higher ballot.
    Preempted(Ballot),
}

impl Scout {
    /// A scout for `ballot` that needs the slots from `from` on.
    pub fn new(ballot: Ballot, from: Slot, again: Duration) -> Self {
        Self {
            ballot,
            from,
            resume_at: BTreeMap::new(),
            answered: NodeSet::default(),
            collected: 1,
            pvalues: BTreeMap::new(),
            lowest: false,
            sound: true,
            again,
        }
    }

    /// Its request to an acceptor: for the promise, or for the rest of a partial answer.
    pub fn request(&self, acceptor: NodeId) -> Message {
        Message::P1a { ballot: self.ballot, from: self.next_of(acceptor) }
    }

    fn next_of(&self, acceptor: NodeId) -> Slot {
        self.resume_at.get(&acceptor).copied().unwrap_or(self.from)
    }

    /// Whether this acceptor has answered.
    pub fn has_answer_of(&self, acceptor: NodeId) -> bool {
        self.answered.contains(acceptor)
    }

    /// Handles an acceptor's `P1b`; the ballot is adopted once the promising acceptors are `enough`.
    pub fn answered(
        &mut self,
        acceptor: NodeId,
        promised: Ballot,
        Accepted { collected, from, pvalues, next }: Accepted,
        enough: impl Fn(&NodeSet) -> bool,
    ) -> Scouted {
        if promised > self.ballot {
            return Scouted::Preempted(promised);
        }
        if promised < self.ballot || self.answered.contains(acceptor) || from != self.next_of(acceptor) {
            return Scouted::Waiting;
        }
        self.collected = self.collected.max(collected);
        for PValue { ballot, slot, command } in pvalues {
            let known = self.pvalues.get(&slot);
            assert!(
                !self.sound || known.is_none_or(|(known, reported)| *known != ballot || *reported == command),
                "A4: two acceptors accepted different commands for slot {slot} under ballot {ballot:?}"
            );
            let known = known.map(|(known, _)| *known);
            let better =
                if self.lowest { known.is_none_or(|known| known > ballot) } else { known < Some(ballot) };
            if better {
                self.pvalues.insert(slot, (ballot, command));
            }
        }
        if let Some(next) = next.filter(|next| *next > from) {
            self.resume_at.insert(acceptor, next);
            return Scouted::Part;
        }
        self.answered.insert(acceptor);
        if enough(&self.answered) {
            Scouted::Adopted { collected: self.collected, pvalues: std::mem::take(&mut self.pvalues) }
        } else {
            Scouted::Waiting
        }
    }
}
