//! Confirms a valid verdict: replays an order of operations, with none of the code that found it.

use history::{OperationRef, OutcomeRef, ToOperations};
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
pub fn confirm(operations: &(impl ToOperations + ?Sized), order: &[u32]) -> Result<(), Misplaced> {
    let operations = &*operations.to_operations();
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
        let value = values.entry(operation.key).or_default();
        let argument = operation.argument;
        let right = match (operation.f, &operation.outcome) {
            ("read" | "get", OutcomeRef::Ok(found)) => *found == value,
            ("write" | "put", OutcomeRef::Ok(_) | OutcomeRef::Info { .. }) => {
                value.clone_from(argument);
                true
            }
            ("cas", OutcomeRef::Ok(_) | OutcomeRef::Info { .. }) if argument[0] == *value => {
                value.clone_from(&argument[1]);
                true
            }
            ("cas", OutcomeRef::Fail { actual: Some(actual), .. }) => {
                *actual == value && argument[0] != *value
            }
            ("cas", OutcomeRef::Fail { .. }) => argument[0] != *value,
            _ => false,
        };
        if !right {
            return Err(Misplaced::Result(index));
        }
    }
    let missing =
        (0..).zip(operations).find(|(index, operation)| happened(*operation) && !seen.contains(index));
    missing.map_or(Ok(()), |(index, _)| Err(Misplaced::Missing(index)))
}

/// Whether an operation certainly happened, or found something.
fn happened(operation: OperationRef<'_>) -> bool {
    match operation.outcome {
        OutcomeRef::Ok(_) => true,
        OutcomeRef::Fail { error, actual } => {
            operation.f == "cas" && (actual.is_some() || error == Some("precondition"))
        }
        OutcomeRef::Info { .. } => false,
    }
}
