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
    answered: NodeSet,
    collected: Slot,
    pvalues: BTreeMap<Slot, (Ballot, Arc<Command>)>,
    /// The flaw `scout-takes-lowest-ballot`.
    pub(super) lowest: bool,
    /// When the silent acceptors are asked again.
    pub(super) again: Duration,
}

/// What became of a scout after an answer.
#[derive(Debug)]
pub enum Scouted {
    /// It waits for more answers.
    Waiting,
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
            answered: NodeSet::default(),
            collected: 1,
            pvalues: BTreeMap::new(),
            lowest: false,
            again,
        }
    }

    /// Its request, to be sent to every acceptor.
    pub fn request(&self) -> Message {
        Message::P1a { ballot: self.ballot, from: self.from }
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
        (collected, accepted): (Slot, Vec<PValue>),
        enough: impl Fn(&NodeSet) -> bool,
    ) -> Scouted {
        if promised > self.ballot {
            return Scouted::Preempted(promised);
        }
        if promised < self.ballot || !self.answered.insert(acceptor) {
            return Scouted::Waiting;
        }
        self.collected = self.collected.max(collected);
        for PValue { ballot, slot, command } in accepted {
            let known = self.pvalues.get(&slot).map(|(known, _)| *known);
            let better =
                if self.lowest { known.is_none_or(|known| known > ballot) } else { known < Some(ballot) };
            if better {
                self.pvalues.insert(slot, (ballot, command));
            }
        }
        if enough(&self.answered) {
            Scouted::Adopted { collected: self.collected, pvalues: std::mem::take(&mut self.pvalues) }
        } else {
            Scouted::Waiting
        }
    }
}
