//! States that a history may have started from: results show what no operation brought about.
//!
//! A candidate is a guess. Whoever takes one judges the history again from there, so that a guess too many costs time, and
//! one too few makes a history invalid that starts from what the file does not say.

use super::{Start, text};
use crate::elements::Kind;
use crate::linearizability::Model;
use crate::property::Property;
use history::{OperationRef, Operations, OutcomeRef, ToOperations};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// How many states are tried.
const TRIED: usize = 8;
/// How many open adds a first read of a counter may have seen or not.
const OPEN: usize = 3;

/// What the history may have started from, the likeliest first; empty where no result shows anything of the kind.
///
/// Operations should all have one key, or none, where the property judges each key by itself.
pub fn candidates(operations: &(impl ToOperations + ?Sized), property: Property) -> Vec<Value> {
    let operations = &*operations.to_operations();
    let start = Start::of(property);
    let all: Vec<Value> = match (start, property) {
        (Start::Value, Property::Sequential) => of_keys(operations).into_iter().collect(),
        (Start::Value, _) => of_register(operations),
        (Start::Registers(lists), _) => of_registers(operations, lists).into_iter().collect(),
        (Start::Number, _) => of_number(operations),
        (Start::Elements(_), Property::Linearizable(Model::Set)) => of_set(operations).into_iter().collect(),
        (Start::Elements(_), Property::Elements(Kind::Monotonic)) => {
            of_rows(operations).into_iter().collect()
        }
        (Start::Elements("add"), _) => of_growing_set(operations).into_iter().collect(),
        (Start::Elements(f), _) => of_container(operations, f == "push").into_iter().collect(),
        (Start::Unwritten, _) => of_snapshots(operations).into_iter().collect(),
        (Start::Lock, _) => {
            let is_release = |operation: OperationRef<'_>| matches!(operation.f, "release" | "unlock");
            operations.iter().any(is_release).then_some(Value::Bool(true)).into_iter().collect()
        }
        (Start::Permits | Start::Empty, _) => Vec::new(),
    };
    let key = operations.first().and_then(|operation| operation.key);
    let of_key = |value: Value| match (key, start) {
        (Some(_), Start::Registers(_) | Start::Unwritten) | (None, _) => value,
        (Some(_), _) if property == Property::Sequential => value,
        (Some(key), _) => Value::Object(Map::from_iter([(key.to_owned(), value)])),
    };
    all.into_iter().take(TRIED).map(of_key).collect()
}

/// Values that are known of a key, by their text: those that were written, with the first invocation that did, and those
/// that were found, with the first completion that did.
struct Known<'a> {
    written: BTreeMap<String, usize>,
    found: BTreeMap<String, Found<'a>>,
    /// When the first update was over that certainly happened: what begins later does not find the initial value.
    updated: usize,
    /// Values whose writes failed: where one is found, such a write took effect after all.
    failed: BTreeSet<String>,
    /// Texts that were added at the end of the value.
    appended: BTreeSet<&'a str>,
}

/// A value that was found.
struct Found<'a> {
    value: &'a Value,
    /// The first invocation of an operation that found it.
    invoked: usize,
    /// The first completion of one.
    completed: usize,
}

impl Default for Known<'_> {
    fn default() -> Self {
        let (written, found) = (BTreeMap::new(), BTreeMap::new());
        Self { written, found, updated: usize::MAX, failed: BTreeSet::new(), appended: BTreeSet::new() }
    }
}

impl<'a> Known<'a> {
    fn write(&mut self, value: &Value, invoked: usize) {
        self.written
            .entry(value.to_string())
            .and_modify(|first| *first = invoked.min(*first))
            .or_insert(invoked);
    }

    fn find(&mut self, value: &'a Value, operation: OperationRef<'_>) {
        let (invoked, completed) = (operation.invoked, operation.completed.unwrap_or(usize::MAX));
        let first = self.found.entry(value.to_string()).or_insert(Found { value, invoked, completed });
        (first.invoked, first.completed) = (invoked.min(first.invoked), completed.min(first.completed));
    }

    /// What an operation on a register says.
    fn register(&mut self, operation: OperationRef<'a>) {
        let updates = !matches!(operation.f, "read" | "get");
        if updates && matches!(operation.outcome, OutcomeRef::Ok(_)) {
            self.updated = self.updated.min(operation.completed.unwrap_or(usize::MAX));
        }
        if updates && matches!(operation.outcome, OutcomeRef::Fail { .. }) {
            let pair = operation.argument.as_array().filter(|pair| operation.f == "cas" && pair.len() == 2);
            self.failed.insert(pair.map_or(operation.argument, |pair| &pair[1]).to_string());
        }
        let pair = operation.argument.as_array().map(Vec::as_slice);
        match (operation.f, pair, &operation.outcome) {
            ("read" | "get", _, OutcomeRef::Ok(value)) if !value.is_null() => self.find(value, operation),
            ("read" | "get", ..) => {}
            ("cas", Some([from, to]), outcome) => {
                self.write(to, operation.invoked);
                match outcome {
                    OutcomeRef::Ok(_) if !from.is_null() => self.find(from, operation),
                    OutcomeRef::Fail { actual: Some(actual), .. } if !actual.is_null() => {
                        self.find(actual, operation);
                    }
                    OutcomeRef::Ok(_) | OutcomeRef::Fail { .. } | OutcomeRef::Info { .. } => {}
                }
            }
            ("append", ..) => self.appended.extend(operation.argument.as_str()),
            _ => self.write(operation.argument, operation.invoked),
        }
    }

    /// Whether a value that was found has no write that could have left it.
    fn is_strange(&self, text: &str, completed: usize) -> bool {
        self.written.get(text).is_none_or(|written| *written > completed)
    }

    /// The only value that was found before any operation can have written it.
    fn only_strange(&self) -> Option<Value> {
        let mut strange = self.found.iter().filter(|(text, found)| self.is_strange(text, found.completed));
        let (_, found) = strange.next()?;
        strange.next().is_none().then(|| found.value.clone())
    }
}

/// The values that were found and that no operation can have written until then; then those that were found early: another
/// operation may have written the initial value again.
fn of_register(operations: &Operations) -> Vec<Value> {
    let mut known = Known::default();
    for operation in operations {
        known.register(operation);
    }
    let mut found: Vec<(bool, &Found<'_>)> = known
        .found
        .iter()
        .filter(|(text, found)| {
            let early = found.invoked < known.updated && !known.failed.contains(*text);
            early || known.is_strange(text, found.completed)
        })
        .map(|(text, found)| (!known.is_strange(text, found.completed), found))
        .collect();
    found.sort_by_key(|(written, found)| (*written, found.completed));
    if known.appended.is_empty() {
        return found.into_iter().map(|(_, found)| found.value.clone()).collect();
    }
    // Texts may have been added to the initial value before it was found.
    let texts = found.iter().filter_map(|(_, found)| found.value.as_str());
    texts.take(2).flat_map(|text| beginnings(text, &known.appended)).map(Value::from).collect()
}

/// The beginnings of a text, not empty, that it is left with where appended texts are taken off its end; the shortest first.
fn beginnings(whole: &str, appended: &BTreeSet<&str>) -> Vec<String> {
    let mut ends = BTreeSet::from([whole.len()]);
    let mut open = vec![whole.len()];
    while let Some(end) = open.pop() {
        for piece in appended.iter().filter(|piece| !piece.is_empty() && whole[..end].ends_with(*piece)) {
            let before = end - piece.len();
            if before > 0 && ends.len() < TRIED && ends.insert(before) {
                open.push(before);
            }
        }
    }
    ends.into_iter().filter(|end| *end > 0).map(|end| whole[..end].to_owned()).collect()
}

/// By key, the only value that no operation can have written before it was found.
fn of_keys(operations: &Operations) -> Option<Value> {
    let mut keys: BTreeMap<Option<&str>, Known<'_>> = BTreeMap::new();
    for operation in operations {
        keys.entry(operation.key).or_default().register(operation);
    }
    let strange: Vec<(Option<&str>, Value)> =
        keys.into_iter().filter_map(|(key, known)| Some((key, known.only_strange()?))).collect();
    match strange.as_slice() {
        [] => None,
        [(None, value)] => Some(value.clone()),
        all => {
            let entries = all.iter().map(|(key, value)| (key.unwrap_or_default().to_owned(), value.clone()));
            Some(Value::Object(entries.collect()))
        }
    }
}

/// The steps of a transaction, as far as they are known: name, key as text, value.
fn steps(operation: OperationRef<'_>) -> impl Iterator<Item = (&str, String, &Value)> {
    let answered = match operation.outcome {
        OutcomeRef::Ok(value) => Some(value),
        OutcomeRef::Fail { .. } | OutcomeRef::Info { .. } => None,
    };
    let all =
        [Some(operation.argument), answered].into_iter().flatten().filter_map(Value::as_array).flatten();
    all.filter_map(|step| match step.as_array().map(Vec::as_slice) {
        Some([name, key, value]) => Some((name.as_str()?, text(key), value)),
        Some(_) | None => None,
    })
}

/// By key of a register, and by that of the operation where there are some: what it may have started with.
fn of_registers(operations: &Operations, lists: bool) -> Option<Value> {
    let mut keys: BTreeMap<(Option<&str>, String), Known<'_>> = BTreeMap::new();
    for operation in operations {
        for (name, key, value) in steps(operation) {
            let known = keys.entry((operation.key, key)).or_default();
            if !matches!(name, "r" | "read") {
                known.write(value, operation.invoked);
            } else if !value.is_null() {
                known.find(value, operation);
            }
        }
    }
    let mut objects: BTreeMap<Option<&str>, Map<String, Value>> = BTreeMap::new();
    for ((object, key), known) in &keys {
        let value = if lists { leading(known) } else { known.only_strange() };
        if let Some(value) = value {
            objects.entry(*object).or_default().insert(key.clone(), value);
        }
    }
    let nested = objects.keys().any(Option::is_some);
    let mut all = objects.into_iter().map(|(object, values)| (object.unwrap_or_default().to_owned(), values));
    if nested {
        return Some(Value::Object(all.map(|(object, values)| (object, Value::Object(values))).collect()));
    }
    all.next().map(|(_, values)| Value::Object(values))
}

/// The elements that all lists begin with and nobody appended.
fn leading(known: &Known<'_>) -> Option<Value> {
    let mut lists = known.found.values().map(|found| -> Vec<Value> {
        let list = found.value.as_array().into_iter().flatten();
        list.take_while(|element| known.is_strange(&element.to_string(), found.completed)).cloned().collect()
    });
    let first = lists.next()?;
    (!first.is_empty() && lists.all(|list| list == first)).then(|| Value::from(first))
}

/// What the read that completed first shows beyond what was added before it; adds that were open beside it count or not.
fn of_number(operations: &Operations) -> Vec<Value> {
    let reads = operations.iter().filter(|operation| matches!(operation.f, "read" | "get"));
    let first = reads
        .filter(|read| matches!(read.outcome, OutcomeRef::Ok(_)))
        .min_by_key(|read| read.completed.unwrap_or(usize::MAX));
    let start = first.and_then(|read| {
        let OutcomeRef::Ok(found) = read.outcome else { return None };
        let end = read.completed?;
        let (mut left, mut open) = (found.as_i64()?, Vec::new());
        let before = operations.iter().filter(|add| add.invoked < end && !matches!(add.f, "read" | "get"));
        for add in before.filter(|add| !matches!(add.outcome, OutcomeRef::Fail { .. })) {
            let by = add.argument.as_i64().or(add.argument.is_null().then_some(1))?;
            let by = if add.f == "decr" { by.checked_neg()? } else { by };
            let over = add.completed.is_some_and(|completed| completed < read.invoked);
            if over && matches!(add.outcome, OutcomeRef::Ok(_)) {
                left = left.checked_sub(by)?;
            } else {
                open.push(by);
            }
        }
        Some((left, open))
    });
    let Some((left, mut open)) = start else { return Vec::new() };
    if open.len() > OPEN {
        // All or none.
        open = vec![open.iter().fold(0, |sum: i64, by| sum.saturating_add(*by))];
    }
    let mut numbers = vec![left];
    for by in open {
        let less: Vec<i64> = numbers.iter().filter_map(|number| number.checked_sub(by)).collect();
        numbers.extend(less.into_iter().filter(|number| !numbers.contains(number)).collect::<Vec<_>>());
    }
    numbers.into_iter().filter(|number| *number != 0).map(Value::from).collect()
}

/// When elements were first seen and first put in, by their text; a sighting in the order of completions.
#[derive(Default)]
struct Sightings<'a> {
    seen: BTreeMap<String, (usize, usize, &'a Value)>,
    put: BTreeMap<String, usize>,
}

impl<'a> Sightings<'a> {
    fn see(&mut self, value: &'a Value, operation: OperationRef<'_>) {
        let (end, number) = (operation.completed.unwrap_or(usize::MAX), self.seen.len());
        let first = self.seen.entry(value.to_string()).or_insert((end, number, value));
        first.0 = end.min(first.0);
    }

    fn put(&mut self, value: &Value, operation: OperationRef<'_>) {
        let first = self.put.entry(value.to_string()).or_insert(operation.invoked);
        *first = operation.invoked.min(*first);
    }

    /// What was seen before any operation can have put it in, in the order of its sightings.
    fn strange(self) -> Vec<Value> {
        let put = self.put;
        let strange =
            self.seen.iter().filter(|(text, (seen, ..))| put.get(*text).is_none_or(|put| put > seen));
        let mut strange: Vec<(usize, usize, &Value)> = strange.map(|(_, seen)| *seen).collect();
        strange.sort_by_key(|(completed, number, _)| (*completed, *number));
        strange.into_iter().map(|(.., value)| value.clone()).collect()
    }
}

fn some_of(elements: Vec<Value>) -> Option<Value> {
    (!elements.is_empty()).then(|| Value::from(elements))
}

/// The elements that were seen in a set before any operation can have added them.
fn of_set(operations: &Operations) -> Option<Value> {
    let mut all = Sightings::default();
    for operation in operations {
        match (operation.f, &operation.outcome) {
            ("read", OutcomeRef::Ok(Value::Array(elements))) => {
                for element in elements {
                    all.see(element, operation);
                }
            }
            ("contains", OutcomeRef::Ok(Value::Bool(true))) => all.see(operation.argument, operation),
            ("add", _) => all.put(operation.argument, operation),
            _ => {}
        }
    }
    some_of(all.strange())
}

/// The elements that every read has and no operation added.
fn of_growing_set(operations: &Operations) -> Option<Value> {
    let mut added: BTreeSet<String> = BTreeSet::new();
    let mut common: Option<BTreeMap<String, &Value>> = None;
    for operation in operations {
        match (operation.f, &operation.outcome) {
            ("read", OutcomeRef::Ok(found)) => {
                let elements = found.as_array().into_iter().flatten();
                let elements: BTreeMap<String, &Value> =
                    elements.map(|element| (element.to_string(), element)).collect();
                match &mut common {
                    Some(common) => common.retain(|element, _| elements.contains_key(element)),
                    None => common = Some(elements),
                }
            }
            _ => {
                added.insert(operation.argument.to_string());
            }
        }
    }
    let strange = common?.into_iter().filter(|(text, _)| !added.contains(text));
    some_of(strange.map(|(_, element)| element.clone()).collect())
}

/// What came out of a queue or a stack before any operation can have put it in, in the order in which it must have stood
/// there.
fn of_container(operations: &Operations, is_stack: bool) -> Option<Value> {
    let mut all = Sightings::default();
    for operation in operations {
        match (operation.argument, &operation.outcome) {
            (Value::Null, OutcomeRef::Ok(Value::Array(elements))) if operation.f == "drain" => {
                for element in elements {
                    all.see(element, operation);
                }
            }
            (
                Value::Null,
                OutcomeRef::Ok(Value::Null) | OutcomeRef::Fail { .. } | OutcomeRef::Info { .. },
            ) => {}
            (Value::Null, OutcomeRef::Ok(element)) => all.see(element, operation),
            (element, _) => all.put(element, operation),
        }
    }
    let mut strange = all.strange();
    if is_stack {
        strange.reverse();
    }
    some_of(strange)
}

/// The only value that snapshots found and no operation wrote to that key: what an unwritten register has.
fn of_snapshots(operations: &Operations) -> Option<Value> {
    let mut written: BTreeSet<(String, String)> = BTreeSet::new();
    let mut found: Vec<(String, &Value)> = Vec::new();
    for operation in operations {
        for (name, key, value) in steps(operation) {
            if !matches!(name, "r" | "read") {
                written.insert((key, value.to_string()));
            } else if !value.is_null() {
                found.push((key, value));
            }
        }
    }
    let mut strange =
        found.into_iter().filter(|(key, value)| !written.contains(&(key.clone(), value.to_string())));
    let (_, first) = strange.next()?;
    strange.all(|(_, other)| other == first).then(|| first.clone())
}

/// The rows that were read and count less than all that were added.
fn of_rows(operations: &Operations) -> Option<Value> {
    let count = |row: &Value| row.get("val").or_else(|| row.get(":val")).and_then(Value::as_i64);
    let rows = |wanted: fn(&str) -> bool| {
        operations.iter().filter(move |operation| wanted(operation.f)).filter_map(|operation| match operation
            .outcome
        {
            OutcomeRef::Ok(found) => Some(found),
            OutcomeRef::Fail { .. } | OutcomeRef::Info { .. } => None,
        })
    };
    let least = rows(|f| matches!(f, "add" | "inc")).filter_map(count).min()?;
    let mut before: BTreeMap<i64, &Value> = BTreeMap::new();
    for row in rows(|f| f == "read").filter_map(Value::as_array).flatten() {
        if let Some(number) = count(row).filter(|number| *number < least) {
            before.entry(number).or_insert(row);
        }
    }
    some_of(before.into_values().cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transactions::Workload;
    use history::{Event, Operation, Outcome, Process, pair};
    use serde_json::json;

    /// Operations one after the other, each by a process of its own.
    fn history(steps: &[(&str, Value, Value)]) -> Vec<Operation> {
        let events: Vec<Event> = (0..)
            .zip(steps)
            .flat_map(|(process, (f, argument, result))| {
                [(history::Kind::Invoke, argument), (history::Kind::Ok, result)].map(|(kind, value)| {
                    let mut event = Event::new(Process::Client(process), kind, *f);
                    event.value = value.clone();
                    event
                })
            })
            .collect();
        pair(&events).unwrap()
    }

    fn read(found: Value) -> (&'static str, Value, Value) {
        ("read", Value::Null, found)
    }

    fn did(f: &'static str, argument: Value) -> (&'static str, Value, Value) {
        (f, argument.clone(), argument)
    }

    #[test]
    fn unwritten_results_suggest_initial_states() {
        let row = |number: i64| json!({ "val": number, "sts": number, "proc": 0 });
        for (property, steps, expected) in [
            (
                Property::Transactions(Workload::RwRegister),
                vec![did("txn", json!([["r", ":x", 0]]))],
                vec![json!({":x": 0})],
            ),
            (
                Property::Transactions(Workload::ListAppend),
                vec![did("txn", json!([["append", "x", 8], ["r", "x", [7, 8]]]))],
                vec![json!({"x": [7]})],
            ),
            (Property::Elements(Kind::CounterBounds), vec![read(json!(10))], vec![json!(10)]),
            (Property::Elements(Kind::SetFull), vec![read(json!([7]))], vec![json!([7])]),
            (Property::Elements(Kind::SetFull), vec![read(json!([7])), read(json!([]))], vec![]),
            (Property::Linearizable(Model::Set), vec![read(json!([7])), read(json!([]))], vec![json!([7])]),
            (Property::Linearizable(Model::Set), vec![did("add", json!(7)), read(json!([7]))], vec![]),
            (
                Property::Linearizable(Model::Stack),
                vec![("pop", Value::Null, json!(2)), ("pop", Value::Null, json!(1)), did("push", json!(2))],
                vec![json!([1, 2])],
            ),
            (
                Property::Elements(Kind::TotalQueue),
                vec![did("enqueue", json!(1)), ("drain", Value::Null, json!([7, 1]))],
                vec![json!([7])],
            ),
            (Property::Sequential, vec![read(json!(0)), did("write", json!(1))], vec![json!(0)]),
            (
                Property::Elements(Kind::LongFork),
                vec![did("write", json!([["w", 1, 1]])), did("read", json!([["r", 1, 1], ["r", 2, 0]]))],
                vec![json!(0)],
            ),
            (
                Property::Elements(Kind::Monotonic),
                vec![("add", Value::Null, row(6)), read(json!([row(5), row(6)]))],
                vec![json!([row(5)])],
            ),
        ] {
            assert_eq!(candidates(&history(&steps), property), expected, "{property}");
        }
    }

    #[test]
    fn values_written_later_may_be_initial() {
        let steps = [did("cas", json!([0, 1])), did("write", json!(0)), read(json!(1))];
        let property = Property::Linearizable(Model::CasRegister);
        // The read begins after an update is over, so that it does not find the initial value.
        assert_eq!(candidates(&history(&steps), property), [json!(0)]);
    }

    #[test]
    fn failed_writes_are_not_initial() {
        let mut operations = history(&[did("write", json!(3)), read(json!(3))]);
        operations[0].outcome = Outcome::Fail { error: None, actual: None };
        assert_eq!(candidates(&operations, Property::Linearizable(Model::Register)), [Value::Null; 0]);
    }

    #[test]
    fn appended_texts_are_taken_off() {
        let steps = [did("append", json!("b")), ("get", Value::Null, json!("abb"))];
        let property = Property::Linearizable(Model::Kv);
        assert_eq!(candidates(&history(&steps), property), [json!("a"), json!("ab"), json!("abb")]);
    }

    #[test]
    fn open_adds_count_or_not() {
        let mut operations = history(&[did("add", json!(1)), read(json!(6))]);
        (operations[0].completed, operations[0].invoked) = (Some(9), 0);
        assert_eq!(candidates(&operations, Property::Linearizable(Model::Counter)), [json!(6), json!(5)]);
    }

    #[test]
    fn registers_of_objects_start_apart() {
        let mut operations =
            history(&[did("txn", json!([["r", "x", 0]])), did("txn", json!([["r", "x", 5]]))]);
        operations[0].key = Some("a".to_owned());
        operations[1].key = Some("b".to_owned());
        let found = candidates(&operations, Property::Transactions(Workload::RwRegister));
        assert_eq!(found, [json!({"a": {"x": 0}, "b": {"x": 5}})]);
        let property = Property::Transactions(Workload::RwRegister);
        let started = crate::initial::prepend(&operations, property, &found[0]).unwrap();
        let verdict =
            crate::transactions::check(&started, &crate::transactions::Options::new(Workload::RwRegister));
        assert_eq!(verdict.answer, crate::Answer::Valid);
    }
}
