//! The network in virtual time: messages leave folded into packets, which are lost, repeated, delayed and reordered.

use super::{Event, FAULTS_END, World};
use node::paxos::message::{Message, NodeId};
use node::paxos::packet::{Folder, Packet, decode, encode};
use node::store::{Answer, Operation};
use rand::RngExt;
use std::collections::BTreeMap;

/// Which version of the membership a sender knew, and what its number was.
pub(super) type Greeting = (u64, NodeId);

/// What is between the nodes.
#[derive(Default)]
pub(super) struct Network {
    /// What waits to be sent together, by sender and receiver.
    outgoing: BTreeMap<(usize, usize), Vec<(Greeting, Message)>>,
    folders: BTreeMap<(usize, usize), Folder>,
    /// What is on its way, by number.
    packets: BTreeMap<u64, (Greeting, Packet)>,
}

/// What the first operation came to, of one or several.
pub(super) fn first(answer: Answer) -> Answer {
    if let Answer::Results(mut answers) = answer { answers.swap_remove(0) } else { answer }
}

impl World {
    /// Every third command is large from now on.
    pub(crate) fn with_large(mut self) -> Self {
        self.large = true;
        self
    }

    /// Adds one, and sometimes writes a large value as well.
    pub(super) fn increment(&mut self, key: String) -> Operation {
        let increment = Operation::Incr { key, by: 1 };
        if !self.large || self.chance.random_range(0..3) > 0 {
            return increment;
        }
        let large = Operation::Put { key: "large".to_owned(), value: "x".repeat(400_000).into() };
        Operation::Transaction { operations: vec![increment, large] }
    }

    /// Sends a message; to another node not at once, so that others can go along.
    pub(super) fn send(&mut self, from: usize, to: usize, greeting: Greeting, message: Message) {
        if from == to {
            self.dispatch(from, to, &(greeting, Packet::One(message)));
            return;
        }
        let waiting = self.network.outgoing.entry((from, to)).or_default();
        waiting.push((greeting, message));
        if waiting.len() == 1 {
            let pause = self.milliseconds(0..4);
            self.at(self.now + pause, Event::Flush { from, to });
        }
    }

    pub(super) fn flush(&mut self, from: usize, to: usize) {
        let messages = self.network.outgoing.remove(&(from, to)).unwrap_or_default();
        let window = self.options.window;
        let folder = self.network.folders.entry((from, to)).or_insert_with(|| Folder::new(window));
        let together = messages.chunk_by(|one, next| one.0 == next.0);
        let packets: Vec<_> = together
            .flat_map(|run| {
                let packets = folder.fold(run.iter().map(|(_, message)| message.clone()));
                packets.into_iter().map(|packet| (run[0].0, packet)).collect::<Vec<_>>()
            })
            .collect();
        for packet in &packets {
            if self.next.is_multiple_of(16) {
                let bytes = encode(std::slice::from_ref(&packet.1), Vec::new());
                assert_eq!(decode(&bytes, window).as_deref(), Ok(std::slice::from_ref(&packet.1)));
            }
            self.dispatch(from, to, packet);
        }
    }

    fn dispatch(&mut self, from: usize, to: usize, packet: &(Greeting, Packet)) {
        let copies = match self.chance.random_range(0..100) {
            _ if to == from || self.now > FAULTS_END => 1,
            0..4 => 0,
            4..7 => 2,
            _ => 1,
        };
        for _ in 0..copies {
            self.next += 1;
            let number = self.next;
            let slow = if self.chance.random_range(0..20) == 0 { 60 } else { 6 };
            let pause = self.milliseconds(0..slow);
            self.network.packets.insert(number, packet.clone());
            self.at(self.now + pause, Event::Deliver { to, from, number });
        }
    }

    pub(super) fn deliver(&mut self, to: usize, from: usize, number: u64) {
        let (greeting, packet) = self.network.packets.remove(&number).unwrap();
        if self.nodes[to].up && !self.cut[from * self.nodes.len() + to] {
            self.folded += u64::from(!matches!(packet, Packet::One(_)));
            for message in packet.unfold(Some(&self.nodes[to].roles.acceptor)) {
                self.receive(to, from, greeting, &message);
            }
        }
    }

    /// A node crashed: what it had not sent is gone.
    pub(super) fn forget_outgoing(&mut self, place: usize) {
        self.network.outgoing.retain(|(from, _), _| *from != place);
        self.network.folders.retain(|(from, _), _| *from != place);
    }
}
