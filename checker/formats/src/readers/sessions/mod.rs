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
use history::{RegisterAccess, RegisterStep, RegisterTransaction};
use rustc_hash::FxHashSet;

/// A transaction while it is read.
#[derive(Debug)]
struct Txn {
    /// Where it begins in the file.
    offset: usize,
    transaction: RegisterTransaction,
}

impl Txn {
    fn new(offset: usize, session: u64) -> Self {
        let transaction = RegisterTransaction { session, steps: Vec::new(), committed: true };
        Self { offset, transaction }
    }

    fn step(&mut self, writes: bool, key: u64, value: u64) {
        let access = if writes { RegisterAccess::Write } else { RegisterAccess::Read };
        self.transaction.steps.push(RegisterStep { key, value, access });
    }

    fn read_nothing(&mut self, key: u64) {
        self.transaction.steps.push(RegisterStep { key, value: 0, access: RegisterAccess::ReadNothing });
    }
}

/// The draft of transactions, which come in the order of the file. Reads of the `initial` value found nothing, unless a
/// transaction wrote it.
fn draft(bytes: &[u8], budget: Budget, mut txns: Vec<Txn>, initial: Option<u64>) -> Result<Draft<'_>, Fault> {
    let mut draft = Draft::new(bytes, budget);
    txns.retain(|txn| !txn.transaction.steps.is_empty());
    if txns.is_empty() {
        return Err(Fault::whole_file("there is no transaction in this file"));
    }
    if let Some(initial) = initial {
        start_empty(&mut txns, initial);
    }
    for txn in &txns {
        let steps = txn.transaction.steps.capacity() * size_of::<RegisterStep>();
        let spent = draft.budget.spend(size_of::<Txn>() + steps);
        spent.map_err(|message| Fault::at(txn.offset, message))?;
        let line = draft.line_of(txn.offset);
        draft.lines.extend([line; 2]);
    }
    draft.transactions = txns.into_iter().map(|txn| txn.transaction).collect();
    draft.order = Order::Sessions;
    draft.end.hides = true;
    draft.notes.push(
        "the file has no times: each session's transactions come in their order, and real time is not judged"
            .to_owned(),
    );
    Ok(draft)
}

/// Lets reads of the initial value have found nothing, where no transaction wrote that value.
fn start_empty(txns: &mut [Txn], initial: u64) {
    let steps = txns.iter().flat_map(|txn| &txn.transaction.steps);
    let writes = steps.filter(|step| step.access == RegisterAccess::Write && step.value == initial);
    let written: FxHashSet<u64> = writes.map(|step| step.key).collect();
    for step in txns.iter_mut().flat_map(|txn| &mut txn.transaction.steps) {
        if step.access == RegisterAccess::Read && step.value == initial && !written.contains(&step.key) {
            *step = RegisterStep { value: 0, access: RegisterAccess::ReadNothing, ..*step };
        }
    }
}
