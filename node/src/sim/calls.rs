//! The clients: each increments, compares and sets, or reads one counter once, at one replica or, with the same command, at two.

use super::{Cluster, END, Event};
use crate::core::{Input, Reply};
use crate::paxos::message::Command;
use crate::store::{Answer, Operation};
use rand::RngExt;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A call of the counter, as its client saw it. A compare-and-set that succeeds is an increment; one that fails is a read.
pub(super) struct Call {
    pub(super) began: Duration,
    pub(super) ended: Option<(Duration, i64)>,
    pub(super) reads: bool,
    /// A compare-and-set to this value.
    swaps_to: Option<i64>,
    /// Its client has no name, so its result may be forgotten.
    unnamed: bool,
    /// Whether a replica may have taken it.
    pub(super) taken: bool,
}

/// All calls.
#[derive(Default)]
pub(super) struct Calls {
    pub(super) all: BTreeMap<u64, Call>,
    /// The highest result so far.
    highest: i64,
    /// Whether every third command has a large value.
    pub(super) large: bool,
}

/// The answer to the first operation, of one or several.
fn first(answer: Answer) -> Answer {
    if let Answer::Results(mut answers) = answer { answers.swap_remove(0) } else { answer }
}

impl Cluster {
    /// A client calls one replica, and sometimes a second one with the same command.
    pub(super) fn client(&mut self) {
        let pause = self.milliseconds(1..12);
        if self.now + pause + Duration::from_secs(1) < END {
            self.at(self.now + pause, Event::Client);
        }
        let number = self.calls.all.len() as u64;
        let (kind, key, highest) = (self.rng.random_range(0..6), "counter".to_owned(), self.calls.highest);
        let operation = match kind {
            0 | 1 => Operation::Get { key },
            2 => {
                let from = (highest > 0).then(|| highest.to_string());
                Operation::Cas { key, from, to: (highest + 1).to_string() }
            }
            _ => self.increment(key),
        };
        let (reads, swaps_to) = (kind < 2, (kind == 2).then_some(highest + 1));
        let asked = if self.rng.random_range(0..4) == 0 { 2 } else { 1 };
        let unnamed = asked == 1 && number.is_multiple_of(3);
        let client: Arc<str> = if unnamed { Arc::default() } else { format!("c{number}").into() };
        let mut call = Call { began: self.now, ended: None, reads, swaps_to, unnamed, taken: false };
        for _ in 0..asked {
            let index = self.rng.random_range(0..self.nodes.len());
            let node = &self.nodes[index];
            if node.process.is_some() && node.paused_until <= self.now {
                call.taken = true;
                let command =
                    Command { client: Arc::clone(&client), sequence: 1, operation: operation.clone() };
                self.input(index, Input::Request { command, read: None, client: number });
            }
        }
        self.calls.all.insert(number, call);
    }

    /// An increment, and sometimes a write of a large value with it.
    fn increment(&mut self, key: String) -> Operation {
        let increment = Operation::Incr { key, by: 1 };
        if !self.calls.large || self.rng.random_range(0..3) > 0 {
            return increment;
        }
        let large = Operation::Put { key: "large".to_owned(), value: "x".repeat(400_000).into() };
        Operation::Transaction { operations: vec![increment, large] }
    }

    /// A client gets a reply.
    pub(super) fn replied(&mut self, call: u64, reply: Reply) {
        let Some(call) = self.calls.all.get_mut(&call) else { return };
        let number = |value: Option<Arc<String>>| value.map_or(0, |value| value.parse().unwrap());
        match reply {
            Reply::Applied(answer, _) => {
                let value = match (first(answer), call.swaps_to) {
                    (Answer::Value(value), _) => number(value),
                    (Answer::Done, Some(to)) => to,
                    (Answer::Differs(value), Some(_)) if call.ended.is_none() => {
                        call.reads = true;
                        number(value)
                    }
                    (Answer::Forgotten, _) if call.unnamed => {
                        call.taken = false;
                        return;
                    }
                    _ => return,
                };
                call.ended.get_or_insert((self.now, value));
                self.calls.highest = self.calls.highest.max(value);
            }
            // A second replica may have taken it; then it is not required to be answered, which loses little.
            Reply::Refused(_) => call.taken = false,
            Reply::Undecided(_) => {}
        }
    }
}
