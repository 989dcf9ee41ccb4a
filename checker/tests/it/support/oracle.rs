//! Decides small histories by trying every order: slow, short, and written without looking at the checker.

use checker::linearizability::Model;
use history::{Operation, Outcome};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};

/// Whether some order of the operations explains every result. At most 32 operations a key.
pub(crate) fn linearizable(operations: &[Operation], model: Model) -> bool {
    let mut keys: BTreeMap<Option<&str>, Vec<&Operation>> = BTreeMap::new();
    for operation in operations {
        keys.entry(operation.key.as_deref()).or_default().push(operation);
    }
    keys.values().all(|operations| {
        let text = model == Model::Kv && operations.iter().any(|operation| operation.f == "append");
        let search = Search { operations, text };
        search.reaches_the_end(0, &Value::Null, &mut HashSet::new())
    })
}

struct Search<'a> {
    operations: &'a [&'a Operation],
    /// The key is appended to, so numbers count as text.
    text: bool,
}

impl Search<'_> {
    fn reaches_the_end(&self, done: u32, state: &Value, seen: &mut HashSet<(u32, Value)>) -> bool {
        if self.numbered().all(|(number, operation)| done & 1 << number != 0 || !must_happen(operation)) {
            return true;
        }
        if !seen.insert((done, state.clone())) {
            return false;
        }
        self.numbered().any(|(number, operation)| {
            done & 1 << number == 0
                && may_happen(operation)
                && !self.numbered().any(|(other, before)| {
                    done & 1 << other == 0
                        && must_happen(before)
                        && before.completed.is_some_and(|completed| completed < operation.invoked)
                })
                && self
                    .after(operation, state)
                    .is_some_and(|state| self.reaches_the_end(done | 1 << number, &state, seen))
        })
    }

    fn numbered(&self) -> impl Iterator<Item = (usize, &Operation)> {
        self.operations.iter().copied().enumerate()
    }

    /// The state after the operation; none if it cannot have had its result in this state.
    fn after(&self, operation: &Operation, state: &Value) -> Option<Value> {
        let argument = &operation.argument;
        match (operation.f.as_str(), &operation.outcome) {
            ("read" | "get", Outcome::Ok(found)) => (self.plain(found) == *state).then(|| state.clone()),
            ("read" | "get", _) => None,
            ("write" | "put", _) => Some(self.plain(argument)),
            ("delete", _) => Some(Value::Null),
            ("append", _) => {
                let before = if state.is_null() { String::new() } else { string(state) };
                Some(Value::String(before + &string(argument)))
            }
            ("cas", outcome) => {
                let (from, to) = (self.plain(&argument[0]), self.plain(&argument[1]));
                match outcome {
                    Outcome::Ok(_) | Outcome::Info { .. } => (from == *state).then_some(to),
                    Outcome::Fail { actual, .. } => {
                        let found = actual.as_ref().is_none_or(|actual| self.plain(actual) == *state);
                        (from != *state && found).then(|| state.clone())
                    }
                }
            }
            (other, _) => panic!("the oracle does not know {other}"),
        }
    }

    fn plain(&self, value: &Value) -> Value {
        if self.text && value.is_number() { Value::String(value.to_string()) } else { value.clone() }
    }
}

fn must_happen(operation: &Operation) -> bool {
    match &operation.outcome {
        Outcome::Ok(_) => true,
        Outcome::Fail { error, actual } => {
            operation.f == "cas" && (actual.is_some() || error.as_deref() == Some("precondition"))
        }
        Outcome::Info { .. } => false,
    }
}

fn may_happen(operation: &Operation) -> bool {
    must_happen(operation) || matches!(operation.outcome, Outcome::Info { .. })
}

fn string(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
