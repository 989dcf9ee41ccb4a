//! What transactions read of each other, whatever the workload: the ground of the searches for an order.

use super::parse::Transactions;

/// A read of what another transaction wrote, or of what was there at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) txn: u32,
    /// The key, with the mark [`LATER`](Self::LATER) if the transaction had accessed it before.
    key: u32,
    /// The element, or [`NONE`](super::parse::NONE) for what was there at first.
    pub(super) version: u32,
}

impl Seen {
    const LATER: u32 = 1 << 31;

    /// A read of a key; `first` says whether it is the transaction's first access to the key.
    pub(super) fn new(txn: u32, key: u32, version: u32, first: bool) -> Self {
        debug_assert!(key < Self::LATER, "steps have smaller keys, too");
        Self { txn, key: if first { key } else { key | Self::LATER }, version }
    }

    pub(super) fn key(self) -> u32 {
        self.key & !Self::LATER
    }

    /// Whether it is the transaction's first access to the key.
    pub(super) fn first(self) -> bool {
        self.key & Self::LATER == 0
    }
}

/// A read of a value that several transactions may have written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) txn: u32,
    pub(super) key: u32,
    /// Those whose last write to the key has the value.
    pub(super) candidates: Vec<u32>,
}

/// The reads of all transactions, and what is known of the order of the versions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Observed<'t, 'a> {
    pub(super) transactions: &'t Transactions<'a>,
    /// By transaction: whether it certainly happened.
    pub(super) live: &'t [bool],
    /// In the order of transactions and, within one, of its steps.
    pub(super) reads: &'t [Seen],
    /// By key: the transactions whose writes some read shows, in their order; all others wrote later. Empty for
    /// registers.
    pub(super) chains: &'t [Vec<u32>],
    /// Reads of values that were written more than once, of registers.
    pub(super) choices: &'t [Choice],
}
