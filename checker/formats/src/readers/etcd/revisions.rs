//! What a first pass over the file learns: which value a key had at which revision, and which keys hang on a
//! lease.

use super::meaning::Part;
use super::request::{Does, Entry, Step, Text};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::Value;
use std::collections::BTreeSet;

/// Texts of this many bytes and more may stand there as their hash.
const HASHED_FROM: usize = 20;

#[derive(Debug, Default)]
pub(super) struct Revisions {
    values: FxHashMap<(String, i64), Text>,
    lease_keys: FxHashMap<i64, BTreeSet<String>>,
    /// Whether some texts stand there as their hashes.
    hashes: bool,
    /// Keys that had two values at one revision.
    conflicting: FxHashSet<(String, i64)>,
    /// Keys of which some delete says that it removed them.
    removed: FxHashSet<String>,
}

impl Revisions {
    pub(super) fn learn(&mut self, entry: &Entry) {
        let output = &entry.output;
        if let Some(found) = &output.range {
            self.learn_entries(found.entries.iter().flatten());
        }
        for found in output.txn.iter().flat_map(|txn| txn.results.iter().flatten()) {
            self.learn_entries(found.entries.iter().flatten());
        }
        let Some(txn) = &entry.input.txn else { return };
        self.learn_removals(entry, txn);
        let succeeded = output.answered() && output.txn.as_ref().is_some_and(|txn| !txn.failure);
        for step in txn.operations_on_success.iter().flatten() {
            self.learn_step(step, succeeded.then_some(output.revision));
        }
        for step in txn.operations_on_failure.iter().flatten() {
            let failed = output.answered() && !succeeded;
            self.learn_step(step, failed.then_some(output.revision));
        }
    }

    fn learn_removals(&mut self, entry: &Entry, txn: &super::request::Txn) {
        let Some(answer) = entry.output.txn.as_ref().filter(|_| entry.output.answered()) else { return };
        let steps = if answer.failure { &txn.operations_on_failure } else { &txn.operations_on_success };
        for (step, found) in steps.iter().flatten().zip(answer.results.iter().flatten()) {
            if let (Ok(Does::Delete(key)), Some(1..)) = (step.does(), found.deleted) {
                self.removed.insert(key.to_owned());
            }
        }
    }

    /// Whether some delete says that it removed this key.
    pub(super) fn removes(&self, key: &str) -> bool {
        self.removed.contains(key)
    }

    fn learn_entries<'a>(&mut self, entries: impl Iterator<Item = &'a super::request::KeyValue>) {
        for entry in entries {
            self.hashes |= entry.value.hash != 0;
            self.insert(&entry.key, entry.mod_revision, &entry.value);
        }
    }

    fn learn_step(&mut self, step: &Step, revision: Option<i64>) {
        let Ok(Does::Put { key, value, lease }) = step.does() else { return };
        self.hashes |= value.hash != 0;
        if lease != 0 {
            self.lease_keys.entry(lease).or_default().insert(key.to_owned());
        }
        if let Some(revision) = revision {
            self.insert(key, revision, value);
        }
    }

    fn insert(&mut self, key: &str, revision: i64, value: &Text) {
        if revision <= 0 {
            return;
        }
        let version = (key.to_owned(), revision);
        match self.values.get(&version) {
            None => {
                self.values.insert(version, value.clone());
            }
            // The store contradicts itself: that is for the verdict to say.
            Some(known) if hash(known) != hash(value) => {
                self.conflicting.insert(version);
            }
            Some(_) => {}
        }
    }

    /// The value a key had when it was last changed at this revision: null for 0, none where no response shows it.
    pub(super) fn value_at(&self, key: &str, revision: i64) -> Option<Value> {
        if revision == 0 {
            return Some(Value::Null);
        }
        let version = (key.to_owned(), revision);
        if self.conflicting.contains(&version) {
            return None;
        }
        self.values.get(&version).map(|text| self.text(text))
    }

    /// What an operation says of versions that answers contradict each other about. A version never changes, so one of
    /// them is wrong: each is a read of a key of its own, which the first value was written to.
    pub(super) fn contradictions(&self, entry: &Entry) -> Vec<Part> {
        let mut parts = Vec::new();
        if self.conflicting.is_empty() {
            return parts;
        }
        let mut say = |key: &str, revision: i64, value: &Text| {
            if self.conflicting.contains(&(key.to_owned(), revision)) {
                parts.push(Part::get(at(key, revision), self.text(value)));
            }
        };
        let (input, output) = (&entry.input, &entry.output);
        let found = output.range.iter().chain(output.txn.iter().flat_map(|txn| txn.results.iter().flatten()));
        for shown in found.flat_map(|found| found.entries.iter().flatten()) {
            say(&shown.key, shown.mod_revision, &shown.value);
        }
        if let (Some(txn), Some(answer)) = (&input.txn, output.txn.as_ref().filter(|_| output.answered())) {
            let steps = if answer.failure { &txn.operations_on_failure } else { &txn.operations_on_success };
            for step in steps.iter().flatten() {
                if let Ok(Does::Put { key, value, .. }) = step.does() {
                    say(key, output.revision, value);
                }
            }
        }
        parts
    }

    /// The first values of the versions that answers contradict each other about.
    pub(super) fn first_values(&self) -> Vec<Part> {
        let mut versions: Vec<&(String, i64)> = self.conflicting.iter().collect();
        versions.sort_unstable();
        let part = |version: &(String, i64)| {
            let value = self.values.get(version).map(|text| self.text(text))?;
            Some(Part::put(at(&version.0, version.1), value))
        };
        versions.into_iter().filter_map(part).collect()
    }

    /// Keys that were put with this lease.
    pub(super) fn keys_of(&self, lease: i64) -> impl Iterator<Item = &String> {
        self.lease_keys.get(&lease).into_iter().flatten()
    }

    /// A text as a value. Where a file has hashes, long texts are hashed as well, so that equal ones stay
    /// equal.
    pub(super) fn text(&self, text: &Text) -> Value {
        if text.hash != 0 || (self.hashes && text.value.len() >= HASHED_FROM) {
            Value::from(format!("fnv1a:{:08x}", hash(text)))
        } else {
            Value::from(text.value.as_str())
        }
    }
}

/// The name of a version.
fn at(key: &str, revision: i64) -> String {
    format!("{key} at revision {revision}")
}

/// The hash that stands for a text: FNV-1a of 32 bits.
fn hash(text: &Text) -> u32 {
    if text.hash != 0 {
        return text.hash;
    }
    text.value.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
