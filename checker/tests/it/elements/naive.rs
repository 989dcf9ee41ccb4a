//! The definitions of the checks, applied event by event, subset by subset, without a thought for time.

use super::script::{list, whole};
use history::{Operation, Outcome, Phase};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The event at each index: the operation, and whether it completes there.
fn events(operations: &[Operation]) -> Vec<(&Operation, bool)> {
    let mut events: BTreeMap<usize, (&Operation, bool)> = BTreeMap::new();
    for operation in operations {
        events.insert(operation.invoked, (operation, false));
        if let Some(completed) = operation.completed {
            events.insert(completed, (operation, true));
        }
    }
    events.into_values().collect()
}

fn failed(operation: &Operation) -> bool {
    matches!(operation.outcome, Outcome::Fail { .. })
}

fn result(operation: &Operation) -> Option<&Value> {
    match &operation.outcome {
        Outcome::Ok(value) => Some(value),
        Outcome::Fail { .. } | Outcome::Info { .. } => None,
    }
}

/// What `set-full` says.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct SetFull {
    pub(crate) stable: BTreeSet<i64>,
    pub(crate) stale: BTreeSet<i64>,
    pub(crate) lost: BTreeSet<i64>,
    pub(crate) never_read: BTreeSet<i64>,
    pub(crate) duplicated: BTreeSet<i64>,
    pub(crate) unexpected: BTreeSet<i64>,
    pub(crate) visible_ns: Vec<u64>,
    pub(crate) lost_ns: Vec<u64>,
}

#[derive(Default)]
struct Timeline {
    known: Option<(usize, u64)>,
    last_present: Option<(usize, u64)>,
    last_absent: Option<(usize, u64)>,
}

pub(crate) fn set_full(operations: &[Operation]) -> SetFull {
    let mut says = SetFull::default();
    let mut elements: BTreeMap<i64, Timeline> = BTreeMap::new();
    for (operation, completes) in events(operations) {
        let ended = (operation.completed.unwrap_or(0), operation.completed_ns.unwrap_or(0));
        match (operation.f.as_str(), completes, result(operation)) {
            ("add", false, _) if !failed(operation) => {
                elements.entry(whole(&operation.argument)).or_default();
            }
            ("add", true, Some(_)) => {
                let element = elements.entry(whole(&operation.argument)).or_default();
                element.known.get_or_insert(ended);
            }
            ("read", true, Some(value)) => {
                let seen = list(value);
                for element in &seen {
                    if seen.iter().filter(|other| *other == element).count() > 1 {
                        says.duplicated.insert(*element);
                    }
                    if !elements.contains_key(element) {
                        says.unexpected.insert(*element);
                    }
                }
                let invoked = Some((operation.invoked, operation.invoked_ns));
                for (element, timeline) in &mut elements {
                    if seen.contains(element) {
                        timeline.known.get_or_insert(ended);
                        timeline.last_present = timeline.last_present.max(invoked);
                    } else {
                        timeline.last_absent = timeline.last_absent.max(invoked);
                    }
                }
            }
            _ => {}
        }
    }
    for (element, timeline) in elements {
        settle(element, &timeline, &mut says);
    }
    says.visible_ns.sort_unstable();
    says.lost_ns.sort_unstable();
    says
}

fn settle(element: i64, timeline: &Timeline, says: &mut SetFull) {
    let Timeline { known, last_present, last_absent } = *timeline;
    let missed = match (known, last_absent) {
        (Some(known), Some(absent)) if absent.0 > known.0 => Some((known, absent)),
        _ => None,
    };
    let seen_last = last_present.is_some() && last_present > last_absent;
    match missed {
        Some((known, absent)) if seen_last => {
            says.stable.insert(element);
            says.stale.insert(element);
            says.visible_ns.push(absent.1 + 1 - known.1);
        }
        None if seen_last => {
            says.stable.insert(element);
            says.visible_ns.push(0);
        }
        Some((known, _)) => {
            says.lost.insert(element);
            says.lost_ns.push(last_present.map_or(0, |present| (present.1 + 1).saturating_sub(known.1)));
        }
        None => {
            says.never_read.insert(element);
        }
    }
}

/// Lost and unexpected elements of `set`.
pub(crate) fn set(operations: &[Operation]) -> [BTreeSet<i64>; 2] {
    let reads = || operations.iter().filter(|operation| operation.f == "read" && result(operation).is_some());
    let mut finals: Vec<&Operation> =
        reads().filter(|operation| operation.phase == Some(Phase::Final)).collect();
    if finals.is_empty() {
        finals.extend(reads().max_by_key(|read| read.completed));
    }
    let adds = || operations.iter().filter(|operation| operation.f == "add");
    let (mut lost, mut unexpected) = (BTreeSet::new(), BTreeSet::new());
    for read in finals {
        let seen = result(read).map(list).unwrap_or_default();
        for add in adds().filter(|add| result(add).is_some() && add.completed < Some(read.invoked)) {
            let element = whole(&add.argument);
            if !seen.contains(&element) {
                lost.insert(element);
            }
        }
        for element in seen {
            let added = |add: &Operation| !failed(add) && Some(add.invoked) < read.completed;
            if !adds().any(|add| add.argument.as_i64() == Some(element) && added(add)) {
                unexpected.insert(element);
            }
        }
    }
    [lost, unexpected]
}

/// The least and the greatest sum that some choice of the adds around each acknowledged read makes.
pub(crate) fn bounds(operations: &[Operation]) -> Vec<(usize, i64, [i64; 2])> {
    let adds: Vec<&Operation> = operations.iter().filter(|add| add.f == "add" && !failed(add)).collect();
    let mut bounds = Vec::new();
    for (index, read) in operations.iter().enumerate().filter(|(_, read)| read.f == "read") {
        let Some(value) = result(read).and_then(Value::as_i64) else { continue };
        let sums = (0_u32..1 << adds.len()).filter_map(|choice| {
            let mut sum = 0;
            for (number, add) in adds.iter().enumerate() {
                let chosen = choice >> number & 1 == 1;
                let must = add.completed.is_some_and(|completed| completed < read.invoked);
                let may = Some(add.invoked) < read.completed;
                if (must && !chosen) || (chosen && !may) {
                    return None;
                }
                sum += if chosen { whole(&add.argument) } else { 0 };
            }
            Some(sum)
        });
        let sums: Vec<i64> = sums.collect();
        bounds.push((
            index,
            value,
            [sums.iter().min(), sums.iter().max()].map(|sum| *sum.expect("the adds before it are a choice")),
        ));
    }
    bounds
}

/// The final reads of a counter that no choice of the info adds explains, and those that differ from the first.
pub(crate) fn convergence(operations: &[Operation]) -> [BTreeSet<usize>; 2] {
    let adds = || operations.iter().filter(|operation| operation.f == "add");
    let delta = |add: &Operation| whole(&add.argument);
    let certain: i64 = adds().filter(|add| result(add).is_some()).map(delta).sum();
    let unknown: Vec<i64> = adds().filter(|add| result(add).is_none() && !failed(add)).map(delta).collect();
    let sums: BTreeSet<i64> = (0_u32..1 << unknown.len())
        .map(|choice| {
            let chosen = unknown.iter().enumerate().filter(|(index, _)| choice >> index & 1 == 1);
            certain + chosen.map(|(_, delta)| delta).sum::<i64>()
        })
        .collect();
    let (mut wrong, mut differing, mut first) = (BTreeSet::new(), BTreeSet::new(), None);
    for (index, read) in operations.iter().enumerate().filter(|(_, read)| read.phase == Some(Phase::Final)) {
        let value = result(read).map(whole).expect("final reads are acknowledged");
        if !sums.contains(&value) {
            wrong.insert(index);
        }
        if *first.get_or_insert(value) != value {
            differing.insert(index);
        }
    }
    [wrong, differing]
}

/// Dequeues that `queue` finds unexpected and duplicated, as they come in the events.
pub(crate) fn queue(operations: &[Operation]) -> [Vec<i64>; 2] {
    let (mut put, mut inside): (BTreeSet<i64>, Vec<i64>) = Default::default();
    let (mut unexpected, mut duplicated) = (Vec::new(), Vec::new());
    for (operation, completes) in events(operations) {
        if operation.f == "enqueue" && !completes && !failed(operation) {
            put.extend(operation.argument.as_i64());
            inside.extend(operation.argument.as_i64());
        }
        for element in if completes { taken(operation) } else { Vec::new() } {
            if let Some(index) = inside.iter().position(|other| *other == element) {
                inside.remove(index);
            } else if put.contains(&element) {
                duplicated.push(element);
            } else {
                unexpected.push(element);
            }
        }
    }
    unexpected.sort_unstable();
    duplicated.sort_unstable();
    [unexpected, duplicated]
}

/// What an acknowledged dequeue or drain took.
fn taken(operation: &Operation) -> Vec<i64> {
    match (operation.f.as_str(), result(operation)) {
        ("dequeue", Some(element)) => element.as_i64().into_iter().collect(),
        ("drain", Some(all)) => list(all),
        _ => Vec::new(),
    }
}

/// The figures of Jepsen's `total-queue`, by multisets: ok, lost, duplicated, recovered.
pub(crate) fn total_queue(operations: &[Operation]) -> [usize; 4] {
    let count = |wanted: &dyn Fn(&Operation) -> bool, element: i64| {
        let enqueues = operations.iter().filter(|operation| operation.f == "enqueue");
        enqueues.filter(|add| add.argument.as_i64() == Some(element) && wanted(add)).count()
    };
    let mut figures = [0; 4];
    for element in 0..6 {
        let attempts = count(&|operation| !failed(operation), element);
        let acknowledged = count(&|operation| result(operation).is_some(), element);
        let dequeues = operations.iter().flat_map(taken).filter(|taken| *taken == element).count();
        let ok = attempts.min(dequeues);
        figures[0] += ok;
        figures[1] += acknowledged.saturating_sub(dequeues);
        figures[2] += if attempts > 0 { dequeues.saturating_sub(attempts) } else { 0 };
        figures[3] += ok.saturating_sub(acknowledged);
    }
    figures
}

/// The first thing Jepsen's `bank` finds wrong with a read, if any.
pub(crate) fn bank(read: &Value, accounts: &[&str], total: i64) -> Option<&'static str> {
    let balances = read.as_object().expect("balances");
    if balances.keys().any(|account| !accounts.contains(&account.as_str())) {
        return Some("unexpected-key");
    }
    if balances.values().any(Value::is_null) {
        return Some("nil-balance");
    }
    if balances.values().filter_map(Value::as_i64).sum::<i64>() != total {
        return Some("wrong-total");
    }
    balances.values().filter_map(Value::as_i64).any(|balance| balance < 0).then_some("negative-balance")
}
