//! The acceptor (section 2.2): the memory of the protocol.

use super::message::{Ballot, Command, Message, NodeId, PValue, Slot};
use super::step::{Record, Step};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Promises ballots and accepts pvalues; keeps the highest pvalue of each slot (section 4.1).
#[derive(Debug, Default)]
pub struct Acceptor {
    promised: Option<Ballot>,
    accepted: BTreeMap<Slot, (Ballot, Arc<Command>)>,
}

impl Acceptor {
    /// The highest ballot it has promised.
    pub fn promised(&self) -> Option<Ballot> {
        self.promised
    }

    /// What it accepted for a slot, under which ballot.
    pub fn accepted(&self, slot: Slot) -> Option<&(Ballot, Arc<Command>)> {
        self.accepted.get(&slot)
    }

    /// Takes back, from the log, a promise it made.
    pub fn recover_promise(&mut self, ballot: Ballot) {
        self.promised = self.promised.max(Some(ballot));
    }

    /// Takes back, from the log, a pvalue it accepted (and the promise that this implies); later records
    /// replace earlier ones.
    pub fn recover_accepted(&mut self, pvalue: PValue) {
        self.recover_promise(pvalue.ballot);
        self.accepted.insert(pvalue.slot, (pvalue.ballot, pvalue.command));
    }

    /// The flaw `acceptor-forgets-promise`: starts as if it had promised nothing.
    pub fn forget_promise(&mut self) {
        self.promised = None;
    }

    /// Handles a scout's or a commander's request.
    pub fn handle(&mut self, from: NodeId, message: Message, step: &mut Step) {
        match message {
            Message::P1a { ballot, from: slot } => self.promise(from, ballot, slot, step),
            Message::P2a(pvalue) => self.accept(from, pvalue, step),
            Message::Propose(_)
            | Message::P1b { .. }
            | Message::P2b { .. }
            | Message::Decision(_)
            | Message::Progress { .. }
            | Message::Learn { .. }
            | Message::Learned { .. }
            | Message::Ping
            | Message::Pong { .. } => {}
        }
    }

    fn promise(&mut self, scout: NodeId, ballot: Ballot, slot: Slot, step: &mut Step) {
        if self.promised < Some(ballot) {
            self.promised = Some(ballot);
            step.save.push(Record::Promise(ballot));
        }
        let promised = self.promised.unwrap_or(ballot);
        let accepted = if promised == ballot { self.from(slot) } else { Vec::new() };
        step.send.push((scout, Message::P1b { scout: ballot, promised, accepted }));
    }

    fn from(&self, slot: Slot) -> Vec<PValue> {
        let pvalue = |(&slot, (ballot, command)): (&Slot, &(Ballot, Arc<Command>))| PValue {
            ballot: *ballot,
            slot,
            command: Arc::clone(command),
        };
        self.accepted.range(slot..).map(pvalue).collect()
    }

    /// A higher ballot than the promised one is promised on the way: its `P1a` may have been lost.
    fn accept(&mut self, commander: NodeId, pvalue: PValue, step: &mut Step) {
        let (ballot, slot) = (pvalue.ballot, pvalue.slot);
        let promised = self.promised.map_or(ballot, |promised| promised.max(ballot));
        self.promised = Some(promised);
        if promised == ballot {
            let known = self.accepted.get(&slot);
            if let Some((known, command)) = known.filter(|(known, _)| *known == ballot) {
                assert_eq!(
                    command, &pvalue.command,
                    "C1: one command for slot {slot} under ballot {known:?}"
                );
            } else {
                self.accepted.insert(slot, (ballot, Arc::clone(&pvalue.command)));
                step.save.push(Record::Accepted(pvalue));
            }
        }
        step.send.push((commander, Message::P2b { commander: ballot, slot, promised }));
    }
}
