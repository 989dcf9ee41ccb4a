//! Transactions that write and read single values: the order of the writes shows only in part.

mod depend;
mod precedence;
mod prove;
mod serialization_search;
mod versions;
mod words;

pub(super) use prove::prove;

use super::consistency::Consistency;
use super::cycles;
use super::findings::Findings;
use super::parse::{NONE, Transactions};
use crate::limits::Limits;

/// A transaction's first access to a key, if that was a read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) txn: u32,
    pub(super) key: u32,
    /// The element, or [`NONE`] for null.
    pub(super) version: u32,
}

/// The registers, and what is known of the order of their versions.
#[derive(Debug)]
pub(super) struct Registers<'a> {
    pub(super) transactions: Transactions<'a>,
    pub(super) seen: Vec<Seen>,
    /// By element: the version that its writer had read before, if any. Within a transaction, writes follow
    /// reads.
    pub(super) follows: Vec<u32>,
    /// By transaction: whether it certainly happened.
    pub(super) live: Vec<bool>,
}

/// Finds what is wrong; false if time was up before the end. With it comes why the answer is open, if it is.
pub(super) fn check(
    transactions: Transactions<'_>,
    model: Consistency,
    findings: &mut Findings,
    limits: &Limits<'_>,
) -> (bool, Option<String>) {
    let registers = versions::read(transactions, findings);
    if limits.stopped() {
        return (false, None);
    }
    let (graph, times) = depend::graph(&registers);
    let finished = cycles::find(&graph, limits, &mut |name, edges| {
        findings.add_cycle(&registers.transactions, name, edges, &|edge, from, to| {
            words::because(&registers, &times, edge, from, to)
        });
    });
    let mut open = registers.transactions.ambiguity();
    if finished && open.is_none() && !findings.excluded.contains(model) {
        open = prove(&registers, model, findings, limits);
    }
    (finished, open)
}

impl Registers<'_> {
    fn is_live(&self, txn: u32) -> bool {
        txn != NONE && self.live[txn as usize]
    }
}
