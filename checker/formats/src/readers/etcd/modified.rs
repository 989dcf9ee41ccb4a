//! The revision at which each key was last changed (`ModRevision`), as answers show it.
//!
//! It is a function of the store's state, and so a [projection](super::projections) with a key of its own. A revision
//! that no answered put made is one that a put of unknown outcome may have made.

use super::meaning::{Part, changes, changes_again};
use super::request::{Condition, Does, Entry, Found, KeyValue, Step};
use super::revisions::Revisions;
use history::Kind;
use rustc_hash::FxHashMap;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What is known of the keys before their operations are made.
#[derive(Debug, Default)]
pub(super) struct Modified {
    keys: FxHashMap<String, Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Revisions that answers show.
    shown: BTreeSet<i64>,
    /// Revisions of puts that were answered.
    made: BTreeSet<i64>,
    /// When the first put of an unknown revision was called.
    unknown: Option<i64>,
    /// Whether a condition on its revision did not hold.
    refused: bool,
}

/// The condition that did not hold, where it is known which one that was, and the transaction left its key as it was.
pub(super) fn refused(entry: &Entry) -> Option<&Condition> {
    let failed = entry.output.answered() && entry.output.txn.as_ref().is_some_and(|txn| txn.failure);
    let txn = entry.input.txn.as_ref().filter(|_| failed)?;
    let condition = match txn.conditions.as_deref() {
        // A key may have been there before the history began.
        Some([condition]) if condition.expected_version <= 0 && condition.expected_revision > 0 => condition,
        Some(_) | None => return None,
    };
    let steps = txn.operations_on_failure.as_deref().unwrap_or_default();
    (!changes(steps, &condition.key)).then_some(condition)
}

/// The steps that happened, with what each found.
fn happened(entry: &Entry) -> Option<(&[Step], &[Found])> {
    let txn = entry.input.txn.as_ref()?;
    let answer = entry.output.txn.as_ref().filter(|_| entry.output.answered())?;
    let steps = if answer.failure { &txn.operations_on_failure } else { &txn.operations_on_success };
    Some((steps.as_deref().unwrap_or_default(), answer.results.as_deref().unwrap_or_default()))
}

/// All steps of a transaction without an answer.
fn may_have_happened(entry: &Entry) -> impl Iterator<Item = &Step> {
    let unanswered = entry.input.txn.iter().filter(|_| !entry.output.answered());
    unanswered.flat_map(|txn| [&txn.operations_on_success, &txn.operations_on_failure]).flatten().flatten()
}

impl Modified {
    pub(super) fn learn(&mut self, entry: &Entry) {
        let found = entry.output.range.iter();
        let found = found.chain(entry.output.txn.iter().flat_map(|txn| txn.results.iter().flatten()));
        for shown in
            found.flat_map(|found| found.entries.iter().flatten()).filter(|shown| shown.mod_revision > 0)
        {
            self.keys.entry(shown.key.clone()).or_default().shown.insert(shown.mod_revision);
        }
        if let Some(condition) = refused(entry) {
            self.keys.entry(condition.key.clone()).or_default().refused = true;
        }
        let revision = entry.output.revision;
        let steps = happened(entry).map_or(&[][..], |(steps, _)| steps);
        for (step, answered) in
            steps.iter().map(|step| (step, true)).chain(may_have_happened(entry).map(|step| (step, false)))
        {
            let Ok(Does::Put { key, .. }) = step.does() else { continue };
            let known = self.keys.entry(key.to_owned()).or_default();
            if answered && revision > 0 {
                known.made.insert(revision);
            } else {
                known.unknown = Some(known.unknown.map_or(entry.call, |call| call.min(entry.call)));
            }
        }
    }

    /// Whether answers show when a key was changed.
    fn is_shown(&self, key: &str) -> bool {
        self.keys.get(key).is_some_and(|known| !known.shown.is_empty() || known.refused)
    }

    /// What an operation says.
    pub(super) fn parts(&self, entry: &Entry, revisions: &Revisions) -> Vec<Part> {
        let mut parts = Vec::new();
        if let (Some(range), Some(found)) = (&entry.input.range, &entry.output.range)
            && entry.output.answered()
            && !entry.output.stale()
            && !entry.reads_old()
        {
            let only = range.end.is_empty().then_some(range.start.as_str());
            self.read(only, found, &mut parts);
        }
        // Beside puts of unknown outcome the revision may be one that no answer shows.
        if let Some(condition) = refused(entry)
            && self.keys.get(&condition.key).is_some_and(|known| known.unknown.is_none())
        {
            let pair = json!([condition.expected_revision, condition.expected_revision]);
            let key = name(&condition.key);
            parts.push(Part {
                f: "cas",
                key,
                argument: pair,
                kind: Kind::Fail,
                result: Value::Null,
                removed: false,
            });
        }
        if let Some((steps, results)) = happened(entry) {
            self.transaction(entry, steps, results, &mut parts);
        }
        for step in may_have_happened(entry) {
            if let Ok(Does::Delete(key)) = step.does() {
                self.push(key, ("delete", Value::Null), Kind::Info, &mut parts);
            }
        }
        if let Some(lease) = &entry.input.lease_revoke {
            for key in revisions.keys_of(lease.id) {
                self.push(key, ("delete", Value::Null), Kind::Info, &mut parts);
            }
        }
        parts
    }

    fn transaction(&self, entry: &Entry, steps: &[Step], results: &[Found], parts: &mut Vec<Part>) {
        let reads_only = steps.iter().all(|step| matches!(step.does(), Ok(Does::Get(_) | Does::List)));
        for (index, (step, found)) in steps.iter().zip(results).enumerate() {
            match step.does() {
                Ok(Does::Get(key)) if !changes(steps, key) => self.read(Some(key), found, parts),
                Ok(Does::List) if reads_only => self.read(None, found, parts),
                Ok(Does::Put { key, .. })
                    if !changes_again(steps, index, key) && entry.output.revision > 0 =>
                {
                    self.push(key, ("put", json!(entry.output.revision)), Kind::Ok, parts);
                }
                Ok(Does::Delete(key)) if !changes_again(steps, index, key) => {
                    if found.deleted == Some(0) && !changes(&steps[..index], key) {
                        self.push(key, ("get", Value::Null), Kind::Ok, parts);
                    } else {
                        self.push(key, ("delete", Value::Null), Kind::Ok, parts);
                    }
                }
                Ok(Does::Get(_) | Does::List | Does::Put { .. } | Does::Delete(_)) | Err(_) => {}
            }
        }
    }

    /// What a read of one key, or of several, found.
    fn read(&self, only: Option<&str>, found: &Found, parts: &mut Vec<Part>) {
        let entries = || found.entries.iter().flatten();
        let revision = |entry: &KeyValue| json!(entry.mod_revision);
        match only {
            Some(key) => match entries().find(|entry| entry.key == key) {
                Some(entry) if entry.mod_revision <= 0 => {}
                Some(entry) => self.push(key, ("get", revision(entry)), Kind::Ok, parts),
                None => self.push(key, ("get", Value::Null), Kind::Ok, parts),
            },
            None => {
                for entry in entries().filter(|entry| entry.mod_revision > 0) {
                    self.push(&entry.key, ("get", revision(entry)), Kind::Ok, parts);
                }
            }
        }
    }

    fn push(&self, key: &str, (f, value): (&'static str, Value), kind: Kind, parts: &mut Vec<Part>) {
        if self.is_shown(key) {
            let argument = if f == "put" { value.clone() } else { Value::Null };
            let result = if kind == Kind::Ok { value } else { Value::Null };
            parts.push(Part { f, key: name(key), argument, kind, result, removed: false });
        }
    }

    /// What puts of unknown outcome may have left, and from when on.
    pub(super) fn unanswered(&self) -> Vec<(u64, Part)> {
        let mut parts = Vec::new();
        for (key, known) in &self.keys {
            let Some(call) = known.unknown.map(|call| u64::try_from(call).unwrap_or(0)) else { continue };
            for revision in known.shown.difference(&known.made) {
                let argument = json!(revision);
                let (key, result) = (name(key), Value::Null);
                parts
                    .push((call, Part { f: "put", key, argument, kind: Kind::Info, result, removed: false }));
            }
        }
        parts.sort_by(|(a, one), (b, other)| (a, &one.key).cmp(&(b, &other.key)));
        parts
    }
}

fn name(key: &str) -> String {
    format!("{key} mod revision")
}
