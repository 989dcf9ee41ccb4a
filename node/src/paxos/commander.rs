//! The commander (section 2.3): asks acceptors for one pvalue until a majority has accepted it.

use super::message::{Ballot, Command, NodeId, NodeSet, PValue, Slot};
use std::sync::Arc;
use std::time::Duration;

/// One leader's attempt to have one pvalue chosen.
#[derive(Debug)]
pub struct Commander {
    pvalue: PValue,
    accepted: NodeSet,
    /// Its start, from which the leader detects that it gets no proposal accepted.
    pub(super) since: Duration,
    /// The time at which it asks the silent acceptors again.
    pub(super) again: Duration,
}

/// The state of a commander after an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Commanded {
    /// It waits for more answers.
    Waiting,
    /// A majority accepted: the pvalue is chosen.
    Chosen,
    /// An acceptor has promised a higher ballot.
    Preempted(Ballot),
}

impl Commander {
    /// A commander for a command in a slot, under a ballot.
    pub fn new(ballot: Ballot, slot: Slot, command: Arc<Command>, since: Duration, again: Duration) -> Self {
        Self { pvalue: PValue { ballot, slot, command }, accepted: NodeSet::default(), since, again }
    }

    /// Its pvalue.
    pub fn pvalue(&self) -> &PValue {
        &self.pvalue
    }

    /// Whether this acceptor has accepted.
    pub fn has_answer_of(&self, acceptor: NodeId) -> bool {
        self.accepted.contains(acceptor)
    }

    /// Handles an acceptor's `P2b`; the pvalue is chosen when those that accepted it are `enough`.
    pub fn answered(
        &mut self,
        acceptor: NodeId,
        promised: Ballot,
        enough: impl Fn(&NodeSet) -> bool,
    ) -> Commanded {
        if promised > self.pvalue.ballot {
            return Commanded::Preempted(promised);
        }
        if promised == self.pvalue.ballot {
            self.accepted.insert(acceptor);
        }
        if enough(&self.accepted) { Commanded::Chosen } else { Commanded::Waiting }
    }
}
