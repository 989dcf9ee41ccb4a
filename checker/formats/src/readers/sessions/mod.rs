//! Reads histories that are sessions of transactions without times: those of dbcop, Cobra, Plume and AWDIT.
//!
//! Such a file says in which order each session made its transactions, and nothing of real time between sessions. A
//! register starts with the value 0, or empty in Cobra's and AWDIT's. Values that such tools write are unique.

mod awdit;
mod cobra;
mod dbcop;
mod plume;

pub use cobra::is_cobra;
pub(in super::super) use {awdit::is_awdit, dbcop::is_dbcop, plume::is_plume};
pub(super) use {awdit::read as awdit, cobra::read as cobra, dbcop::read as dbcop, plume::read as plume};

use super::super::{budget::Budget, draft::Draft, fault::Fault, order::Order};
use history::{RegisterAccess, RegisterStep, RegisterTransaction, RegisterTransactions};
use rustc_hash::FxHashSet;

/// Transactions while they are read, in the order of the file.
#[derive(Debug, Default)]
struct Txns {
    transactions: RegisterTransactions,
    /// By transaction: where it begins in the file.
    offsets: Vec<usize>,
}

impl Txns {
    /// Adds a step to the transaction that is being read.
    fn step(&mut self, writes: bool, key: u64, value: u64) {
        self.transactions.step(step(writes, key, value));
    }

    fn read_nothing(&mut self, key: u64) {
        self.transactions.step(RegisterStep { key, value: 0, access: RegisterAccess::ReadNothing });
    }

    /// Removes the steps of the transaction that is being read.
    fn discard(&mut self) {
        self.transactions.discard();
    }

    /// Ends the transaction that is being read and begins at an offset, unless it has no steps.
    fn end(&mut self, offset: usize, session: u64, committed: bool) {
        if self.transactions.end(session, committed) {
            self.offsets.push(offset);
        }
    }
}

/// A step that reads or writes a value.
fn step(writes: bool, key: u64, value: u64) -> RegisterStep {
    let access = if writes { RegisterAccess::Write } else { RegisterAccess::Read };
    RegisterStep { key, value, access }
}

/// The draft of transactions. Reads of the `initial` value found nothing, unless a transaction wrote it.
fn draft(bytes: &[u8], budget: Budget, txns: Txns, initial: Option<u64>) -> Result<Draft<'_>, Fault> {
    let Txns { mut transactions, offsets } = txns;
    let mut draft = Draft::new(bytes, budget);
    if transactions.is_empty() {
        return Err(Fault::whole_file("there is no transaction in this file"));
    }
    if let Some(initial) = initial {
        start_empty(transactions.steps_mut(), initial);
    }
    draft.lines.reserve_exact(2 * offsets.len());
    for (transaction, offset) in transactions.iter().zip(offsets) {
        let spent = draft.budget.spend(size_of::<RegisterTransaction<'_>>() + size_of_val(transaction.steps));
        spent.map_err(|message| Fault::at(offset, message))?;
        let line = draft.line_of(offset);
        draft.lines.extend([line; 2]);
    }
    draft.transactions = transactions;
    draft.order = Order::Sessions;
    draft.end.hides = true;
    draft.notes.push(
        "the file has no times: each session's transactions come in their order, and real time is not judged"
            .to_owned(),
    );
    Ok(draft)
}

/// Lets reads of the initial value have found nothing, where no transaction wrote that value.
fn start_empty(steps: &mut [RegisterStep], initial: u64) {
    let writes = steps.iter().filter(|step| step.access == RegisterAccess::Write && step.value == initial);
    let written: FxHashSet<u64> = writes.map(|step| step.key).collect();
    for step in steps {
        if step.access == RegisterAccess::Read && step.value == initial && !written.contains(&step.key) {
            *step = RegisterStep { value: 0, access: RegisterAccess::ReadNothing, ..*step };
        }
    }
}
