//! The value that an answer has, in the shape that its function finds: one value, a number, elements, or messages.

use super::rules::Received;
use super::spec::Found;
use crate::operation::Function;
use crate::paxos::value;
use crate::spec::Workload;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// What a function finds in a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Null, a text or a number.
    Scalar,
    /// An integer: a counter has it at 0 where there is none.
    Counter,
    /// Integers in their order.
    Elements,
    /// An integer.
    Offset,
    /// Pairs of an offset and a message.
    Messages,
    /// A text or an integer.
    Id,
}

impl Shape {
    fn of(workload: Workload, function: Function) -> Self {
        match (workload, function) {
            (Workload::Set, Function::Total) | (Workload::ListAppend, Function::Read) => Self::Elements,
            (Workload::GCounter | Workload::PnCounter, Function::Total) => Self::Counter,
            (_, Function::Send) => Self::Offset,
            (_, Function::Poll) => Self::Messages,
            (_, Function::Generate) => Self::Id,
            (_, _) => Self::Scalar,
        }
    }
}

/// The value at this place of an answer; none if it cannot be read.
pub(super) fn found(
    workload: Workload,
    function: Function,
    at: &Found,
    received: &Received<'_>,
) -> Option<Value> {
    let text = |text: String| value(workload, text);
    let raw = match at {
        Found::Said => return None,
        Found::Absent => Value::Null,
        Found::Text => text(received.text.trim_end_matches(['\r', '\n']).to_owned()),
        Found::Base64(pointer) => {
            let bytes = STANDARD.decode(received.at(pointer)?.as_str()?).ok()?;
            text(String::from_utf8(bytes).ok()?)
        }
        Found::At(pointer) => received.at(pointer)?.clone(),
    };
    shaped(workload, function, &raw)
}

/// A value as the history has it; none if it is none that the function can find.
pub(crate) fn shaped(workload: Workload, function: Function, raw: &Value) -> Option<Value> {
    match Shape::of(workload, function) {
        Shape::Scalar => scalar(workload, raw),
        Shape::Counter if raw.is_null() => Some(json!(0)),
        Shape::Counter | Shape::Offset => integer(raw).map(Value::from),
        Shape::Elements => elements(raw),
        Shape::Messages => messages(raw),
        Shape::Id => scalar(workload, raw).filter(|id| !id.is_null() && *id != json!("")),
    }
}

fn scalar(workload: Workload, raw: &Value) -> Option<Value> {
    match raw {
        Value::Null => Some(Value::Null),
        Value::String(text) => Some(value(workload, text.clone())),
        Value::Number(number) => Some(match (integer(raw), workload) {
            (Some(whole), Workload::Kv) => Value::String(whole.to_string()),
            (None, Workload::Kv) => Value::String(number.to_string()),
            (Some(whole), _) => Value::from(whole),
            (None, _) => raw.clone(),
        }),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The integer that a number or a text is: 7 for 7.0, as a system answers that knows no integers.
fn integer(raw: &Value) -> Option<i64> {
    /// Up to here, each integer has a floating-point number of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if let Some(text) = raw.as_str() {
        return text.trim().parse().ok();
    }
    let float = || raw.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < EXACT);
    raw.as_i64().or_else(|| format!("{:.0}", float()?).parse().ok())
}

/// All elements of a list, in their order; null if there are none.
fn elements(raw: &Value) -> Option<Value> {
    let mut all = Vec::new();
    push_elements(raw, &mut all)?;
    Some(if all.is_empty() { Value::Null } else { Value::Array(all) })
}

/// Elements stand in one text with commas, in a list, or in rows, which are lists of a column each. None if one of them is no
/// integer.
pub(super) fn push_elements(found: &Value, all: &mut Vec<Value>) -> Option<()> {
    match found {
        Value::Null => {}
        Value::String(text) => {
            for element in text.split(',').filter(|element| !element.is_empty()) {
                all.push(json!(element.trim().parse::<i64>().ok()?));
            }
        }
        Value::Array(list) => {
            for element in list {
                push_elements(element, all)?;
            }
        }
        Value::Number(_) => all.push(json!(integer(found)?)),
        Value::Bool(_) | Value::Object(_) => return None,
    }
    Some(())
}

/// Pairs of an offset and a message, in their order.
fn messages(raw: &Value) -> Option<Value> {
    let pair = |pair: &Value| match pair.as_array()?.as_slice() {
        [offset, message] => Some(json!([integer(offset)?, integer(message)?])),
        _ => None,
    };
    match raw {
        Value::Null => Some(json!([])),
        Value::Array(pairs) => pairs.iter().map(pair).collect(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read_from_lists_rows_and_texts() {
        let set = |raw: &Value| shaped(Workload::Set, Function::Total, raw);
        for raw in [json!([3, 1]), json!(["3", "1"]), json!([["3"], ["1"]]), json!("3,1"), json!([3.0, 1])] {
            assert_eq!(set(&raw), Some(json!([3, 1])), "{raw}");
        }
        for raw in [json!([]), Value::Null, json!("")] {
            assert_eq!(set(&raw), Some(Value::Null), "{raw}");
        }
        for odd in [json!("OK"), json!({"a": 1}), json!([true]), json!([1.5]), json!([["x"]])] {
            assert_eq!(set(&odd), None, "{odd}");
        }
    }

    #[test]
    fn counters_and_offsets_are_integers() {
        let counter = |raw: &Value| shaped(Workload::GCounter, Function::Total, raw);
        assert_eq!(counter(&json!("-4")), Some(json!(-4)));
        assert_eq!(counter(&Value::Null), Some(json!(0)), "what was never added to is absent");
        assert_eq!(counter(&json!("OK")), None);
        let offset = |raw: &Value| shaped(Workload::Kafka, Function::Send, raw);
        assert_eq!((offset(&json!(7)), offset(&Value::Null)), (Some(json!(7)), None));
    }

    #[test]
    fn messages_are_pairs_of_integers() {
        let poll = |raw: &Value| shaped(Workload::Kafka, Function::Poll, raw);
        assert_eq!(poll(&json!([["0", "7"], [3, 8]])), Some(json!([[0, 7], [3, 8]])));
        assert_eq!(poll(&json!([])), Some(json!([])));
        for odd in [json!([7]), json!([[1]]), json!([["a", 1]]), json!({"0": 7}), json!("OK")] {
            assert_eq!(poll(&odd), None, "{odd}");
        }
    }

    #[test]
    fn ids_are_not_empty() {
        let id = |raw: &Value| shaped(Workload::UniqueIds, Function::Generate, raw);
        assert_eq!((id(&json!("a-1")), id(&json!(5))), (Some(json!("a-1")), Some(json!(5))));
        assert_eq!((id(&Value::Null), id(&json!("")), id(&json!([1]))), (None, None, None));
    }
}
