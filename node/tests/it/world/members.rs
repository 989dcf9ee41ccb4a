//! Changes of the members in virtual time: the operator, nodes that join, and what nodes know of each other.

use super::{Disk, Event, FAULTS_END, MS, Node, World};
use node::config::{Member, Role};
use node::paxos::membership::{Change, Membership, Roster};
use node::paxos::message::{Command, Message, NodeId};
use node::paxos::step::{Record, Step, Ticket};
use node::store::Operation;
use rand::RngExt;

/// Tickets of the operator, far from those of the clients.
const OPERATOR: u64 = 1 << 40;

impl World {
    /// Nodes that wait to be added, and somebody who adds them.
    pub(super) fn add_spares(&mut self, spares: usize) {
        for _ in 0..spares {
            let place = self.nodes.len();
            let mut node =
                Node::new((&self.roster(0), &self.name(place)), &self.options, 0, Disk::default(), self.now);
            node.waits = Some(0);
            self.nodes.push(node);
            self.at(20 * MS, Event::Join { node: place });
        }
        if spares > 0 {
            self.at(100 * MS, Event::Operator);
        }
    }

    pub(super) fn name(&self, place: usize) -> String {
        self.members.get(place).map_or_else(|| format!("n{place}"), |member| member.name.clone())
    }

    fn place(&self, name: &str) -> usize {
        (0..self.nodes.len()).find(|&place| self.name(place) == name).unwrap()
    }

    /// The number by which the node at `place` knows the one at `other`.
    pub(super) fn id_of(&self, place: usize, other: usize) -> Option<NodeId> {
        let name = self.name(other);
        self.nodes[place].roles.roster.membership.named(&name).map(|node| node.id)
    }

    /// Where the node is that the one at `place` knows by this number.
    pub(super) fn place_of(&self, place: usize, id: NodeId) -> Option<usize> {
        let roster = &self.nodes[place].roles.roster;
        if id == roster.me {
            return Some(place);
        }
        Some(self.place(roster.membership.name_of(id)?))
    }

    /// What a node knows before the first record on its disk.
    pub(super) fn known_roster(&self, place: usize) -> Roster {
        if place < self.members.len() && self.nodes[place].genesis {
            return self.roster(place);
        }
        let Disk { snapshot, records } = &self.nodes[place].disk;
        let saved = snapshot.as_ref().map(|bytes| {
            postcard::from_bytes::<node::paxos::snapshot::Snapshot>(bytes).unwrap().members().clone()
        });
        let recorded = records.iter().find_map(|record| match record {
            Record::Members(members) => Some(members.clone()),
            _ => None,
        });
        match saved.or(recorded) {
            Some(known) => {
                let outside = Roster::outside(known.clone());
                Roster::of(known, &self.name(place)).unwrap_or(outside)
            }
            // It had not remembered yet that it was added: it asks once more.
            None => self.nodes[place].joined.clone().unwrap(),
        }
    }

    /// Hands a message to its roles, unless its sender knows of members that this node does not.
    pub(super) fn receive(
        &mut self,
        to: usize,
        from: usize,
        (version, sender): (u64, NodeId),
        message: &Message,
    ) {
        if self.nodes[to].waits.is_some() {
            return;
        }
        match message {
            Message::Members(membership) => self.take_up(to, membership.clone()),
            Message::Who => {
                let membership = self.nodes[to].roles.roster.membership.clone();
                self.tell(to, from, Message::Members(membership));
            }
            _ if version > self.nodes[to].roles.roster.version => self.tell(to, from, Message::Who),
            _ if self.id_of(to, from) == Some(sender) => self.message(to, sender, message),
            _ => {}
        }
        self.carry_on(to);
    }

    fn tell(&mut self, place: usize, other: usize, message: Message) {
        if let Some(id) = self.id_of(place, other) {
            self.release(place, Step { send: vec![(id, message)], ..Step::default() });
        }
    }

    /// If the replica has applied a change: the node takes it up, and tells everybody.
    pub(super) fn follow_replica(&mut self, place: usize) {
        let newer = self.nodes[place].roles.replica.membership().clone();
        if newer.version <= self.nodes[place].roles.roster.version {
            return;
        }
        self.take_up(place, newer.clone());
        for other in 0..self.nodes.len() {
            if other != place {
                self.tell(place, other, Message::Members(newer.clone()));
            }
        }
    }

    fn take_up(&mut self, place: usize, membership: Membership) {
        let (name, now) = (self.name(place), self.age(place));
        let roles = &mut self.nodes[place].roles;
        if membership.version <= roles.roster.version {
            return;
        }
        self.version = self.version.max(membership.version);
        roles.roster = roles.roster.follow(membership, &name);
        let roster = roles.roster.clone();
        let mut step = Step::default();
        roles.acceptor.take_up(&roster);
        roles.replica.take_up(roster.clone());
        roles.leader.take_up(now, roster.clone(), &mut step);
        let save = vec![Record::Members(roster.membership)];
        self.keep(place, Role::Acceptor, Step { save, ..Step::default() });
        self.keep(place, Role::Leader, step);
        self.check_collected(place);
    }

    /// A node that waits asks a random other one whether it is a member.
    pub(super) fn join(&mut self, place: usize) {
        let Some(after) = self.nodes[place].waits else { return };
        self.at(self.now + 20 * MS, Event::Join { node: place });
        let other = self.chance.random_range(0..self.nodes.len());
        let Node { up, waits, roles, .. } = &self.nodes[other];
        let cut = self.cut[place * self.nodes.len() + other] || self.cut[other * self.nodes.len() + place];
        if !up || waits.is_some() || cut || roles.roster.version <= after {
            return;
        }
        let (name, membership) = (self.name(place), roles.roster.membership.clone());
        let Some(roster) = Roster::of(membership.clone(), &name) else { return };
        let (life, rate) = (self.nodes[place].life + 1, self.nodes[place].rate);
        self.nodes[place] = Node::new((&roster, &name), &self.options, life, Disk::default(), self.now);
        (self.nodes[place].genesis, self.nodes[place].rate) = (false, rate);
        self.nodes[place].joined = Some(roster);
        let save = vec![Record::Members(membership)];
        self.keep(place, Role::Acceptor, Step { save, ..Step::default() });
        self.carry_on(place);
        self.at(self.now + MS, Event::Tick { node: place, life });
    }

    /// The operator takes away what is no longer needed, with its disk, and asks a random node for another change.
    pub(super) fn operate(&mut self) {
        let pause = self.milliseconds(50..300);
        self.at(self.now + pause, Event::Operator);
        let living = |place: &usize| self.nodes[*place].up && self.nodes[*place].waits.is_none();
        let places: Vec<_> = (0..self.nodes.len()).filter(living).collect();
        let newest = places.iter().max_by_key(|&&place| self.nodes[place].roles.roster.version);
        let Some(&newest) = newest else { return };
        let known = self.nodes[newest].roles.roster.membership.clone();
        if known.coming().is_none() && known.version == self.version {
            let gone = |place: &&usize| known.named(&self.name(**place)).is_none();
            for place in places.iter().filter(gone).copied().collect::<Vec<_>>() {
                self.nodes[place].waits = Some(known.version);
                self.nodes[place].told = 0;
                self.at(self.now + 20 * MS, Event::Join { node: place });
            }
        }
        let asked = places[self.chance.random_range(0..places.len())];
        if self.nodes[asked].waits.is_none() && self.now < FAULTS_END {
            self.ask_for_change(asked, &known);
        }
    }

    fn ask_for_change(&mut self, asked: usize, known: &Membership) {
        let members: Vec<_> = known.newest().unwrap().members.iter().map(|node| node.name.clone()).collect();
        let outside: Vec<_> = (0..self.nodes.len())
            .map(|place| self.name(place))
            .filter(|name| !members.contains(name))
            .collect();
        let roles = [Role::Replica, Role::Leader, Role::Acceptor].into();
        let mut change = Change::default();
        let pick =
            |world: &mut Self, names: &[String]| names[world.chance.random_range(0..names.len())].clone();
        let kind = self.chance.random_range(0..3);
        if kind != 1 && !outside.is_empty() {
            let name = pick(self, &outside);
            change.add.push(Member { name, address: ([127, 0, 0, 1], 1).into(), roles });
        }
        if kind != 0 && members.len() + change.add.len() > 2 {
            change.remove.push(pick(self, &members));
        }
        let now = self.age(asked);
        let ticket = Ticket(OPERATOR + self.next);
        let operation = Operation::Reconfigure { change };
        let command = Command { client: format!("operator{}", self.next).into(), sequence: 1, operation };
        let mut step = Step::default();
        let _refused = self.nodes[asked].roles.replica.request(now, ticket, command, (None, None), &mut step);
        self.keep(asked, Role::Replica, step);
        self.carry_on(asked);
    }
}
