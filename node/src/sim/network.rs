//! The network in virtual time: messages leave folded into packets, which are lost, repeated, delayed and reordered.

use super::{Cluster, Event, FAULTS_END};
use crate::core::Input;
use crate::paxos::message::Message;
use crate::paxos::packet::{Folder, Packet, decode, encode};
use rand::RngExt;
use std::collections::BTreeMap;
use std::time::Duration;

/// What is between the nodes.
pub(super) struct Network {
    size: usize,
    /// Messages that leave together, with the greeting under which each was sent, by sender and receiver.
    collected: BTreeMap<(usize, usize), Vec<(Message, Message)>>,
    folders: BTreeMap<(usize, usize), Folder>,
    /// Packets on their way with their greetings, by number.
    packets: BTreeMap<u64, [Packet; 2]>,
    /// Whether the link from one node to another is cut.
    cut: Vec<bool>,
}

impl Network {
    /// A network of this many nodes.
    pub(super) fn new(size: usize) -> Self {
        Self {
            size,
            collected: BTreeMap::new(),
            folders: BTreeMap::new(),
            packets: BTreeMap::new(),
            cut: vec![false; size * size],
        }
    }

    /// A node crashed: what it had not sent is gone.
    pub(super) fn forget(&mut self, index: usize) {
        self.collected.retain(|(from, _), _| *from != index);
        self.folders.retain(|(from, _), _| *from != index);
    }

    /// The connection from one node to another broke: what had not left is gone.
    pub(super) fn reset(&mut self, from: usize, to: usize) {
        self.collected.remove(&(from, to));
        self.folders.remove(&(from, to));
    }

    /// Cuts every link between the two sides.
    pub(super) fn partition(&mut self, sides: &[bool]) {
        for link in 0..self.cut.len() {
            self.cut[link] = sides[link / self.size] != sides[link % self.size];
        }
    }

    /// Heals every link.
    pub(super) fn heal(&mut self) {
        self.cut.fill(false);
    }

    /// Whether packets from one node reach the other.
    pub(super) fn connects(&self, from: usize, to: usize) -> bool {
        !self.cut[from * self.size + to]
    }
}

impl Cluster {
    /// Takes a message that leaves soon, so that others can go along.
    pub(super) fn collect(&mut self, from: usize, to: usize, greeting: Message, message: Message) {
        let waiting = self.network.collected.entry((from, to)).or_default();
        waiting.push((greeting, message));
        if waiting.len() == 1 {
            let pause = self.gathering_time();
            self.at(self.now + pause, Event::Send { from, to });
        }
    }

    /// Folds what was collected into packets, as a connection does, and sends them.
    pub(super) fn send_collected(&mut self, from: usize, to: usize) {
        let messages = self.network.collected.remove(&(from, to)).unwrap_or_default();
        let window = self.options.window;
        let folder = self.network.folders.entry((from, to)).or_insert_with(|| Folder::new(window));
        let mut packets = Vec::new();
        for run in messages.chunk_by(|one, next| one.0 == next.0) {
            let one_by_one = run.iter().map(|(_, message)| message.clone());
            packets.extend(
                folder.fold(one_by_one).into_iter().map(|packet| [Packet::One(run[0].0.clone()), packet]),
            );
        }
        for packet in packets {
            if self.last.is_multiple_of(16) {
                let bytes = encode(&packet, Vec::new());
                assert_eq!(decode(&bytes, window).as_deref(), Ok(&packet[..]));
            }
            self.dispatch(from, to, &packet);
        }
    }

    fn dispatch(&mut self, from: usize, to: usize, packet: &[Packet; 2]) {
        if self.driven.is_some() {
            self.dispatch_on_link(from, to, packet);
            return;
        }
        let copies = match self.rng.random_range(0..100) {
            _ if self.now > FAULTS_END => 1,
            0..4 => 0,
            4..7 => 2,
            _ => 1,
        };
        for _ in 0..copies {
            let slow = if self.rng.random_range(0..20) == 0 { 60 } else { 6 };
            let pause = self.milliseconds(0..slow);
            self.deliver_after(pause, from, to, packet.clone());
        }
    }

    /// Lets a packet arrive later.
    pub(super) fn deliver_after(&mut self, pause: Duration, from: usize, to: usize, packet: [Packet; 2]) {
        let number = self.last;
        self.network.packets.insert(number, packet);
        self.at(self.now + pause, Event::Deliver { to, from, number });
    }

    /// A packet arrives, unless its link is cut.
    pub(super) fn deliver(&mut self, to: usize, from: usize, number: u64) {
        let packet = self.network.packets.remove(&number).unwrap();
        let Some(packet) = self.through_link(from, to, packet) else { return };
        if self.nodes[to].process.is_some() && self.network.connects(from, to) {
            self.counts.folded += u64::from(!matches!(packet[1], Packet::One(_)));
            let from = self.nodes[from].config.name.as_str().into();
            self.input(to, Input::Packets { from, packets: packet.into() });
        }
    }
}
