//! Decides small histories by trying every order: slow, short, and written without looking at the checker.

use checker::linearizability::Model;
use history::{Operation, Outcome};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashSet};

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

/// The values the key of an operation may have right before it completes, as people read them.
pub(crate) fn possible(operations: &[Operation], blamed: usize) -> BTreeSet<String> {
    let end = operations[blamed].completed.expect("what is blamed has completed");
    let earlier: Vec<Operation> = operations
        .iter()
        .enumerate()
        .filter(|(index, operation)| {
            // What failed changes nothing, whenever that became known.
            let over = operation.completed.is_some_and(|completed| completed < end);
            let failed = matches!(operation.outcome, Outcome::Fail { .. });
            *index != blamed
                && operation.key == operations[blamed].key
                && operation.invoked <= end
                && (over || !failed)
        })
        .map(|(_, operation)| {
            let mut operation = operation.clone();
            if operation.completed.is_some_and(|completed| completed > end) {
                (operation.outcome, operation.completed) = (Outcome::Info { error: None }, None);
            }
            operation
        })
        .collect();
    let search = Search { operations: &earlier.iter().collect::<Vec<_>>(), text: false };
    let (mut ends, mut seen) = (BTreeSet::new(), HashSet::new());
    search.collect_ends(0, &Value::Null, &mut seen, &mut ends);
    ends
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

    /// Every state in which all that must happen has happened.
    fn collect_ends(
        &self,
        done: u32,
        state: &Value,
        seen: &mut HashSet<(u32, Value)>,
        ends: &mut BTreeSet<String>,
    ) {
        if !seen.insert((done, state.clone())) {
            return;
        }
        let open =
            |(number, operation): &(usize, &Operation)| done & 1 << number == 0 && must_happen(operation);
        if !self.numbered().any(|numbered| open(&numbered)) {
            ends.insert(if state.is_null() { "nothing".to_owned() } else { state.to_string() });
        }
        for (number, operation) in self.numbered() {
            let waits = self
                .numbered()
                .filter(open)
                .any(|(_, before)| before.completed.is_some_and(|completed| completed < operation.invoked));
            if done & 1 << number == 0
                && may_happen(operation)
                && !waits
                && let Some(after) = self.after(operation, state)
            {
                self.collect_ends(done | 1 << number, &after, seen, ends);
            }
        }
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
