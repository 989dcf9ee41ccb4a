//! A register whose version counts its writes, as Jepsen's tests of etcd have it.

use super::{Specification, not_known, refused};
use history::{OperationRef, OutcomeRef};
use serde_json::Value;

/// Version 0 and null at first. Every write and compare-and-set that succeeds adds one to the version.
pub(in super::super) struct VersionedRegister;

/// What an operation does; a version where its answer says one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in super::super) enum VersionedAction {
    Read(i64, Value),
    /// A read that says nothing of the version.
    Find(Value),
    Write(Option<i64>, Value),
    /// Finds the first value and leaves the second.
    Cas(Option<i64>, Value, Value),
    /// Found another value.
    Differs(Value),
}

/// The version and the value of a pair; a value that is no pair has no version.
fn split(value: &Value) -> (Option<i64>, &Value) {
    match value.as_array().map(Vec::as_slice) {
        Some([version, value]) if version.is_null() || version.is_i64() => (version.as_i64(), value),
        Some(_) | None => (None, value),
    }
}

/// Old and new value, with or without a version in front.
fn exchange(argument: &Value) -> Option<(&Value, &Value)> {
    match argument.as_array().map(Vec::as_slice) {
        Some([_, Value::Array(pair)]) if pair.len() == 2 => Some((&pair[0], &pair[1])),
        Some([from, to]) => Some((from, to)),
        Some(_) | None => None,
    }
}

impl Specification for VersionedRegister {
    type State = (i64, Value);
    type Action = VersionedAction;

    fn initial(&self) -> (i64, Value) {
        (0, Value::Null)
    }

    fn action(&self, operation: OperationRef<'_>) -> Result<Option<VersionedAction>, String> {
        let version = match operation.outcome {
            OutcomeRef::Ok(result) => split(result).0,
            OutcomeRef::Fail { .. } | OutcomeRef::Info { .. } => None,
        };
        match (operation.f, &operation.outcome) {
            ("read" | "get", OutcomeRef::Ok(result)) => Ok(match split(result) {
                (Some(version), value) => Some(VersionedAction::Read(version, value.clone())),
                (None, value) => Some(VersionedAction::Find(value.clone())),
            }),
            ("read" | "get", _) | ("write" | "put", OutcomeRef::Fail { .. }) => Ok(None),
            ("write" | "put", OutcomeRef::Ok(_) | OutcomeRef::Info { .. }) => {
                Ok(Some(VersionedAction::Write(version, split(operation.argument).1.clone())))
            }
            ("cas", outcome) => {
                let (from, to) = exchange(operation.argument)
                    .ok_or_else(|| format!("{} is no old and new value", operation.argument))?;
                Ok(match outcome {
                    OutcomeRef::Ok(_) | OutcomeRef::Info { .. } => {
                        Some(VersionedAction::Cas(version, from.clone(), to.clone()))
                    }
                    outcome @ OutcomeRef::Fail { .. } => {
                        refused(*outcome).then(|| VersionedAction::Differs(from.clone()))
                    }
                })
            }
            (other, _) => Err(not_known(other, "read, write and cas")),
        }
    }

    fn step(&self, state: &(i64, Value), action: &VersionedAction) -> impl IntoIterator<Item = (i64, Value)> {
        let (version, value) = state;
        let next = |said: &Option<i64>, to: &Value| {
            said.is_none_or(|said| said == version + 1).then(|| (version + 1, to.clone()))
        };
        match action {
            VersionedAction::Read(said, found) => (said == version && found == value).then(|| state.clone()),
            VersionedAction::Find(found) => (found == value).then(|| state.clone()),
            VersionedAction::Write(said, to) => next(said, to),
            VersionedAction::Cas(said, from, to) => (from == value).then(|| next(said, to)).flatten(),
            VersionedAction::Differs(from) => (from != value).then(|| state.clone()),
        }
    }

    fn is_pure(&self, action: &VersionedAction) -> bool {
        matches!(action, VersionedAction::Read(..) | VersionedAction::Find(_) | VersionedAction::Differs(_))
    }

    fn show(&self, (version, value): &(i64, Value)) -> String {
        format!("version {version} with {value}")
    }
}
