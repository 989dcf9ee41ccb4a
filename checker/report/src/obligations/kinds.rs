//! Which kinds of operation must have succeeded, and in which phase.

use super::{Obligation, last_heal};
use crate::observed::Observed;
use crate::set_up;
use crate::touched;
use checker::words;
use history::{OperationRef, OutcomeRef, Phase};
use serde_json::Value;
use std::collections::BTreeMap;

fn is_ok(operation: &OperationRef<'_>) -> bool {
    matches!(operation.outcome, OutcomeRef::Ok(_))
}

/// Whether an operation succeeded at what it is there for: to find a queue empty shows nothing of its elements.
fn does_its_work(operation: &OperationRef<'_>) -> bool {
    is_ok(operation) && !(operation.f == "dequeue" && operation.outcome == OutcomeRef::Ok(&Value::Null))
}

/// A history without phases is all load.
fn in_load(operation: &OperationRef<'_>) -> bool {
    matches!(operation.phase, Some(Phase::Load) | None)
}

/// Each kind of operation of the mix succeeded in the load; what succeeded in the warm-up met no fault.
pub(super) fn in_the_load(observed: &Observed) -> Vec<Obligation> {
    let mut kinds: BTreeMap<&str, u64> =
        observed.plan.functions.iter().map(|name| (name.as_str(), 0)).collect();
    let planned = !kinds.is_empty();
    for operation in &observed.operations {
        let ok = u64::from(does_its_work(&operation) && in_load(&operation));
        match kinds.get_mut(operation.f) {
            Some(count) => *count += ok,
            // Final reads are no part of a planned mix.
            None if planned => {}
            None => drop(kinds.insert(operation.f, ok)),
        }
    }
    let obligation = |(kind, count): (&str, u64)| {
        let what = format!("a {kind} succeeded in the load");
        Obligation::new("load", "kind-in-load", what).count(count, 1)
    };
    kinds.into_iter().map(obligation).collect()
}

/// Where an order of operations is judged, something was written in the load and something was read at any time: of
/// writes alone, or of reads alone, every order is right.
pub(super) fn writes_and_reads(observed: &Observed) -> Vec<Obligation> {
    let operations = &observed.operations;
    if !operations.iter().any(|operation| touched::is_known(operation.f)) {
        return Vec::new();
    }
    let wrote = |operation: &OperationRef<'_>| in_load(operation) && changes_something(operation);
    let written = operations.iter().filter(wrote).count() as u64;
    let read = operations
        .iter()
        .filter(|operation| !touched::reads(operation).is_empty() || touched::shows_all(operation))
        .count() as u64;
    vec![
        Obligation::new("linearizable", "written", "something was written in the load").count(written, 1),
        Obligation::new("linearizable", "read", "something was read").count(read, 1),
    ]
}

/// Of locks: clients competed for one, which shows whether it excludes any.
pub(super) fn contended(observed: &Observed) -> Option<Obligation> {
    let what = "an acquire was refused because another client had the lock";
    set_up::refused_acquires(observed)
        .map(|refused| Obligation::new("linearizable", "contended", what).count(refused, 1))
}

/// Where there were faults and writes were tried after the last heal, one succeeded: a system that answers reads only does
/// not serve again. A compare-and-set that was refused is an answer that a copy can give which takes no writes any more.
pub(super) fn writes_again(observed: &Observed) -> Option<Obligation> {
    let healed = last_heal(observed)?;
    let again: Vec<OperationRef<'_>> = observed
        .operations
        .iter()
        .filter(|operation| operation.phase != Some(Phase::Final) && operation.invoked_ns >= healed)
        .filter(|operation| touched::asks_to_write(operation))
        .collect();
    // Those in the recovery phase say most, where there are some.
    let recovery: Vec<OperationRef<'_>> =
        again.iter().copied().filter(|operation| operation.phase == Some(Phase::Recovery)).collect();
    let again = if recovery.is_empty() { again } else { recovery };
    // Of a few compare-and-sets alone, all may find another value.
    let tried = again.len() >= 20 || again.iter().any(|operation| operation.f != "cas");
    let done = again.into_iter().filter(|operation| changes_something(operation)).count() as u64;
    tried.then(|| {
        Obligation::new("liveness", "written-again", "a write succeeded after the last heal")
            .after(Some(healed))
            .count(done, 1)
    })
}

/// Whether an operation succeeded that changes something; a transaction that only reads does not.
fn changes_something(operation: &OperationRef<'_>) -> bool {
    is_ok(operation) && (touched::adds(operation) || !touched::writes(operation).is_empty())
}

/// The error of an operation whose answer should have a value and has none that a client can have written.
const NO_VALUE: &str = "no-value";

/// Where answers had no value that a client can have written: such an answer is that of something else, or the rule that
/// takes it for a value is wrong, and neither is known.
pub(super) fn values(observed: &Observed) -> Option<Obligation> {
    let odd = |operation: &OperationRef<'_>| matches!(operation.outcome, OutcomeRef::Info { error } if error == Some(NO_VALUE));
    let all: Vec<OperationRef<'_>> = observed.operations.iter().filter(odd).collect();
    let first = all.first()?;
    let read =
        observed.operations.iter().filter(|operation| operation.f == first.f && is_ok(operation)).count();
    let at = first.node.map_or_else(String::new, |node| format!(" at {node}"));
    let missing = format!("{}{at}; a rule takes answers for values that are none", words::in_short(*first));
    let what = "each answer that was taken for a value has one that a client can have written";
    Some(
        Obligation::new("load", "values", what)
            .count(read as u64, (read + all.len()) as u64)
            .missing([missing]),
    )
}
