//! The output of a role after an input: records to save first, then messages to send.

use super::membership::Membership;
use super::message::{Ballot, Command, Message, NodeId, PValue, Slot};
use crate::store::Answer;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// A durable fact of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// The acceptor promised this ballot.
    Promise(Ballot),
    /// The acceptor accepted this pvalue, and with it promised its ballot.
    Accepted(PValue),
    /// The leader used rounds up to this one and will not reuse them.
    Round(u64),
    /// The replica learned a decision.
    Decided {
        /// The slot.
        slot: Slot,
        /// The command; none if it equals that of the log's last `Accepted` record for the slot.
        command: Option<Arc<Command>>,
    },
    /// The node knows this membership, and acts on it.
    Members(Membership),
    /// The acceptor grants no longer leases than this.
    Lease(Duration),
}

/// A client's request that waits for its command, numbered by the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// The output of one role after one input.
///
/// `send` and `answer` may leave the node only once `save`, and all earlier records of the same role, are
/// durable. No output depends on `note`: it is written with the next sync, and saves a restarted node some
/// requests.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Records that must be durable before the other output of this step leaves the node, in order.
    pub save: Vec<Record>,
    /// Records on which no output depends.
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
