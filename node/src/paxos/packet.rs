//! Packets: what travels between nodes. Runs of messages about consecutive slots are folded into one.
//!
//! A decision need not repeat the command where the receiver was asked to accept it over the same connection. If it has not
//! accepted it all the same (it had promised a higher ballot, or was restarted), the decision is lost on it, as messages
//! can be, and its replica catches up.

use super::acceptor::Acceptor;
use super::message::{Ballot, Command, Message, PValue, Slot};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;

/// One message, or a run of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Packet {
    /// A message by itself.
    One(Message),
    /// `P2a` for these commands in consecutive slots.
    Accept {
        /// The ballot of all.
        ballot: Ballot,
        /// The slot of the first.
        from: Slot,
        /// The commands.
        commands: Vec<Arc<Command>>,
    },
    /// `P2b` for consecutive slots.
    Accepted {
        /// The ballot of the commanders that are answered.
        commander: Ballot,
        /// The ballot the acceptor has promised.
        promised: Ballot,
        /// The slots.
        slots: Range<Slot>,
    },
    /// `Decision` for consecutive slots, each with the command that the receiver was asked to accept.
    Chosen {
        /// The ballot of the pvalues that were chosen.
        ballot: Ballot,
        /// The slots.
        slots: Range<Slot>,
    },
}

/// One end of a connection: folds messages, and knows what the other end was asked to accept.
#[derive(Debug, Clone, Default)]
pub struct Folder {
    asked: Option<(Ballot, Range<Slot>)>,
}

impl Folder {
    /// Folds what is sent at one time, in order.
    pub fn fold(&mut self, messages: impl IntoIterator<Item = Message>) -> Vec<Packet> {
        let mut packets = Vec::new();
        for message in messages {
            match message {
                Message::P2a(pvalue) => self.accept(pvalue, &mut packets),
                Message::P2b { commander, slot, promised } => {
                    accepted((commander, promised), slot, &mut packets);
                }
                Message::Decision(pvalue) => self.decide(pvalue, &mut packets),
                other => packets.push(Packet::One(other)),
            }
        }
        packets
    }

    fn accept(&mut self, PValue { ballot, slot, command }: PValue, packets: &mut Vec<Packet>) {
        match &mut self.asked {
            Some((asked, slots)) if *asked == ballot && slots.end == slot => {
                slots.end += 1;
            }
            Some((asked, slots)) if *asked == ballot && slot < slots.end => {}
            Some(_) | None => self.asked = Some((ballot, slot..slot + 1)),
        }
        match packets.last_mut() {
            Some(Packet::Accept { ballot: last, from, commands })
                if *last == ballot && *from + commands.len() as Slot == slot =>
            {
                commands.push(command);
            }
            Some(_) | None => packets.push(Packet::Accept { ballot, from: slot, commands: vec![command] }),
        }
    }

    fn decide(&self, pvalue: PValue, packets: &mut Vec<Packet>) {
        let PValue { ballot, slot, .. } = pvalue;
        if !self.asked.as_ref().is_some_and(|(asked, slots)| *asked == ballot && slots.contains(&slot)) {
            packets.push(Packet::One(Message::Decision(pvalue)));
            return;
        }
        match packets.last_mut() {
            Some(Packet::Chosen { ballot: last, slots }) if *last == ballot && slots.end == slot => {
                slots.end += 1;
            }
            Some(_) | None => packets.push(Packet::Chosen { ballot, slots: slot..slot + 1 }),
        }
    }
}

fn accepted(ballots: (Ballot, Ballot), slot: Slot, packets: &mut Vec<Packet>) {
    match packets.last_mut() {
        Some(Packet::Accepted { commander, promised, slots })
            if (*commander, *promised) == ballots && slots.end == slot =>
        {
            slots.end += 1;
        }
        Some(_) | None => {
            let (commander, promised) = ballots;
            packets.push(Packet::Accepted { commander, promised, slots: slot..slot + 1 });
        }
    }
}

impl Packet {
    /// The messages it stands for, in order. `acceptor` is the receiver's own, if it has one.
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
    fn a_run_travels_as_one_packet_and_arrives_as_it_was_sent() {
        let asked = of(1, 5..9, Message::P2a);
        let acceptor = acceptor_of(&asked);
        let (commander, promised) = (pvalue(1, 5).ballot, pvalue(2, 5).ballot);
        let answers = (5..9).map(|slot| Message::P2b { commander, slot, promised }).collect();
        let mut folder = Folder::default();
        for run in [asked, answers, of(1, 5..9, Message::Decision)] {
            let packets = folder.fold(run.clone());
            assert_eq!(packets.len(), 1);
            assert_eq!(unfolded(packets, &acceptor), run);
        }
    }

    #[test]
    fn a_decision_bears_its_command_where_nobody_was_asked_to_accept_it_on_this_way() {
        let mut folder = Folder::default();
        folder.fold(of(1, 5..6, Message::P2a));
        for other in [of(1, 6..7, Message::Decision), of(2, 5..6, Message::Decision)] {
            assert_eq!(folder.fold(other.clone()), other.into_iter().map(Packet::One).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_decision_is_lost_on_an_acceptor_that_accepted_something_else_or_nothing() {
        let mut folder = Folder::default();
        folder.fold(of(1, 5..7, Message::P2a));
        let chosen = folder.fold(of(1, 5..7, Message::Decision));
        let acceptor = acceptor_of(&of(2, 5..6, Message::P2a));
        assert_eq!(unfolded(chosen, &acceptor), []);
    }
}
