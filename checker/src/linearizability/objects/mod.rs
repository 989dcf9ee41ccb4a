//! The objects behind the built-in models that hold more than one value.

mod container;
mod counter;
mod lock;
mod multi_register;
mod mutex;
mod numbers;
mod semaphore;
mod set;
mod versioned_register;

pub(super) use container::{Container, ContainerAction, Discipline};
pub(super) use counter::Counter;
pub(super) use lock::Lock;
pub(super) use multi_register::MultiRegister;
pub(super) use mutex::Mutex;
pub(super) use semaphore::Semaphore;
pub(super) use set::{Set, SetAction};
pub(super) use versioned_register::VersionedRegister;

use super::Specification;
use history::OutcomeRef;

/// Whether an operation failed because of what it found, which makes it an observation.
fn refused(outcome: OutcomeRef<'_>) -> bool {
    matches!(outcome, OutcomeRef::Fail { error: Some(error), .. } if error == "precondition")
}

/// Why a function is not understood.
fn not_known(f: &str, known: &str) -> String {
    format!("the model does not know {f:?}, only {known}")
}
