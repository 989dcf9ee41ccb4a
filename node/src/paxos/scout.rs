//! The scout (section 2.3): gets a ballot adopted by a majority of acceptors.

use super::message::{Ballot, Command, Message, NodeId, NodeSet, PValue, Slot};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// One leader's attempt to have one ballot adopted.
#[derive(Debug)]
pub struct Scout {
    ballot: Ballot,
    from: Slot,
    /// The slot from which each acceptor is asked next that has answered in part.
    asked: BTreeMap<NodeId, Slot>,
    answered: NodeSet,
    collected: Slot,
    pvalues: BTreeMap<Slot, (Ballot, Arc<Command>)>,
    /// The flaw `scout-takes-lowest-ballot`.
    pub(super) lowest: bool,
    /// Whether no node of the cluster has a flaw, so that the paper's invariants hold.
    pub(super) sound: bool,
    /// When the silent acceptors are asked again.
    pub(super) again: Duration,
}

/// What an acceptor has accepted, as far as one answer goes.
#[derive(Debug)]
pub struct Accepted {
    /// The slots below it has forgotten.
    pub collected: Slot,
    /// The first slot that was asked for.
    pub from: Slot,
    /// The pvalues.
    pub pvalues: Vec<PValue>,
    /// The first slot that did not fit.
    pub next: Option<Slot>,
}

/// What became of a scout after an answer.
#[derive(Debug)]
pub enum Scouted {
    /// It waits for more answers.
    Waiting,
    /// The acceptor has more to say, and is to be asked again.
    Part,
    /// A majority promised the ballot.
    Adopted {
        /// No acceptor of the majority has collected this slot or a later one; everything below is decided.
        collected: Slot,
        /// The pvalues with the highest ballot of each slot.
        pvalues: BTreeMap<Slot, (Ballot, Arc<Command>)>,
    },
    /// An acceptor has promised a higher ballot.
    Preempted(Ballot),
}

impl Scout {
    /// A scout for `ballot` that cares for slots from `from` on.
    pub fn new(ballot: Ballot, from: Slot, again: Duration) -> Self {
        Self {
            ballot,
            from,
            asked: BTreeMap::new(),
            answered: NodeSet::default(),
            collected: 1,
            pvalues: BTreeMap::new(),
            lowest: false,
            sound: true,
            again,
        }
    }

    /// Its request to an acceptor: for the promise, or for what the last answer had no room for.
    pub fn request(&self, acceptor: NodeId) -> Message {
        Message::P1a { ballot: self.ballot, from: self.next_of(acceptor) }
    }

    fn next_of(&self, acceptor: NodeId) -> Slot {
        self.asked.get(&acceptor).copied().unwrap_or(self.from)
    }

    /// Whether this acceptor has answered.
    pub fn has_answer_of(&self, acceptor: NodeId) -> bool {
        self.answered.contains(acceptor)
    }

    /// Handles an acceptor's `P1b`; the ballot is adopted when those that promised it are `enough`.
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
            self.asked.insert(acceptor, next);
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
