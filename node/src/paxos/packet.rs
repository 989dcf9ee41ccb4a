//! Packets between nodes. A run of messages about consecutive slots becomes one packet.
//!
//! A decision need not repeat a command that the receiver was requested to accept over the same connection. A
//! receiver that did not accept it (it had promised a higher ballot, or restarted) drops the decision, like a
//! lost message. Its replica catches up later.

use super::acceptor::Acceptor;
use super::message::{Ballot, Command, Decided, Message, PValue, Slot};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// A message, or a run of messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Packet {
    /// A single message.
    One(Message),
    /// `P2a` for these commands in consecutive slots.
    Accept {
        /// The common ballot.
        ballot: Ballot,
        /// The slot of the first command.
        from: Slot,
        /// The commands.
        commands: Vec<Arc<Command>>,
    },
    /// `P2b` for consecutive slots.
    Accepted {
        /// The ballot of the answered commanders.
        commander: Ballot,
        /// The ballot the acceptor has promised.
        promised: Ballot,
        /// The slots.
        slots: Range<Slot>,
    },
    /// `Decision` for consecutive slots, each with the command of the receiver's `P2a`.
    Chosen {
        /// The ballot of the chosen pvalues.
        ballot: Ballot,
        /// The slots.
        slots: Range<Slot>,
    },
}

impl Packet {
    /// The name of the kind of its messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::One(message) => message.kind(),
            Self::Accept { .. } => "p2a",
            Self::Accepted { .. } => "p2b",
            Self::Chosen { .. } => "decision",
        }
    }
}

/// Largest number of slots in one run.
const RUN_MAX: u64 = 4096;

/// The largest slot or round in a message, far below the overflow of later arithmetic.
const NUMBER_MAX: u64 = u64::MAX >> 2;

/// The longest lease in a message.
const LEASE_MAX: Duration = Duration::from_secs(86_400);

/// One end of a connection: folds messages, and remembers the last `P2a`s to the other end.
#[derive(Debug, Clone)]
pub struct Folder {
    proposed: Option<(Ballot, Range<Slot>)>,
    /// Largest number of slots in one run.
    longest: u64,
}

impl Default for Folder {
    fn default() -> Self {
        Self::new(RUN_MAX)
    }
}

impl Folder {
    /// A new connection between nodes with this WINDOW.
    pub fn new(window: u64) -> Self {
        Self { proposed: None, longest: window.min(RUN_MAX) }
    }

    /// Folds messages that are sent together, in order.
    pub fn fold(&mut self, messages: impl IntoIterator<Item = Message>) -> Vec<Packet> {
        let mut packets = Vec::new();
        for message in messages {
            match message {
                Message::P2a(pvalue) => self.accept(pvalue, &mut packets),
                Message::P2b { commander, slot, promised } => {
                    self.accepted((commander, promised), slot, &mut packets);
                }
                Message::Decision(pvalue) => self.decide(pvalue, &mut packets),
                other => packets.push(Packet::One(other)),
            }
        }
        packets
    }

    fn accept(&mut self, PValue { ballot, slot, command }: PValue, packets: &mut Vec<Packet>) {
        match &mut self.proposed {
            Some((proposed, slots)) if *proposed == ballot && slots.end == slot => {
                slots.end += 1;
            }
            Some((proposed, slots)) if *proposed == ballot && slot < slots.end => {}
            Some(_) | None => self.proposed = Some((ballot, slot..slot + 1)),
        }
        match packets.last_mut() {
            Some(Packet::Accept { ballot: last, from, commands })
                if *last == ballot
                    && *from + commands.len() as Slot == slot
                    && (commands.len() as u64) < self.longest =>
            {
                commands.push(command);
            }
            Some(_) | None => packets.push(Packet::Accept { ballot, from: slot, commands: vec![command] }),
        }
    }

    fn decide(&self, pvalue: PValue, packets: &mut Vec<Packet>) {
        let PValue { ballot, slot, .. } = pvalue;
        if !self
            .proposed
            .as_ref()
            .is_some_and(|(proposed, slots)| *proposed == ballot && slots.contains(&slot))
        {
            packets.push(Packet::One(Message::Decision(pvalue)));
            return;
        }
        match packets.last_mut() {
            Some(Packet::Chosen { ballot: last, slots })
                if *last == ballot && slots.end == slot && slots.end - slots.start < self.longest =>
            {
                slots.end += 1;
            }
            Some(_) | None => packets.push(Packet::Chosen { ballot, slots: slot..slot + 1 }),
        }
    }

    fn accepted(&self, ballots: (Ballot, Ballot), slot: Slot, packets: &mut Vec<Packet>) {
        match packets.last_mut() {
            Some(Packet::Accepted { commander, promised, slots })
                if (*commander, *promised) == ballots
                    && slots.end == slot
                    && slots.end - slots.start < self.longest =>
            {
                slots.end += 1;
            }
            Some(_) | None => {
                let (commander, promised) = ballots;
                packets.push(Packet::Accepted { commander, promised, slots: slot..slot + 1 });
            }
        }
    }
}

/// The reason why bytes are no valid packets.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They do not decode.
    #[error("it is not made of packets: {0}")]
    Shape(#[from] postcard::Error),
    /// Bytes remain after the packets.
    #[error("{0} bytes stand behind its last packet")]
    Trailing(usize),
    /// A number is outside its valid range.
    #[error("{0} is out of range")]
    Range(&'static str),
}

/// Adds the encoded packets to `bytes`.
///
/// # Panics
/// Never: packets are made of types that postcard can write.
pub fn encode(packets: &[Packet], bytes: Vec<u8>) -> Vec<u8> {
    postcard::to_extend(packets, bytes).expect("packets are made of types that postcard can write")
}

/// Decodes the packets of a node with this WINDOW, and checks every number in them.
pub fn decode(bytes: &[u8], window: u64) -> Result<Vec<Packet>, DecodeError> {
    let (packets, rest) = postcard::take_from_bytes::<Vec<Packet>>(bytes)?;
    if !rest.is_empty() {
        return Err(DecodeError::Trailing(rest.len()));
    }
    packets.iter().try_for_each(|packet| packet.check(window)).map_err(DecodeError::Range)?;
    Ok(packets)
}

fn number(number: u64) -> Result<(), &'static str> {
    if number <= NUMBER_MAX { Ok(()) } else { Err("a slot or round") }
}

fn run(slots: &Range<Slot>, window: u64) -> Result<(), &'static str> {
    number(slots.end)?;
    let length = slots.end.checked_sub(slots.start).filter(|length| *length > 0);
    length.filter(|length| *length <= window.min(RUN_MAX)).map(|_| ()).ok_or("a run of slots")
}

fn check_pvalue(PValue { ballot, slot, .. }: &PValue) -> Result<(), &'static str> {
    number(ballot.round)?;
    number(*slot)
}

impl Packet {
    fn check(&self, window: u64) -> Result<(), &'static str> {
        match self {
            Self::One(message) => check_message(message),
            Self::Accept { ballot, from, commands } => {
                number(ballot.round)?;
                number(*from)?;
                run(&(*from..*from + commands.len() as Slot), window)
            }
            Self::Accepted { commander, promised, slots } => {
                number(commander.round.max(promised.round))?;
                run(slots, window)
            }
            Self::Chosen { ballot, slots } => {
                number(ballot.round)?;
                run(slots, window)
            }
        }
    }
}

fn check_message(message: &Message) -> Result<(), &'static str> {
    match message {
        Message::Request(_)
        | Message::Ask { .. }
        | Message::Ping
        | Message::Pong { .. }
        | Message::Who
        | Message::Knows { .. } => Ok(()),
        Message::Propose(Decided { slot, .. })
        | Message::Progress { slot_out: slot }
        | Message::Learn { from: slot }
        | Message::Fetch { slot_out: slot, .. }
        | Message::Highest { slot, .. } => number(*slot),
        Message::P1a { ballot, from } => number(ballot.round.max(*from)),
        Message::P1b { scout, promised, collected, from, accepted, next } => {
            let next = next.unwrap_or_default();
            number(scout.round.max(promised.round).max(*collected).max(*from).max(next))?;
            accepted.iter().try_for_each(check_pvalue)
        }
        Message::P2a(pvalue) | Message::Decision(pvalue) => check_pvalue(pvalue),
        Message::P2b { commander, slot, promised } => number(commander.round.max(promised.round).max(*slot)),
        Message::Learned { decisions, slot_out } => {
            number(*slot_out)?;
            decisions.iter().try_for_each(|decided| number(decided.slot))
        }
        Message::State { slot_out, offset, total, part } => {
            number((*slot_out).max(*total))?;
            let end = offset.checked_add(part.len() as u64);
            end.filter(|end| end <= total).map(|_| ()).ok_or("a part of a state")
        }
        Message::Lease { ballot, time, .. } if *time <= LEASE_MAX => number(ballot.round),
        Message::Lease { .. } => Err("a lease"),
        Message::Leased { ballot, .. } => number(ballot.round),
        Message::Members(membership) => membership.check(),
    }
}

impl Packet {
    /// The messages of the packet, in order. `acceptor` is the receiver's own, if it has one.
    pub fn unfold(self, acceptor: Option<&Acceptor>) -> Vec<Message> {
        match self {
            Self::One(message) => vec![message],
            Self::Accept { ballot, from, commands } => {
                let pvalue = |(slot, command)| Message::P2a(PValue { ballot, slot, command });
                (from..).zip(commands).map(pvalue).collect()
            }
            Self::Accepted { commander, promised, slots } => {
                slots.map(|slot| Message::P2b { commander, slot, promised }).collect()
            }
            Self::Chosen { ballot, slots } => {
                let accepted = |slot| {
                    let (under, command) = acceptor?.accepted(slot)?;
                    let command = Arc::clone(command);
                    (*under == ballot).then_some(Message::Decision(PValue { ballot, slot, command }))
                };
                slots.filter_map(accepted).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paxos::message::NodeId;

    fn pvalue(round: u64, slot: Slot) -> PValue {
        let ballot = Ballot { round, leader: NodeId(0) };
        PValue { ballot, slot, command: Arc::new(Command { sequence: slot, ..Command::no_op() }) }
    }

    fn of(round: u64, slots: Range<Slot>, message: fn(PValue) -> Message) -> Vec<Message> {
        slots.map(|slot| message(pvalue(round, slot))).collect()
    }

    fn acceptor_of(pvalues: &[Message]) -> Acceptor {
        let member = crate::config::Member {
            name: "n1".into(),
            address: ([127, 0, 0, 1], 1).into(),
            roles: [crate::config::Role::Acceptor].into(),
        };
        let roster = crate::paxos::membership::Roster::new(&[member], "n1", 100).unwrap();
        let mut acceptor = Acceptor::new(&roster, &[]);
        for message in pvalues {
            let (now, mut step) = (std::time::Duration::ZERO, crate::paxos::step::Step::default());
            acceptor.handle(now, NodeId(0), message.clone(), &mut step);
        }
        acceptor
    }

    fn unfolded(packets: Vec<Packet>, acceptor: &Acceptor) -> Vec<Message> {
        packets.into_iter().flat_map(|packet| packet.unfold(Some(acceptor))).collect()
    }

    #[test]
    fn run_of_messages_survives_folding() {
        let proposed = of(1, 5..9, Message::P2a);
        let acceptor = acceptor_of(&proposed);
        let (commander, promised) = (pvalue(1, 5).ballot, pvalue(2, 5).ballot);
        let answers = (5..9).map(|slot| Message::P2b { commander, slot, promised }).collect();
        let mut folder = Folder::default();
        for run in [proposed, answers, of(1, 5..9, Message::Decision)] {
            let packets = folder.fold(run.clone());
            assert_eq!(packets.len(), 1);
            assert_eq!(unfolded(packets, &acceptor), run);
        }
    }

    #[test]
    fn decision_without_accept_carries_its_command() {
        let mut folder = Folder::default();
        folder.fold(of(1, 5..6, Message::P2a));
        for other in [of(1, 6..7, Message::Decision), of(2, 5..6, Message::Decision)] {
            assert_eq!(folder.fold(other.clone()), other.into_iter().map(Packet::One).collect::<Vec<_>>());
        }
    }

    #[test]
    fn decision_without_matching_pvalue_is_dropped() {
        let mut folder = Folder::default();
        folder.fold(of(1, 5..7, Message::P2a));
        let chosen = folder.fold(of(1, 5..7, Message::Decision));
        let acceptor = acceptor_of(&of(2, 5..6, Message::P2a));
        assert_eq!(unfolded(chosen, &acceptor), []);
    }
}
