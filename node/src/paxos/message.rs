//! What the roles say to each other: ballots, slots, commands, pvalues, messages.

use super::membership::Membership;
use crate::store::Operation;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// A node's number among all that were ever members, the same on every node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub u8);

/// An index into the sequence of commands; the first is 1.
pub type Slot = u64;

/// A ballot number: pairs of a round and a leader, ordered; ⊥ of the paper is `None::<Ballot>`, before all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ballot {
    /// The round, raised by a leader that was preempted.
    pub round: u64,
    /// The leader whose ballot it is.
    pub leader: NodeId,
}

/// What the names begin with under which replicas number commands; no client's name does.
pub const ANONYMOUS: char = '~';

/// A client's command, named by the client so that a retry is known for what it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Command {
    /// The client's name; empty for a command of the replicas' own, and, until a replica has numbered it, for one
    /// whose client gave no name.
    pub client: Arc<str>,
    /// Its number among the client's commands, rising.
    pub sequence: u64,
    /// What to do.
    pub operation: Operation,
}

impl Command {
    /// Its size in memory and on the wire, roughly, in bytes.
    pub fn size(&self) -> usize {
        self.client.len() + self.operation.size() + 32
    }

    /// The command that does nothing. A replica proposes it for a slot without a proposal.
    pub fn no_op() -> Self {
        Self::internal(Operation::Nothing)
    }

    /// A command of the replicas' own, which no client waits for.
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

/// What an acceptor accepts: a command for a slot, under a ballot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PValue {
    /// The ballot it was proposed under.
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

/// One message between roles; the table in the [module](super) says who sends it to whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// A replica passes a command on to the one beside the active leader, which finds a slot for it (section 4.4).
    Request(Arc<Command>),
    /// A replica proposes a command for a slot.
    Propose(Decided),
    /// A scout asks for a promise.
    P1a {
        /// The ballot to be promised.
        ballot: Ballot,
        /// The first slot whose pvalue matters to the leader.
        from: Slot,
    },
    /// An acceptor answers a scout.
    P1b {
        /// The ballot of the scout that is answered.
        scout: Ballot,
        /// The ballot the acceptor has promised.
        promised: Ballot,
        /// The acceptor has forgotten the pvalues of slots below this one: they are decided, and safe
        /// with enough replicas.
        collected: Slot,
        /// The first slot that was asked for.
        from: Slot,
        /// The highest pvalue of each slot from `from` on; empty when the promise is not the scout's.
        accepted: Vec<PValue>,
        /// Pvalues of this slot and later ones did not fit, and are to be asked for.
        next: Option<Slot>,
    },
    /// A commander asks for acceptance.
    P2a(PValue),
    /// An acceptor answers a commander.
    P2b {
        /// The ballot of the commander that is answered.
        commander: Ballot,
        /// Its slot.
        slot: Slot,
        /// The ballot the acceptor has promised.
        promised: Ballot,
    },
    /// A pvalue was chosen.
    Decision(PValue),
    /// A replica has applied, and has on disk, every slot below this one.
    Progress {
        /// Its next slot to apply.
        slot_out: Slot,
    },
    /// A replica asks another for decisions.
    Learn {
        /// The first slot it lacks.
        from: Slot,
    },
    /// The answer: decisions from a slot on, as many as fit.
    Learned {
        /// Decisions in the order of their slots, without a gap.
        decisions: Vec<Decided>,
        /// The answering replica's next slot to apply.
        slot_out: Slot,
    },
    /// The answer to a replica that lacks decisions which are no longer kept: a part of the state.
    State {
        /// Every slot below is in the state.
        slot_out: Slot,
        /// Where in the encoded state this part begins.
        offset: u64,
        /// Bytes of the whole encoded state.
        total: u64,
        /// The part.
        part: Bytes,
    },
    /// A replica asks for the next part of a state.
    Fetch {
        /// Which state.
        slot_out: Slot,
        /// From where on.
        offset: u64,
    },
    /// A replica that is asked to read asks how far it must have applied (section 4.5).
    Ask {
        /// Which life of the replica asks, so that no answer to an earlier one is taken for its own.
        life: u64,
        /// The number of the question in this life.
        number: u64,
    },
    /// An acceptor answers: it has accepted no pvalue of a higher slot.
    Highest {
        /// The life of the question.
        life: u64,
        /// The number of the question.
        number: u64,
        /// The slot.
        slot: Slot,
    },
    /// A leader that was adopted asks to be the only one that is helped, for a while (section 4.5).
    Lease {
        /// Its ballot.
        ballot: Ballot,
        /// The number of the question, under this ballot.
        number: u64,
        /// For how long, by the acceptor's clock.
        time: Duration,
    },
    /// An acceptor grants that.
    Leased {
        /// The ballot of the leader that is answered.
        ballot: Ballot,
        /// The number of its question.
        number: u64,
    },
    /// A leader asks the one it watches for a sign of life.
    Ping,
    /// The sign of life.
    Pong {
        /// Whether the sender leads, and gets its proposals accepted.
        leads: bool,
        /// Whether it is trying to become the leader.
        tries: bool,
    },
    /// What follows is said by the node of this number, which knows this version of the membership; a node that knows an
    /// older one, or does not know the number, does not listen.
    Knows {
        /// The version.
        version: u64,
        /// The sender, which may have been a member under another number before.
        sender: NodeId,
    },
    /// A node asks for the membership.
    Who,
    /// The membership.
    Members(Membership),
}

impl Message {
    /// Its size in memory and on the wire, roughly, in bytes.
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
    /// Adds a node; false if it was there.
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

    /// How many nodes are in it.
    pub fn len(&self) -> usize {
        (self.0[0].count_ones() + self.0[1].count_ones()) as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0 == [0, 0]
    }
}
