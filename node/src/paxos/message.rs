//! Messages of the roles, and their content: ballots, slots, commands, pvalues.

use super::membership::Membership;
use crate::store::Operation;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A node's unique number among all members ever, the same on every node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub u8);

/// An index into the sequence of commands; the first is 1.
pub type Slot = u64;

/// A ballot number: an ordered pair of round and leader. ⊥ of the paper is `None::<Ballot>`, below all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ballot {
    /// The round, raised by a leader that was preempted.
    pub round: u64,
    /// The leader whose ballot it is.
    pub leader: NodeId,
}

impl fmt::Display for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.round, self.leader.0)
    }
}

/// Prefix of the names under which replicas number anonymous commands; no client's name has it.
pub const ANONYMOUS: char = '~';

/// A client's command, with a name by which replicas recognise a retry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Command {
    /// The client's name.
    ///
    /// It is empty for commands of the replicas themselves, and for anonymous commands until a replica has
    /// numbered them.
    pub client: Arc<str>,
    /// Its number among the client's commands, rising.
    pub sequence: u64,
    /// The operation.
    pub operation: Operation,
}

impl Command {
    /// Approximate size in memory and on the wire, in bytes.
    pub fn size(&self) -> usize {
        self.client.len() + self.operation.size() + 32
    }

    /// The command without effect. A replica proposes it for a slot without a proposal.
    pub fn no_op() -> Self {
        Self::internal(Operation::Nothing)
    }

    /// A command of the replicas themselves, for which no client waits.
    pub(super) fn internal(operation: Operation) -> Self {
        Self { client: Arc::default(), sequence: 0, operation }
    }

    /// Whether its client gave no name, so that a replica has numbered it.
    pub fn is_anonymous(&self) -> bool {
        self.client.starts_with(ANONYMOUS)
    }

    /// Whether no client waits for it.
    pub(super) fn is_internal(&self) -> bool {
        self.client.is_empty()
    }
}

/// The unit of acceptance: a command for a slot, under a ballot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PValue {
    /// The ballot of its proposal.
    pub ballot: Ballot,
    /// The slot it is for.
    pub slot: Slot,
    /// The command.
    pub command: Arc<Command>,
}

/// A command that was chosen for a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// The slot.
    pub slot: Slot,
    /// The command.
    pub command: Arc<Command>,
}

/// A message between roles; the table in the [module](super) lists senders and receivers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// A replica forwards a command to the one beside the active leader for a slot (section 4.4).
    Request(Arc<Command>),
    /// A replica proposes a command for a slot.
    Propose(Decided),
    /// A scout asks for a promise.
    P1a {
        /// The ballot to be promised.
        ballot: Ballot,
        /// The first slot whose pvalue the leader needs.
        from: Slot,
    },
    /// An acceptor answers a scout.
    P1b {
        /// The ballot of the answered scout.
        scout: Ballot,
        /// The ballot the acceptor has promised.
        promised: Ballot,
        /// The acceptor has forgotten the pvalues of slots below this one.
        ///
        /// They are decided and on the disks of enough replicas.
        collected: Slot,
        /// The first requested slot.
        from: Slot,
        /// The highest pvalue of each slot from `from` on; empty if the promise is for another ballot.
        accepted: Vec<PValue>,
        /// The first slot whose pvalues did not fit and must be requested again.
        next: Option<Slot>,
    },
    /// A commander asks for acceptance.
    P2a(PValue),
    /// An acceptor answers a commander.
    P2b {
        /// The ballot of the answered commander.
        commander: Ballot,
        /// Its slot.
        slot: Slot,
        /// The ballot the acceptor has promised.
        promised: Ballot,
    },
    /// A pvalue was chosen.
    Decision(PValue),
    /// A replica has applied every slot below this one and has it on disk.
    Progress {
        /// Its next slot to apply.
        slot_out: Slot,
    },
    /// A replica requests decisions of another replica.
    Learn {
        /// The first missing slot.
        from: Slot,
    },
    /// The answer: decisions from a slot on, as many as fit.
    Learned {
        /// Decisions in the order of their slots, without a gap.
        decisions: Vec<Decided>,
        /// The answering replica's next slot to apply.
        slot_out: Slot,
    },
    /// The answer to a replica that lacks decisions which are no longer retained: a part of the state.
    State {
        /// The state includes every slot below.
        slot_out: Slot,
        /// The offset of this part in the encoded state.
        offset: u64,
        /// Size of the whole encoded state, in bytes.
        total: u64,
        /// The part.
        part: Bytes,
    },
    /// A replica asks for the next part of a state.
    Fetch {
        /// The slot of the state.
        slot_out: Slot,
        /// The offset of the part.
        offset: u64,
    },
    /// A replica asks which slots it must apply before it answers a read (section 4.5).
    Ask {
        /// The life of the replica, so that it ignores answers to an earlier life.
        life: u64,
        /// The number of the request in this life.
        number: u64,
    },
    /// An acceptor answers: it has accepted no pvalue of a higher slot.
    Highest {
        /// The life in the request.
        life: u64,
        /// The number of the request.
        number: u64,
        /// The slot.
        slot: Slot,
    },
    /// An adopted leader requests that acceptors support no other leader for a while (section 4.5).
    Lease {
        /// Its ballot.
        ballot: Ballot,
        /// The number of the request under this ballot.
        number: u64,
        /// The duration, by the acceptor's clock.
        time: Duration,
    },
    /// An acceptor grants a lease.
    Leased {
        /// The ballot of the answered leader.
        ballot: Ballot,
        /// The number of its request.
        number: u64,
    },
    /// A leader pings the leader that it watches.
    Ping,
    /// The answer to a ping.
    Pong {
        /// Whether the sender leads and gets its proposals accepted.
        leads: bool,
        /// Whether it tries to become the leader.
        tries: bool,
    },
    /// Header of a connection: the sender's number and the version of its membership.
    ///
    /// A receiver with an older version, or to which the number is unknown, ignores the messages.
    Knows {
        /// The version.
        version: u64,
        /// The sender, which may have been a member under another number before.
        sender: NodeId,
    },
    /// A node requests the membership.
    Who,
    /// The membership.
    Members(Membership),
}

impl Message {
    /// The name of its kind, as in the paper where it has one.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Request(_) => "request",
            Self::Propose(_) => "propose",
            Self::P1a { .. } => "p1a",
            Self::P1b { .. } => "p1b",
            Self::P2a(_) => "p2a",
            Self::P2b { .. } => "p2b",
            Self::Decision(_) => "decision",
            Self::Progress { .. } => "progress",
            Self::Learn { .. } => "learn",
            Self::Learned { .. } => "learned",
            Self::State { .. } => "state",
            Self::Fetch { .. } => "fetch",
            Self::Ask { .. } => "ask",
            Self::Highest { .. } => "highest",
            Self::Lease { .. } => "lease",
            Self::Leased { .. } => "leased",
            Self::Ping => "ping",
            Self::Pong { .. } => "pong",
            Self::Knows { .. } => "knows",
            Self::Who => "who",
            Self::Members(_) => "members",
        }
    }

    /// Approximate size in memory and on the wire, in bytes.
    pub fn size(&self) -> usize {
        match self {
            Self::Request(command)
            | Self::Propose(Decided { command, .. })
            | Self::P2a(PValue { command, .. })
            | Self::Decision(PValue { command, .. }) => command.size(),
            Self::P1b { accepted, .. } => accepted.iter().map(|pvalue| pvalue.command.size()).sum(),
            Self::Learned { decisions, .. } => decisions.iter().map(|decided| decided.command.size()).sum(),
            Self::State { part, .. } => part.len(),
            Self::Members(membership) => membership.size(),
            Self::P1a { .. }
            | Self::P2b { .. }
            | Self::Progress { .. }
            | Self::Learn { .. }
            | Self::Fetch { .. }
            | Self::Ask { .. }
            | Self::Highest { .. }
            | Self::Lease { .. }
            | Self::Leased { .. }
            | Self::Ping
            | Self::Pong { .. }
            | Self::Knows { .. }
            | Self::Who => 32,
        }
    }
}

/// A set of nodes, for counting answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NodeSet([u128; 2]);

impl NodeSet {
    /// Adds a node; false if it was present.
    pub fn insert(&mut self, node: NodeId) -> bool {
        let (word, bit) = (usize::from(node.0 >> 7), 1 << (node.0 & 127));
        let new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        new
    }

    /// Whether the node is in it.
    pub fn contains(&self, node: NodeId) -> bool {
        self.0[usize::from(node.0 >> 7)] & (1 << (node.0 & 127)) != 0
    }

    /// Whether more than half of these nodes are in it.
    pub fn has_majority_of(&self, nodes: &[NodeId]) -> bool {
        nodes.iter().filter(|&&node| self.contains(node)).count() > nodes.len() / 2
    }

    /// Number of nodes in it.
    pub fn len(&self) -> usize {
        (self.0[0].count_ones() + self.0[1].count_ones()) as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0 == [0, 0]
    }
}
