//! The bodies of requests and replies, by workload, and what error codes mean.
//!
//! Keys of the history, `k1` and so on, are the integers from 0 on the wire; programs in typed languages expect integers.

use super::Body;
use crate::operation::{Function, Operation};
use crate::outcome::Answer;
use crate::serving::PROBE_KEY;
use crate::spec::{LoadSpec, Workload};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The number of the key of the probes, far from those of any load.
const PROBE_NUMBER: u32 = 1_000_000;

/// The messages of the workload set: what is added, and how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// `add` with an `element`, `read` of a `value`.
    #[default]
    GSet,
    /// `broadcast` of a `message`, `read` of `messages`.
    Broadcast,
}

/// Which nodes are the neighbours of which, as the message `topology` of the workload broadcast says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ShapeOfNodes {
    /// A grid, about as wide as it is high.
    #[default]
    Grid,
    /// One node after the other.
    Line,
    /// All are neighbours of all.
    Total,
    /// A tree in which each node has up to two children.
    Tree2,
    /// The same with three.
    Tree3,
    /// The same with four.
    Tree4,
}

impl ShapeOfNodes {
    /// The body of the message `topology` for these nodes.
    pub fn message(self, nodes: &[String]) -> Body {
        let neighbours = |index: usize| -> Value {
            (0..nodes.len())
                .filter(|other| self.joins(nodes.len(), index, *other))
                .map(|n| json!(nodes[n]))
                .collect()
        };
        let topology: Map<String, Value> =
            nodes.iter().enumerate().map(|(index, name)| (name.clone(), neighbours(index))).collect();
        let mut body = Body::new();
        body.insert("type".to_owned(), json!("topology"));
        body.insert("topology".to_owned(), Value::Object(topology));
        body
    }

    /// Whether two nodes, by their indexes, are neighbours.
    fn joins(self, count: usize, one: usize, other: usize) -> bool {
        let (low, high) = (one.min(other), one.max(other));
        let parent_of = |children: usize| high > 0 && (high - 1) / children == low;
        low != high
            && match self {
                Self::Line => high - low == 1,
                Self::Total => true,
                Self::Tree2 => parent_of(2),
                Self::Tree3 => parent_of(3),
                Self::Tree4 => parent_of(4),
                Self::Grid => {
                    let width = (1..=count).find(|width| width * width >= count).unwrap_or(1);
                    high - low == width || high - low == 1 && high % width != 0
                }
            }
    }
}

/// What is wrong with a reply, as the end of a sentence.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong(pub(super) String);

/// A key of the history as a number.
fn key(name: &str) -> u32 {
    if name == PROBE_KEY { PROBE_NUMBER } else { LoadSpec::key_number(name).unwrap_or(PROBE_NUMBER) }
}

/// The same as text, as the workload kafka has it.
pub(super) fn key_text(name: &str) -> String {
    key(name).to_string()
}

fn body(value: Value) -> Body {
    match value {
        Value::Object(body) => body,
        other => unreachable!("{other} is written as an object"),
    }
}

/// The type of the request for a function; its reply has the same with `_ok`.
fn kind(dialect: Dialect, function: Function) -> &'static str {
    match (dialect, function) {
        (Dialect::Broadcast, Function::Add) => "broadcast",
        (_, function) => function.name(),
    }
}

/// The body of a request.
pub(super) fn request(workload: Workload, dialect: Dialect, operation: &Operation) -> Body {
    let (function, argument) = (operation.function, &operation.argument);
    let kind = kind(dialect, function);
    let key = key(&operation.key);
    body(match (function, dialect) {
        (Function::Read, _) => json!({ "type": kind, "key": key }),
        (Function::Write, _) => json!({ "type": kind, "key": key, "value": argument }),
        (Function::Cas, _) => json!({ "type": kind, "key": key, "from": argument[0], "to": argument[1] }),
        (Function::Txn, _) => json!({ "type": kind, "txn": steps(argument) }),
        (Function::Add, Dialect::Broadcast) => json!({ "type": kind, "message": argument }),
        (Function::Add, Dialect::GSet) if workload == Workload::Set => {
            json!({ "type": kind, "element": argument })
        }
        (Function::Add, Dialect::GSet) => json!({ "type": kind, "delta": argument }),
        (Function::Echo, _) => json!({ "type": kind, "echo": argument }),
        (Function::Send, _) => {
            let name = argument[0][1].as_str().unwrap_or_default();
            json!({ "type": kind, "key": key_text(name), "msg": argument[0][2] })
        }
        (_, _) => json!({ "type": kind }),
    })
}

/// The steps of a transaction with keys as numbers.
fn steps(argument: &Value) -> Value {
    let step = |step: &Value| json!([step[0], key(step[1].as_str().unwrap_or_default()), step[2]]);
    argument.as_array().into_iter().flatten().map(step).collect()
}

/// Whether a reply is the one to a request of this type that succeeded.
pub(super) fn is_reply(reply: &Body, kind: &str) -> bool {
    reply.get("type").and_then(Value::as_str).and_then(|own| own.strip_suffix("_ok")) == Some(kind)
}

/// What a reply says.
pub(super) fn answer(
    workload: Workload,
    dialect: Dialect,
    operation: &Operation,
    reply: &Body,
) -> Result<Answer, Wrong> {
    let kind = kind(dialect, operation.function);
    if reply.get("type").and_then(Value::as_str) == Some("error") {
        return error(operation, reply);
    }
    if !is_reply(reply, kind) {
        return Err(Wrong(format!("its `type` must be `{kind}_ok` or `error`")));
    }
    let field = |name: &str| reply.get(name).ok_or_else(|| Wrong(format!("it needs a field `{name}`")));
    Ok(match operation.function {
        Function::Read => Answer::Value(scalar(field("value")?)?),
        Function::Txn => Answer::Value(results(workload, &operation.argument, field("txn")?)?),
        Function::Total if workload == Workload::Set => {
            let name = if dialect == Dialect::Broadcast { "messages" } else { "value" };
            let elements = field(name)?;
            if !elements.is_array() {
                return Err(Wrong(format!("`{name}` must be a list")));
            }
            Answer::Value(elements.clone())
        }
        Function::Total => {
            let value = field("value")?;
            if !value.is_i64() && !value.is_u64() {
                return Err(Wrong("`value` must be an integer".to_owned()));
            }
            Answer::Value(value.clone())
        }
        Function::Generate => {
            let id = field("id")?;
            if id.is_null() {
                return Err(Wrong("`id` must not be null".to_owned()));
            }
            Answer::Value(id.clone())
        }
        Function::Echo => Answer::Value(field("echo")?.clone()),
        Function::Send => {
            let offset = field("offset")?;
            if !offset.is_i64() && !offset.is_u64() {
                return Err(Wrong("`offset` must be an integer".to_owned()));
            }
            let (key, message) = (&operation.argument[0][1], &operation.argument[0][2]);
            let key = key_text(key.as_str().unwrap_or_default());
            Answer::Value(json!([["send", key, [offset, message]]]))
        }
        _ => Answer::Applied,
    })
}

/// A value of a register.
fn scalar(value: &Value) -> Result<Value, Wrong> {
    match value {
        Value::Null | Value::String(_) => Ok(value.clone()),
        Value::Number(number) if !number.is_f64() => Ok(value.clone()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(Wrong(format!("{value} was never written; it must be an integer or null")))
        }
    }
}

/// The steps of a transaction with what its reads saw, and the keys of the history.
fn results(workload: Workload, asked: &Value, answered: &Value) -> Result<Value, Wrong> {
    let wrong =
        || Wrong("`txn` must have the steps of the request, with the values that reads found".to_owned());
    let asked = asked.as_array().ok_or_else(wrong)?;
    let answered = answered.as_array().filter(|steps| steps.len() == asked.len()).ok_or_else(wrong)?;
    let seen = |(step, said): (&Value, &Value)| {
        let [function, number, found] = said.as_array()?.as_slice() else { return None };
        let own = key(step[1].as_str()?);
        // JSON knows keys of objects as texts only, so some programs return the text.
        let same = *number == json!(own) || *number == json!(own.to_string());
        if *function != step[0] || !same {
            return None;
        }
        if step[0] != "r" {
            return Some(step.clone());
        }
        let found = match (workload, found) {
            (_, Value::Null) => Value::Null,
            // An absent list and an empty one are the same.
            (Workload::ListAppend, Value::Array(list)) if list.is_empty() => Value::Null,
            (Workload::ListAppend, Value::Array(list)) => {
                list.iter().map(|element| scalar(element).ok()).collect::<Option<Value>>()?
            }
            (Workload::ListAppend, _) => return None,
            (_, found) => scalar(found).ok()?,
        };
        Some(json!(["r", step[1], found]))
    };
    asked.iter().zip(answered).map(seen).collect::<Option<Value>>().ok_or_else(wrong)
}

/// What an error says: some codes prove that nothing happened and never will.
fn error(operation: &Operation, reply: &Body) -> Result<Answer, Wrong> {
    let Some(code) = reply.get("code").and_then(Value::as_u64) else {
        return Err(Wrong("an error needs a `code`, which is a number".to_owned()));
    };
    let definite = match (code, operation.function) {
        (20, Function::Read) => return Ok(Answer::Value(Value::Null)),
        (20, Function::Cas) => return Ok(Answer::Precondition(Value::Null)),
        (22, Function::Cas) => return Ok(Answer::Differs),
        (1, _) => "node-not-found",
        (10, _) => "not-supported",
        (11, _) => "temporarily-unavailable",
        (12, _) => "malformed-request",
        (14, _) => "abort",
        (20, _) => "key-does-not-exist",
        (21, _) => "key-already-exists",
        (22, _) => "precondition-failed",
        (30, _) => "txn-conflict",
        (0, _) => return Ok(Answer::Unknown("timeout".to_owned())),
        (13, _) => return Ok(Answer::Unknown("crash".to_owned())),
        (code, _) => return Ok(Answer::Unknown(format!("error-{code}"))),
    };
    Ok(Answer::Failed(definite.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(function: Function, argument: Value) -> Operation {
        let key =
            if matches!(function, Function::Read | Function::Write | Function::Cas) { "k3" } else { "" };
        Operation { function, key: key.to_owned(), argument }
    }

    fn said(workload: Workload, operation: &Operation, reply: Value) -> Result<Answer, Wrong> {
        answer(workload, Dialect::GSet, operation, &body(reply))
    }

    #[test]
    fn requests_have_keys_as_numbers() {
        let request = |function, argument| {
            Value::Object(request(Workload::Set, Dialect::GSet, &operation(function, argument)))
        };
        assert_eq!(request(Function::Read, Value::Null), json!({"type": "read", "key": 2}));
        let cas = json!({"type": "cas", "key": 2, "from": 1, "to": 4});
        assert_eq!(request(Function::Cas, json!([1, 4])), cas);
        let txn = json!({"type": "txn", "txn": [["r", 0, null], ["append", 4, 9]]});
        assert_eq!(request(Function::Txn, json!([["r", "k1", null], ["append", "k5", 9]])), txn);
        let send = json!({"type": "send", "key": "1", "msg": 8});
        assert_eq!(request(Function::Send, json!([["send", "k2", 8]])), send);
    }

    #[test]
    fn only_definite_codes_prove_failure() {
        let write = operation(Function::Write, json!(4));
        for code in 0..1_100 {
            let answer =
                said(Workload::Register, &write, json!({"type": "error", "code": code, "text": "no"}))
                    .unwrap();
            let definite = [1, 10, 11, 12, 14, 20, 21, 22, 30].contains(&code);
            assert_eq!(matches!(answer, Answer::Failed(_)), definite, "{code}");
            assert_eq!(matches!(answer, Answer::Unknown(_)), !definite, "{code}");
        }
        let cas = operation(Function::Cas, json!([1, 2]));
        let of_cas = |code| said(Workload::Register, &cas, json!({"type": "error", "code": code}));
        assert_eq!(of_cas(20), Ok(Answer::Precondition(Value::Null)));
        assert_eq!(of_cas(22), Ok(Answer::Differs));
        let read = operation(Function::Read, Value::Null);
        let absent = said(Workload::Register, &read, json!({"type": "error", "code": 20}));
        assert_eq!(absent, Ok(Answer::Value(Value::Null)));
    }

    #[test]
    fn replies_that_lack_something_are_wrong() {
        let txn = || operation(Function::Txn, json!([["r", "k1", null], ["append", "k2", 3]]));
        for (workload, operation, reply) in [
            (Workload::Register, operation(Function::Read, Value::Null), json!({"type": "read_ok"})),
            (Workload::Register, operation(Function::Read, Value::Null), json!({"type": "write_ok"})),
            (
                Workload::Register,
                operation(Function::Read, Value::Null),
                json!({"type": "read_ok", "value": [1]}),
            ),
            (Workload::Register, operation(Function::Write, json!(1)), json!({})),
            (Workload::Register, operation(Function::Write, json!(1)), json!({"type": "error"})),
            (Workload::Set, operation(Function::Total, Value::Null), json!({"type": "read_ok", "value": 3})),
            (
                Workload::GCounter,
                operation(Function::Total, Value::Null),
                json!({"type": "read_ok", "value": "3"}),
            ),
            (Workload::UniqueIds, operation(Function::Generate, Value::Null), json!({"type": "generate_ok"})),
            (Workload::ListAppend, txn(), json!({"type": "txn_ok", "txn": [["r", 0, null]]})),
            (Workload::ListAppend, txn(), json!({"type": "txn_ok", "txn": [["r", 0, 7], ["append", 1, 3]]})),
            (
                Workload::ListAppend,
                txn(),
                json!({"type": "txn_ok", "txn": [["r", 9, null], ["append", 1, 3]]}),
            ),
        ] {
            assert!(said(workload, &operation, reply.clone()).is_err(), "{reply}");
        }
        let seen = said(
            Workload::ListAppend,
            &txn(),
            json!({"type": "txn_ok", "txn": [["r", "0", [5]], ["append", 1, 3]]}),
        );
        assert_eq!(seen, Ok(Answer::Value(json!([["r", "k1", [5]], ["append", "k2", 3]]))));
    }

    #[test]
    fn neighbours_are_mutual_and_all_are_reached() {
        use ShapeOfNodes::{Grid, Line, Total, Tree2, Tree3, Tree4};
        for shape in [Grid, Line, Total, Tree2, Tree3, Tree4] {
            for count in 1..30 {
                let mut reached = vec![false; count];
                let mut open = vec![0];
                while let Some(node) = open.pop() {
                    if !std::mem::replace(&mut reached[node], true) {
                        open.extend((0..count).filter(|other| shape.joins(count, node, *other)));
                    }
                }
                assert!(reached.iter().all(|reached| *reached), "{shape:?} of {count}");
            }
        }
        let names: Vec<String> = (1..=5).map(|number| format!("n{number}")).collect();
        let grid = Value::Object(Grid.message(&names));
        assert_eq!(grid["topology"]["n1"], json!(["n2", "n4"]));
        assert_eq!(grid["topology"]["n5"], json!(["n2", "n4"]));
    }
}
