//! What the roles have said and may not yet be heard: held until the log has synced what it depends on.

use super::Reply;
use super::waiting::Waiting;
use crate::config::Role;
use crate::log::{Batch, LogWriter};
use crate::paxos::message::{Message, NodeId, Slot};
use crate::paxos::step::{Record, Step, Ticket};
use crate::store::Answer;
use crate::transport::{Other, Peers};
use std::collections::VecDeque;
use std::time::Duration;

/// How long records that nothing waits for are kept back, in the hope that they can share a sync.
const NOTES_WAIT: Duration = Duration::from_millis(5);

/// Something that leaves a role.
enum Output {
    Send(NodeId, Message),
    Answer(Ticket, Answer, Slot),
}

/// The outputs of one role that wait for the log.
#[derive(Default)]
struct Held {
    /// The number of the last batch with a record of this role.
    depends: u64,
    outputs: VecDeque<(u64, Output)>,
}

/// Records on their way to the log, and outputs that wait for them.
pub(super) struct Outbox {
    me: NodeId,
    peers: Peers,
    records: Batch,
    must_sync: bool,
    notes_since: Option<Duration>,
    /// The number that the records of this turn will have.
    number: u64,
    synced: u64,
    held: [Held; 3],
    /// For each batch under way, the slot below which all decisions are in it or in earlier ones.
    stored: VecDeque<(u64, Slot)>,
}

impl Outbox {
    pub(super) fn new(me: NodeId, peers: Peers) -> Self {
        Self {
            me,
            peers,
            records: Batch::default(),
            must_sync: false,
            notes_since: None,
            number: 1,
            synced: 0,
            held: Default::default(),
            stored: VecDeque::new(),
        }
    }

    /// Sends to these other nodes from now on, as node `me`, which knows this version of the membership.
    pub(super) fn dial(&mut self, me: NodeId, version: u64, others: Vec<Other>) {
        self.me = me;
        self.peers.dial(Message::Knows { version, sender: me }, others);
    }

    /// Sends something that depends on no record.
    pub(super) fn tell(&mut self, to: NodeId, message: Message) {
        self.peers.push(to, message);
    }

    /// Takes a record that nothing waits for.
    pub(super) fn note(&mut self, now: Duration, record: &Record) {
        self.records.push(record);
        self.notes_since.get_or_insert(now);
    }

    /// Empties a role's step: what it saves goes to the log, what it says waits until that is durable.
    pub(super) fn carry_out(
        &mut self,
        role: Role,
        step: &mut Step,
        local: &mut VecDeque<Message>,
        waiting: &mut Waiting,
    ) {
        let role = role as usize;
        if !step.save.is_empty() {
            step.save.drain(..).for_each(|record| self.records.push(&record));
            self.must_sync = true;
            self.held[role].depends = self.number;
        }
        let depends = self.held[role].depends;
        let sends = step.send.drain(..).map(|(to, message)| Output::Send(to, message));
        let answers =
            step.answer.drain(..).map(|(ticket, answer, slot)| Output::Answer(ticket, answer, slot));
        for output in sends.chain(answers) {
            if depends > self.synced {
                self.held[role].outputs.push_back((depends, output));
            } else {
                self.release(output, local, waiting);
            }
        }
    }

    fn release(&mut self, output: Output, local: &mut VecDeque<Message>, waiting: &mut Waiting) {
        match output {
            Output::Send(to, message) if to == self.me => local.push_back(message),
            Output::Send(to, message) => self.peers.push(to, message),
            Output::Answer(ticket, answer, slot) => {
                waiting.answer(ticket, Reply::Applied(answer, slot));
            }
        }
    }

    /// The log has synced up to `number`: releases what waited, and returns the slot below which all decisions are on disk.
    pub(super) fn synced(
        &mut self,
        number: u64,
        local: &mut VecDeque<Message>,
        waiting: &mut Waiting,
    ) -> Option<Slot> {
        self.synced = number;
        for role in 0..self.held.len() {
            let outputs = &mut self.held[role].outputs;
            let free = outputs.partition_point(|(depends, _)| *depends <= number);
            let free: Vec<_> = outputs.drain(..free).collect();
            for (_, output) in free {
                self.release(output, local, waiting);
            }
        }
        let written = self.stored.partition_point(|(batch, _)| *batch <= number);
        self.stored.drain(..written).next_back().map(|(_, slot)| slot)
    }

    /// When [`flush`](Self::flush) has notes to write that nothing else takes along.
    pub(super) fn wake(&self) -> Duration {
        self.notes_since.map_or(Duration::MAX, |since| since + NOTES_WAIT)
    }

    /// The end of a turn: hands the records to the log and the messages to the connections.
    pub(super) fn flush(&mut self, now: Duration, log: &LogWriter, slot_out: Slot) {
        if self.must_sync || self.wake() <= now {
            log.append(self.number, self.records.take());
            self.stored.push_back((self.number, slot_out));
            self.number += 1;
            self.must_sync = false;
            self.notes_since = None;
        }
        self.peers.flush();
    }
}
