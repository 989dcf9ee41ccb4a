//! Transactions that write and read single values: the order of the writes shows only in part.

mod depend;
mod repeated;
mod versions;
mod words;

use super::cycles::{self, Edge};
use super::findings::Findings;
use super::graph::Graph;
use super::observed::{Choice, Observed, Seen};
use super::parse::{NONE, Transactions};
use crate::limits::Limits;
use depend::Times;
use std::sync::OnceLock;

/// The registers, and what is known of the order of their versions.
#[derive(Debug)]
pub(super) struct Registers<'a> {
    pub(super) transactions: Transactions<'a>,
    /// By transaction and step: what was read of others.
    pub(super) seen: Vec<Seen>,
    /// By element: the version that its writer had read before, if any. Within a transaction, writes follow
    /// reads.
    pub(super) follows: Vec<u32>,
    /// Reads of values that were written more than once.
    pub(super) choices: Vec<Choice>,
    /// By transaction: whether it happened. One of unknown outcome that may have been read from counts: if it was not,
    /// it may come last, where no read misses it.
    pub(super) live: Vec<bool>,
}

/// What is known of a history of registers.
#[derive(Debug)]
pub(super) struct Analysis<'a> {
    registers: Registers<'a>,
    graph: OnceLock<Graph>,
    times: Times,
}

/// Finds what is wrong, as far as the known dependencies show it; none if time was up before the end.
pub(super) fn analyze<'a>(
    transactions: Transactions<'a>,
    findings: &mut Findings,
    limits: &Limits<'_>,
) -> Option<Analysis<'a>> {
    let registers = versions::read(transactions, findings);
    if limits.stopped() {
        return None;
    }
    let (graph, times) = depend::graph(&registers);
    let analysis = Analysis { registers, graph: graph.into(), times };
    let finished = cycles::find(analysis.graph(), limits, &mut |name, edges| {
        findings.add_cycle(&analysis.registers.transactions, name, edges, &|edge, from, to| {
            analysis.because(edge, from, to)
        });
    });
    finished.then_some(analysis)
}

impl<'a> Analysis<'a> {
    pub(super) fn transactions(&self) -> &Transactions<'a> {
        &self.registers.transactions
    }

    /// The known dependencies; made again if they were forgotten.
    pub(super) fn graph(&self) -> &Graph {
        self.graph.get_or_init(|| depend::graph(&self.registers).0)
    }

    /// Frees the memory of the known dependencies.
    pub(super) fn forget_graph(&mut self) {
        self.graph.take();
    }

    pub(super) fn observed(&self) -> Observed<'_, 'a> {
        let Registers { transactions, seen, choices, live, .. } = &self.registers;
        Observed { transactions, live, reads: seen, chains: &[], choices }
    }

    /// Why one transaction precedes another.
    pub(super) fn because(&self, edge: &Edge, from: &str, to: &str) -> String {
        words::because(&self.registers, &self.times, edge, from, to)
    }
}

impl Registers<'_> {
    fn is_live(&self, txn: u32) -> bool {
        txn != NONE && self.live[txn as usize]
    }
}
