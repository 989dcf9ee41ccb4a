//! Doubts about an invalid answer: whether it hangs on what the file does not say, and was taken for granted.
//!
//! A history that was read wrongly must not be told as a broken promise. Each doubt is another reading of the same
//! file; where one of them fits the model, the answer is unknown and names the option that settles it.

use super::check_report::{Bounds, CheckReport, judge};
use checker::linearizability::Model;
use checker::property::Property;
use checker::{answers, initial};
use history::{Operation, OperationRef, Operations, OutcomeRef};
use report::Answer;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What was taken for granted.
pub(super) struct Doubts {
    /// That keys start empty.
    pub(super) initial: bool,
    /// The model, by the names and values of the operations.
    pub(super) model: bool,
    /// That the file has the operations of all clients, though it has those of one.
    pub(super) lone_client: Option<u64>,
}

/// Makes an invalid answer unknown if another reading of the file fits.
pub(super) fn settle(
    report: &mut CheckReport,
    operations: &Operations,
    property: Property,
    bounds: &Bounds,
    doubts: &Doubts,
) {
    if let Some(client) = doubts.lone_client
        && !goes_back(operations)
        && !counts_all(operations)
    {
        let unless = format!(
            "others wrote as well: the file has only the operations of client {client}; give the folder with the files of \
             all clients"
        );
        return doubt(report, &unless);
    }
    let completed = complete(report, operations, property, bounds);
    let operations = completed.as_ref().unwrap_or(operations);
    if doubts.initial && report.answer == Answer::Invalid {
        start_elsewhere(report, operations, property, bounds);
    }
    if report.answer != Answer::Invalid {
        return;
    }
    if doubts.model && property == Property::Linearizable(Model::Mutex) {
        let other = Property::Linearizable(Model::ReentrantMutex);
        if judge(operations, other, bounds).answer == Answer::Valid {
            report.answer = Answer::Unknown;
            report.reason = format!(
                "{}, but each holder may acquire it again ({other}); say --model mutex or --model {other}",
                report.reason
            );
        }
    }
}

/// The operations on the store's revision.
fn counted(operations: &Operations) -> impl Iterator<Item = OperationRef<'_>> {
    let all = 0..operations.len();
    all.filter(|index| operations.key(*index) == Some(formats::STORE_REVISION))
        .map(|index| operations.at(index))
}

/// Whether the store's revision goes back, or counts two changes as one. Others who write only make it grow.
fn goes_back(operations: &Operations) -> bool {
    let revision = |operation: OperationRef<'_>| match (operation.f, operation.outcome) {
        ("get", OutcomeRef::Ok(revision)) => revision.as_i64().map(|revision| (revision, false)),
        ("cas", OutcomeRef::Ok(_)) => operation.argument[1].as_i64().map(|revision| (revision, true)),
        _ => None,
    };
    let mut events: Vec<(usize, bool, i64, bool)> = Vec::new();
    for operation in counted(operations) {
        if let (Some((revision, changes)), Some(completed)) = (revision(operation), operation.completed) {
            events.extend([
                (operation.invoked, false, revision, changes),
                (completed, true, revision, changes),
            ]);
        }
    }
    events.sort_unstable();
    let (mut known, mut changes) = (i64::MIN, BTreeSet::new());
    events.into_iter().any(|(_, over, revision, change)| {
        if over {
            known = known.max(revision);
            return false;
        }
        revision < known || change && (revision == known || !changes.insert(revision))
    })
}

/// Whether each revision that the store counted is that of a change in the file, so that nobody else wrote.
fn counts_all(operations: &Operations) -> bool {
    let (mut made, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for operation in counted(operations).filter(|operation| matches!(operation.outcome, OutcomeRef::Ok(_))) {
        match (operation.f, operation.outcome) {
            ("cas", _) => made.extend(operation.argument[1].as_i64()),
            (_, OutcomeRef::Ok(revision)) => seen.extend(revision.as_i64()),
            (_, OutcomeRef::Fail { .. } | OutcomeRef::Info { .. }) => {}
        }
    }
    let first = seen.first().or(made.first()).copied().unwrap_or(0);
    let last = seen.last().max(made.last()).copied().unwrap_or(0);
    !made.is_empty() && (first + 1..=last).all(|revision| made.contains(&revision))
}

/// Reads answers with the steps that they leave out. What is told is then about these operations.
fn complete(
    report: &mut CheckReport,
    operations: &Operations,
    property: Property,
    bounds: &Bounds,
) -> Option<Operations> {
    let of_steps =
        matches!(property, Property::Transactions(_) | Property::Linearizable(Model::MultiRegister));
    let readings = if of_steps { answers::completed(operations) } else { Vec::new() };
    let mut first: Option<(CheckReport, Operations)> = None;
    for reading in readings {
        let operations: Operations = reading.operations.iter().collect();
        let again = judge(&operations, property, bounds);
        if again.answer == Answer::Valid {
            doubt(report, &reading.unless);
            return None;
        }
        first.get_or_insert((again, operations));
    }
    let (again, operations) = first?;
    *report = again;
    Some(operations)
}

/// Looks for values that the keys may have started from, of each key by itself where the property judges it so.
fn start_elsewhere(report: &mut CheckReport, operations: &Operations, property: Property, bounds: &Bounds) {
    let by_key = matches!(property, Property::Linearizable(_) | Property::Elements(_));
    let mut parts: BTreeMap<Option<&str>, Vec<Operation>> = BTreeMap::new();
    for operation in operations {
        let key = operation.key.filter(|_| by_key);
        parts.entry(key).or_default().push(operation.to_owned());
    }
    let only = parts.len() == 1;
    let mut starts: Vec<Value> = Vec::new();
    for part in parts.into_values() {
        let part: Operations = part.into_iter().collect();
        if !only && judge(&part, property, bounds).answer != Answer::Invalid {
            continue;
        }
        let candidates = initial::candidates(&part, property);
        let explains = |value: &Value| {
            let started = initial::prepend(&part, property, value);
            started.is_ok_and(|started| judge(&started, property, bounds).answer != Answer::Invalid)
        };
        let Some(value) = candidates.iter().find(|value| explains(value)) else {
            if let Some(value) = candidates.first() {
                report.reason =
                    format!("{}; a start from {value} does not explain the history either", report.reason);
            }
            return;
        };
        starts.push(value.clone());
    }
    if let Some(start) = starts.into_iter().reduce(merged) {
        let unless = format!(
            "the history starts from {start}; say --initial '{start}', or --initial null if it starts empty"
        );
        doubt(report, &unless);
    }
}

/// The values of several keys as one state.
fn merged(mut one: Value, other: Value) -> Value {
    if let (Value::Object(one), Value::Object(other)) = (&mut one, other) {
        one.extend(other);
    }
    one
}

fn doubt(report: &mut CheckReport, unless: &str) {
    report.answer = Answer::Unknown;
    report.reason = format!("{}, unless {unless}", report.reason);
}
