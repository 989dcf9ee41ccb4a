//! What operations of etcd say beside the values of keys: whether a key was there, and the store's revision.
//!
//! Each is a function of the store's state, so that operations on it alone must fit one order as well (a projection of
//! a linearizable object is linearizable). Each becomes a key of its own.

use super::meaning::Part;
use super::request::{Does, Entry, Step};
use super::revisions::Revisions;
use history::Kind;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The key of the store's revision.
pub const REVISION: &str = "revision of the store";

/// A part of a key of the store. Keys that are named like projections are put in quotes, and so are those in quotes.
pub(super) fn own(mut part: Part) -> Part {
    let like_one = part.key == REVISION
        || [" exists", " mod revision", "order of the keys of a range"]
            .iter()
            .any(|end| part.key.ends_with(end))
        || [" at revision ", " as of revision "].iter().any(|word| part.key.contains(word))
        || part.key.starts_with('"');
    if like_one {
        part.key = format!("{:?}", part.key);
    }
    part
}

/// What a part says of whether its key was there; only for keys of which a delete says so.
pub(super) fn presence(part: &Part, revisions: &Revisions) -> Option<Part> {
    if !revisions.removes(&part.key) {
        return None;
    }
    let present = |value: &Value| if value.is_null() { Value::Null } else { Value::Bool(true) };
    let (f, argument, result) = match part.f {
        "get" => ("get", Value::Null, present(&part.result)),
        "put" => ("put", Value::Bool(true), Value::Bool(true)),
        "delete" if part.removed => ("cas", json!([true, null]), json!([true, null])),
        "delete" => ("delete", Value::Null, Value::Null),
        "cas" => {
            let pair = json!([present(part.argument.get(0)?), present(part.argument.get(1)?)]);
            ("cas", pair.clone(), pair)
        }
        _ => return None,
    };
    let result = if part.kind == Kind::Ok { result } else { Value::Null };
    let key = format!("{} exists", part.key);
    Some(Part { f, key, argument, kind: part.kind, result, removed: false })
}

/// The revisions of a history: each change counts up by one.
///
/// Where changes have an unknown outcome, the store may have counted up unseen. Then the projection is the greatest
/// revision up to the store's that some answer shows, and a revision that no answered change made is one that a change
/// of unknown outcome may have made.
#[derive(Debug, Default)]
pub(super) struct Counter {
    /// When the first change of unknown outcome was called, if there is one.
    unknown: Option<i64>,
    /// The smallest revision that can have been there at the start.
    first: Option<i64>,
    /// Revisions that answers show.
    seen: BTreeSet<i64>,
    /// Revisions of changes that were answered.
    made: BTreeSet<i64>,
}

impl Counter {
    pub(super) fn learn(&mut self, entry: &Entry) {
        match says(entry) {
            Says::Unknown => {
                self.unknown = Some(self.unknown.map_or(entry.call, |call| call.min(entry.call)));
            }
            Says::Changed(revision) => {
                self.made.insert(revision);
                self.see(revision, revision - 1);
            }
            Says::Read(revision) => self.see(revision, revision),
            Says::Nothing => {}
        }
    }

    fn see(&mut self, revision: i64, before: i64) {
        self.seen.insert(revision);
        self.first = Some(self.first.map_or(before, |first| first.min(before)));
    }

    /// The revision that the store had at the start, as an operation before all others.
    pub(super) fn start(&self) -> Option<Part> {
        self.first.map(|first| part("put", json!(first), json!(first)))
    }

    /// What the projection was right before the store had this revision.
    fn before(&self, revision: i64) -> i64 {
        let least = self.first.unwrap_or(revision - 1);
        if self.unknown.is_none() {
            return revision - 1;
        }
        self.seen.range(..revision).next_back().map_or(least, |seen| (*seen).max(least))
    }

    /// What an operation says of the revision.
    pub(super) fn part(&self, entry: &Entry) -> Option<Part> {
        match says(entry) {
            Says::Changed(revision) => {
                let pair = json!([self.before(revision), revision]);
                Some(part("cas", pair.clone(), pair))
            }
            Says::Read(revision) => Some(part("get", Value::Null, json!(revision))),
            Says::Unknown | Says::Nothing => None,
        }
    }

    /// What changes of unknown outcome may have made, and from when on.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = (u64, Part)> {
        let call = self.unknown.map(|call| u64::try_from(call).unwrap_or(0));
        let first = self.first.unwrap_or(0);
        let unmade =
            self.seen.iter().filter(move |revision| !self.made.contains(revision) && **revision > first);
        call.into_iter().flat_map(move |call| {
            unmade.clone().map(move |revision| {
                let pair = json!([self.before(*revision), revision]);
                (call, Part { kind: Kind::Info, result: Value::Null, ..part("cas", pair, Value::Null) })
            })
        })
    }
}

fn part(f: &'static str, argument: Value, result: Value) -> Part {
    Part { f, key: REVISION.to_owned(), argument, kind: Kind::Ok, result, removed: false }
}

/// What an operation says of the store's revision.
enum Says {
    Changed(i64),
    Read(i64),
    Nothing,
    Unknown,
}

fn says(entry: &Entry) -> Says {
    let (input, output) = (&entry.input, &entry.output);
    let revision = output.revision;
    let changing = |steps: &Option<Vec<Step>>| {
        steps.iter().flatten().any(|step| matches!(step.does(), Ok(Does::Put { .. } | Does::Delete(_))))
    };
    match (input.kind.as_str(), &input.range, &input.txn) {
        // A read of an old revision tells the present one.
        ("range", Some(_), _) if output.answered() && !output.stale() && revision > 0 => Says::Read(revision),
        ("range" | "defragment" | "compact" | "leaseGrant", ..) => Says::Nothing,
        ("txn", _, Some(txn)) => {
            let Some(answer) = output.txn.as_ref().filter(|_| output.answered()) else {
                let may = changing(&txn.operations_on_success) || changing(&txn.operations_on_failure);
                return if may { Says::Unknown } else { Says::Nothing };
            };
            let steps = if answer.failure { &txn.operations_on_failure } else { &txn.operations_on_success };
            let changed = steps.iter().flatten().zip(answer.results.iter().flatten()).any(|(step, found)| {
                match step.does() {
                    Ok(Does::Put { .. }) => true,
                    Ok(Does::Delete(_)) => found.deleted != Some(0),
                    Ok(Does::Get(_) | Does::List) | Err(_) => false,
                }
            });
            match (changed, revision > 0) {
                (true, true) => Says::Changed(revision),
                (true, false) => Says::Unknown,
                (false, true) => Says::Read(revision),
                (false, false) => Says::Nothing,
            }
        }
        // A revoked lease removes its keys, in a revision of its own if there are any.
        _ => Says::Unknown,
    }
}
