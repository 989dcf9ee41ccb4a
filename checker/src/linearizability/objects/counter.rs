//! A number that is added to and read.

use super::{Specification, not_known};
use history::{OperationRef, OutcomeRef};
use serde_json::Value;

/// Zero at first.
pub(in super::super) struct Counter;

/// What an operation does to the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in super::super) enum CounterAction {
    Add(i64),
    /// Adds the first number, which makes it the second.
    AddAndGet(i64, i64),
    Read(i64),
}

impl Specification for Counter {
    type State = i64;
    type Action = CounterAction;

    fn initial(&self) -> i64 {
        0
    }

    fn action(&self, operation: OperationRef<'_>) -> Result<Option<CounterAction>, String> {
        let by = || match operation.argument {
            Value::Null => Ok(1),
            other => integer(other),
        };
        let action = match operation.f {
            "read" | "get" => match operation.outcome {
                OutcomeRef::Ok(found) => return Ok(Some(CounterAction::Read(integer(found)?))),
                OutcomeRef::Fail { .. } | OutcomeRef::Info { .. } => return Ok(None),
            },
            "add" | "incr" => CounterAction::Add(by()?),
            "decr" => {
                let by = by()?;
                CounterAction::Add(by.checked_neg().ok_or_else(|| format!("{by} is too small a number"))?)
            }
            "add-and-get" => match operation.outcome {
                OutcomeRef::Ok(found) => CounterAction::AddAndGet(by()?, integer(found)?),
                OutcomeRef::Fail { .. } | OutcomeRef::Info { .. } => CounterAction::Add(by()?),
            },
            other => return Err(not_known(other, "add, incr, decr, add-and-get and read")),
        };
        Ok(match operation.outcome {
            OutcomeRef::Ok(_) | OutcomeRef::Info { .. } => Some(action),
            OutcomeRef::Fail { .. } => None,
        })
    }

    fn step(&self, state: &i64, action: &CounterAction) -> impl IntoIterator<Item = i64> {
        match *action {
            CounterAction::Add(by) => state.checked_add(by),
            CounterAction::AddAndGet(by, sum) => state.checked_add(by).filter(|&state| state == sum),
            CounterAction::Read(found) => (found == *state).then_some(found),
        }
    }

    fn is_pure(&self, action: &CounterAction) -> bool {
        match action {
            CounterAction::Read(_) => true,
            CounterAction::Add(by) | CounterAction::AddAndGet(by, _) => *by == 0,
        }
    }
}

fn integer(value: &Value) -> Result<i64, String> {
    value.as_i64().ok_or_else(|| format!("{value} is no integer of 64 bits"))
}
