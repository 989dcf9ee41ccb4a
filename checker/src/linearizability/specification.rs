//! A model of the user's own: what an object holds, and what each operation does to it.

use history::OperationRef;
use std::{borrow::Cow, fmt::Debug, hash::Hash};

/// What a system promises to be, where no [`Model`](super::Model) says it.
///
/// [`check_against`](super::check_against) searches for an order of the operations that this object
/// explains. Results are part of the actions: an action that cannot have had its result in a state has no
/// successors there.
///
/// ```
/// use history::{OperationRef, OutcomeRef};
/// use checker::linearizability::Specification;
///
/// /// A number that only grows: `raise 5` makes it at least 5, and `read` finds it.
/// struct HighWater;
///
/// #[derive(Clone, PartialEq, Eq, Hash)]
/// enum Action {
///     Raise(u64),
///     Read(u64),
/// }
///
/// impl Specification for HighWater {
///     type State = u64;
///     type Action = Action;
///
///     fn initial(&self) -> u64 {
///         0
///     }
///
///     fn action(&self, operation: OperationRef<'_>) -> Result<Option<Action>, String> {
///         let number = |value: &serde_json::Value| value.as_u64().ok_or(format!("{value} is no number"));
///         Ok(match (operation.f, operation.outcome) {
///             (_, OutcomeRef::Fail { .. }) => None,
///             ("raise", _) => Some(Action::Raise(number(operation.argument)?)),
///             ("read", OutcomeRef::Ok(found)) => Some(Action::Read(number(found)?)),
///             ("read", OutcomeRef::Info { .. }) => None,
///             (other, _) => return Err(format!("{other:?} is not known")),
///         })
///     }
///
///     fn step(&self, state: &u64, action: &Action) -> impl IntoIterator<Item = u64> {
///         match *action {
///             Action::Raise(to) => Some(to.max(*state)),
///             Action::Read(found) => (found == *state).then_some(found),
///         }
///     }
///
///     fn is_pure(&self, action: &Action) -> bool {
///         matches!(action, Action::Read(_))
///     }
/// }
/// ```
pub trait Specification: Sync {
    /// What the object holds.
    type State: Clone + Eq + Hash + Debug;
    /// One operation with its result, as far as the history knows it. Equal actions are interchangeable.
    type Action: Clone + Eq + Hash;

    /// What the object holds before everything else.
    fn initial(&self) -> Self::State;

    /// The action behind an operation; none for one that changed nothing and says nothing, as most
    /// that failed. The error says why the operation is not understood; its index is added to it.
    ///
    /// An operation whose outcome is [`Info`](history::OutcomeRef::Info) may have happened or not: its
    /// action is taken at any time after its invocation, or never.
    fn action(&self, operation: OperationRef<'_>) -> Result<Option<Self::Action>, String>;

    /// The states the action may lead to, none if it cannot have had its result in this state.
    /// An [`Option`] where the object is deterministic, else for example a [`Vec`].
    fn step(&self, state: &Self::State, action: &Self::Action) -> impl IntoIterator<Item = Self::State>;

    /// Whether the action never changes any state. The search is much faster for knowing it; it must not
    /// be said of an action that changes a single state.
    fn is_pure(&self, action: &Self::Action) -> bool {
        let _ = action;
        false
    }

    /// Which of several independent objects the operation belongs to; the operation's key unless this is
    /// overridden. Each object starts from [`initial`](Self::initial) and is judged by itself.
    fn partition<'a>(&self, operation: OperationRef<'a>) -> Option<Cow<'a, str>> {
        operation.key.map(Cow::Borrowed)
    }

    /// About how many bytes a state takes, so that [`Limits::configurations`](crate::limits::Limits::configurations)
    /// bounds memory. To be overridden where a state owns more than itself.
    fn bytes(&self, state: &Self::State) -> usize {
        size_of_val(state)
    }

    /// A state as a witness names it.
    fn show(&self, state: &Self::State) -> String {
        format!("{state:?}")
    }
}
