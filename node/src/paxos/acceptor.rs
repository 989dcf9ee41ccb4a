//! The acceptor (section 2.2): the fault-tolerant memory of the protocol.
//!
//! It promises a ballot to a scout, and accepts a pvalue from a commander whose ballot it has promised.
//! Promises never fall. A leader with the promises of a majority therefore knows every pvalue that may be
//! chosen under a lower ballot. The acceptor saves both before it answers. It keeps the pvalue with the highest
//! ballot of each slot (section 4.1). It forgets slots that f + 1 replicas have on disk (section 4.2).

use super::lease::Grant;
use super::membership::Roster;
use super::message::{Ballot, Command, Message, NodeId, PValue, Slot};
use super::progress::Progress;
use super::step::{Record, Step};
use crate::flaw::Flaw;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Approximate limit of pvalues in one answer to a scout, in bytes; a larger pvalue travels alone.
const PROMISE_BYTES: usize = 1 << 20;

/// Promises ballots and accepts pvalues.
///
/// It keeps the highest pvalue of each slot (section 4.1) that fewer than f + 1 replicas have on disk (section
/// 4.2).
#[derive(Debug)]
pub struct Acceptor {
    flaws: Vec<Flaw>,
    promised: Option<Ballot>,
    accepted: BTreeMap<Slot, (Ballot, Arc<Command>)>,
    /// Every slot below is decided, on the disks of enough replicas, and forgotten here.
    collected: Slot,
    progress: Progress,
    grant: Grant,
}

impl Acceptor {
    /// A new acceptor, without promises and accepted pvalues.
    pub fn new(roster: &Roster, flaws: &[Flaw]) -> Self {
        Self {
            flaws: flaws.to_vec(),
            promised: None,
            accepted: BTreeMap::new(),
            collected: 1,
            progress: Progress::new(roster),
            grant: Grant::default(),
        }
    }

    /// Handles a change of the members.
    pub fn take_up(&mut self, roster: &Roster) {
        self.progress.take_up(roster);
        self.collect(self.progress.floor());
    }

    /// The highest ballot it has promised.
    pub fn promised(&self) -> Option<Ballot> {
        self.promised
    }

    /// The acceptor has forgotten the slots below this one.
    pub fn collected(&self) -> Slot {
        self.collected
    }

    /// The command that it accepted for a slot, and its ballot.
    pub fn accepted(&self, slot: Slot) -> Option<&(Ballot, Arc<Command>)> {
        self.accepted.get(&slot)
    }

    /// Restores a promise from the log.
    pub fn recover_promise(&mut self, ballot: Ballot) {
        self.promised = self.promised.max(Some(ballot));
    }

    /// Restores an accepted pvalue from the log, with its implied promise; in any order, also repeatedly.
    pub fn recover_accepted(&mut self, pvalue: PValue) {
        self.recover_promise(pvalue.ballot);
        let known = self.accepted.get(&pvalue.slot).map(|(ballot, _)| *ballot);
        if pvalue.slot >= self.collected && known < Some(pvalue.ballot) {
            self.accepted.insert(pvalue.slot, (pvalue.ballot, pvalue.command));
        }
    }

    /// Restores from the log that the slots below this one are collected.
    pub fn recover_collected(&mut self, slot: Slot) {
        self.collect(slot);
    }

    /// Restores from the log that it granted leases of this length: one may still be in force.
    pub fn recover_lease(&mut self, longest: Duration) {
        self.grant.recover(longest);
    }

    /// The longest lease that it granted.
    pub fn longest_lease(&self) -> Duration {
        self.grant.longest()
    }

    /// The flaw `acceptor-forgets-promise`: starts without promises.
    pub fn forget_promise(&mut self) {
        self.promised = None;
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaws.contains(&flaw)
    }

    /// Handles a scout's or a commander's request, or a replica's progress.
    pub fn handle(&mut self, now: Duration, from: NodeId, message: Message, step: &mut Step) {
        let before = (self.promised, self.collected);
        self.react(now, from, message, step);
        assert!(self.promised >= before.0, "A1: promised {:?} after {:?}", self.promised, before.0);
        assert!(self.collected >= before.1, "A3: collected {} after {}", self.collected, before.1);
    }

    fn react(&mut self, now: Duration, from: NodeId, message: Message, step: &mut Step) {
        match message {
            Message::P1a { ballot, from: slot } => self.scouted(now, from, ballot, slot, step),
            Message::P2a(pvalue) => self.accept(from, pvalue, step),
            Message::Progress { slot_out } => {
                self.progress.heard(from, slot_out);
                let early = self.has(Flaw::AcceptorCollectsEarly);
                self.collect(if early { self.progress.highest() } else { self.progress.floor() });
            }
            Message::Ask { life, number } => {
                let accepted = self.accepted.last_key_value().map_or(0, |(slot, _)| *slot);
                let slot = accepted.max(self.collected - 1);
                step.send.push((from, Message::Highest { life, number, slot }));
            }
            Message::Lease { ballot, number, time } => self.lease(now, from, (ballot, number), time, step),
            Message::Propose(_)
            | Message::Leased { .. }
            | Message::Highest { .. }
            | Message::P1b { .. }
            | Message::P2b { .. }
            | Message::Decision(_)
            | Message::Request(_)
            | Message::Learn { .. }
            | Message::Learned { .. }
            | Message::State { .. }
            | Message::Fetch { .. }
            | Message::Ping
            | Message::Pong { .. }
            | Message::Knows { .. }
            | Message::Who
            | Message::Members(_) => {}
        }
    }

    fn collect(&mut self, floor: Slot) {
        if floor > self.collected {
            self.collected = floor;
            self.accepted = self.accepted.split_off(&floor);
        }
    }

    /// The time at which [`tick`](Self::tick) has work.
    pub fn wake(&self) -> Duration {
        self.grant.wake()
    }

    /// Answers the delayed scout once no lease is in force.
    pub fn tick(&mut self, now: Duration, step: &mut Step) {
        if let Some((scout, ballot, slot)) = self.grant.ready(now) {
            self.promise(scout, ballot, slot, step);
        }
    }

    /// Grants its own leader a lease, unless another leader waits for a promise.
    fn lease(
        &mut self,
        now: Duration,
        leader: NodeId,
        (ballot, number): (Ballot, u64),
        time: Duration,
        step: &mut Step,
    ) {
        if self.promised != Some(ballot) || self.grant.keeps_waiting() {
            return;
        }
        if self.grant.grant(now, time) {
            step.save.push(Record::Lease(time));
        }
        step.send.push((leader, Message::Leased { ballot, number }));
    }

    /// Answers a scout, or delays it while another leader holds a lease.
    fn scouted(&mut self, now: Duration, scout: NodeId, ballot: Ballot, slot: Slot, step: &mut Step) {
        let preempts =
            self.promised.is_some_and(|promised| promised < ballot && promised.leader != ballot.leader);
        if preempts && self.grant.is_in_force(now) {
            self.grant.put_off((scout, ballot, slot));
        } else {
            self.promise(scout, ballot, slot, step);
        }
    }

    fn promise(&mut self, scout: NodeId, ballot: Ballot, slot: Slot, step: &mut Step) {
        if self.promised < Some(ballot) {
            self.promised = Some(ballot);
            step.save.push(Record::Promise(ballot));
        }
        let promised = self.promised.unwrap_or(ballot);
        let (accepted, next) = if promised == ballot { self.some_pvalues(slot) } else { (Vec::new(), None) };
        let collected = self.collected;
        let answer = Message::P1b { scout: ballot, promised, collected, from: slot, accepted, next };
        step.send.push((scout, answer));
    }

    /// The pvalues of slots from this one on that fit into one message, and the first slot that does not.
    ///
    /// The acceptor no longer accepts under earlier ballots, so later requests for the rest belong to the same
    /// promise.
    fn some_pvalues(&self, from: Slot) -> (Vec<PValue>, Option<Slot>) {
        let (mut bytes, mut accepted) = (0, Vec::new());
        for (&slot, (ballot, command)) in self.accepted.range(from..) {
            bytes += command.size();
            if bytes > PROMISE_BYTES && !accepted.is_empty() {
                return (accepted, Some(slot));
            }
            accepted.push(PValue { ballot: *ballot, slot, command: Arc::clone(command) });
        }
        (accepted, None)
    }

    /// The pvalues of slots from this one on.
    pub fn pvalues(&self, from: Slot) -> Vec<PValue> {
        let pvalue = |(&slot, (ballot, command)): (&Slot, &(Ballot, Arc<Command>))| PValue {
            ballot: *ballot,
            slot,
            command: Arc::clone(command),
        };
        self.accepted.range(from..).map(pvalue).collect()
    }

    /// Accepts a pvalue.
    ///
    /// It also promises a higher ballot than its own, because the `P1a` may have been lost.
    fn accept(&mut self, commander: NodeId, pvalue: PValue, step: &mut Step) {
        let (ballot, slot) = (pvalue.ballot, pvalue.slot);
        let before = self.promised.replace(self.promised.map_or(ballot, |promised| promised.max(ballot)));
        let blind = self.has(Flaw::AcceptorAcceptsBelowPromise);
        let promised = self.promised.filter(|_| !blind).unwrap_or(ballot);
        if slot < self.collected {
            // A collected slot is decided, so a leader can propose only its decision.
            if before < Some(promised) {
                step.save.push(Record::Promise(promised));
            }
        } else if promised == ballot {
            let sound = self.flaws.is_empty();
            let known = self.accepted.get(&slot);
            if let Some((known, command)) = known.filter(|(known, _)| *known == ballot) {
                assert!(
                    !sound || *command == pvalue.command,
                    "A4: two commands for slot {slot} under ballot {known:?}"
                );
            } else {
                assert!(!sound || self.promised == Some(ballot), "A2: accepts {ballot:?} below its promise");
                let replaced = self.accepted.insert(slot, (ballot, Arc::clone(&pvalue.command)));
                assert!(
                    !sound || replaced.is_none_or(|(lower, _)| lower < ballot),
                    "A3: only a pvalue with a lower ballot is replaced, in slot {slot}"
                );
                step.save.push(Record::Accepted(pvalue));
            }
        }
        step.send.push((commander, Message::P2b { commander: ballot, slot, promised }));
    }
}
