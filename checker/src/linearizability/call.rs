//! One operation as all methods see it: an action and the time in which it may have happened.

use history::{OperationRef, OutcomeRef};

/// The completion of an operation that never completes.
pub(crate) const NEVER: u32 = u32::MAX;

/// An action that happened between two moments, or may have happened after one. Times are indexes in the
/// order of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Call<A> {
    pub(crate) action: A,
    pub(crate) invoked: u32,
    /// [`NEVER`] where it may not have happened.
    pub(crate) completed: u32,
    /// Its index in the caller's operations.
    pub(crate) origin: u32,
}

/// When an operation happened, for those who find out later what it did.
#[derive(Debug, Clone, Copy)]
pub(super) struct When {
    pub(super) invoked: u32,
    /// [`NEVER`] where it may not have happened.
    pub(super) completed: u32,
    /// Its index in the caller's operations.
    pub(super) origin: u32,
}

impl When {
    pub(super) fn of(operation: OperationRef<'_>, origin: u32) -> Self {
        let completed = match operation.outcome {
            OutcomeRef::Ok(_) | OutcomeRef::Fail { .. } => operation.completed.map_or(NEVER, moment),
            OutcomeRef::Info { .. } => NEVER,
        };
        Self { invoked: moment(operation.invoked), completed, origin }
    }

    /// The call that did something then.
    pub(super) fn call<A>(self, action: A) -> Call<A> {
        let Self { invoked, completed, origin } = self;
        Call { action, invoked, completed, origin }
    }
}

impl<A> Call<A> {
    /// Whether it certainly happened.
    pub(super) fn certain(&self) -> bool {
        self.completed != NEVER
    }
}

impl<A: Clone> Call<A> {
    /// The same action, but it may not have happened.
    pub(super) fn loosened(&self) -> Self {
        Self { completed: NEVER, ..self.clone() }
    }
}

/// The index of an event, as a `u32`.
pub(super) fn moment(event: usize) -> u32 {
    u32::try_from(event)
        .ok()
        .filter(|&event| event < NEVER)
        .expect("a history has fewer than four billion events")
}
