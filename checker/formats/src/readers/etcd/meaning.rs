//! What an operation of etcd says about single keys.
//!
//! Linearizability is local: a transaction over several keys says at least what its parts say. A condition on
//! a revision is a condition on the value the key had then, where a response shows it.

use super::super::super::draft::Draft;
use super::request::{Does, Entry, Found, Step, Txn};
use super::revisions::Revisions;
use history::Kind;
use serde_json::{Value, json};

/// What an operation says about one key.
pub(super) struct Part {
    pub(super) f: &'static str,
    pub(super) key: String,
    pub(super) argument: Value,
    /// [`Kind::Ok`]; [`Kind::Info`] where the outcome is unknown; [`Kind::Fail`] of a compare-and-set that found another
    /// value.
    pub(super) kind: Kind,
    pub(super) result: Value,
    /// Whether a delete says that the key was there.
    pub(super) removed: bool,
}

impl Part {
    /// A read that found a value.
    pub(super) fn get(key: String, result: Value) -> Self {
        Self { f: "get", key, argument: Value::Null, kind: Kind::Ok, result, removed: false }
    }

    /// A write.
    pub(super) fn put(key: String, value: Value) -> Self {
        Self { f: "put", key, argument: value.clone(), kind: Kind::Ok, result: value, removed: false }
    }
}

#[derive(Default)]
pub(super) struct Parts(pub(super) Vec<Part>);

impl Parts {
    fn get(&mut self, key: &str, value: Value) {
        self.push("get", key, Value::Null, Kind::Ok, value);
    }

    fn push(&mut self, f: &'static str, key: &str, argument: Value, kind: Kind, result: Value) {
        self.0.push(Part { f, key: key.to_owned(), argument, kind, result, removed: false });
    }
}

/// How many operations were weakened or left out, by kind.
#[derive(Default)]
pub(super) struct Left {
    stale: usize,
    lists: usize,
    several_keys: usize,
    conditions: usize,
    failed_conditions: usize,
    versions: usize,
    leases: usize,
    puts_with_lease: usize,
    without_effect: usize,
    unanswered_reads: usize,
    lists_beside_changes: usize,
}

impl Left {
    /// Counts what an operation says that no check judges.
    pub(super) fn count_unjudged(&mut self, entry: &Entry) {
        let steps =
            entry.input.txn.iter().flat_map(|txn| [&txn.operations_on_success, &txn.operations_on_failure]);
        let with_lease = |step: &Step| matches!(step.does(), Ok(Does::Put { lease: 1.., .. }));
        self.puts_with_lease += steps.flatten().flatten().filter(|step| with_lease(step)).count();
        let found = entry.output.range.iter().flat_map(|found| found.entries.iter().flatten());
        self.versions += found.filter(|entry| entry.version > 0).count();
    }

    pub(super) fn note(&self, draft: &mut Draft<'_>) {
        let clauses = [
            (self.stale, "what reads of old revisions found beside the versions that others saw"),
            (
                self.failed_conditions,
                "which of several conditions did not hold, or one on a key that was changed then",
            ),
            (self.puts_with_lease + self.leases, "which leases there are"),
            (self.versions, "how often keys were put (Version)"),
        ];
        let seen = clauses.into_iter().filter(|(count, _)| *count > 0);
        draft.unjudged.extend(seen.map(|(_, clause)| clause.to_owned()));
        draft.count_note(
            self.stale,
            "read of an old revision was left out",
            "reads of old revisions were left out",
        );
        draft.count_note(
            self.lists,
            "read of a range counts as a read of each key it found",
            "reads of ranges count as reads of each key they found",
        );
        draft.count_note(
            self.several_keys,
            "transaction over several keys is judged key by key",
            "transactions over several keys are judged key by key",
        );
        draft.count_note(
            self.conditions,
            "condition on a revision nobody saw is not judged",
            "conditions on revisions nobody saw are not judged",
        );
        draft.count_note(
            self.leases,
            "revoked lease counts as deletes that may have happened",
            "revoked leases count as deletes that may have happened",
        );
        draft.count_note(
            self.without_effect,
            "operation that changes no key was left out",
            "operations that change no key were left out",
        );
        draft.count_note(
            self.unanswered_reads,
            "read without an answer was left out",
            "reads without an answer were left out",
        );
        let unjudged = [
            (
                self.several_keys,
                "whether changes of several keys took effect at once, beyond what revisions show",
            ),
            (self.conditions, "conditions on versions, and on revisions that nobody saw"),
            (self.lists_beside_changes, "what reads of ranges found beside changes of the same transaction"),
        ];
        let some = unjudged.into_iter().filter(|(count, _)| *count > 0);
        draft.unjudged.extend(some.map(|(_, clause)| clause.to_owned()));
    }
}

/// Splits an operation into parts. The error says what is not known.
pub(super) fn parts(
    entry: &Entry,
    revisions: &Revisions,
    parts: &mut Parts,
    left: &mut Left,
) -> Result<(), String> {
    let input = &entry.input;
    match (input.kind.as_str(), &input.range, &input.txn, &input.lease_revoke) {
        ("range", Some(range), ..) => {
            let found = entry.output.range.as_ref().filter(|_| entry.output.answered());
            match found {
                _ if entry.reads_old() => left.stale += 1,
                None => left.unanswered_reads += 1,
                Some(_) if entry.output.stale() => left.stale += 1,
                Some(found) if range.end.is_empty() => {
                    parts.get(&range.start, value_of(&range.start, found, revisions));
                }
                Some(found) => list(found, revisions, parts, left),
            }
        }
        ("txn", _, Some(txn), _) => return transaction(entry, txn, revisions, parts, left),
        ("leaseRevoke", .., Some(lease)) => {
            left.leases += 1;
            for key in revisions.keys_of(lease.id) {
                parts.push("delete", key, Value::Null, Kind::Info, Value::Null);
            }
        }
        ("leaseGrant" | "leaseRevoke" | "defragment" | "compact", ..) => left.without_effect += 1,
        ("range" | "txn", ..) => return Err(format!("the {} has no {}", input.kind, input.kind)),
        (other, ..) => return Err(format!("an operation has the type {other:?}, which is not known")),
    }
    Ok(())
}

fn list(found: &Found, revisions: &Revisions, parts: &mut Parts, left: &mut Left) {
    left.lists += 1;
    if let Some((before, after)) = found.disorder() {
        // No write leaves this.
        parts.get("order of the keys of a range", Value::from(format!("{before} before {after}")));
    }
    for entry in found.entries.iter().flatten() {
        parts.get(&entry.key, revisions.text(&entry.value));
    }
}

/// What a read of one key found.
fn value_of(key: &str, found: &Found, revisions: &Revisions) -> Value {
    let entry = found.entries.iter().flatten().find(|entry| entry.key == key);
    entry.map_or(Value::Null, |entry| revisions.text(&entry.value))
}

fn transaction(
    entry: &Entry,
    txn: &Txn,
    revisions: &Revisions,
    parts: &mut Parts,
    left: &mut Left,
) -> Result<(), String> {
    let on_success = txn.operations_on_success.as_deref().unwrap_or_default();
    let on_failure = txn.operations_on_failure.as_deref().unwrap_or_default();
    let answer = entry.output.txn.as_ref().filter(|_| entry.output.answered());
    if let Some(answer) = answer {
        let steps = if answer.failure { on_failure } else { on_success };
        let results = answer.results.as_deref().unwrap_or_default();
        if steps.len() != results.len() {
            return Err(format!("the transaction has {} steps, but {} results", steps.len(), results.len()));
        }
        happened(steps, results, revisions, parts, left)?;
        if !answer.failure {
            conditions(txn, revisions, true, parts, left);
        } else if super::modified::refused(entry).is_none() {
            left.failed_conditions += 1;
        }
    } else {
        may_have_happened(on_success, revisions, parts)?;
        conditions(txn, revisions, false, parts, left);
        may_have_happened(on_failure, revisions, parts)?;
        left.unanswered_reads += usize::from(parts.0.is_empty());
    }
    left.several_keys += usize::from(parts.0.len() > 1);
    Ok(())
}

/// Whether some of the steps change the key.
pub(super) fn changes(steps: &[Step], key: &str) -> bool {
    steps.iter().any(|step| match step.does() {
        Ok(Does::Put { key: other, .. } | Does::Delete(other)) => other == key,
        Ok(Does::Get(_) | Does::List) | Err(_) => false,
    })
}

/// Whether a later step hides what this one leaves.
pub(super) fn changes_again(steps: &[Step], index: usize, key: &str) -> bool {
    changes(&steps[index + 1..], key)
}

fn happened(
    steps: &[Step],
    results: &[Found],
    revisions: &Revisions,
    parts: &mut Parts,
    left: &mut Left,
) -> Result<(), String> {
    for (index, (step, found)) in steps.iter().zip(results).enumerate() {
        match step.does()? {
            Does::Get(key) if !changes(steps, key) => parts.get(key, value_of(key, found, revisions)),
            Does::List if steps.iter().all(|step| matches!(step.does(), Ok(Does::Get(_) | Does::List))) => {
                list(found, revisions, parts, left);
            }
            Does::Put { key, value, .. } if !changes_again(steps, index, key) => {
                let value = revisions.text(value);
                parts.push("put", key, value.clone(), Kind::Ok, value);
            }
            // A delete that found nothing is a read of nothing.
            Does::Delete(key) if !changes_again(steps, index, key) => {
                if found.deleted == Some(0) && !changes(&steps[..index], key) {
                    parts.get(key, Value::Null);
                } else {
                    parts.push("delete", key, Value::Null, Kind::Ok, Value::Null);
                    if let Some(part) = parts.0.last_mut() {
                        part.removed = found.deleted > Some(0) && !changes(&steps[..index], key);
                    }
                }
            }
            Does::List => left.lists_beside_changes += 1,
            Does::Get(_) | Does::Put { .. } | Does::Delete(_) => {}
        }
    }
    // A read before a change of the same key finds what the change replaces.
    for (index, (step, found)) in steps.iter().zip(results).enumerate() {
        if let Does::Get(key) = step.does()?
            && !changes(&steps[..index], key)
            && changes(steps, key)
        {
            replaces(key, &value_of(key, found, revisions), parts);
        }
    }
    Ok(())
}

/// The part of a key that changes it becomes a compare-and-set: the key had this value before.
fn replaces(key: &str, value: &Value, parts: &mut Parts) {
    if let Some(part) = parts.0.iter_mut().find(|part| part.key == key)
        && matches!(part.f, "put" | "delete")
    {
        part.argument = json!([value, std::mem::take(&mut part.argument)]);
        part.result = if part.kind == Kind::Ok { part.argument.clone() } else { Value::Null };
        part.f = "cas";
    }
}

fn may_have_happened(steps: &[Step], revisions: &Revisions, parts: &mut Parts) -> Result<(), String> {
    for (index, step) in steps.iter().enumerate() {
        match step.does()? {
            Does::Put { key, value, .. } if !changes_again(steps, index, key) => {
                parts.push("put", key, revisions.text(value), Kind::Info, Value::Null);
            }
            Does::Delete(key) if !changes_again(steps, index, key) => {
                parts.push("delete", key, Value::Null, Kind::Info, Value::Null);
            }
            Does::Get(_) | Does::List | Does::Put { .. } | Does::Delete(_) => {}
        }
    }
    Ok(())
}

/// Conditions that held turn changes of their keys into compare-and-sets, and are reads of the other keys.
/// Without an answer a condition by itself says nothing.
fn conditions(txn: &Txn, revisions: &Revisions, answered: bool, parts: &mut Parts, left: &mut Left) {
    for condition in txn.conditions.iter().flatten() {
        let value = Some(condition)
            .filter(|condition| condition.expected_version <= 0)
            .and_then(|condition| revisions.value_at(&condition.key, condition.expected_revision));
        let Some(value) = value else {
            left.conditions += 1;
            continue;
        };
        // Where the key was read as well, that says more.
        if parts.0.iter().any(|part| part.key == condition.key) {
            replaces(&condition.key, &value, parts);
        } else if answered {
            parts.get(&condition.key, value);
        }
    }
}
