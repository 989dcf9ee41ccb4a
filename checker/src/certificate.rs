//! Confirms a valid verdict: reads an order of operations and sees for itself that it explains everything.
//!
//! This is the second opinion on [`check_certified`](crate::linearizability::check_certified). It shares no
//! code with the methods that found the order, is short enough to be read at one sitting, and takes time in
//! proportion to the history.

mod objects;
mod owned;
pub mod transactions;
mod unordered;

use crate::linearizability::Model;
use history::{OperationRef, OutcomeRef, ToOperations};
use objects::Object;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// For each key an order of its operations, by their index in the slice that was checked. Linearizability
/// is local (Herlihy and Wing 1990), so the orders of different keys need not fit together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linearization {
    /// One order a key, in no order of keys. Operations of unknown outcome that are left out never happened.
    pub orders: Vec<Vec<u32>>,
}

/// The first thing in an order that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// An order names what is not an operation, or has no effect and no result: it failed, or its read is unknown.
    #[error("the order names operation {0}, which does not exist or cannot have happened")]
    Nothing(u32),
    /// An operation stands twice in the orders.
    #[error("operation {0} stands twice in the order")]
    Twice(u32),
    /// An order contains operations of different keys, or a key has two orders.
    #[error("operation {0} does not belong to the key of its order")]
    Key(u32),
    /// An operation stands after one that was invoked only when it was over already.
    #[error(
        "operation {operation} had completed before operation {after}, which the order puts first, was invoked"
    )]
    Time {
        /// The operation that stands too late.
        operation: u32,
        /// One that stands before it.
        after: u32,
    },
    /// An operation cannot have had its result where it stands.
    #[error("operation {operation} cannot have its result where the value is {value}")]
    Result {
        /// The operation.
        operation: u32,
        /// The value where it stands.
        value: Value,
    },
    /// An operation that happened stands nowhere.
    #[error("operation {0} happened, but the order leaves it out")]
    Missing(usize),
}

/// Whether each order respects real time and explains every result of its key, each key starting absent, and
/// whether every operation that happened is in one. Linear in the history; operations may come in any order.
///
/// # Errors
/// The first mismatch found.
pub fn confirm(
    operations: &(impl ToOperations + ?Sized),
    model: Model,
    orders: &Linearization,
) -> Result<(), Mismatch> {
    let operations = &*operations.to_operations();
    let keyed = model == Model::Kv;
    let single = matches!(model, Model::Register | Model::CasRegister | Model::Kv);
    let may_happen = if single { may_happen } else { objects::may_happen };
    let must_happen = |operation: OperationRef<'_>| {
        let info = matches!(operation.outcome, OutcomeRef::Info { .. });
        !info && operation.completed.is_some() && may_happen(operation)
    };
    let texts: HashSet<_> = operations.iter().filter(|o| keyed && o.f == "append").map(|o| o.key).collect();
    let mut seen = vec![false; operations.len()];
    let mut keys: HashMap<Option<&str>, usize> = HashMap::new();
    for (order, number) in orders.orders.iter().zip(0..) {
        let (mut value, mut object) = (Value::Null, Object::new(model));
        let mut latest: Option<(usize, u32)> = None;
        for &index in order {
            let operation = operations.get(index as usize).ok_or(Mismatch::Nothing(index))?;
            let key = operation.key;
            if !may_happen(operation) {
                return Err(Mismatch::Nothing(index));
            }
            if std::mem::replace(&mut seen[index as usize], true) {
                return Err(Mismatch::Twice(index));
            }
            if *keys.entry(key).or_insert(number) != number {
                return Err(Mismatch::Key(index));
            }
            if let Some((invoked, after)) = latest
                && must_happen(operation)
                && operation.completed.is_some_and(|completed| completed < invoked)
            {
                return Err(Mismatch::Time { operation: index, after });
            }
            if latest.is_none_or(|(invoked, _)| invoked < operation.invoked) {
                latest = Some((operation.invoked, index));
            }
            if single && !step(operation, &mut value, texts.contains(&key)) {
                return Err(Mismatch::Result { operation: index, value });
            }
            if !single && !object.step(operation) {
                return Err(Mismatch::Result { operation: index, value: object.show() });
            }
        }
        if let Some((_, operation)) = latest.filter(|_| !object.ends_well()) {
            return Err(Mismatch::Result { operation, value: object.show() });
        }
    }
    match operations.iter().zip(&seen).position(|(operation, seen)| !seen && must_happen(operation)) {
        Some(missing) => Err(Mismatch::Missing(missing)),
        None => Ok(()),
    }
}

/// The state after each of the last `shown` operations of an order of one key that starts absent, for people. The
/// order is one that [`confirm`] confirms; where an operation cannot have had its result, the list ends before it.
pub fn states(
    operations: &(impl ToOperations + ?Sized),
    model: Model,
    order: &[u32],
    shown: usize,
) -> Vec<Value> {
    let operations = &*operations.to_operations();
    let single = matches!(model, Model::Register | Model::CasRegister | Model::Kv);
    let named = || order.iter().filter_map(|index| operations.get(*index as usize));
    let text = model == Model::Kv && named().any(|operation| operation.f == "append");
    let (mut value, mut object) = (Value::Null, Object::new(model));
    let mut states = Vec::new();
    for (number, operation) in named().enumerate() {
        let fits = if single { step(operation, &mut value, text) } else { object.step(operation) };
        if !fits {
            break;
        }
        if number + shown >= order.len() {
            states.push(if single { value.clone() } else { object.show() });
        }
    }
    states
}

/// Whether it can have had an effect or a result. A failed compare-and-set whose precondition did not hold
/// is a result.
fn may_happen(operation: OperationRef<'_>) -> bool {
    match operation.outcome {
        OutcomeRef::Ok(_) => true,
        OutcomeRef::Info { .. } => !matches!(operation.f, "read" | "get"),
        OutcomeRef::Fail { error, actual } => {
            operation.f == "cas" && (actual.is_some() || error == Some("precondition"))
        }
    }
}

/// Lets an operation happen; whether it can have had its result there. With `text`, values are compared as text.
fn step(operation: OperationRef<'_>, value: &mut Value, text: bool) -> bool {
    let argument = operation.argument;
    match (operation.f, &operation.outcome) {
        ("read" | "get", OutcomeRef::Ok(found)) => same(value, found, text),
        ("write" | "put", _) => {
            value.clone_from(argument);
            true
        }
        ("delete", _) => {
            *value = Value::Null;
            true
        }
        ("append", _) => {
            let mut longer = if value.is_null() { String::new() } else { string(value.take()) };
            longer.push_str(&string(argument.clone()));
            *value = Value::String(longer);
            true
        }
        ("cas", outcome) => match (argument.get(0), argument.get(1), outcome) {
            (Some(from), Some(to), OutcomeRef::Ok(_) | OutcomeRef::Info { .. }) => {
                let fits = same(value, from, text);
                value.clone_from(to);
                fits
            }
            (Some(from), Some(_), OutcomeRef::Fail { actual, .. }) => {
                !same(value, from, text) && actual.as_ref().is_none_or(|found| same(value, found, text))
            }
            (None, _, _) | (_, None, _) => false,
        },
        (_, _) => false,
    }
}

fn same(a: &Value, b: &Value, text: bool) -> bool {
    if let (Value::String(a), Value::String(b)) = (a, b) {
        return a == b;
    }
    a == b || (text && !a.is_null() && !b.is_null() && string(a.clone()) == string(b.clone()))
}

fn string(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            other.to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use history::{Event, Kind, Process, pair};
    use serde_json::json;

    #[test]
    fn states_end_where_a_result_does_not_fit() {
        let operations =
            [("write", json!(1), json!(1)), ("write", json!(2), json!(2)), ("read", Value::Null, json!(1))];
        let events = operations.iter().flat_map(|(f, argument, result)| {
            [(Kind::Invoke, argument), (Kind::Ok, result)].map(|(kind, value)| {
                let mut event = Event::new(Process::Client(1), kind, *f);
                event.value = value.clone();
                event
            })
        });
        let operations = pair(&events.collect::<Vec<_>>()).unwrap();
        let after = |order: &[u32], shown| states(&operations, Model::Register, order, shown);
        assert_eq!(after(&[1, 0, 2], 9), [json!(2), json!(1), json!(1)]);
        assert_eq!(after(&[1, 0, 2], 1), [json!(1)]);
        assert_eq!(after(&[0, 1, 2], 9), [json!(1), json!(2)], "the read does not fit");
    }
}
