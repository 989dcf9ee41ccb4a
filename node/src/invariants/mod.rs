//! The protocol's invariants over the traces of all nodes: trace validation.
//!
//! *Problem*: see [`trace`](crate::trace).
//!
//! *Idea*: every invariant here follows from the events of one node in their order, or from the events of all nodes in
//! any order. The clocks of nodes therefore do not matter, and traces are validated one after another.
//!
//! | invariant | over |
//! |---|---|
//! | log: a restarted node recovers every synced record, and only records that it wrote, in order | one node |
//! | log: segments are removed only once a snapshot that covers them is durable | one node |
//! | a restarted replica has every slot that was durable | one node |
//! | A1: an acceptor's promises rise, also over restarts | one node |
//! | A3: a restarted acceptor has every pvalue that was durable, unless its slot is collected | one node |
//! | A2: an acceptor accepts a pvalue only under the ballot it has promised | one node |
//! | an acceptor answers only with what is durable | one node |
//! | section 4.2: an acceptor collects slots that f + 1 replicas reported as durable | one node |
//! | a replica reports only durable slots | one node |
//! | R1: a slot has one decision | all nodes |
//! | A4: a ballot and a slot have one command | all nodes |
//! | L1: a ballot is used in one life of its leader | all nodes |
//! | section 2.1: a change of the members takes effect WINDOW slots after its decision | all nodes |
//!
//! *Why it gives no false alarm*: a killed process may have written events that it did not carry out, and never the
//! reverse. An event without effect adds a written record, a decision or an answer that was about to be given, which no
//! invariant forbids. An invariant whose premises are unknown is not judged: a log that is older than its trace, a
//! collected slot in a run that changes the members.
//!
//! *Cost*: linear in the number of events, with hash tables over slots.

mod acceptor;
mod log;

use crate::paxos::message::{Ballot, Slot};
use crate::trace::{Fact, Named, Started, TraceEvent, Written};
use acceptor::AcceptorTrace;
use log::LogTrace;
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

/// The invariants, and what is known of all nodes.
#[derive(Debug, Default)]
pub struct Invariants {
    nodes: FxHashMap<String, NodeTrace>,
    /// The decision of each slot, and the first node that learned it.
    decided: FxHashMap<Slot, (Named, String)>,
    /// The command of each ballot and slot.
    proposed: FxHashMap<(Ballot, Slot), u64>,
    /// The node and the life in which each ballot was used.
    ballots: FxHashMap<Ballot, (String, u32)>,
    /// The first slots of configurations, WINDOW, and a node that acted on each.
    configurations: FxHashMap<Slot, (u64, String)>,
    /// Whether a node knew another membership than the first one.
    changed: bool,
    /// A collection that breaks an invariant if the members never changed.
    collected: Option<String>,
    events: u64,
    broken: Option<String>,
}

/// What is known of one node.
#[derive(Debug, Default)]
struct NodeTrace {
    /// Counts its processes.
    life: u32,
    log: LogTrace,
    acceptor: AcceptorTrace,
    /// The first slot whose decision is not durable here.
    durable: Slot,
    /// Slots from `durable` on whose decisions are durable.
    ahead: BTreeSet<Slot>,
    /// The progress that each other node has reported to it.
    heard: FxHashMap<String, Slot>,
    /// Number of replicas, and WINDOW.
    replicas: usize,
    window: u64,
    /// The command of the last accepted pvalue for each slot, for decisions that leave theirs out.
    accepted: FxHashMap<Slot, Named>,
}

impl Invariants {
    /// Number of events so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The first invariant that an event broke.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// The first broken invariant, after the last event.
    pub fn finish(mut self) -> Option<String> {
        self.check_configurations();
        let collected = self.collected.filter(|_| !self.changed);
        self.broken.or(collected)
    }

    /// Adds an event of a node. The events of each node come in their order.
    pub fn see(&mut self, node: &str, event: &TraceEvent) {
        self.events += 1;
        if self.broken.is_none()
            && let Err(broken) = self.check(node, event)
        {
            self.broken = Some(format!("{node}: {broken}"));
        }
    }

    fn check(&mut self, name: &str, event: &TraceEvent) -> Result<(), String> {
        let node = self.nodes.entry(name.to_owned()).or_default();
        let life = node.life;
        match *event {
            TraceEvent::Started(ref started) => {
                self.changed |= started.version > 0;
                return node.start(started);
            }
            TraceEvent::Append { number, sync, ref records } => {
                node.log.append(number, sync, records);
                return records.iter().try_for_each(|record| self.written(name, record));
            }
            TraceEvent::Scouts(ballot) => return self.ballot(name, life, ballot),
            TraceEvent::Proposes(ballot, slot, command) => {
                self.ballot(name, life, ballot)?;
                return self.proposed(ballot, slot, command);
            }
            TraceEvent::RemoveBefore(index) => return node.log.order_removal(index),
            TraceEvent::Rotated(index) => return node.log.rotated(index),
            TraceEvent::Promises(promised) => return node.acceptor.promises(promised),
            TraceEvent::Answers { ballot, slot, promised } => {
                return node.acceptor.answers(ballot, slot, promised);
            }
            TraceEvent::Reports(slot) => return node.reports(slot),
            TraceEvent::Collected(slot) => {
                node.acceptor.collected = slot;
                self.check_collected(name, slot);
            }
            TraceEvent::Named(id) => node.acceptor.rename(id),
            TraceEvent::Sync(_) => node.log.order_sync(),
            TraceEvent::Rotate => node.log.order_rotation(),
            TraceEvent::Removed => node.log.removed(),
            TraceEvent::Synced(number) => {
                node.log.synced(number);
                node.take_durable();
            }
            TraceEvent::Saved { index, slot_out } => {
                node.log.saved(index);
                node.has_below(slot_out);
            }
            TraceEvent::Heard { ref from, slot_out } => {
                let heard = node.heard.entry(from.clone()).or_default();
                *heard = slot_out.max(*heard);
            }
        }
        Ok(())
    }

    /// A record is on its way to a node's log.
    fn written(&mut self, name: &str, record: &Written) -> Result<(), String> {
        let Some(node) = self.nodes.get_mut(name) else { return Ok(()) };
        match record.fact {
            Fact::Accepted(ballot, slot, command) => {
                node.accepted.insert(slot, command);
                node.acceptor.accepts(ballot, slot)?;
                self.proposed(ballot, slot, command)
            }
            Fact::Decided(slot, command) => {
                let command = command.or_else(|| node.accepted.get(&slot).copied());
                command.map_or(Ok(()), |command| self.decided(name, slot, command))
            }
            Fact::Members { version, from } => {
                let window = node.window;
                self.changed |= version > 0;
                if from > 1 {
                    self.configurations.entry(from).or_insert_with(|| (window, name.to_owned()));
                }
                Ok(())
            }
            Fact::Promise(_) | Fact::Other => Ok(()),
        }
    }

    /// R1.
    fn decided(&mut self, name: &str, slot: Slot, command: Named) -> Result<(), String> {
        let (known, node) = self.decided.entry(slot).or_insert_with(|| (command, name.to_owned()));
        if known.hash == command.hash {
            return Ok(());
        }
        Err(format!("it learned another command for slot {slot} than {node} (R1)"))
    }

    /// A4, for proposals too.
    fn proposed(&mut self, ballot: Ballot, slot: Slot, command: Named) -> Result<(), String> {
        if *self.proposed.entry((ballot, slot)).or_insert(command.hash) == command.hash {
            return Ok(());
        }
        Err(format!("ballot {ballot} has two commands for slot {slot} (A4)"))
    }

    /// L1.
    fn ballot(&mut self, name: &str, life: u32, ballot: Ballot) -> Result<(), String> {
        let (node, first) = self.ballots.entry(ballot).or_insert_with(|| (name.to_owned(), life));
        if (node.as_str(), *first) == (name, life) {
            return Ok(());
        }
        let before = if node == name { "before its last restart".to_owned() } else { format!("by {node}") };
        Err(format!("ballot {ballot} was used {before} (L1)"))
    }

    /// Section 4.2.
    fn check_collected(&mut self, name: &str, slot: Slot) {
        let Some(node) = self.nodes.get(name) else { return };
        let others = node.heard.iter().filter(|(other, heard)| *other != name && **heard >= slot).count();
        let has = others + usize::from(node.durable >= slot);
        let needs = node.replicas / 2 + 1;
        if has < needs && self.collected.is_none() {
            self.collected = Some(format!(
                "{name}: its acceptor collected the slots below {slot}, which {has} of {} replicas have on disk (section 4.2)",
                node.replicas
            ));
        }
    }

    /// Section 2.1: the change that makes a configuration was decided WINDOW slots before its first slot.
    fn check_configurations(&mut self) {
        if self.broken.is_some() {
            return;
        }
        for (from, (window, node)) in &self.configurations {
            let decided = from.checked_sub(*window).filter(|slot| *slot >= 1);
            let is_change = |slot: Slot| self.decided.get(&slot).is_none_or(|(command, _)| command.changes);
            if !decided.is_some_and(is_change) {
                self.broken = Some(format!(
                    "{node}: it acts on members that decide from slot {from} on, and no change was decided {window} slots \
                     before (section 2.1)"
                ));
                return;
            }
        }
    }
}

impl NodeTrace {
    /// A process begins: what it recovered is compared with what was durable.
    fn start(&mut self, started: &Started) -> Result<(), String> {
        let Started { id, window, replicas, restored, accepted, slot_out, unapplied, .. } = started;
        // A member that comes back under another number without its log is a new member. If it was killed while it
        // waited to be added, there is a log without records.
        let is_empty = restored.first_segment == 1 && restored.records.is_empty();
        if is_empty && self.acceptor.is_other(*id) {
            *self = Self { life: self.life, ..Self::default() };
        }
        self.life += 1;
        (self.window, self.replicas) = (*window, *replicas);
        self.log.start(restored)?;
        // Every recovered record is durable now, whether it was synced before or not.
        self.take_durable();
        self.acceptor.start(started)?;
        // A replica that joins begins at slot 0.
        if (*slot_out).max(1) < self.durable {
            return Err(format!(
                "it recovered the slots below {slot_out}, and those below {} were durable",
                self.durable
            ));
        }
        // Not from the records: a snapshot may have a later pvalue than the log behind it.
        self.accepted = accepted.iter().map(|(_, slot, command)| (*slot, *command)).collect();
        self.ahead.extend(unapplied);
        self.has_below(*slot_out);
        Ok(())
    }

    /// It sends its progress.
    fn reports(&self, slot: Slot) -> Result<(), String> {
        if slot <= self.durable {
            return Ok(());
        }
        Err(format!(
            "it reported the slots below {slot} as durable, and only those below {} are",
            self.durable
        ))
    }

    /// Takes note of the records that have become durable.
    fn take_durable(&mut self) {
        let (mut decided, acceptor) = (Vec::new(), &mut self.acceptor);
        self.log.take_durable(|fact| match fact {
            Fact::Promise(ballot) => acceptor.durable_promise(ballot),
            Fact::Accepted(ballot, slot, _) => acceptor.durable_pvalue(ballot, slot),
            Fact::Decided(slot, _) => decided.push(slot),
            Fact::Members { .. } | Fact::Other => {}
        });
        let durable = self.durable.max(1);
        self.ahead.extend(decided.into_iter().filter(|slot| *slot >= durable));
        self.has_below(durable);
    }

    /// The decisions of all slots below are durable.
    fn has_below(&mut self, slot: Slot) {
        self.durable = self.durable.max(slot);
        while self.ahead.first().is_some_and(|first| *first <= self.durable) {
            if self.ahead.pop_first() == Some(self.durable) {
                self.durable += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests;
