//! The final reads in virtual time: every key through every replica, as those of a session.

use super::{Due, SimulatedLoad};
use crate::client::When;
use crate::operation::Operation;
use crate::phase::{FinalAnswer, PATIENCE, Pair, RETRY, share};
use crate::session::{FINAL_READS, with_few_others};
use crate::spec::{LoadSpec, Workload};
use history::{Outcome, Phase};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// What one client still has to read.
#[derive(Debug, Default)]
pub(super) struct Finals {
    pairs: VecDeque<Pair>,
    /// The pair that is being read.
    present: Option<Pair>,
    failed: BTreeSet<Pair>,
    /// Since when nothing has come from a replica.
    silent: BTreeMap<usize, Duration>,
    missing: u64,
    read: u64,
}

impl SimulatedLoad {
    /// Begins the final reads at this time.
    pub fn begin_final(&mut self, now: Duration) {
        self.now = now;
        let length = (self.spec.duration / 2).max(FINAL_READS);
        let (start, until) = (now, now + length);
        self.running =
            Some(super::Running { phase: Phase::Final, start, until, unsent: 0, times: None, length });
        let keys = if self.spec.workload == Workload::Bank {
            vec![0]
        } else {
            let written = self.clients.iter().flat_map(|client| &client.written).copied().collect();
            with_few_others(written, self.spec.keys)
        };
        for client in 0..self.clients.len() {
            let number = self.clients[client].number;
            let pairs = share(number, self.spec.clients, self.targets.len(), &keys);
            self.clients[client].finals = Finals { pairs, ..Finals::default() };
            self.next_final_read(client);
        }
    }

    /// Whether every final read is done or given up.
    pub fn finals_are_over(&self) -> bool {
        self.clients.iter().all(|client| client.open.is_none() && client.finals.pairs.is_empty())
    }

    /// Ends the final reads at this time; returns when they began, and how many got an answer and how many none.
    pub fn end_final(&mut self, now: Duration) -> (Duration, u64, u64) {
        self.due.clear();
        let start = self.running.take().map_or(now, |running| running.start);
        let sum = |count: fn(&Finals) -> u64| self.clients.iter().map(|client| count(&client.finals)).sum();
        (start, sum(|finals| finals.read), sum(|finals| finals.missing))
    }

    /// Reads the next pair of a client.
    pub(super) fn next_final_read(&mut self, client: usize) {
        let Some(until) = self.until() else { return };
        let now = self.now;
        let one = &mut self.clients[client];
        while let Some((key, target)) = one.finals.pairs.pop_front() {
            let given_up = now >= *one.finals.silent.entry(target).or_insert(now) + PATIENCE;
            if given_up || now >= until {
                one.finals.missing += 1;
                continue;
            }
            one.target = target;
            one.finals.present = Some((key, target));
            let operation = Operation::reading(self.spec.workload, LoadSpec::key_name(key));
            return self.invoke(client, None, operation, When { phase: Phase::Final, intended: None });
        }
    }

    /// A final read ended like this.
    pub(super) fn final_read_ended(&mut self, client: usize, outcome: &Outcome) {
        let finals = &mut self.clients[client].finals;
        let Some(pair) = finals.present.take() else { return };
        match FinalAnswer::of(self.spec.workload, outcome) {
            FinalAnswer::Whole => {
                finals.read += 1;
                finals.silent.insert(pair.1, self.now);
            }
            FinalAnswer::More => {
                finals.silent.insert(pair.1, self.now);
                finals.pairs.push_front(pair);
            }
            FinalAnswer::None => {
                finals.pairs.push_back(pair);
                if !finals.failed.insert(pair) {
                    return self.at(self.now + RETRY, Due::Rested(client));
                }
            }
        }
        self.next_final_read(client);
    }
}
