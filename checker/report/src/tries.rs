//! How often a check could have failed: what it looked at, counted.

use history::{OperationRef, Operations, OutcomeClass, OutcomeRef};

/// Answers that say something of a value: reads and compare-and-sets, also those that found another value.
pub(crate) fn observations(operations: &Operations) -> u64 {
    let observes = |operation: &OperationRef<'_>| match OutcomeClass::of(operation.outcome) {
        OutcomeClass::Ok => {
            operation.argument.is_null() && operation.f != "delete"
                || operation.f == "cas"
                || operation.f == "txn"
        }
        OutcomeClass::Refused => true,
        OutcomeClass::Fail | OutcomeClass::Info => false,
    };
    operations.iter().filter(observes).count() as u64
}

/// Operations that succeeded.
pub(crate) fn succeeded(operations: &Operations) -> u64 {
    operations.iter().filter(|operation| matches!(operation.outcome, OutcomeRef::Ok(_))).count() as u64
}
