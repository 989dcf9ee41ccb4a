//! Whether what was written was read again, key by key.

use super::{NAMED, Obligation, last_heal};
use crate::observed::Observed;
use crate::touched;
use crate::verdict::{grouped, many};
use history::{OperationRef, Operations, OutcomeRef};
use std::collections::BTreeMap;

/// What happened to one key that was written.
#[derive(Debug, Default)]
struct Key {
    /// Where its last acknowledged write completed, in the order of events.
    acknowledged: Option<usize>,
    /// Whether a read was answered that could have shown the loss of that write.
    read: bool,
}

/// Every key that was written was read again: invoked after the last fault was healed and after the key's last
/// acknowledged write completed, and answered.
pub(super) fn read_again(observed: &Observed) -> Option<Obligation> {
    let healed = last_heal(observed);
    let keys = seen(observed, healed);
    if keys.is_empty() {
        return None;
    }
    let all = keys.len() as u64;
    let read = keys.values().filter(|key| key.read).count() as u64;
    let allowed = allowed(observed.plan.check.unobserved, all);
    let unread = keys.iter().filter(|(_, key)| !key.read).map(|(name, _)| *name).enumerate();
    // Each search goes through the whole history, and few names are shown.
    let missing = unread.map(|(index, name)| match index {
        0..NAMED => format!("{name}{}", tried(observed, name, healed)),
        _ => name.to_owned(),
    });
    Some(
        Obligation::new("linearizable", "keys-read-again", what(healed.is_some(), allowed))
            .after(healed)
            .count(read, all - allowed)
            .missing(missing),
    )
}

/// How many of the written keys were never read again, and how many were written.
pub(crate) fn unread_keys(observed: &Observed) -> (u64, u64) {
    let keys = seen(observed, last_heal(observed));
    (keys.values().filter(|key| !key.read).count() as u64, keys.len() as u64)
}

/// Every key that was written, and whether it was read again.
fn seen(observed: &Observed, healed: Option<u64>) -> BTreeMap<&str, Key> {
    let mut keys = written(&observed.operations);
    for operation in observed.operations.iter().filter(|operation| is_after(operation, healed)) {
        for name in touched::reads(&operation) {
            let Some(key) = keys.get_mut(name) else { continue };
            key.read |= key.acknowledged.is_none_or(|written| operation.invoked > written);
        }
    }
    keys
}

fn is_after(operation: &OperationRef<'_>, healed: Option<u64>) -> bool {
    healed.is_none_or(|healed| operation.invoked_ns >= healed)
}

fn what(faults: bool, allowed: u64) -> String {
    let heal = if faults { "the last heal and after " } else { "" };
    let but = if allowed > 0 { format!(", but for {}", many(allowed, "key")) } else { String::new() };
    format!("every key that was written was read again after {heal}its last acknowledged write{but}")
}

/// How many keys may stay unread.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count of keys")]
fn allowed(share: f64, keys: u64) -> u64 {
    (share.clamp(0.0, 1.0) * keys as f64).floor() as u64
}

/// Every key that was written, acknowledged or with an unknown outcome.
fn written(operations: &Operations) -> BTreeMap<&str, Key> {
    let mut keys: BTreeMap<&str, Key> = BTreeMap::new();
    for operation in operations {
        let acknowledged = operation.completed.filter(|_| matches!(operation.outcome, OutcomeRef::Ok(_)));
        for name in touched::writes(&operation) {
            let key = keys.entry(name).or_default();
            key.acknowledged = key.acknowledged.max(acknowledged);
        }
    }
    keys
}

/// How often reads of a key were tried in vain, and how they ended: ` (12 reads: timeout, http-500)`.
fn tried(observed: &Observed, key: &str, healed: Option<u64>) -> String {
    let mut errors: BTreeMap<&str, u64> = BTreeMap::new();
    let tries = observed.operations.iter().filter(|operation| is_after(operation, healed));
    for operation in tries.filter(|operation| touched::asks_for(operation, key)) {
        if let OutcomeRef::Fail { error, .. } | OutcomeRef::Info { error } = operation.outcome {
            *errors.entry(error.unwrap_or("no answer")).or_default() += 1;
        }
    }
    if errors.is_empty() {
        return " (no request was sent)".to_owned();
    }
    let reads: u64 = errors.values().sum();
    let errors: Vec<&str> = errors.into_keys().collect();
    format!(" ({} {}: {})", grouped(reads), if reads == 1 { "read" } else { "reads" }, errors.join(", "))
}
