//! The events of a history in order, each with its whole operation.

use super::Refusal;
use history::{Event, Kind, Operation, Outcome, Process, pair};
use rustc_hash::FxHashMap;
use serde_json::Value;

/// One event of a client, with the operation it belongs to.
pub(super) struct PairedEvent<'a> {
    pub(super) index: usize,
    pub(super) process: u64,
    pub(super) event: &'a Event,
    pub(super) operation: &'a Operation,
}

/// Calls `for_each_event` for every event of a client, in order.
pub(super) fn for_each_event(
    events: &[Event],
    mut for_each_event: impl FnMut(&PairedEvent<'_>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let operations = pair(events).map_err(|error| Refusal { event: None, message: error.to_string() })?;
    let mut invoked = operations.iter();
    let mut open: FxHashMap<u64, &Operation> = FxHashMap::default();
    for (index, event) in events.iter().enumerate() {
        let Process::Client(process) = event.process else { continue };
        if event.kind == Kind::Invoke
            && let Some(operation) = invoked.next()
        {
            open.insert(process, operation);
        }
        if let Some(&operation) = open.get(&process) {
            for_each_event(&PairedEvent { index, process, event, operation })?;
        }
    }
    Ok(())
}

/// Whether the values of a history are pairs of key and value in the forms of Jepsen: keys are all or
/// nothing.
pub(super) fn keyed(events: &[Event]) -> Result<bool, Refusal> {
    let mut invocations = events
        .iter()
        .enumerate()
        .filter(|(_, event)| event.kind == Kind::Invoke && event.process != Process::Nemesis);
    let Some((_, first)) = invocations.next() else { return Ok(false) };
    let keyed = first.key.is_some();
    match invocations.find(|(_, event)| event.key.is_some() != keyed) {
        Some((index, _)) => Err(Refusal::at(index, "some operations have a key and some have none")),
        None => Ok(keyed),
    }
}

/// In the forms of Jepsen names are keywords, which are read without their colon.
pub(super) fn no_colons(index: usize, event: &Event) -> Result<(), Refusal> {
    let names = [Some(event.f.as_str()), event.error.as_deref(), event.node.as_deref()];
    match names.into_iter().flatten().find(|name| name.starts_with(':')) {
        Some(name) => Err(Refusal::at(index, format!("{name:?} would be read without its colon"))),
        None => Ok(()),
    }
}

/// What a failed compare-and-set found instead, where that makes it as good as a read.
pub(super) fn found(operation: &Operation) -> Option<&Value> {
    match &operation.outcome {
        Outcome::Fail { actual: Some(actual), .. } if operation.f == "cas" => {
            let from = operation.argument.as_array().and_then(|pair| pair.first());
            Some(actual).filter(|&actual| from != Some(actual))
        }
        Outcome::Ok(_) | Outcome::Fail { .. } | Outcome::Info { .. } => None,
    }
}

/// Values as text. Numbers become their digits, as long as no text beside them could be taken for one.
#[derive(Default)]
pub(super) struct Texts {
    numbers: bool,
    texts: bool,
}

impl Texts {
    pub(super) fn text(&mut self, index: usize, value: &Value) -> Result<String, Refusal> {
        let text = match value {
            Value::String(text) => {
                self.texts = true;
                text.clone()
            }
            Value::Number(number) => {
                self.numbers = true;
                number.to_string()
            }
            other @ (Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
                return Err(Refusal::at(index, format!("the value {other} is no text")));
            }
        };
        if self.numbers && self.texts {
            return Err(Refusal::at(
                index,
                "some values are numbers and some are texts, and it has only texts",
            ));
        }
        Ok(text)
    }
}
