//! What must be true of a simulated cluster: of its memory, of the clients' results, and of its service.

use super::{Cluster, END};
use crate::paxos::acceptor::Acceptor;
use crate::paxos::message::{Message, NodeId};
use crate::paxos::replica::Replica;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

impl Cluster {
    /// Looks at a message that leaves a node.
    pub(super) fn check_message(&mut self, index: usize, message: &Message) {
        let node = &mut self.nodes[index];
        match message {
            Message::Progress { slot_out } if *slot_out > node.reported => {
                node.reported = *slot_out;
                self.trace(|| format!("n{index} reports the slots below {slot_out}"));
            }
            Message::P1a { ballot, .. } => {
                let life = (index, node.life);
                if *self.ballots.entry(*ballot).or_insert(life) != life {
                    self.fail(format!("{ballot:?} was used in two lives of its leader"));
                }
            }
            Message::P1b { next, .. } => self.counts.parts += u64::from(next.is_some()),
            _ => {}
        }
    }

    /// Looks at a node after a turn, which began with this version of the membership.
    pub(super) fn check_turn(&mut self, index: usize, before: u64) {
        let Some(process) = &self.nodes[index].process else { return };
        let version = process.core.membership().version;
        let durable = process.core.replica().map_or(1, Replica::durable);
        // A node reports to itself without a message, and does nothing else if it is the only member.
        let node = &mut self.nodes[index];
        node.reported = node.reported.max(durable);
        if version > self.version {
            self.version = version;
            self.trace(|| format!("n{index} knows version {version}"));
        }
        self.check_decisions(index);
        self.check_collected(index, before);
    }

    /// R1: replicas agree on the command of every slot, for ever.
    fn check_decisions(&mut self, index: usize) {
        let Some(process) = &mut self.nodes[index].process else { return };
        let Some(replica) = process.core.replica() else { return };
        let (from, to) = (process.checked, replica.slot_out());
        let mut broken = None;
        for applied in replica.applied(from, to) {
            let known = self.decided.entry(applied.slot).or_insert_with(|| Arc::clone(&applied.command));
            if *known != applied.command {
                let (slot, command) = (applied.slot, &applied.command);
                broken = Some(format!(
                    "replicas applied different commands in slot {slot} ({known:?} and {command:?})"
                ));
            }
        }
        process.checked = from.max(to);
        if let Some(why) = broken {
            self.fail(why);
        }
    }

    /// Section 4.2: one replica more than may fail has reported to have on disk what an acceptor forgets.
    fn check_collected(&mut self, index: usize, before: u64) {
        let Some(process) = &self.nodes[index].process else { return };
        let collected = process.core.acceptor().map_or(1, Acceptor::collected);
        if collected <= self.nodes[index].collected {
            return;
        }
        self.nodes[index].collected = collected;
        self.trace(|| format!("n{index} collects the slots below {collected}"));
        let Some(process) = &self.nodes[index].process else { return };
        let roster = process.core.roster();
        // A node with an older membership counts on old members. They hand their slots on before they are retired.
        if before < self.version {
            return;
        }
        let has = |id: &NodeId| {
            let name = roster.membership.name_of(*id);
            name.is_some_and(|name| self.nodes[self.index_of(name)].reported >= collected)
        };
        for group in &roster.groups {
            let safe = group.replicas.iter().filter(|id| has(id)).count();
            if safe < group.replicas.len() / 2 + 1 {
                let why = format!("slots below {collected} were collected, and {safe} replicas have them");
                return self.fail(why);
            }
        }
    }

    /// The counter is linearizable: each increment has a result of its own, no call that began after another one ended has a
    /// lower result, and no result counts more increments than had begun.
    pub(super) fn check_calls(&mut self) {
        let calls = &self.calls.all;
        let mut ended: Vec<_> = calls.values().filter_map(|call| Some((call, call.ended?))).collect();
        let mut seen = BTreeMap::new();
        let mut broken = None;
        for (call, (_, value)) in &ended {
            if !call.reads && seen.insert(*value, call.began).is_some() {
                broken = Some(format!("two increments have the result {value}"));
            }
        }
        ended.sort_by_key(|(_, (end, _))| *end);
        for (later, (end, value)) in &ended {
            let before = ended.iter().take_while(|(_, (end, _))| *end < later.began);
            let begun = calls.values().filter(|call| !call.reads && call.began <= *end);
            let most = i64::try_from(begun.count()).unwrap();
            if *value > most {
                broken = Some(format!("a call has the result {value} when {most} increments had begun"));
            }
            let least = before.map(|(_, (_, value))| *value).max().unwrap_or(0);
            if *value < least + i64::from(!later.reads) {
                broken = Some(format!("a call that began after the result {least} has the result {value}"));
            }
        }
        if let Some(why) = broken {
            self.fail(why);
        }
    }

    /// Every call is answered that began long after the last fault.
    pub(super) fn check_service(&mut self) {
        let calls = self.calls.all.values();
        let late: Vec<_> =
            calls.filter(|call| call.taken && call.began + Duration::from_secs(2) > END).collect();
        let answered = late.iter().filter(|call| call.ended.is_some()).count();
        if answered < late.len() {
            let why = format!("long after the faults {answered} of {} calls were answered", late.len());
            self.fail(why);
        }
    }
}
