//! Reads that contradict the changes up to their revision.
//!
//! Each state of etcd has a revision, and an answer tells the one that it was read at. So a read at revision r of a key that
//! was put at revision c ≤ r, and was not deleted after that, finds this put or a later one, whatever the order of the
//! operations: also where a range lacks a key, and where half of a transaction is there. A read that does not is one of a
//! key of its own, which held the revision of that put from the start.

use super::meaning::Part;
use super::request::{Does, Entry, Found, Range, Step};
use history::Kind;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// When the keys were changed, as far as answers show it.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    keys: BTreeMap<String, Changes>,
}

#[derive(Debug, Default)]
struct Changes {
    /// Revisions of puts.
    put: BTreeSet<i64>,
    /// Revisions of deletes.
    deleted: BTreeSet<i64>,
    /// Whether it may have been deleted at other revisions.
    unclear: bool,
}

/// Which keys an answer should have.
enum Asked<'a> {
    Key(&'a str),
    /// From a key up to another.
    Range(&'a str, Bound<&'a str>),
}

impl Snapshots {
    pub(super) fn learn(&mut self, entry: &Entry) {
        let (input, output) = (&entry.input, &entry.output);
        let found = output.range.iter().chain(output.txn.iter().flat_map(|txn| txn.results.iter().flatten()));
        for shown in found.flat_map(|found| found.entries.iter().flatten()) {
            if shown.mod_revision > 0 {
                self.keys.entry(shown.key.clone()).or_default().put.insert(shown.mod_revision);
            }
        }
        let Some(txn) = &input.txn else { return };
        let answer = output.txn.as_ref().filter(|_| output.answered());
        let failed = answer.is_some_and(|answer| answer.failure);
        for (steps, on_failure) in [(&txn.operations_on_success, false), (&txn.operations_on_failure, true)] {
            let happened = answer.is_some() && failed == on_failure && output.revision > 0;
            if answer.is_some() && failed != on_failure {
                continue;
            }
            for step in steps.iter().flatten() {
                self.change(step, happened.then_some(output.revision));
            }
        }
    }

    fn change(&mut self, step: &Step, revision: Option<i64>) {
        match (step.does(), revision) {
            (Ok(Does::Put { key, lease, .. }), revision) => {
                let changes = self.keys.entry(key.to_owned()).or_default();
                changes.put.extend(revision);
                // A lease may end at any time.
                changes.unclear |= lease != 0;
            }
            (Ok(Does::Delete(key)), revision) => {
                let changes = self.keys.entry(key.to_owned()).or_default();
                changes.deleted.extend(revision);
                changes.unclear |= revision.is_none();
            }
            (Ok(Does::Get(_) | Does::List) | Err(_), _) => {}
        }
    }

    /// For each key that an operation read wrongly: the write before all others, and the read.
    pub(super) fn contradictions(&self, entry: &Entry) -> Vec<[Part; 2]> {
        let output = &entry.output;
        if !output.answered() || output.stale() || output.revision <= 0 {
            return Vec::new();
        }
        let mut all = Vec::new();
        if let (Some(range), Some(found)) = (&entry.input.range, &output.range)
            && range.revision == 0
        {
            self.compare(&asked(range), range.limit, found, output.revision, &mut all);
        }
        if let (Some(txn), Some(answer)) = (&entry.input.txn, &output.txn) {
            let steps = if answer.failure { &txn.operations_on_failure } else { &txn.operations_on_success };
            let steps = steps.as_deref().unwrap_or_default();
            // Beside changes it is not said which of both a read finds.
            if steps.iter().all(|step| matches!(step.does(), Ok(Does::Get(_) | Does::List))) {
                for (step, found) in steps.iter().zip(answer.results.iter().flatten()) {
                    match (step.does(), step.range()) {
                        (_, Some(range)) => {
                            self.compare(&asked(range), range.limit, found, output.revision, &mut all);
                        }
                        (Ok(Does::Get(key)), None) => {
                            self.compare(&Asked::Key(key), 0, found, output.revision, &mut all);
                        }
                        _ => {}
                    }
                }
            }
        }
        all
    }

    fn compare(&self, asked: &Asked<'_>, limit: i64, found: &Found, revision: i64, all: &mut Vec<[Part; 2]>) {
        let entries = found.entries.as_deref().unwrap_or_default();
        let of_key = |key: &str| entries.iter().find(|entry| entry.key == key);
        match *asked {
            Asked::Key(key) => {
                let changes = self.keys.get(key);
                let shown = of_key(key).map(|entry| entry.mod_revision);
                all.extend(changes.and_then(|changes| changes.contradict(key, shown, revision)));
            }
            Asked::Range(start, end) => {
                // Beyond a limit, keys are left out.
                let more = limit > 0
                    && found
                        .count
                        .is_none_or(|count| usize::try_from(count).is_ok_and(|count| count > entries.len()));
                let last = entries.last().map_or("", |entry| entry.key.as_str());
                let end = if more { Bound::Excluded(last) } else { end };
                if matches!(end, Bound::Excluded(end) if end <= start) {
                    return;
                }
                for (key, changes) in self.keys.range::<str, _>((Bound::Included(start), end)) {
                    let shown = of_key(key).map(|entry| entry.mod_revision);
                    all.extend(changes.contradict(key, shown, revision));
                }
            }
        }
    }
}

impl Changes {
    /// What is wrong with a read at a revision that shows when the key was last changed, or that it is absent.
    fn contradict(&self, key: &str, shown: Option<i64>, revision: i64) -> Option<[Part; 2]> {
        let put = *self.put.range(..=revision).next_back()?;
        let wrong = match shown {
            Some(shown) => shown > 0 && shown < put,
            None => !self.unclear && self.deleted.range(put..=revision).next().is_none(),
        };
        wrong.then(|| {
            let key = format!("{key} as of revision {revision}");
            let part = |f, argument, result| Part {
                f,
                key: key.clone(),
                argument,
                kind: Kind::Ok,
                result,
                removed: false,
            };
            let found = shown.map_or(Value::Null, Value::from);
            [part("put", json!(put), json!(put)), part("get", Value::Null, found)]
        })
    }
}

fn asked(range: &Range) -> Asked<'_> {
    match range.end.as_str() {
        "" => Asked::Key(&range.start),
        "\0" => Asked::Range(&range.start, Bound::Unbounded),
        end => Asked::Range(&range.start, Bound::Excluded(end)),
    }
}
