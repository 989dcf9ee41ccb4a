//! Transactions that write and read single values: the order of the writes shows only in part.

mod depend;
mod versions;
mod words;

use super::cycles;
use super::findings::Findings;
use super::parse::{NONE, Transactions};

/// A transaction's first access to a key, if that was a read.
#[derive(Debug, Clone, Copy)]
struct Seen {
    txn: u32,
    key: u32,
    /// The element, or [`NONE`] for null.
    version: u32,
}

/// The registers, and what is known of the order of their versions.
#[derive(Debug)]
struct Registers<'a> {
    transactions: Transactions<'a>,
    seen: Vec<Seen>,
    /// By element: the version that its writer had read before, if any. Within a transaction, writes follow
    /// reads.
    follows: Vec<u32>,
    /// By transaction: whether it certainly happened.
    live: Vec<bool>,
}

/// Finds what is wrong; false if time was up before the end.
pub(super) fn check(
    transactions: Transactions<'_>,
    findings: &mut Findings,
    stop: &(dyn Fn() -> bool + Sync),
) -> (bool, Option<String>) {
    let registers = versions::read(transactions, findings);
    if stop() {
        return (false, None);
    }
    let (graph, times) = depend::graph(&registers);
    let finished = cycles::find(&graph, stop, &mut |name, edges| {
        findings.add_cycle(&registers.transactions, name, edges, &|edge, from, to| {
            words::because(&registers, &times, edge, from, to)
        });
    });
    (finished, registers.transactions.ambiguity())
}

impl Registers<'_> {
    fn is_live(&self, txn: u32) -> bool {
        txn != NONE && self.live[txn as usize]
    }
}
