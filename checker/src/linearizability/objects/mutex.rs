//! A lock that one holder has at a time.

use super::{Specification, not_known, refused};
use history::{OperationRef, OutcomeRef};

/// Free at first. Whoever releases it need not be who acquired it.
pub(in super::super) struct Mutex;

/// What an operation does to the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in super::super) enum MutexAction {
    Acquire,
    Release,
    /// Found it held.
    Held,
    /// Found it free.
    Free,
}

impl Specification for Mutex {
    /// Whether it is held.
    type State = bool;
    type Action = MutexAction;

    fn initial(&self) -> bool {
        false
    }

    fn action(&self, operation: OperationRef<'_>) -> Result<Option<MutexAction>, String> {
        let (happened, found) = match operation.f {
            "acquire" | "lock" => (MutexAction::Acquire, MutexAction::Held),
            "release" | "unlock" => (MutexAction::Release, MutexAction::Free),
            other => return Err(not_known(other, "acquire and release")),
        };
        Ok(match operation.outcome {
            OutcomeRef::Ok(_) | OutcomeRef::Info { .. } => Some(happened),
            outcome @ OutcomeRef::Fail { .. } => refused(outcome).then_some(found),
        })
    }

    fn step(&self, &held: &bool, action: &MutexAction) -> impl IntoIterator<Item = bool> {
        match action {
            MutexAction::Acquire => (!held).then_some(true),
            MutexAction::Release => held.then_some(false),
            MutexAction::Held => held.then_some(held),
            MutexAction::Free => (!held).then_some(held),
        }
    }

    fn is_pure(&self, action: &MutexAction) -> bool {
        match action {
            MutexAction::Held | MutexAction::Free => true,
            MutexAction::Acquire | MutexAction::Release => false,
        }
    }

    fn show(&self, &held: &bool) -> String {
        if held { "held" } else { "free" }.to_owned()
    }
}
