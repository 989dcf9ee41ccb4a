//! Inputs and outputs of the core.

use crate::config::Read;
use crate::log::{LogEvent, LogOrder};
use crate::paxos::membership::Membership;
use crate::paxos::message::{Command, Decided, Message, NodeId, Slot};
use crate::paxos::packet::Packet;
use crate::store::Answer;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// One input of the core. `C` is the shell's handle of a client that waits for a reply.
#[derive(Debug)]
pub enum Input<C> {
    /// A client's command.
    Request {
        /// The command.
        command: Command,
        /// How to answer a read; none means the node's own option.
        read: Option<Read>,
        /// The client that gets the reply.
        client: C,
    },
    /// Messages of another node, in the order in which it sent them.
    Packets {
        /// The name of that node.
        from: Arc<str>,
        /// Its messages.
        packets: Vec<Packet>,
    },
    /// The connection from this node broke.
    Lost(Arc<str>),
    /// The log has carried out an order.
    Log(LogEvent),
    /// A snapshot is durable.
    Saved(Saved),
    /// Time has passed: the roles act on expired timers.
    Tick,
    /// The end of a turn: records that must be durable go to the log.
    Flush,
}

/// A snapshot that is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saved {
    /// The index of the first segment that it does not cover.
    pub index: u64,
    /// The commands of all slots below are in its state.
    pub slot_out: Slot,
    /// Its size in bytes.
    pub bytes: u64,
}

/// One output of the core. The shell carries outputs out in their order.
#[derive(Debug)]
pub enum Output<C> {
    /// Send a message to another node.
    Send(NodeId, Message),
    /// Reply to a client.
    Reply(C, Reply),
    /// Hand an order to the log.
    Log(LogOrder),
    /// Write a snapshot, and report [`Saved`] when it is durable.
    Snapshot {
        /// The index of the first segment that it does not cover.
        index: u64,
        /// The commands of all slots below are in its state.
        slot_out: Slot,
        /// The encoded snapshot.
        payload: Vec<u8>,
    },
    /// Keep a connection to each of these nodes and to no other.
    ///
    /// Every frame from here on begins with `greeting`.
    Dial {
        /// The version of the membership that this node knows, and the node's number.
        greeting: Message,
        /// The other nodes.
        others: Vec<Other>,
    },
    /// Tell the operator.
    Notice(Notice),
}

/// Another node, and its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// Its number.
    pub id: NodeId,
    /// Its name.
    pub name: Arc<str>,
    /// The address at which this node reaches it.
    pub address: SocketAddr,
}

/// The reply to a client's request.
#[derive(Debug)]
pub enum Reply {
    /// The command was applied in this slot, with this answer.
    Applied(Answer, Slot),
    /// The command was not proposed, and never will be.
    Refused(&'static str),
    /// The command is undecided after this time.
    Undecided(Duration),
}

/// A page of the decisions that a replica keeps.
#[derive(Debug)]
pub struct Decisions {
    /// The decisions, in the order of their slots.
    pub decisions: Vec<Decided>,
    /// The first slot whose decision is kept.
    pub first: Slot,
    /// The next slot to be applied.
    pub slot_out: Slot,
}

/// A line for the operator.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// The restarted replica has caught up with the others.
    Level {
        /// Time since the start of the process.
        after: Duration,
        /// Decisions from other replicas.
        decisions: u64,
        /// Slots of the state that another replica handed over.
        slots_of_state: u64,
        /// Bytes of both.
        bytes: u64,
    },
    /// The node acts on another membership.
    Members(Membership),
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Level { after, decisions, slots_of_state, bytes } => write!(
                f,
                "level with the other replicas {:.3} s after the start: {decisions} decisions and the state of \
                 {slots_of_state} slots from them ({bytes} bytes)",
                after.as_secs_f64()
            ),
            Self::Members(membership) => {
                let newest = membership.newest().into_iter().flat_map(|newest| &newest.members);
                let names: Vec<_> = newest.map(|member| member.name.as_str()).collect();
                let (names, version) = (names.join(", "), membership.version);
                match membership.coming() {
                    Some(from) => write!(f, "configuration {version}: {names}, from slot {from} on"),
                    None => {
                        write!(f, "configuration {version}: {names}; the members before are no longer needed")
                    }
                }
            }
        }
    }
}
