//! Histories written step by step: event `n` happens `n` milliseconds after the start.

use checker::Answer;
use checker::elements::{Class, Verdict};
use history::{Event, Kind, Operation, Phase, Process, pair};
use serde_json::Value;
use std::collections::BTreeMap;

/// One event, without what follows from its index.
pub(crate) type Step = (u64, Kind, Option<(&'static str, bool)>, Value, Option<&'static str>);

/// Process `p` begins `f`.
pub(crate) fn begin(process: u64, f: &'static str, argument: impl Into<Value>) -> Step {
    (process, Kind::Invoke, Some((f, false)), argument.into(), None)
}

/// Process `p` begins a read of the phase `final`.
pub(crate) fn final_read(process: u64) -> Step {
    (process, Kind::Invoke, Some(("read", true)), Value::Null, None)
}

/// Its open operation is acknowledged.
pub(crate) fn ok(process: u64, result: impl Into<Value>) -> Step {
    (process, Kind::Ok, None, result.into(), None)
}

/// Its open operation certainly did not happen.
pub(crate) fn fail(process: u64, error: &'static str) -> Step {
    (process, Kind::Fail, None, Value::Null, Some(error))
}

/// The outcome of its open operation is unknown.
pub(crate) fn info(process: u64) -> Step {
    (process, Kind::Info, None, Value::Null, None)
}

/// The operations of a script.
pub(crate) fn history(steps: impl IntoIterator<Item = Step>) -> Vec<Operation> {
    let mut open: BTreeMap<u64, &'static str> = BTreeMap::new();
    let events = steps.into_iter().enumerate().map(|(index, (process, kind, begun, value, error))| {
        if let Some((f, _)) = begun {
            open.insert(process, f);
        }
        let mut event = Event::new(Process::Client(process), kind, open[&process]);
        event.time = index as u64 * 1_000_000;
        event.value = value;
        event.error = error.map(str::to_owned);
        event.phase = begun.map(|(_, last)| if last { Phase::Final } else { Phase::Load });
        event
    });
    pair(&events.collect::<Vec<_>>()).expect("a script is a history")
}

/// One operation after the other, each by a process of its own, all acknowledged.
pub(crate) fn one_by_one(operations: &[(&'static str, Value, Value)]) -> Vec<Operation> {
    history(operations.iter().enumerate().flat_map(|(process, (f, argument, result))| {
        [begin(process as u64, f, argument.clone()), ok(process as u64, result.clone())]
    }))
}

/// A number that must be one.
pub(crate) fn whole(value: &Value) -> i64 {
    value.as_i64().expect("a whole number")
}

/// The elements of a list that must be one.
pub(crate) fn list(value: &Value) -> Vec<i64> {
    value.as_array().expect("a list").iter().map(whole).collect()
}

/// The values of all findings of a class, in the order of their text.
pub(crate) fn values(verdict: &Verdict, class: Class) -> Vec<Value> {
    let found = verdict.findings.iter().filter(|finding| finding.class == class);
    let mut values: Vec<Value> = found.map(|finding| finding.value.clone()).collect();
    values.sort_by_key(Value::to_string);
    values
}

/// The operations of the only finding of a class.
pub(crate) fn the(verdict: &Verdict, class: Class) -> &[usize] {
    let mut found = verdict.findings.iter().filter(|finding| finding.class == class);
    let only = found.next().unwrap_or_else(|| panic!("no {class:?}: {verdict:#?}"));
    assert!(found.next().is_none(), "more than one {class:?}: {verdict:#?}");
    &only.operations
}

/// Asserts an answer and words of its reason.
pub(crate) fn assert_says(verdict: &Verdict, answer: Answer, words: &str) {
    assert_eq!(verdict.answer, answer, "{verdict:#?}");
    assert!(verdict.reason.contains(words), "{words:?} is not in: {}", verdict.reason);
    assert!(!verdict.reason.ends_with('.'), "{}", verdict.reason);
}
