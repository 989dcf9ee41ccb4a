//! What was added to a counter, and what was read of it.

use super::ledger::{Ledger, failed};
use super::values;
use history::{OperationRef, Phase};
use serde_json::Value;

/// An add that did not fail.
#[derive(Debug)]
pub(super) struct Add {
    pub(super) index: usize,
    pub(super) delta: i128,
    pub(super) invoked: usize,
    /// Where it completed; none if its outcome is unknown.
    pub(super) acknowledged: Option<usize>,
}

/// An acknowledged read.
#[derive(Debug)]
pub(super) struct Read<'a> {
    pub(super) index: usize,
    pub(super) shown: &'a Value,
    pub(super) value: i128,
    pub(super) invoked: usize,
    pub(super) completed: usize,
    pub(super) is_final: bool,
}

/// All adds and reads. None if an add cannot be understood, because then no read can be judged.
pub(super) fn read_counter<'a>(own: &[usize], ledger: &mut Ledger<'a>) -> Option<(Vec<Add>, Vec<Read<'a>>)> {
    let operations = ledger.operations;
    let (mut adds, mut reads) = (Vec::new(), Vec::new());
    let mut understood = true;
    for &index in own {
        let operation = operations.at(index);
        match operation.f {
            "add" | "incr" | "decr" if failed(operation) => {}
            "add" | "incr" | "decr" => {
                if let Some(delta) = delta(operation) {
                    let acknowledged = ledger.acknowledged(index).map(|(completed, _)| completed);
                    adds.push(Add { index, delta, invoked: operation.invoked, acknowledged });
                } else {
                    ledger.unclear(index, "what is added should be a whole number");
                    understood = false;
                }
            }
            "read" => {
                let Some((completed, shown)) = ledger.acknowledged(index) else { continue };
                let value = if shown.is_null() { Some(0) } else { values::integer(shown) };
                let Some(value) = value else {
                    ledger.misread(index, "a counter should be read as a whole number");
                    continue;
                };
                let is_final = operation.phase == Some(Phase::Final);
                reads.push(Read { index, shown, value, invoked: operation.invoked, completed, is_final });
            }
            _ => ledger.stranger(index),
        }
    }
    let acknowledged = adds.iter().filter(|add| add.acknowledged.is_some()).count();
    ledger.count("acknowledged adds", acknowledged);
    ledger.count("adds of unknown outcome", adds.len() - acknowledged);
    ledger.count("reads", reads.len());
    understood.then_some((adds, reads))
}

fn delta(operation: OperationRef<'_>) -> Option<i128> {
    let by = match (operation.f, operation.argument) {
        ("incr" | "decr", Value::Null) => Some(1),
        (_, argument) => values::integer(argument),
    };
    if operation.f == "decr" { by.map(|by| -by) } else { by }
}
