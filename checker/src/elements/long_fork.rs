//! Whether two reads see two writes in opposite orders.

use super::ledger::{Ledger, failed};
use super::verdict::Class;
use crate::words;
use history::OutcomeRef;
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::Value;

/// Keys of one read that are compared pair by pair.
const KEYS: usize = 64;

/// A micro-operation without the colon of its name: whether it reads, the key, and the value.
fn steps(value: &Value) -> Option<Vec<(bool, &Value, &Value)>> {
    let steps = value.as_array()?.iter().map(|step| match step.as_array().map(Vec::as_slice) {
        Some([name, key, value]) => match name.as_str()?.trim_start_matches(':') {
            "r" | "read" => Some((true, key, value)),
            "w" | "write" => Some((false, key, value)),
            _ => None,
        },
        Some(_) | None => None,
    });
    steps.collect()
}

/// What the writes of a history are.
#[derive(Default)]
struct Writes<'a> {
    /// By key: the write that did not fail.
    made: FxHashMap<&'a Value, (usize, &'a Value)>,
    failed: FxHashMap<(&'a Value, &'a Value), usize>,
    twice: Option<&'a Value>,
}

pub(super) fn judge(own: &[usize], ledger: &mut Ledger<'_>) {
    let operations = ledger.operations;
    let mut writes = Writes::default();
    let mut reads: Vec<(usize, Vec<(&Value, &Value)>)> = Vec::new();
    for &index in own {
        let operation = operations.at(index);
        let answer = match operation.outcome {
            OutcomeRef::Ok(value) if !value.is_null() => value,
            OutcomeRef::Ok(_) | OutcomeRef::Fail { .. } | OutcomeRef::Info { .. } => operation.argument,
        };
        let Some(steps) = steps(answer) else {
            ledger
                .unclear(index, "it is no list of reads or writes, such as [[\"r\",1,null],[\"r\",2,null]]");
            continue;
        };
        let mut found = Vec::new();
        for (reads, key, value) in steps {
            if reads {
                found.push((key, value));
            } else if failed(operation) {
                writes.failed.insert((key, value), index);
            } else if writes.made.insert(key, (index, value)).is_some() {
                writes.twice = Some(key);
            }
        }
        if matches!(operation.outcome, OutcomeRef::Ok(_)) && !found.is_empty() {
            reads.push((index, found));
        }
    }
    if let Some(key) = writes.twice {
        ledger.doubt(format!(
            "key {} was written more than once, and a long fork is looked for only where each key is written once",
            words::shown(key)
        ));
        return;
    }
    ledger.count("writes", writes.made.len());
    ledger.count("reads", reads.len());
    ledger.count("forks", 0);
    for (read, found) in &reads {
        strangers(*read, found, &writes, ledger);
    }
    let compared = forks(&reads, &writes, ledger);
    if !compared {
        ledger
            .doubt("no two reads have two keys in common of which one was seen, so no fork could have shown");
    }
}

fn strangers(read: usize, found: &[(&Value, &Value)], writes: &Writes<'_>, ledger: &mut Ledger<'_>) {
    for (key, value) in found.iter().filter(|(_, value)| !value.is_null()) {
        let (operations, why) = match (writes.made.get(key), writes.failed.get(&(*key, *value))) {
            (Some((_, written)), _) if written == value => continue,
            (_, Some(&write)) => (vec![write, read], "whose write failed"),
            (Some((write, _)), None) => (vec![*write, read], "which no operation wrote"),
            // A key that no operation wrote may have had its value before.
            (None, None) => continue,
        };
        let text =
            format!("operation {read} read {} in key {}, {why}", words::shown(value), words::shown(key));
        ledger.breaks(Class::Unexpected, value, operations, text);
    }
}

/// Looks at each pair of keys that two reads have in common. Whether there was one to look at.
fn forks<'a>(
    reads: &[(usize, Vec<(&'a Value, &'a Value)>)],
    writes: &Writes<'a>,
    ledger: &mut Ledger<'_>,
) -> bool {
    // By two keys: the first read that saw the one and not the other.
    let mut only: FxHashMap<(&Value, &Value), usize> = FxHashMap::default();
    let mut pairs: FxHashSet<(&Value, &Value)> = FxHashSet::default();
    let mut reported: FxHashSet<(&Value, &Value)> = FxHashSet::default();
    let mut compared = false;
    for (read, found) in reads {
        let found = &found[..found.len().min(KEYS)];
        for &(seen, _) in found.iter().filter(|(_, value)| !value.is_null()) {
            for &(missing, value) in found.iter().filter(|(key, _)| *key != seen) {
                compared |= pairs.contains(&(seen, missing)) || pairs.contains(&(missing, seen));
                if !value.is_null() {
                    continue;
                }
                only.entry((seen, missing)).or_insert(*read);
                if let Some(&other) = only.get(&(missing, seen))
                    && reported.insert((missing, seen))
                    && !reported.contains(&(seen, missing))
                {
                    ledger.count("forks", 1);
                    let text = format!(
                        "operation {other} saw the write of key {one} and not that of key {two}, and operation {read} saw \
                         that of key {two} and not that of key {one}",
                        one = words::shown(missing),
                        two = words::shown(seen),
                    );
                    let both = [missing, seen].into_iter().filter_map(|key| writes.made.get(key));
                    let operations = both.map(|(index, _)| *index).chain([other, *read]).collect();
                    ledger.breaks(Class::Forked, seen, operations, text);
                }
            }
        }
        for (number, &(one, _)) in found.iter().enumerate() {
            pairs.extend(found[number + 1..].iter().map(|&(two, _)| (one, two)));
        }
    }
    compared
}
