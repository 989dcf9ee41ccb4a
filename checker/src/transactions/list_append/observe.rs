//! The lists as the searches for an order see them: each read shows the last append of another transaction.

use super::super::observed::{Observed, Seen};
use super::super::parse::{Access, NONE};
use super::Lists;
use rustc_hash::FxHashSet;

/// The reads of a history of lists, and the order of its appends.
#[derive(Debug)]
pub(in super::super) struct Observations<'l, 'a> {
    lists: &'l Lists<'a>,
    reads: Vec<Seen>,
    chains: Vec<Vec<u32>>,
}

impl<'l, 'a> Observations<'l, 'a> {
    pub(super) fn new(lists: &'l Lists<'a>) -> Self {
        let mut reads = Vec::new();
        let mut touched: FxHashSet<u32> = FxHashSet::default();
        for txn in lists.transactions.committed() {
            touched.clear();
            for index in lists.steps(txn) {
                let step = &lists.transactions.steps[index];
                let first = touched.insert(step.key());
                if matches!(step.access(), Access::Read(_)) && !lists.transactions.unclear(step.key()) {
                    let seen = lists.last_foreign(txn, index, |element| lists.is_live(lists.writer(element)));
                    reads.push(Seen::new(txn, step.key(), seen.unwrap_or(NONE), first));
                }
            }
        }
        let chain = |order: &Vec<u32>| {
            let writers = order.iter().map(|element| lists.writer(*element));
            let mut chain: Vec<u32> = writers.filter(|writer| lists.is_live(*writer)).collect();
            chain.dedup();
            chain
        };
        Self { lists, reads, chains: lists.order.iter().map(chain).collect() }
    }

    pub(in super::super) fn observed(&self) -> Observed<'_, 'a> {
        let Lists { transactions, live, .. } = self.lists;
        Observed { transactions, live, reads: &self.reads, chains: &self.chains, choices: &[] }
    }
}
