//! The operator: changes the members at random, empties the nodes that were removed, and starts them anew.

use super::{Cluster, Event, FAULTS_END, MS};
use crate::config::{Member, Role};
use crate::core::{Input, joined};
use crate::log::memory::Volume;
use crate::paxos::membership::{Change, Membership};
use crate::paxos::message::Command;
use crate::store::Operation;
use rand::RngExt;

/// The clients' numbers are all below this one, which is the operator's.
const OPERATOR: u64 = u64::MAX;

impl Cluster {
    /// Empties a node, which then waits to be added by a configuration newer than this version.
    pub(super) fn wait(&mut self, index: usize, version: u64) {
        self.count_process(index);
        let mut config = self.config(self.nodes[index].config.name.clone(), index as u64, true);
        config.join_after = (version > 0).then_some(version);
        let node = &mut self.nodes[index];
        (node.config, node.process, node.volume) = (config, None, Volume::default());
        (node.waits, node.reported) = (true, 1);
        self.network.forget(index);
        self.trace(|| format!("n{index} is emptied and waits for a version after {version}"));
        self.at(self.now + 20 * MS, Event::Join { node: index });
    }

    /// A node that waits asks a random other one whether it is a member.
    pub(super) fn join(&mut self, index: usize) {
        if !self.nodes[index].waits {
            return;
        }
        self.at(self.now + 20 * MS, Event::Join { node: index });
        let other = self.rng.random_range(0..self.nodes.len());
        if !self.network.connects(index, other) || !self.network.connects(other, index) {
            return;
        }
        let Some(asked) = &self.nodes[other].process else { return };
        let membership = asked.core.membership().clone();
        if let Some(roster) = joined(&self.nodes[index].config, membership) {
            self.start_joined(index, &roster);
        }
    }

    /// Empties the nodes that are no longer members, and asks a random node for another change.
    pub(super) fn operate(&mut self) {
        let pause = self.milliseconds(50..300);
        self.at(self.now + pause, Event::Operator);
        let running: Vec<_> =
            (0..self.nodes.len()).filter(|&index| self.nodes[index].process.is_some()).collect();
        let membership = |index: usize| self.nodes[index].process.as_ref().unwrap().core.membership();
        let newest = running.iter().map(|&index| membership(index)).max_by_key(|it| it.version);
        let Some(known) = newest.cloned() else { return };
        let asked = running[self.rng.random_range(0..running.len())];
        if known.coming().is_none() && known.version == self.version {
            for index in running {
                if known.named(&self.nodes[index].config.name).is_none() {
                    self.wait(index, known.version);
                }
            }
        }
        if self.nodes[asked].process.is_some() && self.now < FAULTS_END {
            self.ask_for_change(asked, &known);
        }
    }

    fn ask_for_change(&mut self, asked: usize, known: &Membership) {
        let members: Vec<_> = known.newest().unwrap().members.iter().map(|node| node.name.clone()).collect();
        let names = self.nodes.iter().map(|node| node.config.name.clone());
        let outside: Vec<_> = names.filter(|name| !members.contains(name)).collect();
        let roles = [Role::Replica, Role::Leader, Role::Acceptor].into();
        let mut change = Change::default();
        let kind = self.rng.random_range(0..3);
        if kind != 1 && !outside.is_empty() {
            let name = outside[self.rng.random_range(0..outside.len())].clone();
            change.add.push(Member { name, address: ([127, 0, 0, 1], 1).into(), roles });
        }
        if kind != 0 && members.len() + change.add.len() > 2 {
            change.remove.push(members[self.rng.random_range(0..members.len())].clone());
        }
        self.trace(|| format!("the operator asks n{asked} for {change:?}"));
        let operation = Operation::Reconfigure { change };
        let command = Command { client: format!("operator{}", self.last).into(), sequence: 1, operation };
        self.input(asked, Input::Request { command, read: None, client: OPERATOR });
    }
}
