//! Values that are a key and a value, as Jepsen's `independent` tests have them.

use super::{draft::Draft, fault::Fault};
use history::{Event, Kind, Process};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::Value;

/// What the value of an invocation says about the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// It can be nothing but a key and a value.
    Tuple,
    /// It cannot be a key and a value.
    Plain,
    /// It is a pair that could be either.
    Open,
}

/// Whether every operation's value is a pair and some of them can be nothing but a key and a value. With `versioned`,
/// plain values are pairs of a version and a value.
pub(super) fn guess(draft: &Draft<'_>, versioned: bool) -> Result<bool, Fault> {
    let ends = ends_of_added(draft);
    let (mut proven, mut asked) = (false, None);
    for (index, event) in draft.events.iter().enumerate() {
        if event.kind != Kind::Invoke || event.process == Process::Nemesis {
            continue;
        }
        let sign = match ends.get(&index) {
            Some(&end) => {
                asked = asked.or(is_read(event).then_some(index));
                sign_of_end(&draft.events[end], versioned)
            }
            None => sign(event, versioned),
        };
        match sign {
            Sign::Tuple => proven = true,
            Sign::Plain => return Ok(false),
            Sign::Open => {}
        }
    }
    match asked {
        Some(index) if !proven => Err(Fault::line(
            draft.lines[index] as usize,
            1,
            "every value is a pair, and invocations, which would show whether it is [key value], are missing; say \
             --independent if it is, or --independent=false",
        )),
        Some(_) | None => Ok(proven),
    }
}

/// The completion of each invocation that was added.
fn ends_of_added(draft: &Draft<'_>) -> FxHashMap<usize, usize> {
    let mut ends = FxHashMap::default();
    if draft.added.is_empty() {
        return ends;
    }
    let mut behind: FxHashMap<Process, usize> = FxHashMap::default();
    for (index, event) in draft.events.iter().enumerate().rev() {
        if draft.added.binary_search(&index).is_ok()
            && let Some(&end) = behind.get(&event.process)
        {
            ends.insert(index, end);
        }
        behind.insert(event.process, index);
    }
    ends
}

fn is_read(event: &Event) -> bool {
    matches!(event.f.as_str(), "read" | "get")
}

/// What the completion says where there is no invocation: a read's has a value.
fn sign_of_end(event: &Event, versioned: bool) -> Sign {
    match (sign(event, versioned), event.value.as_array().map(Vec::as_slice)) {
        (_, Some([key, _])) if is_read(event) && !key.is_array() && !key.is_null() => Sign::Open,
        (sign, _) => sign,
    }
}

fn sign(event: &Event, versioned: bool) -> Sign {
    let Some([key, value]) = event.value.as_array().map(Vec::as_slice) else { return Sign::Plain };
    if event.key.is_some() || key.is_array() || key.is_null() {
        return Sign::Plain;
    }
    Second::of(value).sign(&event.f, versioned)
}

/// What the second part of a pair is, whose first part may be a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Second {
    Null,
    /// A list of this length.
    List(usize),
    /// A list of lists, of this length.
    Lists(usize),
    Other,
}

impl Second {
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Array(items) if items.iter().all(Value::is_array) => Self::Lists(items.len()),
            Value::Array(items) => Self::List(items.len()),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => Self::Other,
        }
    }

    /// What it says about the pair that was given to a function.
    pub(super) fn sign(self, f: &str, versioned: bool) -> Sign {
        let two = matches!(self, Self::List(2) | Self::Lists(2));
        let tuple = |is| if is { Sign::Tuple } else { Sign::Plain };
        match f {
            "cas" => tuple(two),
            "txn" => tuple(matches!(self, Self::Lists(_))),
            "read" | "get" => tuple(self == Self::Null || versioned && two),
            "write" if versioned => tuple(two),
            _ if self == Self::Null => Sign::Tuple,
            _ => Sign::Open,
        }
    }
}

/// Takes the keys out of the values. Completions whose value is no such pair, such as a time-out, keep it.
pub(super) fn split(draft: &mut Draft<'_>) -> Result<(), Fault> {
    for (index, end) in ends_of_added(draft) {
        let key =
            draft.events[end].value.as_array().filter(|pair| pair.len() == 2).map(|pair| pair[0].clone());
        if let (true, Some(key)) = (draft.events[index].value.is_null(), key) {
            draft.events[index].value = Value::Array(vec![key, Value::Null]);
        }
    }
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

/// Tells keys apart that differ and have the same text, such as `1` and `"1"`: the texts among them get quotes.
pub(super) fn tell_keys_apart(draft: &mut Draft<'_>) {
    let texts = std::mem::take(&mut draft.text_keys);
    if texts.len() != draft.events.len() || texts.iter().all(|text| *text) {
        return;
    }
    let keys = || draft.events.iter().zip(&texts);
    let others: FxHashSet<String> =
        keys().filter(|(_, text)| !**text).filter_map(|(event, _)| event.key.clone()).collect();
    for (event, _) in draft.events.iter_mut().zip(&texts).filter(|(_, text)| **text) {
        if let Some(key) = event.key.as_mut().filter(|key| others.contains(*key)) {
            *key = Value::from(key.as_str()).to_string();
        }
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
