//! The membership: reactions to a change, and which nodes the node ignores before it knows the change.

use super::{Core, Notice, Other, Output};
use crate::config::Role;
use crate::paxos::membership::{Membership, Node};
use crate::paxos::message::{Message, NodeId};
use crate::paxos::packet::Packet;
use crate::paxos::replica::Replica;
use crate::paxos::step::{Record, Step};
use std::time::Duration;

impl<C> Core<C> {
    /// Dials the other members; a new node saves the membership first.
    pub(super) fn begin(&mut self, new: bool) {
        self.dial();
        if new {
            self.save_members();
        }
    }

    /// Handles messages of another node, unless the sender knows a newer membership than this node.
    pub(super) fn packets(&mut self, now: Duration, from: &str, packets: Vec<Packet>) {
        let mut sender = None;
        for packet in packets {
            for message in packet.unfold(self.acceptor.as_ref()) {
                self.received(now, from, message, &mut sender);
            }
        }
    }

    /// Handles one message.
    ///
    /// `sender` is the number of the other node. It is none before its greeting, and if the greeting has a
    /// newer membership or an unknown number.
    fn received(&mut self, now: Duration, from: &str, message: Message, sender: &mut Option<NodeId>) {
        match message {
            Message::Members(membership) => self.take_up(now, membership),
            Message::Knows { version, .. } if version > self.roster.version => {
                *sender = None;
                self.send(from, Message::Who);
            }
            Message::Knows { sender: id, .. } => *sender = self.id_of(from).filter(|known| *known == id),
            Message::Who => self.send(from, Message::Members(self.roster.membership.clone())),
            message => {
                if let Some(sender) = *sender {
                    self.message(now, sender, message);
                }
            }
        }
    }

    pub(super) fn id_of(&self, name: &str) -> Option<NodeId> {
        self.roster.membership.named(name).map(|node| node.id)
    }

    fn send(&mut self, name: &str, message: Message) {
        if let Some(id) = self.id_of(name) {
            self.outbox.send(id, message);
        }
    }

    /// Acts on a change that the replica has applied, and sends it to every member.
    pub(super) fn follow_replica(&mut self, now: Duration) {
        let Some(newer) = self.replica.as_ref().map(Replica::membership) else { return };
        if newer.version <= self.roster.version {
            return;
        }
        let newer = newer.clone();
        self.take_up(now, newer);
        for node in self.roster.all_nodes.clone() {
            if node != self.roster.me {
                self.outbox.send(node, Message::Members(self.roster.membership.clone()));
            }
        }
    }

    /// Acts on a newer membership of the same cluster. The log already contains the records behind it.
    fn take_up(&mut self, now: Duration, membership: Membership) {
        let Membership { version, cluster, window, .. } = &self.roster.membership;
        if membership.version <= *version || (&membership.cluster, membership.window) != (cluster, *window) {
            return;
        }
        self.roster = self.roster.follow(membership, &self.config.name);
        self.outbox.outputs.push(Output::Notice(Notice::Members(self.roster.membership.clone())));
        self.save_members();
        self.dial();
        if let Some(acceptor) = &mut self.acceptor {
            acceptor.take_up(&self.roster);
        }
        if let Some(replica) = &mut self.replica {
            replica.take_up(self.roster.clone());
        }
        if let Some(leader) = &mut self.leader {
            let mut step = Step::default();
            leader.take_up(now, self.roster.clone(), &mut step);
            self.carry_out(now, Role::Leader, &mut step);
        }
    }

    fn save_members(&mut self) {
        let save = vec![Record::Members(self.roster.membership.clone())];
        self.outbox.carry_out(Role::Acceptor, &mut Step { save, ..Step::default() });
    }

    fn dial(&mut self) {
        let configured = |name: &str| {
            let member = self.config.members.iter().find(|member| member.name == name);
            member.map(|member| member.address).or_else(|| self.config.routes.get(name).copied())
        };
        let others = self.roster.membership.nodes().filter(|node| node.name != self.config.name);
        let other = |node: &Node| {
            let address = configured(&node.name).unwrap_or(node.address);
            Other { id: node.id, name: node.name.as_str().into(), address }
        };
        let others = others.map(other).collect();
        let greeting = Message::Knows { version: self.roster.version, sender: self.roster.me };
        self.outbox.rename(self.roster.me);
        self.outbox.outputs.push(Output::Dial { greeting, others });
    }
}
