//! What was put into a queue, what came out, and when it was empty.

use super::ledger::{Ledger, failed};
use super::values;
use history::{Operation, Outcome};
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
    /// Where it completed; none if nobody knows whether it happened.
    pub(super) acknowledged: Option<usize>,
    pub(super) place: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Dequeue {
    pub(super) completed: usize,
    pub(super) place: usize,
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

pub(super) fn gather<'a>(own: &[usize], ledger: &mut Ledger<'a>) -> Passage<'a> {
    let operations = ledger.operations;
    let mut passage = Passage::default();
    for &place in own {
        let operation = &operations[place];
        match operation.f.as_str() {
            "enqueue" if operation.argument.is_null() => {
                ledger.misread(place, "an enqueue needs an element");
            }
            "enqueue" => {
                let element = passage.element(&operation.argument);
                if failed(operation) {
                    element.failed = Some(place);
                } else {
                    let acknowledged = ledger.acknowledged(place).map(|(completed, _)| completed);
                    element.enqueues.push(Enqueue { invoked: operation.invoked, acknowledged, place });
                }
            }
            "dequeue" => passage.dequeue(place, operation, ledger),
            "drain" => passage.drain(place, operation, ledger),
            _ => ledger.stranger(place),
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

    fn dequeue(&mut self, place: usize, operation: &Operation, ledger: &mut Ledger<'a>) {
        match (&operation.outcome, ledger.acknowledged(place)) {
            (_, Some((_, Value::Null))) => self.was_empty(place, operation),
            (_, Some((completed, value))) => {
                self.element(value).dequeues.push(Dequeue { completed, place });
            }
            (Outcome::Fail { error: Some(error), .. }, None)
                if matches!(error.trim_start_matches(':'), "empty" | "exhausted") =>
            {
                self.was_empty(place, operation);
            }
            (Outcome::Fail { .. }, None) => {}
            (Outcome::Info { .. } | Outcome::Ok(_), None) => self.takers += 1,
        }
    }

    fn drain(&mut self, place: usize, operation: &Operation, ledger: &mut Ledger<'a>) {
        match ledger.acknowledged(place) {
            Some((completed, value)) => {
                let Some(items) = values::list(value) else {
                    ledger.misread(place, "what was drained should be a list of elements");
                    self.lost_drain = Some(place);
                    return;
                };
                for item in items {
                    self.element(item).dequeues.push(Dequeue { completed, place });
                }
                self.was_empty(place, operation);
            }
            None if failed(operation) => {}
            None => self.lost_drain = Some(place),
        }
    }

    fn was_empty(&mut self, place: usize, operation: &Operation) {
        self.empty = self.empty.max(Some((operation.invoked, place)));
    }
}
