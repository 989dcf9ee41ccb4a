//! Confirms a valid verdict: replays an order of operations, with none of the code that found it.

use history::{Operation, Outcome};
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// The first thing in an order that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misplaced {
    /// It names what is no operation, or one twice.
    #[error("the order names operation {0}, which does not exist or stands in it before")]
    Odd(u32),
    /// A process did something else first.
    #[error("operation {0} stands before one that its process did first")]
    Process(u32),
    /// An operation cannot have had its result there.
    #[error("operation {0} cannot have its result where it stands")]
    Result(u32),
    /// An operation that happened stands nowhere.
    #[error("operation {0} happened, but the order leaves it out")]
    Missing(u32),
}

/// Whether an order explains every result, keeps each process in order and leaves out nothing that happened.
///
/// # Errors
/// The first thing that is wrong.
pub fn confirm(operations: &[Operation], order: &[u32]) -> Result<(), Misplaced> {
    let mut values: HashMap<Option<&str>, Value> = HashMap::new();
    let mut latest: HashMap<u64, usize> = HashMap::new();
    let mut seen: HashSet<u32> = HashSet::new();
    for &index in order {
        let operation = operations.get(index as usize).ok_or(Misplaced::Odd(index))?;
        if !seen.insert(index) {
            return Err(Misplaced::Odd(index));
        }
        let last = latest.insert(operation.process, operation.invoked);
        if last.is_some_and(|last| last > operation.invoked) {
            return Err(Misplaced::Process(index));
        }
        let value = values.entry(operation.key.as_deref()).or_default();
        let argument = &operation.argument;
        let right = match (operation.f.as_str(), &operation.outcome) {
            ("read" | "get", Outcome::Ok(found)) => found == value,
            ("write" | "put", Outcome::Ok(_) | Outcome::Info { .. }) => {
                value.clone_from(argument);
                true
            }
            ("cas", Outcome::Ok(_) | Outcome::Info { .. }) if argument[0] == *value => {
                value.clone_from(&argument[1]);
                true
            }
            ("cas", Outcome::Fail { actual: Some(actual), .. }) => actual == value && argument[0] != *value,
            ("cas", Outcome::Fail { .. }) => argument[0] != *value,
            _ => false,
        };
        if !right {
            return Err(Misplaced::Result(index));
        }
    }
    let missing =
        (0..).zip(operations).find(|(index, operation)| happened(operation) && !seen.contains(index));
    missing.map_or(Ok(()), |(index, _)| Err(Misplaced::Missing(index)))
}

/// Whether an operation certainly happened, or found something.
fn happened(operation: &Operation) -> bool {
    match &operation.outcome {
        Outcome::Ok(_) => true,
        Outcome::Fail { error, actual } => {
            operation.f == "cas" && (actual.is_some() || error.as_deref() == Some("precondition"))
        }
        Outcome::Info { .. } => false,
    }
}
