//! Who the members are: what the node does when it learns of a change, and of whom it hears nothing before it has.

use super::Driver;
use crate::config::Role;
use crate::paxos::membership::{Membership, Node};
use crate::paxos::message::{Message, NodeId};
use crate::paxos::packet::Packet;
use crate::paxos::replica::Replica;
use crate::paxos::step::{Record, Step};
use crate::transport::Other;
use std::time::Duration;

impl Driver {
    /// Dials the other members; a node that is new remembers who they are first.
    pub(super) fn begin(&mut self, new: bool) {
        self.dial();
        if new {
            self.remember_members();
        }
    }

    /// Handles what another node sent, unless that knows of members that this one does not.
    pub(super) fn frame(&mut self, now: Duration, from: &str, packets: Vec<Packet>) {
        let mut sender = None;
        for packet in packets {
            for message in packet.unfold(self.acceptor.as_ref()) {
                self.framed(now, from, message, &mut sender);
            }
        }
    }

    fn framed(&mut self, now: Duration, from: &str, message: Message, sender: &mut Option<NodeId>) {
        match message {
            Message::Members(membership) => self.take_up(now, membership),
            Message::Knows { version, .. } if version > self.roster.version => {
                *sender = None;
                self.tell(from, Message::Who);
            }
            Message::Knows { sender: id, .. } => *sender = self.id_of(from).filter(|known| *known == id),
            Message::Who => self.tell(from, Message::Members(self.roster.membership.clone())),
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

    fn tell(&mut self, name: &str, message: Message) {
        if let Some(id) = self.id_of(name) {
            self.outbox.tell(id, message);
        }
    }

    /// If the replica has applied a change that the node does not know yet: takes it up, and tells everybody.
    pub(super) fn follow_replica(&mut self, now: Duration) {
        let Some(newer) = self.replica.as_ref().map(Replica::membership) else { return };
        if newer.version <= self.roster.version {
            return;
        }
        let newer = newer.clone();
        self.take_up(now, newer);
        for node in self.roster.everybody.clone() {
            if node != self.roster.me {
                self.outbox.tell(node, Message::Members(self.roster.membership.clone()));
            }
        }
    }

    /// Acts on what the members are now. What is accepted from here on is behind it in the log.
    fn take_up(&mut self, now: Duration, membership: Membership) {
        let Membership { version, cluster, window, .. } = &self.roster.membership;
        if membership.version <= *version || (&membership.cluster, membership.window) != (cluster, *window) {
            return;
        }
        self.roster = self.roster.follow(membership, &self.config.name);
        self.say_members();
        self.remember_members();
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

    fn remember_members(&mut self) {
        let save = vec![Record::Members(self.roster.membership.clone())];
        let mut step = Step { save, ..Step::default() };
        self.outbox.carry_out(Role::Acceptor, &mut step, &mut self.local, &mut self.waiting);
    }

    fn dial(&mut self) {
        let own = |name: &str| {
            let member = self.config.members.iter().find(|member| member.name == name);
            member.map(|member| member.address).or_else(|| self.config.routes.get(name).copied())
        };
        let others = self.roster.membership.nodes().filter(|node| node.name != self.config.name);
        let other = |node: &Node| {
            let address = own(&node.name).unwrap_or(node.address);
            Other { id: node.id, name: node.name.as_str().into(), address }
        };
        let others = others.map(other).collect();
        self.outbox.dial(self.roster.me, self.roster.version, others);
    }

    /// Says what the members are now.
    fn say_members(&self) {
        let membership = &self.roster.membership;
        let Some(newest) = membership.newest() else { return };
        let names: Vec<_> = newest.members.iter().map(|member| member.name.as_str()).collect();
        let names = names.join(", ");
        let version = membership.version;
        match membership.coming() {
            Some(from) => println!("configuration {version}: {names}, from slot {from} on"),
            None => println!("configuration {version}: {names}; the members before are no longer needed"),
        }
    }
}
