//! Save before send: holds the outputs of a role until the log has synced the records they depend on.
//!
//! Each turn's records form one batch with a number. A role's outputs depend on the last batch that has a record of that role.
//! They leave when the log reports that number as durable. One role's outputs never wait for another role's records, and
//! leave in the order in which the role made them.

use super::waiting::Waiting;
use super::{Output, Reply};
use crate::config::Role;
use crate::flaw::Flaw;
use crate::log::{Batch, LogOrder};
use crate::paxos::message::{Message, NodeId, Slot};
use crate::paxos::step::{Record, Step, Ticket};
use crate::store::Answer;
use std::collections::VecDeque;
use std::time::Duration;

/// Time for which records without dependent outputs wait to share a sync.
const NOTES_WAIT: Duration = Duration::from_millis(5);

/// The flaw `acceptor-answers-before-sync`: the time between two syncs.
const SYNC_EVERY: Duration = Duration::from_millis(700);

/// A message or an answer of a role.
#[derive(Debug)]
enum RoleOutput {
    Send(NodeId, Message),
    Answer(Ticket, Answer, Slot),
}

/// The outputs of one role that wait for the log.
#[derive(Debug, Default)]
struct Held {
    /// The number of the last batch with a record of this role.
    depends: u64,
    outputs: VecDeque<(u64, RoleOutput)>,
}

/// Records on their way to the log, and outputs that wait for them.
#[derive(Debug)]
pub(super) struct Outbox<C> {
    me: NodeId,
    records: Batch,
    must_sync: bool,
    notes_since: Option<Duration>,
    /// The number of the batch for this turn's records.
    number: u64,
    synced: u64,
    held: [Held; 3],
    /// For each batch under way, the slot below which all decisions are in it or in earlier ones.
    stored: VecDeque<(u64, Slot)>,
    /// With the flaw `acceptor-answers-before-sync`: the time of the last sync.
    lazy: Option<Duration>,
    /// With the flaw `acceptor-answers-during-sync`: a batch counts as durable once its sync begins.
    early: bool,
    /// Messages of this node to itself.
    pub(super) local: VecDeque<Message>,
    pub(super) waiting: Waiting<C>,
    /// The outputs of the current step.
    pub(super) outputs: Vec<Output<C>>,
}

impl<C> Outbox<C> {
    pub(super) fn new(me: NodeId, flaws: &[Flaw]) -> Self {
        Self {
            me,
            records: Batch::default(),
            must_sync: false,
            notes_since: None,
            number: 1,
            synced: 0,
            held: Default::default(),
            stored: VecDeque::new(),
            lazy: flaws.contains(&Flaw::AcceptorAnswersBeforeSync).then_some(Duration::ZERO),
            early: flaws.contains(&Flaw::AcceptorAnswersDuringSync),
            local: VecDeque::new(),
            waiting: Waiting::default(),
            outputs: Vec::new(),
        }
    }

    /// Sets the node's new number.
    pub(super) fn rename(&mut self, me: NodeId) {
        self.me = me;
    }

    /// Sends a message that depends on no record.
    pub(super) fn send(&mut self, to: NodeId, message: Message) {
        self.outputs.push(Output::Send(to, message));
    }

    /// Adds a record on which no output depends.
    pub(super) fn note(&mut self, now: Duration, record: &Record) {
        self.records.push(record);
        self.notes_since.get_or_insert(now);
    }

    /// Executes a role's step: its records join the batch, its outputs wait until the batch is durable.
    pub(super) fn carry_out(&mut self, role: Role, step: &mut Step) {
        let role = role as usize;
        if !step.save.is_empty() {
            step.save.drain(..).for_each(|record| self.records.push(&record));
            self.must_sync = true;
            self.held[role].depends = self.number;
        }
        let depends = self.held[role].depends;
        let sends = step.send.drain(..).map(|(to, message)| RoleOutput::Send(to, message));
        let answers =
            step.answer.drain(..).map(|(ticket, answer, slot)| RoleOutput::Answer(ticket, answer, slot));
        for output in sends.chain(answers) {
            if depends > self.synced {
                self.held[role].outputs.push_back((depends, output));
            } else {
                self.release(output);
            }
        }
    }

    fn release(&mut self, output: RoleOutput) {
        match output {
            RoleOutput::Send(to, message) if to == self.me => self.local.push_back(message),
            RoleOutput::Send(to, message) => self.outputs.push(Output::Send(to, message)),
            RoleOutput::Answer(ticket, answer, slot) => {
                if let Some(client) = self.waiting.take(ticket) {
                    self.outputs.push(Output::Reply(client, Reply::Applied(answer, slot)));
                }
            }
        }
    }

    /// Handles a sync up to batch `number`: releases waiting outputs.
    ///
    /// Returns the slot below which all decisions are on disk.
    pub(super) fn synced(&mut self, number: u64) -> Option<Slot> {
        assert!(
            number >= self.synced && number < self.number,
            "the log synced a batch that it does not have"
        );
        self.synced = number;
        for role in 0..self.held.len() {
            while self.held[role].outputs.front().is_some_and(|(depends, _)| *depends <= number)
                && let Some((_, output)) = self.held[role].outputs.pop_front()
            {
                self.release(output);
            }
        }
        let written = self.stored.partition_point(|(batch, _)| *batch <= number);
        self.stored.drain(..written).next_back().map(|(_, slot)| slot)
    }

    /// The time at which [`flush`](Self::flush) must write records that no other batch includes.
    pub(super) fn wake(&self) -> Duration {
        self.notes_since.map_or(Duration::MAX, |since| since + NOTES_WAIT)
    }

    /// Ends a turn: hands the records to the log.
    pub(super) fn flush(&mut self, now: Duration, slot_out: Slot) {
        if self.must_sync || self.wake() <= now {
            let sync = self.lazy.is_none_or(|last| now >= last + SYNC_EVERY);
            if sync && self.lazy.is_some() {
                self.lazy = Some(now);
            }
            let (number, batch) = (self.number, self.records.take());
            let early = sync && self.early;
            self.outputs.push(Output::Log(LogOrder::Append { number, batch, sync: sync && !early }));
            self.outputs.extend(early.then_some(Output::Log(LogOrder::Sync(number))));
            self.stored.push_back((self.number, slot_out));
            self.number += 1;
            self.must_sync = false;
            self.notes_since = None;
        }
    }
}
