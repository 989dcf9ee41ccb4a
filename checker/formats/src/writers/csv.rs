//! Writes our own `operations.csv`, with two more columns for the order of events at equal times.

use super::Refusal;
use history::{Event, Operation, Outcome, OutcomeClass, pair};
use serde_json::Value;

/// The columns of `operations.csv`. `argument` and `result` are JSON; the result of a failed
/// compare-and-set is what it found; `faults` are the numbers of those in force at the invocation.
pub const OPERATIONS_COLUMNS: [&str; 16] = [
    "index",
    "client",
    "process",
    "f",
    "key",
    "argument",
    "result",
    "outcome",
    "refused",
    "error",
    "intended_ns",
    "invoked_ns",
    "completed_ns",
    "node",
    "phase",
    "faults",
];

/// Values of completions that say nothing are left out, and so are the events of the nemesis.
pub(super) fn write(events: &[Event]) -> Result<Vec<u8>, Refusal> {
    let refuse = |message: String| Refusal { event: None, message };
    let operations = pair(events).map_err(|error| refuse(error.to_string()))?;
    let mut table = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    table
        .write_record(OPERATIONS_COLUMNS.iter().chain(&["invoked_index", "completed_index"]))
        .map_err(|error| refuse(error.to_string()))?;
    for (index, operation) in operations.iter().enumerate() {
        let cells = row(index, operation)?;
        let indexes = [operation.invoked.to_string(), cell(operation.completed)];
        table.write_record(cells.iter().chain(&indexes)).map_err(|error| refuse(error.to_string()))?;
    }
    table.into_inner().map_err(|error| refuse(error.to_string()))
}

fn row(index: usize, operation: &Operation) -> Result<[String; 16], Refusal> {
    let event = operation.invoked;
    let texts = [&operation.key, &operation.node];
    if operation.f.is_empty() || texts.iter().any(|text| text.as_deref() == Some("")) {
        return Err(Refusal::at(event, "an empty name, key or node reads like none at all"));
    }
    let (outcome, result, error) = match &operation.outcome {
        Outcome::Ok(value) => ("ok", value.to_string(), None),
        Outcome::Fail { error, actual } => ("fail", cell(actual.as_ref()), error.as_ref()),
        Outcome::Info { error } => ("info", String::new(), error.as_ref()),
    };
    if error.is_some_and(|error| error.is_empty() || operation.completed_ns.is_none()) {
        return Err(Refusal::at(event, "an empty error reads like none at all"));
    }
    if operation.completed_ns.is_some_and(|completed| completed < operation.invoked_ns) {
        return Err(Refusal::at(event, "it ended before it was invoked"));
    }
    let argument = match &operation.argument {
        Value::Null => String::new(),
        value => value.to_string(),
    };
    let phase = operation.phase.and_then(|phase| serde_json::to_value(phase).ok());
    Ok([
        index.to_string(),
        cell(operation.client),
        operation.process.to_string(),
        operation.f.clone(),
        operation.key.clone().unwrap_or_default(),
        argument,
        result,
        outcome.to_owned(),
        (OutcomeClass::of(&operation.outcome) == OutcomeClass::Refused).to_string(),
        error.cloned().unwrap_or_default(),
        cell(operation.intended_ns),
        operation.invoked_ns.to_string(),
        cell(operation.completed_ns),
        operation.node.clone().unwrap_or_default(),
        phase.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned(),
        String::new(),
    ])
}

fn cell<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}
