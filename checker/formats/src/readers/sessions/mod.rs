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
use history::{Event, Kind, Process};
use rustc_hash::FxHashSet;
use serde_json::{Value, json};

/// A transaction while it is read.
#[derive(Debug)]
struct Txn {
    /// Where it begins in the file.
    offset: usize,
    session: u64,
    /// Reads and writes, as steps of a register transaction.
    steps: Vec<Value>,
    /// Whether it took effect.
    committed: bool,
}

impl Txn {
    fn new(offset: usize, session: u64) -> Self {
        Self { offset, session, steps: Vec::new(), committed: true }
    }

    fn step(&mut self, writes: bool, key: impl Into<Value>, value: impl Into<Value>) {
        let name = Value::from(if writes { "w" } else { "r" });
        self.steps.push(Value::Array(vec![name, key.into(), value.into()]));
    }
}

/// The draft of transactions, which come in the order of the file. Reads of the `initial` value found nothing, unless a
/// transaction wrote it.
fn draft(
    bytes: &[u8],
    budget: Budget,
    txns: impl IntoIterator<Item = Txn>,
    initial: Option<Value>,
) -> Result<Draft<'_>, Fault> {
    let mut draft = Draft::new(bytes, budget);
    let mut txns: Vec<Txn> = txns.into_iter().filter(|txn| !txn.steps.is_empty()).collect();
    if let Some(initial) = initial {
        start_empty(&mut txns, &initial);
    }
    for txn in txns {
        let process = Process::Client(txn.session);
        let mut begin = Event::new(process, Kind::Invoke, "txn");
        begin.time = draft.events.len() as u64;
        let asked = |step: &Value| {
            if step[0] == "r" { json!(["r", step[1], null]) } else { step.clone() }
        };
        begin.value = txn.steps.iter().map(asked).collect();
        draft.push_as_is(txn.offset, begin)?;
        let kind = if txn.committed { Kind::Ok } else { Kind::Fail };
        let mut end = Event::new(process, kind, "txn");
        end.time = draft.events.len() as u64;
        end.value = if txn.committed { Value::Array(txn.steps) } else { Value::Null };
        draft.push_as_is(txn.offset, end)?;
    }
    if draft.events.is_empty() {
        return Err(Fault::whole_file("there is no transaction in this file"));
    }
    draft.order = Order::Sessions;
    draft.end.hides = true;
    draft.notes.push(
        "the file has no times: each session's transactions come in their order, and real time is not judged"
            .to_owned(),
    );
    Ok(draft)
}

/// Replaces what reads of the initial value found by null, where no transaction wrote that value.
fn start_empty(txns: &mut [Txn], initial: &Value) {
    let steps = txns.iter().flat_map(|txn| &txn.steps);
    let written: FxHashSet<Value> =
        steps.filter(|step| step[0] == "w" && step[2] == *initial).map(|step| step[1].clone()).collect();
    for step in txns.iter_mut().flat_map(|txn| &mut txn.steps) {
        if step[0] == "r" && step[2] == *initial && !written.contains(&step[1]) {
            step[2] = Value::Null;
        }
    }
}
