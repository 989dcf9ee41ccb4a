//! Which keys an operation reads and which it writes, in the loads that the bench sends.

use history::{OperationRef, OutcomeRef};
use serde_json::Value;

/// The keys whose value the answer of an operation shows; none without an answer.
pub(crate) fn reads<'a>(operation: &OperationRef<'a>) -> Vec<&'a str> {
    let key = || operation.key.into_iter().collect();
    match (operation.f, operation.outcome) {
        ("read" | "get", OutcomeRef::Ok(value)) => match (operation.key, value) {
            (Some(key), _) => vec![key],
            // A bank's accounts are read together.
            (None, Value::Object(accounts)) => accounts.keys().map(String::as_str).collect(),
            (None, _) => Vec::new(),
        },
        ("cas", OutcomeRef::Ok(_) | OutcomeRef::Fail { actual: Some(_), .. }) => key(),
        ("txn", OutcomeRef::Ok(steps)) => steps_of(steps, |kind| kind == "r"),
        _ => Vec::new(),
    }
}

/// The keys that an operation wrote, or may have written where its outcome is unknown.
pub(crate) fn writes<'a>(operation: &OperationRef<'a>) -> Vec<&'a str> {
    if matches!(operation.outcome, OutcomeRef::Fail { .. }) {
        return Vec::new();
    }
    match operation.f {
        "write" | "put" | "delete" | "append" | "cas" => operation.key.into_iter().collect(),
        "txn" => steps_of(operation.argument, |kind| kind != "r"),
        "transfer" => ["from", "to"].iter().filter_map(|end| operation.argument[*end].as_str()).collect(),
        _ => Vec::new(),
    }
}

/// Whether an operation is one that changes something if it succeeds, whatever became of it.
pub(crate) fn asks_to_write(operation: &OperationRef<'_>) -> bool {
    match operation.f {
        "write" | "put" | "delete" | "append" | "cas" | "transfer" | "enqueue" | "add" | "send"
        | "acquire" => true,
        "txn" => !steps_of(operation.argument, |kind| kind != "r").is_empty(),
        _ => false,
    }
}

/// Whether an operation asks for the value of this key, whatever became of it.
pub(crate) fn asks_for(operation: &OperationRef<'_>, key: &str) -> bool {
    match operation.f {
        "read" | "get" => operation.key.is_none_or(|own| own == key),
        "txn" => steps_of(operation.argument, |kind| kind == "r").contains(&key),
        _ => false,
    }
}

/// Whether an operation succeeded that changes something without writing a key: it adds to a set, a counter or a log, or gets a lock.
pub(crate) fn adds(operation: &OperationRef<'_>) -> bool {
    matches!(operation.f, "add" | "send" | "enqueue" | "acquire")
        && matches!(operation.outcome, OutcomeRef::Ok(_))
}

/// Whether the answer of an operation shows what was added without a key.
pub(crate) fn shows_all(operation: &OperationRef<'_>) -> bool {
    let is_read = matches!(operation.f, "read" | "poll");
    is_read && operation.key.is_none() && matches!(operation.outcome, OutcomeRef::Ok(_))
}

/// Whether this function is one of those above.
pub(crate) fn is_known(f: &str) -> bool {
    matches!(
        f,
        "read"
            | "get"
            | "write"
            | "put"
            | "delete"
            | "append"
            | "cas"
            | "txn"
            | "transfer"
            | "add"
            | "send"
            | "poll"
    )
}

/// The keys of the steps of a transaction, `["r", key, value]`, whose kind is wanted.
fn steps_of(steps: &Value, wanted: impl Fn(&str) -> bool) -> Vec<&str> {
    let steps = steps.as_array().into_iter().flatten();
    steps.filter(|step| step[0].as_str().is_some_and(&wanted)).filter_map(|step| step[1].as_str()).collect()
}
