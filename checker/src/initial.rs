//! States in which a system started before its history began, as operations in front of it.
//!
//! A history that starts with `x = 0` allows the same orders as one that starts empty and whose first operation, over
//! before any other begins, writes 0 to `x`. So every check and the verifier understand it, each explanation shows
//! where the value came from, and no model has a second way to begin.

use crate::linearizability::Model;
use crate::property::Property;
use crate::transactions::Workload;
use history::{Operation, Outcome};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The operations with others in front that bring about `initial`: one value for every key, or an object with a value
/// for each key it names. The error says why this model cannot start so.
pub fn prepend(
    operations: Vec<Operation>,
    property: Property,
    initial: &Value,
) -> Result<Vec<Operation>, String> {
    let writes = match property {
        Property::Linearizable(Model::Register | Model::CasRegister | Model::Kv) => {
            by_key(&operations, initial)
        }
        Property::Linearizable(Model::MultiRegister) | Property::Transactions(Workload::RwRegister) => {
            in_transactions(&operations, initial)
        }
        Property::Linearizable(Model::Counter) if initial.is_i64() => {
            let keys: BTreeSet<_> = operations.iter().map(|operation| operation.key.clone()).collect();
            keys.into_iter().map(|key| (key, "add", initial.clone())).collect()
        }
        Property::Linearizable(_)
        | Property::Sequential
        | Property::Transactions(_)
        | Property::Elements(_) => {
            return Err(format!("the model {property} always starts empty, and cannot start from {initial}"));
        }
    };
    Ok(in_front(operations, writes))
}

/// Values that reads found and no operation wrote, where there is exactly one for a key; what the keys may have
/// started with. Empty for models without one value a key.
pub fn candidates(operations: &[Operation], property: Property) -> BTreeMap<Option<String>, Value> {
    if !matches!(property, Property::Linearizable(Model::Register | Model::CasRegister | Model::Kv)) {
        return BTreeMap::new();
    }
    let mut written: BTreeSet<(Option<&str>, String)> = BTreeSet::new();
    let mut found: BTreeMap<Option<&str>, BTreeMap<String, &Value>> = BTreeMap::new();
    for operation in operations {
        let key = operation.key.as_deref();
        let pair = operation.argument.as_array().map(Vec::as_slice);
        match (operation.f.as_str(), pair, &operation.outcome) {
            ("read" | "get", _, Outcome::Ok(value)) if !value.is_null() => {
                found.entry(key).or_default().insert(value.to_string(), value);
            }
            ("cas", Some([from, to]), outcome) => {
                written.insert((key, to.to_string()));
                if matches!(outcome, Outcome::Ok(_)) && !from.is_null() {
                    found.entry(key).or_default().insert(from.to_string(), from);
                }
            }
            ("append", ..) => return BTreeMap::new(),
            _ => {
                written.insert((key, operation.argument.to_string()));
            }
        }
    }
    let unwritten = found.into_iter().filter_map(|(key, values)| {
        let mut values = values.into_iter().filter(|(text, _)| !written.contains(&(key, text.clone())));
        let (_, value) = values.next()?;
        values.next().is_none().then(|| (key.map(str::to_owned), value.clone()))
    });
    unwritten.collect()
}

/// A key, the name of the update, and its argument.
type Update = (Option<String>, &'static str, Value);

fn by_key(operations: &[Operation], initial: &Value) -> Vec<Update> {
    let keys: BTreeSet<_> = operations.iter().map(|operation| operation.key.clone()).collect();
    let values = keys.into_iter().filter_map(|key| {
        let value = match (&key, initial) {
            (Some(name), Value::Object(values)) => {
                values.get(name).or_else(|| values.get(name.trim_start_matches(':')))?
            }
            (Some(_) | None, value) => value,
        };
        (!value.is_null()).then(|| (key, "write", value.clone()))
    });
    values.collect()
}

fn in_transactions(operations: &[Operation], initial: &Value) -> Vec<Update> {
    let mut objects: BTreeMap<Option<String>, BTreeMap<String, Value>> = BTreeMap::new();
    let mut write = "w";
    for operation in operations {
        let answered = match &operation.outcome {
            Outcome::Ok(value) => Some(value),
            Outcome::Fail { .. } | Outcome::Info { .. } => None,
        };
        let steps = [Some(&operation.argument), answered].into_iter().flatten().filter_map(Value::as_array);
        for step in steps.flatten().filter_map(Value::as_array) {
            let [name, key, ..] = step.as_slice() else { continue };
            if matches!(name.as_str(), Some("write" | "read")) {
                write = "write";
            }
            let object = objects.entry(operation.key.clone()).or_default();
            object.insert(key.to_string(), key.clone());
        }
    }
    let transactions = objects.into_iter().filter_map(|(object, keys)| {
        let steps: Vec<Value> = keys
            .into_values()
            .filter_map(|key| {
                let text = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
                let value = match initial {
                    Value::Object(values) => {
                        values.get(&text).or_else(|| values.get(text.trim_start_matches(':')))?
                    }
                    value => value,
                };
                (!value.is_null()).then(|| json!([write, key, value]))
            })
            .collect();
        (!steps.is_empty()).then_some((object, "txn", Value::Array(steps)))
    });
    transactions.collect()
}

/// Puts updates in front, all over before the first event of the history.
fn in_front(mut operations: Vec<Operation>, updates: Vec<Update>) -> Vec<Operation> {
    let shift = 2 * updates.len();
    let process =
        operations.iter().map(|operation| operation.process).max().map_or(0, |last| last.wrapping_add(1));
    for operation in &mut operations {
        operation.invoked += shift;
        operation.completed = operation.completed.map(|event| event + shift);
    }
    let first = operations.first().map_or(0, |operation| operation.invoked_ns);
    let mut all: Vec<Operation> = updates
        .into_iter()
        .enumerate()
        .map(|(index, (key, f, argument))| Operation {
            process,
            client: None,
            f: f.to_owned(),
            key,
            outcome: Outcome::Ok(argument.clone()),
            argument,
            invoked: 2 * index,
            completed: Some(2 * index + 1),
            intended_ns: None,
            invoked_ns: first,
            completed_ns: Some(first),
            node: None,
            phase: None,
        })
        .collect();
    all.append(&mut operations);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::linearizability::{Verdict, check};
    use history::{Event, Kind, Process, pair};

    fn history(steps: &[(&str, Option<&str>, Value, Value)]) -> Vec<Operation> {
        let events: Vec<Event> = steps
            .iter()
            .enumerate()
            .flat_map(|(process, (f, key, argument, result))| {
                [(Kind::Invoke, argument), (Kind::Ok, result)].map(|(kind, value)| {
                    let mut event = Event::new(Process::Client(process as u64), kind, *f);
                    event.key = key.map(str::to_owned);
                    event.value = value.clone();
                    event
                })
            })
            .collect();
        pair(&events).unwrap()
    }

    fn valid(operations: &[Operation], model: Model) -> bool {
        let limits = Limits { configurations: 10_000, ..Limits::DEFAULT };
        matches!(check(operations, model, &limits), Verdict::Valid { .. })
    }

    #[test]
    fn register_starts_from_said_value() {
        let operations =
            history(&[("read", None, Value::Null, json!(0)), ("cas", None, json!([0, 2]), json!([0, 2]))]);
        let property = Property::Linearizable(Model::CasRegister);
        assert!(!valid(&operations, Model::CasRegister));
        let started = prepend(operations.clone(), property, &json!(0)).unwrap();
        assert!(valid(&started, Model::CasRegister));
        assert!(!valid(&prepend(operations.clone(), property, &json!(1)).unwrap(), Model::CasRegister));
        assert_eq!(candidates(&operations, property), BTreeMap::from([(None, json!(0))]));
    }

    #[test]
    fn keys_start_from_values_of_their_own() {
        let operations = history(&[
            ("read", Some("x"), Value::Null, json!(1)),
            ("read", Some("y"), Value::Null, Value::Null),
        ]);
        let property = Property::Linearizable(Model::Register);
        assert!(valid(&prepend(operations.clone(), property, &json!({"x": 1})).unwrap(), Model::Register));
        assert!(!valid(&prepend(operations, property, &json!({"x": 1, "y": 1})).unwrap(), Model::Register));
    }

    #[test]
    fn transactions_start_from_said_values() {
        let read = json!([["r", "x", 0], ["r", "y", 0]]);
        let operations = history(&[("txn", None, json!([["r", "x", null], ["r", "y", null]]), read)]);
        let property = Property::Linearizable(Model::MultiRegister);
        assert!(!valid(&operations, Model::MultiRegister));
        for initial in [json!(0), json!({"x": 0, "y": 0})] {
            assert!(valid(&prepend(operations.clone(), property, &initial).unwrap(), Model::MultiRegister));
        }
    }

    #[test]
    fn models_that_start_empty_refuse() {
        let error = prepend(Vec::new(), Property::Linearizable(Model::Stack), &json!(1)).unwrap_err();
        assert!(error.contains("always starts empty"), "{error}");
    }
}
