//! The oracle for objects that hold more than one value: tries every order, and shares nothing with the checker.

use checker::linearizability::Model;
use history::{Operation, Outcome};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};

/// Whether some order of the operations explains every result. At most 32 operations a key.
pub(crate) fn linearizable(operations: &[Operation], model: Model) -> bool {
    let mut keys: BTreeMap<Option<&str>, Vec<&Operation>> = BTreeMap::new();
    for operation in operations {
        if may_happen(operation) {
            keys.entry(operation.key.as_deref()).or_default().push(operation);
        }
    }
    let initial = match model {
        Model::Mutex => json!(false),
        Model::Counter => json!(0),
        Model::MultiRegister => json!({}),
        _ => json!([]),
    };
    keys.values()
        .all(|operations| Search { operations, model }.reaches_the_end(0, &initial, &mut HashSet::new()))
}

struct Search<'a> {
    operations: &'a [&'a Operation],
    model: Model,
}

impl Search<'_> {
    fn reaches_the_end(&self, done: u32, state: &Value, seen: &mut HashSet<(u32, String)>) -> bool {
        let left = || self.operations.iter().enumerate().filter(|(number, _)| done & 1 << number == 0);
        if left().all(|(_, operation)| !must_happen(operation)) {
            return true;
        }
        if !seen.insert((done, state.to_string())) {
            return false;
        }
        left().any(|(number, operation)| {
            let too_late = left().any(|(_, before)| {
                must_happen(before) && before.completed.is_some_and(|completed| completed < operation.invoked)
            });
            !too_late
                && after(self.model, operation, state)
                    .iter()
                    .any(|state| self.reaches_the_end(done | 1 << number, state, seen))
        })
    }
}

fn must_happen(operation: &Operation) -> bool {
    match &operation.outcome {
        Outcome::Ok(_) => true,
        Outcome::Fail { error, .. } => {
            error.as_deref() == Some("precondition")
                && !matches!(
                    operation.f.as_str(),
                    "enqueue" | "push" | "add" | "remove" | "contains" | "txn" | "read"
                )
        }
        Outcome::Info { .. } => false,
    }
}

fn may_happen(operation: &Operation) -> bool {
    must_happen(operation) || matches!(operation.outcome, Outcome::Info { .. })
}

/// The states the operation may lead to.
fn after(model: Model, operation: &Operation, state: &Value) -> Vec<Value> {
    let result = match &operation.outcome {
        Outcome::Ok(result) => Some(result),
        Outcome::Fail { .. } => Some(&Value::Null),
        Outcome::Info { .. } => None,
    };
    let failed = matches!(operation.outcome, Outcome::Fail { .. });
    let argument = &operation.argument;
    match model {
        Model::Mutex => {
            let held = state == &json!(true);
            match (operation.f == "acquire", failed) {
                (true, false) if !held => vec![json!(true)],
                (false, false) if held => vec![json!(false)],
                (acquire, true) if acquire == held => vec![state.clone()],
                _ => vec![],
            }
        }
        Model::Counter => counter(operation.f.as_str(), argument, result, state.as_i64().expect("a number")),
        Model::MultiRegister => transaction(result.unwrap_or(argument), result.is_some(), state),
        Model::Set => set(operation.f.as_str(), argument, result, list(state)),
        _ => container(model, operation.f.as_str(), argument, result, list(state)),
    }
}

fn list(state: &Value) -> Vec<Value> {
    state.as_array().expect("a list").clone()
}

fn counter(f: &str, argument: &Value, result: Option<&Value>, state: i64) -> Vec<Value> {
    let by = argument.as_i64().unwrap_or(1);
    let (next, shown) = match f {
        "read" => (state, true),
        "decr" => (state - by, false),
        "add-and-get" => (state + by, true),
        _ => (state + by, false),
    };
    let fits = !shown || result.is_none_or(|result| result.as_i64() == Some(next));
    if fits { vec![json!(next)] } else { vec![] }
}

fn transaction(parts: &Value, answered: bool, state: &Value) -> Vec<Value> {
    let mut state = state.clone();
    for part in parts.as_array().expect("a list") {
        let register = part[1].to_string();
        if part[0] == json!("w") {
            state[register] = part[2].clone();
        } else if answered && state.get(&register).unwrap_or(&Value::Null) != &part[2] {
            return vec![];
        }
    }
    vec![state]
}

fn set(f: &str, argument: &Value, result: Option<&Value>, mut state: Vec<Value>) -> Vec<Value> {
    let there = state.contains(argument);
    let flag = result.and_then(Value::as_bool);
    match f {
        "read" => {
            let mut found = result.map(list).unwrap_or_default();
            found.sort_by_key(ToString::to_string);
            return if result.is_none() || found == state { vec![json!(state)] } else { vec![] };
        }
        "contains" => return if flag.is_none_or(|flag| flag == there) { vec![json!(state)] } else { vec![] },
        "add" => {
            if flag.is_some_and(|added| added == there) {
                return vec![];
            }
            if !there {
                state.push(argument.clone());
            }
        }
        _ => {
            if flag.is_some_and(|removed| removed != there) {
                return vec![];
            }
            state.retain(|element| element != argument);
        }
    }
    state.sort_by_key(ToString::to_string);
    vec![json!(state)]
}

fn container(
    model: Model,
    f: &str,
    argument: &Value,
    result: Option<&Value>,
    state: Vec<Value>,
) -> Vec<Value> {
    if f == "enqueue" || f == "push" {
        return vec![json!([state, vec![argument.clone()]].concat())];
    }
    let largest = state.iter().filter_map(Value::as_i64).max();
    let indexes = (0..state.len()).filter(|&index| match model {
        Model::FifoQueue => index == 0,
        Model::Stack => index + 1 == state.len(),
        Model::PriorityQueue => state[index].as_i64() == largest,
        _ => true,
    });
    if result == Some(&Value::Null) {
        return if state.is_empty() { vec![json!(state)] } else { vec![] };
    }
    indexes
        .filter(|&index| result.is_none_or(|result| result == &state[index]))
        .map(|index| {
            let mut left = state.clone();
            if f != "peek" {
                left.remove(index);
            }
            json!(left)
        })
        .collect()
}
