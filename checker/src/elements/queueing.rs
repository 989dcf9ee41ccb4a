//! What was put into a queue, what came out, and when it was empty.

use super::ledger::{Ledger, failed};
use super::values;
use history::{OperationRef, OutcomeRef};
use rustc_hash::FxHashMap;
use serde_json::Value;

/// A value and what happened to it.
#[derive(Debug)]
pub(super) struct Element<'a> {
    pub(super) value: &'a Value,
    /// Enqueues that did not fail.
    pub(super) enqueues: Vec<Enqueue>,
    pub(super) dequeues: Vec<Dequeue>,
    /// An enqueue that failed.
    pub(super) failed: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Enqueue {
    pub(super) invoked: usize,
    /// Where it completed; none if its outcome is unknown.
    pub(super) acknowledged: Option<usize>,
    pub(super) index: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Dequeue {
    pub(super) completed: usize,
    pub(super) index: usize,
}

/// All that happened to one queue.
#[derive(Debug, Default)]
pub(super) struct Passage<'a> {
    pub(super) elements: Vec<Element<'a>>,
    numbers: FxHashMap<&'a Value, usize>,
    /// The last invocation of an operation that found the queue empty, and the operation.
    pub(super) empty: Option<(usize, usize)>,
    /// Dequeues of unknown outcome: each may have taken an element.
    pub(super) takers: usize,
    /// A drain of unknown outcome: it may have taken any number.
    pub(super) lost_drain: Option<usize>,
}

pub(super) fn read_queue<'a>(own: &[usize], ledger: &mut Ledger<'a>) -> Passage<'a> {
    let operations = ledger.operations;
    let mut passage = Passage::default();
    for &index in own {
        let operation = operations.at(index);
        match operation.f {
            "enqueue" if operation.argument.is_null() => {
                ledger.unclear(index, "an enqueue needs an element");
            }
            "enqueue" => {
                let element = passage.element(operation.argument);
                if failed(operation) {
                    element.failed = Some(index);
                } else {
                    let acknowledged = ledger.acknowledged(index).map(|(completed, _)| completed);
                    element.enqueues.push(Enqueue { invoked: operation.invoked, acknowledged, index });
                }
            }
            "dequeue" => passage.dequeue(index, operation, ledger),
            "drain" => passage.drain(index, operation, ledger),
            _ => ledger.stranger(index),
        }
    }
    passage
}

impl<'a> Passage<'a> {
    fn element(&mut self, value: &'a Value) -> &mut Element<'a> {
        let number = *self.numbers.entry(value).or_insert_with(|| {
            let (enqueues, dequeues) = (Vec::new(), Vec::new());
            self.elements.push(Element { value, enqueues, dequeues, failed: None });
            self.elements.len() - 1
        });
        &mut self.elements[number]
    }

    fn dequeue(&mut self, index: usize, operation: OperationRef<'_>, ledger: &mut Ledger<'a>) {
        match (operation.outcome, ledger.acknowledged(index)) {
            (_, Some((_, Value::Null))) => self.was_empty(index, operation),
            (_, Some((completed, value))) => {
                self.element(value).dequeues.push(Dequeue { completed, index });
            }
            (OutcomeRef::Fail { error: Some(error), .. }, None)
                if matches!(error.trim_start_matches(':'), "empty" | "exhausted") =>
            {
                self.was_empty(index, operation);
            }
            (OutcomeRef::Fail { .. }, None) => {}
            (OutcomeRef::Info { .. } | OutcomeRef::Ok(_), None) => self.takers += 1,
        }
    }

    fn drain(&mut self, index: usize, operation: OperationRef<'_>, ledger: &mut Ledger<'a>) {
        match ledger.acknowledged(index) {
            Some((completed, value)) => {
                let Some(items) = values::list(value) else {
                    ledger.misread(index, "what was drained should be a list of elements");
                    self.lost_drain = Some(index);
                    return;
                };
                for item in items {
                    self.element(item).dequeues.push(Dequeue { completed, index });
                }
                self.was_empty(index, operation);
            }
            None if failed(operation) => {}
            None => self.lost_drain = Some(index),
        }
    }

    fn was_empty(&mut self, index: usize, operation: OperationRef<'_>) {
        self.empty = self.empty.max(Some((operation.invoked, index)));
    }
}
