//! Brute force: is there an order of the operations that an object could have gone through?

use super::script::{list, whole};
use history::{Operation, Outcome};
use serde_json::Value;

/// What happens to an object's state; none if that cannot happen. The result is none if it is unknown.
pub(crate) type Step<S> = fn(S, f: &str, argument: &Value, result: Option<&Value>) -> Vec<S>;

/// Whether some order explains every result. An operation of unknown outcome may be left out.
pub(crate) fn explains<S: Clone + Default>(operations: &[Operation], step: Step<S>) -> bool {
    let happened: Vec<&Operation> =
        operations.iter().filter(|operation| !matches!(operation.outcome, Outcome::Fail { .. })).collect();
    search(&happened, (1 << happened.len()) - 1, S::default(), step)
}

fn search<S: Clone>(operations: &[&Operation], left: u32, state: S, step: Step<S>) -> bool {
    let is_left = |index: usize| left >> index & 1 == 1;
    let owed = |index: &usize| is_left(*index) && operations[*index].completed.is_some();
    if !(0..operations.len()).any(|index| owed(&index)) {
        return true;
    }
    let earliest = (0..operations.len()).filter(owed).filter_map(|index| operations[index].completed).min();
    (0..operations.len())
        .filter(|index| is_left(*index) && earliest.is_none_or(|end| operations[*index].invoked < end))
        .any(|index| {
            let operation = operations[index];
            let result = match &operation.outcome {
                Outcome::Ok(result) => Some(result),
                Outcome::Info { .. } | Outcome::Fail { .. } => None,
            };
            step(state.clone(), &operation.f, &operation.argument, result)
                .into_iter()
                .any(|next| search(operations, left & !(1 << index), next, step))
        })
}

/// A set that only grows.
pub(crate) fn set(mut state: Vec<i64>, f: &str, argument: &Value, result: Option<&Value>) -> Vec<Vec<i64>> {
    if f == "add" {
        state.extend(argument.as_i64());
        state.sort_unstable();
        state.dedup();
        return vec![state];
    }
    let Some(result) = result else { return vec![state] };
    let mut seen: Vec<i64> = list(result);
    seen.sort_unstable();
    if seen == state { vec![state] } else { Vec::new() }
}

/// A counter.
pub(crate) fn counter(state: i64, f: &str, argument: &Value, result: Option<&Value>) -> Vec<i64> {
    match (f, result.and_then(Value::as_i64)) {
        ("add", _) => vec![state + whole(argument)],
        (_, Some(seen)) if seen != state => Vec::new(),
        (_, _) => vec![state],
    }
}

/// A queue that gives out its elements in any order, each of them once.
pub(crate) fn queue(mut state: Vec<i64>, f: &str, argument: &Value, result: Option<&Value>) -> Vec<Vec<i64>> {
    let without = |element: i64| -> Option<Vec<i64>> {
        let mut state = state.clone();
        state.remove(state.iter().position(|other| *other == element)?);
        Some(state)
    };
    match (f, result) {
        ("enqueue", _) => {
            state.extend(argument.as_i64());
            vec![state]
        }
        ("dequeue", Some(Value::Null)) => state.is_empty().then(Vec::new).into_iter().collect(),
        ("dequeue", Some(element)) => without(whole(element)).into_iter().collect(),
        ("dequeue", None) => state.iter().filter_map(|element| without(*element)).collect(),
        (_, Some(all)) => {
            let mut taken: Vec<i64> = list(all);
            let mut there = state.clone();
            taken.sort_unstable();
            there.sort_unstable();
            if taken == there { vec![Vec::new()] } else { Vec::new() }
        }
        (_, None) => vec![Vec::new()],
    }
}
