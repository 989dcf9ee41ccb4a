//! The trace of a node: what its core exchanges with the log and with other nodes, event by event.
//!
//! *Problem*: most mistakes in a consensus protocol stay invisible to clients unless several events coincide. An
//! acceptor that forgets a promise may answer correctly for hours.
//!
//! *Idea*: the shell writes each event before it carries it out, so that a killed process leaves a trace of everything that
//! had an effect. [`Invariants`](crate::invariants::Invariants) compares the traces of all nodes with the protocol. This is
//! trace validation (Cirstea, Kuppe, Loillier and Merz, SEFM 2024), with assertions in place of a TLA+ specification.
//!
//! *What it sees*: the inputs and outputs of a [`Core`], and what was in the log at the start. It reads no state of
//! the roles, except how far the acceptor has collected and what it recovered.

mod file;

pub use file::{TraceError, TraceFile, read};

use crate::core::{Core, Input, Output, Saved};
use crate::log::{LogEvent, LogOrder, Recovered};
use crate::paxos::acceptor::Acceptor;
use crate::paxos::membership::Membership;
use crate::paxos::message::{Ballot, Command, Message, NodeId, PValue, Slot};
use crate::paxos::packet::Packet;
use crate::paxos::replica::Replica;
use crate::paxos::step::Record;
use crate::store::Operation;
use rustc_hash::FxHasher;
use serde::{Deserialize, Serialize};
use std::hash::{Hash, Hasher};

/// A command, by a hash of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The hash.
    pub hash: u64,
    /// Whether it changes the members.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub changes: bool,
}

impl Named {
    fn of(command: &Command) -> Self {
        Self { hash: hash(command), changes: matches!(command.operation, Operation::Reconfigure { .. }) }
    }
}

/// The part of a record that an invariant speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    /// The acceptor promised this ballot.
    Promise(Ballot),
    /// The acceptor accepted a command for a slot under a ballot.
    Accepted(Ballot, Slot, Named),
    /// The replica learned a decision; none means the command of the last accepted pvalue for the slot.
    Decided(Slot, Option<Named>),
    /// The node acts on a membership whose newest configuration decides the slots from one on.
    Members {
        /// The number of changes.
        version: u64,
        /// The first slot of the newest configuration.
        from: Slot,
    },
    /// Another record.
    Other,
}

/// A record in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// A hash of the whole record.
    pub hash: u64,
    /// What it says.
    pub fact: Fact,
}

impl Written {
    fn of(record: &Record) -> Self {
        let fact = match record {
            Record::Promise(ballot) => Fact::Promise(*ballot),
            Record::Accepted(PValue { ballot, slot, command }) => {
                Fact::Accepted(*ballot, *slot, Named::of(command))
            }
            Record::Decided { slot, command } => Fact::Decided(*slot, command.as_deref().map(Named::of)),
            Record::Members(membership) => Fact::Members {
                version: membership.version,
                from: membership.newest().map_or(1, |newest| newest.from),
            },
            Record::Round(_) | Record::Lease(_) => Fact::Other,
        };
        // The encoding covers every field of every record.
        let bytes = postcard::to_stdvec(record).expect("records are made of types that postcard can write");
        Self { hash: hash(&bytes), fact }
    }
}

fn hash(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = FxHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

/// What a node found in its log at its start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// Whether there was a log.
    pub existed: bool,
    /// The index of the first segment that it read; the snapshot, if there is one, covers those before.
    pub first_segment: u64,
    /// Every record in it, in order.
    pub records: Vec<Written>,
}

impl Restored {
    /// What the log had.
    pub fn of(recovered: &Recovered) -> Self {
        Self {
            existed: recovered.existed,
            first_segment: recovered.first_segment,
            records: recovered.records.iter().map(Written::of).collect(),
        }
    }
}

/// A process at its start, with the state that its roles recovered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// The node's number.
    pub id: NodeId,
    /// The version of its membership.
    pub version: u64,
    /// WINDOW.
    pub window: u64,
    /// Number of replicas of the newest configuration.
    pub replicas: usize,
    /// What was in its log.
    pub restored: Restored,
    /// The promise that its acceptor recovered.
    pub promised: Option<Ballot>,
    /// The first slot that its acceptor has not forgotten.
    pub collected: Slot,
    /// The pvalues that its acceptor recovered.
    pub accepted: Vec<(Ballot, Slot, Named)>,
    /// The first slot that its replica has not applied.
    pub slot_out: Slot,
    /// The later slots whose decisions it recovered.
    pub unapplied: Vec<Slot>,
}

/// One event of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TraceEvent {
    /// A process of the node began.
    Started(Started),
    /// The node acts under this number from now on.
    Named(NodeId),
    /// It hands a batch of records to the log.
    Append {
        /// The number of the batch.
        number: u64,
        /// Whether the log must sync it before it reports it.
        sync: bool,
        /// The records.
        records: Vec<Written>,
    },
    /// It orders a sync of all batches up to this one.
    Sync(u64),
    /// It orders a new segment.
    Rotate,
    /// It orders the removal of the segments before this one.
    RemoveBefore(u64),
    /// The log has carried out its orders up to this batch.
    Synced(u64),
    /// The log began the segment with this index.
    Rotated(u64),
    /// The log removed segments.
    Removed,
    /// A snapshot is durable.
    Saved {
        /// The index of the first segment that it does not cover.
        index: u64,
        /// The first slot that it does not cover.
        slot_out: Slot,
    },
    /// Its acceptor has forgotten the slots below this one.
    Collected(Slot),
    /// It received the progress of another node.
    Heard {
        /// The other node.
        from: String,
        /// That node has every slot below on its disk.
        slot_out: Slot,
    },
    /// It sends `P1a`.
    Scouts(Ballot),
    /// It sends `P1b`, with the ballot that its acceptor has promised.
    Promises(Ballot),
    /// It sends `P2a`.
    Proposes(Ballot, Slot, Named),
    /// It sends `P2b`.
    Answers {
        /// The ballot that was proposed.
        ballot: Ballot,
        /// The slot.
        slot: Slot,
        /// The ballot that its acceptor has promised; it accepted if the two are equal.
        promised: Ballot,
    },
    /// It sends `Progress`: its replica has every slot below on its disk.
    Reports(Slot),
}

impl Started {
    /// The start of a process whose core was built from this log.
    pub fn of<C>(core: &Core<C>, restored: Restored) -> Self {
        let Membership { version, window, .. } = *core.membership();
        let named = |PValue { ballot, slot, command }: PValue| (ballot, slot, Named::of(&command));
        let acceptor = core.acceptor();
        Self {
            id: core.roster().me,
            version,
            window,
            replicas: core.roster().groups.last().map_or(0, |group| group.replicas.len()),
            restored,
            promised: acceptor.and_then(Acceptor::promised),
            collected: acceptor.map_or(1, Acceptor::collected),
            accepted: acceptor.map_or_else(Vec::new, |it| it.pvalues(1).into_iter().map(named).collect()),
            slot_out: core.replica().map_or(1, Replica::slot_out),
            unapplied: core.replica().map_or_else(Vec::new, |replica| {
                replica.unapplied().into_iter().map(|decided| decided.slot).collect()
            }),
        }
    }
}

/// Makes the events of one process. Equal events in a row become one.
#[derive(Debug, Default)]
pub struct Tracer {
    events: Vec<TraceEvent>,
    collected: Slot,
}

impl Tracer {
    /// Adds the first event of the process.
    pub fn start(&mut self, started: Started) {
        self.collected = started.collected;
        self.push(TraceEvent::Started(started));
    }

    /// Adds the events of an input, before the core handles it.
    pub fn input<C>(&mut self, input: &Input<C>) {
        match input {
            Input::Packets { from, packets } => {
                for packet in packets {
                    if let Packet::One(Message::Progress { slot_out }) = packet {
                        self.push(TraceEvent::Heard { from: from.to_string(), slot_out: *slot_out });
                    }
                }
            }
            Input::Log(LogEvent::Synced { number, .. }) => self.push(TraceEvent::Synced(*number)),
            Input::Log(LogEvent::Rotated(index)) => self.push(TraceEvent::Rotated(*index)),
            Input::Log(LogEvent::Removed(_)) => self.events.push(TraceEvent::Removed),
            Input::Saved(Saved { index, slot_out, .. }) => {
                self.push(TraceEvent::Saved { index: *index, slot_out: *slot_out });
            }
            Input::Request { .. } | Input::Lost(_) | Input::Tick | Input::Flush => {}
        }
    }

    /// Adds the events of the outputs of a step, before the shell carries them out.
    pub fn outputs<C>(&mut self, core: &Core<C>, outputs: &[Output<C>]) {
        let collected = core.acceptor().map_or(1, Acceptor::collected);
        if collected > self.collected {
            self.collected = collected;
            self.push(TraceEvent::Collected(collected));
        }
        for output in outputs {
            match output {
                Output::Send(_, message) => self.message(message),
                Output::Log(order) => self.order(order),
                Output::Dial { greeting: Message::Knows { sender, .. }, .. } => {
                    self.push(TraceEvent::Named(*sender));
                }
                Output::Dial { .. } | Output::Reply(..) | Output::Snapshot { .. } | Output::Notice(_) => {}
            }
        }
    }

    fn message(&mut self, message: &Message) {
        match message {
            Message::P1a { ballot, .. } => self.push(TraceEvent::Scouts(*ballot)),
            Message::P1b { promised, .. } => self.push(TraceEvent::Promises(*promised)),
            Message::P2a(PValue { ballot, slot, command }) => {
                self.push(TraceEvent::Proposes(*ballot, *slot, Named::of(command)));
            }
            Message::P2b { commander, slot, promised } => {
                self.push(TraceEvent::Answers { ballot: *commander, slot: *slot, promised: *promised });
            }
            Message::Progress { slot_out } => self.push(TraceEvent::Reports(*slot_out)),
            Message::Request(_)
            | Message::Propose(_)
            | Message::Decision(_)
            | Message::Learn { .. }
            | Message::Learned { .. }
            | Message::State { .. }
            | Message::Fetch { .. }
            | Message::Ask { .. }
            | Message::Highest { .. }
            | Message::Lease { .. }
            | Message::Leased { .. }
            | Message::Ping
            | Message::Pong { .. }
            | Message::Knows { .. }
            | Message::Who
            | Message::Members(_) => {}
        }
    }

    fn order(&mut self, order: &LogOrder) {
        // Two orders may be equal, and the log carries out each.
        self.events.push(match order {
            LogOrder::Append { number, batch, sync } => TraceEvent::Append {
                number: *number,
                sync: *sync,
                records: batch.records().iter().map(Written::of).collect(),
            },
            LogOrder::Sync(number) => TraceEvent::Sync(*number),
            LogOrder::Rotate => TraceEvent::Rotate,
            LogOrder::RemoveBefore(index) => TraceEvent::RemoveBefore(*index),
        });
    }

    fn push(&mut self, event: TraceEvent) {
        if self.events.last() != Some(&event) {
            self.events.push(event);
        }
    }

    /// Takes the events since the last call.
    pub fn take(&mut self) -> std::vec::Drain<'_, TraceEvent> {
        self.events.drain(..)
    }
}
