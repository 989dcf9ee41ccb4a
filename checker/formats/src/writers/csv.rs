//! Writes our own `operations.csv`, with two more columns for the order of events at equal times, and one for what is not
//! certain about a converted file.

use super::Refusal;
use history::{Event, Header, Kind, Operation, Outcome, OutcomeClass, Process, pair};
use rustc_hash::FxHashMap;
use serde_json::{Value, json};

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
pub(super) fn write(events: &[Event], header: &Header) -> Result<Vec<u8>, Refusal> {
    let refuse = |message: String| Refusal { event: None, message };
    let operations = pair(events).map_err(|error| refuse(error.to_string()))?;
    let ends = ends(events);
    let mut about = serde_json::Map::new();
    if let Some(converted) = header.converted.as_ref().filter(|converted| !converted.is_certain()) {
        about.insert("converted".to_owned(), json!(converted));
    }
    if let Some(initial) = &header.initial {
        about.insert("initial".to_owned(), initial.clone());
    }
    let mut columns = [&OPERATIONS_COLUMNS[..], &["invoked_index", "completed_index"]].concat();
    if !about.is_empty() {
        columns.push("about");
    }
    let mut table = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    table.write_record(&columns).map_err(|error| refuse(error.to_string()))?;
    for (index, operation) in operations.iter().enumerate() {
        let mut cells = row(index, operation)?.to_vec();
        cells.extend([operation.invoked.to_string(), cell(ends.get(&operation.invoked))]);
        match index {
            _ if about.is_empty() => {}
            0 => cells.push(Value::Object(about.clone()).to_string()),
            _ => cells.push(String::new()),
        }
        table.write_record(&cells).map_err(|error| refuse(error.to_string()))?;
    }
    table.into_inner().map_err(|error| refuse(error.to_string()))
}

/// The completion of each invocation, of whatever outcome.
fn ends(events: &[Event]) -> FxHashMap<usize, usize> {
    let mut open: FxHashMap<Process, usize> = FxHashMap::default();
    let mut ends = FxHashMap::default();
    for (index, event) in events.iter().enumerate() {
        if event.kind == Kind::Invoke {
            open.insert(event.process, index);
        } else if let Some(invoked) = open.remove(&event.process) {
            ends.insert(invoked, index);
        }
    }
    ends
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
