//! A number of permits that clients acquire and give back.

use super::{Specification, lock::owner, not_known, refused};
use history::{OperationRef, Operations, OutcomeRef};
use serde_json::Value;
use std::collections::BTreeMap;

/// Without permits at first: an operation `permits` says how many there are.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Semaphore {
    /// Whether an operation says how many permits there are.
    stated: bool,
}

impl Semaphore {
    pub(in super::super) fn of(operations: &Operations) -> Self {
        Self { stated: operations.iter().any(|operation| operation.f == "permits") }
    }
}

/// The permits that are free, and who holds how many.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(in super::super) struct Permits {
    free: i64,
    held: BTreeMap<String, i64>,
}

/// What an operation does to the permits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in super::super) enum PermitAction {
    /// This many are there from now on.
    Add(i64),
    Acquire(String, i64),
    Release(String, i64),
    /// So many were not free.
    Refused(i64),
    /// The owner did not hold so many.
    NotHeld(String, i64),
}

impl Specification for Semaphore {
    type State = Permits;
    type Action = PermitAction;

    fn initial(&self) -> Permits {
        Permits::default()
    }

    fn action(&self, operation: OperationRef<'_>) -> Result<Option<PermitAction>, String> {
        let argument = operation.argument;
        let count =
            argument.as_i64().or_else(|| argument.get("permits").and_then(Value::as_i64)).unwrap_or(1);
        if !self.stated {
            return Err("the number of permits is not known; say it with --initial, for example --initial 2"
                .to_owned());
        }
        if count < 0 {
            return Err(format!("{count} is no number of permits"));
        }
        let happened = !matches!(operation.outcome, OutcomeRef::Fail { .. });
        let action = match (operation.f, happened) {
            ("permits", _) => PermitAction::Add(count),
            ("acquire", true) => PermitAction::Acquire(owner(operation), count),
            ("release", true) => PermitAction::Release(owner(operation), count),
            ("acquire", false) => PermitAction::Refused(count),
            ("release", false) => PermitAction::NotHeld(owner(operation), count),
            (other, _) => return Err(not_known(other, "acquire and release")),
        };
        Ok((happened || refused(operation.outcome)).then_some(action))
    }

    fn step(&self, state: &Permits, action: &PermitAction) -> impl IntoIterator<Item = Permits> {
        let held = |owner: &String| state.held.get(owner).copied().unwrap_or(0);
        let moved = |owner: &String, count: i64| {
            let mut next = Permits { free: state.free - count, held: state.held.clone() };
            let own = held(owner) + count;
            if own == 0 {
                next.held.remove(owner);
            } else {
                next.held.insert(owner.clone(), own);
            }
            next
        };
        match action {
            PermitAction::Add(count) => Some(Permits { free: state.free + count, ..state.clone() }),
            PermitAction::Acquire(owner, count) => (*count <= state.free).then(|| moved(owner, *count)),
            PermitAction::Release(owner, count) => (*count <= held(owner)).then(|| moved(owner, -count)),
            PermitAction::Refused(count) => (*count > state.free).then(|| state.clone()),
            PermitAction::NotHeld(owner, count) => (*count > held(owner)).then(|| state.clone()),
        }
    }

    fn is_pure(&self, action: &PermitAction) -> bool {
        matches!(action, PermitAction::Refused(_) | PermitAction::NotHeld(..))
    }

    fn show(&self, state: &Permits) -> String {
        let holders: Vec<String> =
            state.held.iter().map(|(owner, count)| format!("{owner} holds {count}")).collect();
        let holders = if holders.is_empty() { String::new() } else { format!(", {}", holders.join(", ")) };
        format!("{} free{holders}", state.free)
    }
}
