//! What a role wants done after an input: save first, then speak.

use super::membership::Membership;
use super::message::{Ballot, Command, Message, NodeId, PValue, Slot};
use crate::store::Answer;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// Something a node must remember over a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// The acceptor promised this ballot.
    Promise(Ballot),
    /// The acceptor accepted this pvalue, and with it promised its ballot.
    Accepted(PValue),
    /// The leader used rounds up to this one, and will not use them again.
    Round(u64),
    /// The replica learned a decision.
    Decided {
        /// The slot.
        slot: Slot,
        /// The command; none if it is the one the log's last `Accepted` record for the slot holds.
        command: Option<Arc<Command>>,
    },
    /// The node knows this membership, and acts on it.
    Members(Membership),
    /// The acceptor grants leases, and none that are longer.
    Lease(Duration),
}

/// A client's request that waits for its command to be applied, named by the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// What one role wants done after one input.
///
/// `send` and `answer` may leave the node only once `save`, and all that the same role saved before it, is
/// durable. Nothing waits for `note`: it is written with the next sync, and spares a restart some fetching.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Records that must be durable before anything else of this step leaves the node, in order.
    pub save: Vec<Record>,
    /// Records that nothing waits for.
    pub note: Vec<Record>,
    /// Messages, to this node's own roles as well.
    pub send: Vec<(NodeId, Message)>,
    /// Answers to clients, with the slot of the command.
    pub answer: Vec<(Ticket, Answer, Slot)>,
}

impl Step {
    /// Sends a message to each of these nodes.
    pub fn broadcast(&mut self, to: &[NodeId], message: &Message) {
        self.send.extend(to.iter().map(|&node| (node, message.clone())));
    }
}
