//! Which operations the values come from that were possible when something else was seen.

use super::violation::Possible;
use checker::linearizability::Witness;
use history::{OperationRef, Operations, OutcomeRef};
use serde_json::Value;

/// What is there before anything was written, in the words of witnesses.
const NOTHING: &str = "nothing";

/// Each value that was possible when the odd operation of a witness completed, with the last operation on its key that
/// may have left it.
pub(crate) fn of_values(witness: &Witness, operations: &Operations) -> Vec<Possible> {
    let odd = operations.at(witness.operation);
    let source = |name: &String| {
        let last = |leaves: &dyn Fn(&OperationRef<'_>) -> bool| {
            operations.iter().rposition(|operation| {
                operation.key == odd.key
                    && operation.invoked != odd.invoked
                    && odd.completed.is_none_or(|end| operation.invoked < end)
                    && leaves(&operation)
            })
        };
        last(&|operation| may_write(operation, name)).or_else(|| last(&|operation| reads(operation, name)))
    };
    let possible = |value: &String| Possible { value: value.clone(), source: source(value) };
    witness.values.iter().map(possible).collect()
}

/// Whether a value has this name in a witness.
pub(crate) fn is_named(value: &Value, name: &str) -> bool {
    let shown = if value.is_null() { NOTHING.to_owned() } else { value.to_string() };
    shown == name
}

/// Whether an operation wrote a value, or may have.
fn may_write(operation: &OperationRef<'_>, name: &str) -> bool {
    if matches!(operation.outcome, OutcomeRef::Fail { .. }) {
        return false;
    }
    match operation.f {
        "write" | "put" => is_named(operation.argument, name),
        "cas" => operation.argument.get(1).is_some_and(|to| is_named(to, name)),
        "delete" => name == NOTHING,
        _ => false,
    }
}

fn reads(operation: &OperationRef<'_>, name: &str) -> bool {
    let read = matches!(operation.f, "read" | "get");
    matches!(operation.outcome, OutcomeRef::Ok(value) if read && name != NOTHING && is_named(value, name))
}
