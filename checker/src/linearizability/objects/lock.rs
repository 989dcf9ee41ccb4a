//! Locks that have an owner: owned, reentrant, and with a fence that grows with each hold.

use super::{Specification, not_known, refused};
use history::{OperationRef, OutcomeRef};
use serde_json::Value;

/// Free at first. Only who holds it can release it.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Lock {
    /// Whether its holder may acquire it again, and releases it as often.
    pub(in super::super) reentrant: bool,
    /// Whether acquiring it returns a number that is larger than those of all holds before.
    pub(in super::super) fenced: bool,
}

/// Who holds it, and the fences that were given out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(in super::super) struct Hold {
    owner: Option<String>,
    /// How often the owner acquired it.
    times: u32,
    /// The fence of this hold, where an answer says it.
    fence: Option<i64>,
    /// The least that the last fence can have been.
    last: i64,
}

/// What an operation does to the lock.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in super::super) enum LockAction {
    /// The owner gets it, with this fence where the answer says one.
    Acquire(String, Option<i64>),
    Release(String),
    /// The owner was refused it.
    Refused(String),
    /// The owner could not release it.
    NotHeld(String),
}

/// Who an operation acts for: the `client` that its argument names, or the client or process that invoked it.
pub(super) fn owner(operation: OperationRef<'_>) -> String {
    let named = operation.argument.get("client").filter(|client| !client.is_null());
    match (named, operation.client) {
        (Some(client), _) => client.to_string(),
        (None, Some(client)) => format!("client {client}"),
        (None, None) => format!("process {}", operation.process),
    }
}

/// The fence that an answer says; numbers below 1 stand for none.
fn fence(result: &Value) -> Option<i64> {
    let number = result.as_i64().or_else(|| result.get("fence").and_then(Value::as_i64));
    number.filter(|fence| *fence > 0)
}

impl Specification for Lock {
    type State = Hold;
    type Action = LockAction;

    fn initial(&self) -> Hold {
        Hold::default()
    }

    fn action(&self, operation: OperationRef<'_>) -> Result<Option<LockAction>, String> {
        let owner = owner(operation);
        let acquires = match operation.f {
            "acquire" | "lock" => true,
            "release" | "unlock" => false,
            other => return Err(not_known(other, "acquire and release")),
        };
        Ok(match operation.outcome {
            OutcomeRef::Ok(result) if acquires => Some(LockAction::Acquire(owner, fence(result))),
            OutcomeRef::Info { .. } if acquires => Some(LockAction::Acquire(owner, None)),
            OutcomeRef::Ok(_) | OutcomeRef::Info { .. } => Some(LockAction::Release(owner)),
            outcome @ OutcomeRef::Fail { .. } if !refused(outcome) => None,
            OutcomeRef::Fail { .. } if acquires => Some(LockAction::Refused(owner)),
            OutcomeRef::Fail { .. } => Some(LockAction::NotHeld(owner)),
        })
    }

    fn step(&self, state: &Hold, action: &LockAction) -> impl IntoIterator<Item = Hold> {
        let holds = |owner: &String| state.owner.as_ref() == Some(owner);
        match action {
            LockAction::Acquire(owner, fence) if state.owner.is_none() => self.begin(state, owner, *fence),
            LockAction::Acquire(owner, fence) => {
                let again = self.reentrant && holds(owner);
                again.then(|| self.again(state, *fence)).flatten()
            }
            LockAction::Release(owner) => holds(owner).then(|| match state.times {
                0 | 1 => Hold { last: state.last, ..Hold::default() },
                times => Hold { times: times - 1, ..state.clone() },
            }),
            LockAction::Refused(owner) => {
                let held = state.owner.is_some() && !(self.reentrant && holds(owner));
                held.then(|| state.clone())
            }
            LockAction::NotHeld(owner) => (!holds(owner)).then(|| state.clone()),
        }
    }

    fn is_pure(&self, action: &LockAction) -> bool {
        matches!(action, LockAction::Refused(_) | LockAction::NotHeld(_))
    }

    fn show(&self, state: &Hold) -> String {
        let Some(owner) = &state.owner else { return "free".to_owned() };
        let times = if state.times > 1 { format!(" {} times", state.times) } else { String::new() };
        let fence = state.fence.map_or_else(String::new, |fence| format!(" with fence {fence}"));
        format!("held by {owner}{times}{fence}")
    }
}

impl Lock {
    /// A new hold. A fence that no answer says is at least one more than the last.
    fn begin(self, state: &Hold, owner: &str, fence: Option<i64>) -> Option<Hold> {
        let fence = fence.filter(|_| self.fenced);
        let last = match fence {
            Some(fence) => fence,
            None if self.fenced => state.last + 1,
            None => state.last,
        };
        let grows = fence.is_none_or(|fence| fence > state.last);
        grows.then(|| Hold { owner: Some(owner.to_owned()), times: 1, fence, last })
    }

    /// The same hold again, whose fence stays.
    fn again(self, state: &Hold, fence: Option<i64>) -> Option<Hold> {
        let times = state.times + 1;
        match (state.fence, fence.filter(|_| self.fenced)) {
            (_, None) => Some(Hold { times, ..state.clone() }),
            (Some(known), Some(fence)) => (known == fence).then(|| Hold { times, ..state.clone() }),
            (None, Some(fence)) => (fence >= state.last).then(|| Hold {
                times,
                fence: Some(fence),
                last: fence,
                ..state.clone()
            }),
        }
    }
}
