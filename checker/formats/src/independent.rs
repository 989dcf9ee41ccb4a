//! Values that are a key and a value, as Jepsen's `independent` tests have them.

use super::{draft::Draft, fault::Fault};
use history::{Event, Kind, Process};
use rustc_hash::FxHashMap;
use serde_json::Value;

/// What the value of an invocation says about the question.
enum Sign {
    /// It can be nothing but a key and a value.
    Tuple,
    /// It cannot be a key and a value.
    Plain,
    /// It is a pair that could be either.
    Open,
}

/// Whether every operation's value is a pair and some of them can be nothing but a key and a value.
pub(super) fn guess(events: &[Event]) -> bool {
    let mut proven = false;
    for event in events.iter().filter(|event| event.kind == Kind::Invoke && event.process != Process::Nemesis)
    {
        match sign(event) {
            Sign::Tuple => proven = true,
            Sign::Plain => return false,
            Sign::Open => {}
        }
    }
    proven
}

fn sign(event: &Event) -> Sign {
    let Some([key, value]) = event.value.as_array().map(Vec::as_slice) else { return Sign::Plain };
    if event.key.is_some() || key.is_array() || key.is_null() {
        return Sign::Plain;
    }
    let length = value.as_array().map(Vec::len);
    let tuple = |is| if is { Sign::Tuple } else { Sign::Plain };
    match event.f.as_str() {
        "cas" => tuple(length == Some(2)),
        "txn" => tuple(value.as_array().is_some_and(|steps| steps.iter().all(Value::is_array))),
        "read" | "get" => tuple(value.is_null()),
        _ if value.is_null() => Sign::Tuple,
        _ => Sign::Open,
    }
}

/// Takes the keys out of the values. Completions whose value is no such pair, such as a time-out, keep it.
pub(super) fn split(draft: &mut Draft<'_>) -> Result<(), Fault> {
    let name = if names_clash(&draft.events) { Value::to_string } else { text };
    let mut open: FxHashMap<u64, String> = FxHashMap::default();
    for (event, &line) in draft.events.iter_mut().zip(&draft.lines) {
        let Process::Client(process) = event.process else { continue };
        let pair = match event.value.as_array().map(Vec::as_slice) {
            Some([key, _]) => Some(name(key)),
            Some(_) | None => None,
        };
        match (event.kind, pair) {
            (Kind::Invoke, Some(key)) => {
                take_value(event, key.clone());
                open.insert(process, key);
            }
            (Kind::Invoke, None) => {
                return Err(Fault::line(
                    line as usize,
                    1,
                    format!(
                        "the value of this {} is not [key value], as those of independent tests are",
                        event.f
                    ),
                ));
            }
            (Kind::Ok | Kind::Fail | Kind::Info, Some(key)) if open.get(&process) == Some(&key) => {
                take_value(event, key);
            }
            (Kind::Ok | Kind::Fail | Kind::Info, Some(_) | None) => {}
        }
    }
    Ok(())
}

/// Whether two keys that differ, such as `1` and `"1"`, have the same text.
fn names_clash(events: &[Event]) -> bool {
    let mut quoted: FxHashMap<String, bool> = FxHashMap::default();
    events.iter().filter(|event| event.kind == Kind::Invoke).any(|event| match event.value.get(0) {
        Some(key) => *quoted.entry(text(key)).or_insert(key.is_string()) != key.is_string(),
        None => false,
    })
}

fn take_value(event: &mut Event, key: String) {
    event.key = Some(key);
    if let Value::Array(pair) = &mut event.value {
        event.value = pair.pop().unwrap_or(Value::Null);
    }
}

/// A key as text: numbers by their digits.
pub(super) fn text(key: &Value) -> String {
    match key {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            key.to_string()
        }
    }
}
