//! States in which a system started before its history began, as operations in front of it.
//!
//! A history that starts with `x = 0` allows the same orders as one that starts empty and whose first operation, over
//! before any other begins, writes 0 to `x`. So every check and the verifier understand it, each explanation shows
//! where the value came from, and no model has a second way to begin.

use crate::elements::Kind;
use crate::linearizability::Model;
use crate::property::Property;
use crate::transactions::Workload;
use history::{Operation, Outcome};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The operations with others in front that bring about `initial`: one value for every key, or an object with a value
/// for each key it names. Sets, queues, stacks and lists start from an array of elements, a mutex from `true`. The error
/// says why this model cannot start so.
pub fn prepend(
    operations: Vec<Operation>,
    property: Property,
    initial: &Value,
) -> Result<Vec<Operation>, String> {
    let refuse = |why: &str| Err(format!("the model {property} cannot start from {initial}: {why}"));
    let writes = match Start::of(property) {
        Start::Value => by_key(&operations, initial, "write"),
        Start::Registers(true) if !is_lists(initial) => return refuse("it starts from arrays of elements"),
        Start::Registers(lists) => in_transactions(&operations, initial, lists),
        Start::Number => {
            let updates = by_key(&operations, initial, "add");
            if updates.iter().any(|(_, _, value)| !value.is_i64()) {
                return refuse("it starts from a whole number");
            }
            updates
        }
        Start::Elements(f) => {
            let lists = by_key(&operations, initial, f);
            if lists.iter().any(|(_, _, value)| !value.is_array()) {
                return refuse("it starts from an array of elements");
            }
            let elements = |(key, f, list): Update| {
                let list = list.as_array().cloned().unwrap_or_default();
                list.into_iter().map(move |element| (key.clone(), f, element))
            };
            lists.into_iter().flat_map(elements).collect()
        }
        Start::Lock if initial.is_boolean() => {
            let held = by_key(&operations, initial, "acquire");
            let held = held.into_iter().filter(|(_, _, held)| *held == Value::Bool(true));
            held.map(|(key, f, _)| (key, f, Value::Null)).collect()
        }
        Start::Permits if initial.is_u64() => by_key(&operations, initial, "permits"),
        Start::Permits => return refuse("it starts from a number of permits"),
        Start::Lock => return refuse("it starts from true (held) or false (free)"),
        Start::Empty => return refuse("it always starts empty"),
    };
    Ok(in_front(operations, writes))
}

/// Whether this is a list, or an object of lists; null stands for an empty one.
fn is_lists(initial: &Value) -> bool {
    let is_list = |value: &Value| value.is_array() || value.is_null();
    is_list(initial) || initial.as_object().is_some_and(|keys| keys.values().all(is_list))
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
    /// Always empty.
    Empty,
}

impl Start {
    fn of(property: Property) -> Self {
        match property {
            Property::Linearizable(Model::Register | Model::CasRegister | Model::Kv) => Self::Value,
            Property::Linearizable(Model::MultiRegister) | Property::Transactions(Workload::RwRegister) => {
                Self::Registers(false)
            }
            Property::Transactions(Workload::ListAppend) => Self::Registers(true),
            Property::Linearizable(Model::Counter)
            | Property::Elements(Kind::CounterBounds | Kind::GCounter | Kind::PnCounter) => Self::Number,
            Property::Linearizable(Model::Set) | Property::Elements(Kind::SetFull | Kind::SetFinal) => {
                Self::Elements("add")
            }
            Property::Linearizable(Model::FifoQueue | Model::UnorderedQueue | Model::PriorityQueue)
            | Property::Elements(Kind::Queue | Kind::TotalQueue | Kind::ExactlyOnceQueue) => {
                Self::Elements("enqueue")
            }
            Property::Linearizable(Model::Stack) => Self::Elements("push"),
            Property::Linearizable(Model::Mutex) => Self::Lock,
            Property::Linearizable(Model::Semaphore) => Self::Permits,
            Property::Linearizable(_) | Property::Elements(_) | Property::Sequential => Self::Empty,
        }
    }
}

/// What the keys may have started with, if reads show values that no operation wrote: exactly one value a key, elements
/// that every read has, the number that the first read shows. None where nothing of the kind is seen.
pub fn candidate(operations: &[Operation], property: Property) -> Option<Value> {
    let values = match Start::of(property) {
        Start::Value => of_values(operations),
        Start::Registers(lists) => of_registers(operations, lists),
        Start::Number => of_numbers(operations),
        Start::Elements("add") => of_sets(operations),
        Start::Lock => {
            let releases =
                operations.iter().any(|operation| matches!(operation.f.as_str(), "release" | "unlock"));
            return releases.then_some(Value::Bool(true));
        }
        Start::Elements(_) | Start::Permits | Start::Empty => return None,
    };
    let first = values.values().next()?;
    if values.keys().any(Option::is_some) {
        let entries = values.iter().map(|(key, value)| (key.clone().unwrap_or_default(), value.clone()));
        return Some(Value::Object(entries.collect()));
    }
    Some(first.clone())
}

/// By key: what it may have started with.
type Values = BTreeMap<Option<String>, Value>;

/// Values that are known of a key, by their text: those that were written, with the first invocation that did, and those
/// that were found, with the first completion that did.
#[derive(Default)]
struct Known<'a> {
    written: BTreeMap<String, usize>,
    found: BTreeMap<String, (usize, &'a Value)>,
}

impl<'a> Known<'a> {
    fn write(&mut self, value: &Value, invoked: usize) {
        self.written
            .entry(value.to_string())
            .and_modify(|first| *first = invoked.min(*first))
            .or_insert(invoked);
    }

    fn find(&mut self, value: &'a Value, operation: &Operation) {
        let end = operation.completed.unwrap_or(usize::MAX);
        let first = self.found.entry(value.to_string()).or_insert((end, value));
        first.0 = end.min(first.0);
    }

    /// Whether a value that was found has no write that could have left it.
    fn is_strange(&self, text: &str, found: usize) -> bool {
        self.written.get(text).is_none_or(|written| *written > found)
    }

    /// The only value that was found before any operation can have written it.
    fn only_strange(&self) -> Option<Value> {
        let mut strange = self.found.iter().filter(|(text, (found, _))| self.is_strange(text, *found));
        let (_, (_, value)) = strange.next()?;
        strange.next().is_none().then(|| (*value).clone())
    }
}

fn of_values(operations: &[Operation]) -> Values {
    let mut keys: BTreeMap<Option<&str>, Known<'_>> = BTreeMap::new();
    for operation in operations {
        let known = keys.entry(operation.key.as_deref()).or_default();
        let pair = operation.argument.as_array().map(Vec::as_slice);
        match (operation.f.as_str(), pair, &operation.outcome) {
            ("read" | "get", _, Outcome::Ok(value)) if !value.is_null() => known.find(value, operation),
            ("cas", Some([from, to]), outcome) => {
                known.write(to, operation.invoked);
                if matches!(outcome, Outcome::Ok(_)) && !from.is_null() {
                    known.find(from, operation);
                }
            }
            ("append", ..) => return BTreeMap::new(),
            _ => known.write(&operation.argument, operation.invoked),
        }
    }
    keys.into_iter()
        .filter_map(|(key, known)| Some((key.map(str::to_owned), known.only_strange()?)))
        .collect()
}

/// The steps of a transaction, as far as they are known: name, key as text, value.
fn steps(operation: &Operation) -> impl Iterator<Item = (&str, String, &Value)> {
    let answered = match &operation.outcome {
        Outcome::Ok(value) => Some(value),
        Outcome::Fail { .. } | Outcome::Info { .. } => None,
    };
    let all =
        [Some(&operation.argument), answered].into_iter().flatten().filter_map(Value::as_array).flatten();
    all.filter_map(|step| match step.as_array().map(Vec::as_slice) {
        Some([name, key, value]) => Some((name.as_str()?, text(key), value)),
        Some(_) | None => None,
    })
}

fn of_registers(operations: &[Operation], lists: bool) -> Values {
    let mut keys: BTreeMap<String, Known<'_>> = BTreeMap::new();
    for operation in operations {
        for (name, key, value) in steps(operation) {
            let known = keys.entry(key).or_default();
            if !matches!(name, "r" | "read") {
                known.write(value, operation.invoked);
            } else if !value.is_null() {
                known.find(value, operation);
            }
        }
    }
    let of_key = |known: &Known<'_>| if lists { leading(known) } else { known.only_strange() };
    keys.iter().filter_map(|(key, known)| Some((Some(key.clone()), of_key(known)?))).collect()
}

/// The elements that all lists begin with and nobody appended.
fn leading(known: &Known<'_>) -> Option<Value> {
    let mut lists = known.found.values().map(|(found, list)| -> Vec<Value> {
        let list = list.as_array().into_iter().flatten();
        list.take_while(|element| known.is_strange(&element.to_string(), *found)).cloned().collect()
    });
    let first = lists.next()?;
    (!first.is_empty() && lists.all(|list| list == first)).then(|| Value::from(first))
}

/// What the read that completed first shows beyond what was added before it, where no add was open beside it.
fn of_numbers(operations: &[Operation]) -> Values {
    let mut firsts: BTreeMap<Option<&str>, &Operation> = BTreeMap::new();
    let reads = |operation: &&Operation| {
        matches!(operation.f.as_str(), "read" | "get") && matches!(operation.outcome, Outcome::Ok(_))
    };
    for read in operations.iter().filter(reads) {
        let first = firsts.entry(read.key.as_deref()).or_insert(read);
        if read.completed < first.completed {
            *first = read;
        }
    }
    let values = firsts.into_iter().filter_map(|(key, read)| {
        let Outcome::Ok(found) = &read.outcome else { return None };
        let end = read.completed?;
        let mut sum = found.as_i64()?;
        for add in operations.iter().filter(|add| add.key.as_deref() == key && add.invoked < end) {
            let by = add.argument.as_i64().or(add.argument.is_null().then_some(1))?;
            match (add.f.as_str(), &add.outcome) {
                ("read" | "get", _) | (_, Outcome::Fail { .. }) => {}
                (_, Outcome::Ok(_)) if add.completed.is_some_and(|completed| completed < read.invoked) => {
                    sum = sum.checked_sub(if add.f == "decr" { by.checked_neg()? } else { by })?;
                }
                _ => return None,
            }
        }
        (sum != 0).then(|| (key.map(str::to_owned), Value::from(sum)))
    });
    values.collect()
}

/// The elements that every read has and no operation added.
fn of_sets(operations: &[Operation]) -> Values {
    let mut added: BTreeSet<(Option<&str>, String)> = BTreeSet::new();
    let mut common: BTreeMap<Option<&str>, BTreeMap<String, &Value>> = BTreeMap::new();
    for operation in operations {
        let key = operation.key.as_deref();
        match (operation.f.as_str(), &operation.outcome) {
            ("read", Outcome::Ok(Value::Array(elements))) => {
                let elements: BTreeMap<String, &Value> =
                    elements.iter().map(|element| (element.to_string(), element)).collect();
                common
                    .entry(key)
                    .and_modify(|known| known.retain(|element, _| elements.contains_key(element)))
                    .or_insert(elements);
            }
            ("read", Outcome::Ok(_)) => common.entry(key).or_default().clear(),
            _ => {
                added.insert((key, operation.argument.to_string()));
            }
        }
    }
    let strange = common.into_iter().filter_map(|(key, elements)| {
        let strange = elements.into_iter().filter(|(text, _)| !added.contains(&(key, text.clone())));
        let elements: Vec<Value> = strange.map(|(_, element)| element.clone()).collect();
        (!elements.is_empty()).then(|| (key.map(str::to_owned), Value::from(elements)))
    });
    strange.collect()
}

/// A key of a register as text.
fn text(key: &Value) -> String {
    key.as_str().map_or_else(|| key.to_string(), str::to_owned)
}

/// A key, the name of the update, and its argument.
type Update = (Option<String>, &'static str, Value);

fn by_key(operations: &[Operation], initial: &Value, f: &'static str) -> Vec<Update> {
    let keys: BTreeSet<_> = operations.iter().map(|operation| operation.key.clone()).collect();
    let values = keys.into_iter().filter_map(|key| {
        let value = match (&key, initial) {
            (Some(name), Value::Object(values)) => {
                values.get(name).or_else(|| values.get(name.trim_start_matches(':')))?
            }
            (Some(_) | None, value) => value,
        };
        (!value.is_null()).then(|| (key, f, value.clone()))
    });
    values.collect()
}

fn in_transactions(operations: &[Operation], initial: &Value, lists: bool) -> Vec<Update> {
    let mut objects: BTreeMap<Option<String>, BTreeMap<String, Value>> = BTreeMap::new();
    let mut write = if lists { "append" } else { "w" };
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
        let mut steps: Vec<Value> = Vec::new();
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
        assert_eq!(candidate(&operations, property), Some(json!(0)));
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
    fn unwritten_values_suggest_initial_states() {
        let txn = |steps: Value| ("txn", None, steps.clone(), steps);
        for (property, steps, expected) in [
            (
                Property::Transactions(Workload::RwRegister),
                vec![txn(json!([["r", ":x", 0]]))],
                json!({":x": 0}),
            ),
            (
                Property::Transactions(Workload::ListAppend),
                vec![txn(json!([["append", "x", 8], ["r", "x", [7, 8]]]))],
                json!({"x": [7]}),
            ),
            (
                Property::Elements(Kind::CounterBounds),
                vec![("read", None, Value::Null, json!(10))],
                json!(10),
            ),
            (Property::Elements(Kind::SetFull), vec![("read", None, Value::Null, json!([7]))], json!([7])),
        ] {
            assert_eq!(candidate(&history(&steps), property), Some(expected), "{property}");
        }
        let never = [("read", None, Value::Null, json!([7])), ("read", None, Value::Null, json!([]))];
        assert_eq!(candidate(&history(&never), Property::Elements(Kind::SetFull)), None);
    }

    #[test]
    fn queue_starts_from_elements() {
        let operations = history(&[("dequeue", None, Value::Null, json!(1))]);
        let property = Property::Linearizable(Model::FifoQueue);
        assert!(valid(&prepend(operations.clone(), property, &json!([1, 2])).unwrap(), Model::FifoQueue));
        assert!(!valid(&prepend(operations, property, &json!([2, 1])).unwrap(), Model::FifoQueue));
    }

    #[test]
    fn wrong_initial_states_are_refused() {
        let operations = history(&[("read", None, Value::Null, json!(1))]);
        for (property, value, why) in [
            (Property::Linearizable(Model::Stack), json!(1), "an array of elements"),
            (Property::Linearizable(Model::Counter), json!("a"), "a whole number"),
            (Property::Elements(Kind::UniqueIds), json!(1), "always starts empty"),
        ] {
            let error = prepend(operations.clone(), property, &value).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
