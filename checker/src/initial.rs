//! States in which a system started before its history began, as operations in front of it.
//!
//! A history that starts with `x = 0` allows the same orders as one that starts empty and whose first operation, over
//! before any other begins, writes 0 to `x`. So every check and the verifier understand it, each explanation shows
//! where the value came from, and no model has a second way to begin.

mod candidates;

pub use candidates::candidates;

use crate::elements::Kind;
use crate::linearizability::Model;
use crate::property::Property;
use crate::transactions::Workload;
use history::{Operation, OperationRef, Operations, Outcome, OutcomeRef, ToOperations};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The operations with others in front that bring about `initial`: one value for every key, or an object with a value
/// for each key it names. Sets, queues, stacks and lists start from an array of elements, a mutex from `true`. The error
/// says why this model cannot start so.
pub fn prepend(
    operations: &(impl ToOperations + ?Sized),
    property: Property,
    initial: &Value,
) -> Result<Operations, String> {
    let operations = &*operations.to_operations();
    let refuse = |why: &str| Err(format!("the model {property} cannot start from {initial}: {why}"));
    let writes = match Start::of(property) {
        Start::Value => by_key(operations, initial, "write"),
        Start::Registers(true) if !is_lists(initial) => return refuse("it starts from arrays of elements"),
        Start::Registers(lists) => in_transactions(operations, initial, lists),
        Start::Number => {
            let updates = by_key(operations, initial, "add");
            if updates.iter().any(|(_, _, value)| !value.is_i64()) {
                return refuse("it starts from a whole number");
            }
            updates
        }
        Start::Elements(f) => {
            let lists = by_key(operations, initial, f);
            if lists.iter().any(|(_, _, value)| !value.is_array()) {
                return refuse("it starts from an array of elements");
            }
            let elements = |(key, f, list): Update| {
                let list = list.as_array().cloned().unwrap_or_default();
                list.into_iter().map(move |element| (key.clone(), f, element))
            };
            lists.into_iter().flat_map(elements).collect()
        }
        Start::Unwritten => return Ok(unwritten(operations, initial)),
        Start::Lock if initial.is_boolean() => {
            let held = by_key(operations, initial, "acquire");
            let held = held.into_iter().filter(|(_, _, held)| *held == Value::Bool(true));
            held.map(|(key, f, _)| (key, f, Value::Null)).collect()
        }
        Start::Permits if initial.is_u64() => by_key(operations, initial, "permits"),
        Start::Permits => return refuse("it starts from a number of permits"),
        Start::Lock => return refuse("it starts from true (held) or false (free)"),
        Start::Empty => return refuse("it always starts empty"),
    };
    Ok(in_front(operations, writes))
}

/// Whether this is a list, or an object of lists, or of objects of them; null stands for an empty one.
fn is_lists(initial: &Value) -> bool {
    match initial {
        Value::Object(keys) => keys.values().all(is_lists),
        value => value.is_array() || value.is_null(),
    }
}

/// How objects of a property start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// With one value each.
    Value,
    /// With registers of transactions; whether they are lists.
    Registers(bool),
    /// With a number.
    Number,
    /// With elements, which this function adds.
    Elements(&'static str),
    /// Held or free.
    Lock,
    /// With a number of permits.
    Permits,
    /// With registers of one value, which stands for none.
    Unwritten,
    /// Always empty.
    Empty,
}

impl Start {
    fn of(property: Property) -> Self {
        match property {
            Property::Linearizable(Model::Register | Model::CasRegister | Model::Kv)
            | Property::Sequential => Self::Value,
            Property::Linearizable(Model::MultiRegister) | Property::Transactions(Workload::RwRegister) => {
                Self::Registers(false)
            }
            Property::Transactions(Workload::ListAppend) => Self::Registers(true),
            Property::Linearizable(Model::Counter)
            | Property::Elements(Kind::CounterBounds | Kind::GCounter | Kind::PnCounter) => Self::Number,
            Property::Linearizable(Model::Set)
            | Property::Elements(Kind::SetFull | Kind::SetFinal | Kind::Monotonic) => Self::Elements("add"),
            Property::Linearizable(Model::FifoQueue | Model::UnorderedQueue | Model::PriorityQueue)
            | Property::Elements(Kind::Queue | Kind::TotalQueue | Kind::ExactlyOnceQueue) => {
                Self::Elements("enqueue")
            }
            Property::Linearizable(Model::Stack) => Self::Elements("push"),
            Property::Linearizable(Model::Mutex) => Self::Lock,
            Property::Linearizable(Model::Semaphore) => Self::Permits,
            Property::Elements(Kind::LongFork) => Self::Unwritten,
            Property::Linearizable(_) | Property::Elements(_) => Self::Empty,
        }
    }
}

/// A key of a register as text.
fn text(key: &Value) -> String {
    key.as_str().map_or_else(|| key.to_string(), str::to_owned)
}

/// A key, the name of the update, and its argument.
type Update = (Option<String>, &'static str, Value);

fn by_key(operations: &Operations, initial: &Value, f: &'static str) -> Vec<Update> {
    let keys: BTreeSet<Option<&str>> = operations.iter().map(|operation| operation.key).collect();
    let values = keys.into_iter().filter_map(|key| {
        let value = match (key, initial) {
            (Some(name), Value::Object(values)) => {
                values.get(name).or_else(|| values.get(name.trim_start_matches(':')))?
            }
            (Some(_) | None, value) => value,
        };
        (!value.is_null()).then(|| (key.map(str::to_owned), f, value.clone()))
    });
    values.collect()
}

/// The operations with reads that find nothing where they found the initial value.
fn unwritten(operations: &Operations, initial: &Value) -> Operations {
    let mut operations = operations.to_vec();
    for operation in &mut operations {
        let Outcome::Ok(Value::Array(steps)) = &mut operation.outcome else { continue };
        for step in steps.iter_mut().filter(|step| step[0] == "r" || step[0] == "read") {
            if let Some(found) = step.get_mut(2).filter(|found| *found == initial) {
                *found = Value::Null;
            }
        }
    }
    operations.into_iter().collect()
}

fn in_transactions(operations: &Operations, initial: &Value, lists: bool) -> Vec<Update> {
    let mut objects: BTreeMap<Option<String>, BTreeMap<String, Value>> = BTreeMap::new();
    let mut write = if lists { "append" } else { "w" };
    for operation in operations {
        let answered = match operation.outcome {
            OutcomeRef::Ok(value) => Some(value),
            OutcomeRef::Fail { .. } | OutcomeRef::Info { .. } => None,
        };
        let steps = [Some(operation.argument), answered].into_iter().flatten().filter_map(Value::as_array);
        for step in steps.flatten().filter_map(Value::as_array) {
            let [name, key, ..] = step.as_slice() else { continue };
            if matches!(name.as_str(), Some("write" | "read")) {
                write = "write";
            }
            let object = objects.entry(operation.key.map(str::to_owned)).or_default();
            object.insert(key.to_string(), key.clone());
        }
    }
    let transactions = objects.into_iter().filter_map(|(object, keys)| {
        let mut steps: Vec<Value> = Vec::new();
        // Objects may have values of their own: {"1":{"x":0}}.
        let own = object.as_deref().and_then(|object| initial.get(object)).filter(|own| own.is_object());
        let initial = own.unwrap_or(initial);
        for key in keys.into_values() {
            let name = text(&key);
            let value = match initial {
                Value::Object(values) => {
                    values.get(&name).or_else(|| values.get(name.trim_start_matches(':')))
                }
                value => Some(value),
            };
            match value {
                None | Some(Value::Null) => {}
                Some(Value::Array(elements)) if lists => {
                    steps.extend(elements.iter().map(|element| json!([write, key, element])));
                }
                Some(value) => steps.push(json!([write, key, value])),
            }
        }
        (!steps.is_empty()).then_some((object, "txn", Value::Array(steps)))
    });
    transactions.collect()
}

/// Puts updates in front, all over before the first event of the history.
fn in_front(operations: &Operations, updates: Vec<Update>) -> Operations {
    let shift = 2 * updates.len();
    let process =
        operations.iter().map(|operation| operation.process).max().map_or(0, |last| last.wrapping_add(1));
    let first = operations.first().map_or(0, |operation| operation.invoked_ns);
    let updates: Vec<Operation> = updates
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
    let later = operations.iter().map(|operation| OperationRef {
        invoked: operation.invoked + shift,
        completed: operation.completed.map(|event| event + shift),
        ..operation
    });
    updates.iter().map(OperationRef::from).chain(later).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::linearizability::{Verdict, check};
    use history::{Event, Process, pair};

    fn history(steps: &[(&str, Option<&str>, Value, Value)]) -> Vec<Operation> {
        let events: Vec<Event> = steps
            .iter()
            .enumerate()
            .flat_map(|(process, (f, key, argument, result))| {
                [(history::Kind::Invoke, argument), (history::Kind::Ok, result)].map(|(kind, value)| {
                    let mut event = Event::new(Process::Client(process as u64), kind, *f);
                    event.key = key.map(str::to_owned);
                    event.value = value.clone();
                    event
                })
            })
            .collect();
        pair(&events).unwrap()
    }

    fn valid(operations: &impl ToOperations, model: Model) -> bool {
        let limits = Limits { configurations: 10_000, ..Limits::DEFAULT };
        matches!(check(operations, model, &limits), Verdict::Valid { .. })
    }

    #[test]
    fn register_starts_from_said_value() {
        let operations =
            history(&[("read", None, Value::Null, json!(0)), ("cas", None, json!([0, 2]), json!([0, 2]))]);
        let property = Property::Linearizable(Model::CasRegister);
        assert!(!valid(&operations, Model::CasRegister));
        let started = prepend(&operations, property, &json!(0)).unwrap();
        assert!(valid(&started, Model::CasRegister));
        assert!(!valid(&prepend(&operations, property, &json!(1)).unwrap(), Model::CasRegister));
        assert_eq!(candidates(&operations, property), [json!(0)]);
    }

    #[test]
    fn keys_start_from_values_of_their_own() {
        let operations = history(&[
            ("read", Some("x"), Value::Null, json!(1)),
            ("read", Some("y"), Value::Null, Value::Null),
        ]);
        let property = Property::Linearizable(Model::Register);
        assert!(valid(&prepend(&operations, property, &json!({"x": 1})).unwrap(), Model::Register));
        assert!(!valid(&prepend(&operations, property, &json!({"x": 1, "y": 1})).unwrap(), Model::Register));
    }

    #[test]
    fn transactions_start_from_said_values() {
        let read = json!([["r", "x", 0], ["r", "y", 0]]);
        let operations = history(&[("txn", None, json!([["r", "x", null], ["r", "y", null]]), read)]);
        let property = Property::Linearizable(Model::MultiRegister);
        assert!(!valid(&operations, Model::MultiRegister));
        for initial in [json!(0), json!({"x": 0, "y": 0})] {
            assert!(valid(&prepend(&operations, property, &initial).unwrap(), Model::MultiRegister));
        }
    }

    #[test]
    fn queue_starts_from_elements() {
        let operations = history(&[("dequeue", None, Value::Null, json!(1))]);
        let property = Property::Linearizable(Model::FifoQueue);
        assert!(valid(&prepend(&operations, property, &json!([1, 2])).unwrap(), Model::FifoQueue));
        assert!(!valid(&prepend(&operations, property, &json!([2, 1])).unwrap(), Model::FifoQueue));
    }

    #[test]
    fn wrong_initial_states_are_refused() {
        let operations = history(&[("read", None, Value::Null, json!(1))]);
        for (property, value, why) in [
            (Property::Linearizable(Model::Stack), json!(1), "an array of elements"),
            (Property::Linearizable(Model::Counter), json!("a"), "a whole number"),
            (Property::Elements(Kind::UniqueIds), json!(1), "always starts empty"),
        ] {
            let error = prepend(&operations, property, &value).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
