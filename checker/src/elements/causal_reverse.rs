//! Whether a write can be seen without one that was over before it began.

use super::ledger::{Ledger, failed};
use super::values::list;
use super::verdict::Class;
use crate::words;
use history::OutcomeRef;
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::Value;

/// A write of a value.
#[derive(Clone, Copy)]
struct Write<'a> {
    index: usize,
    value: &'a Value,
    invoked: usize,
    /// Where it was acknowledged.
    completed: Option<usize>,
}

/// Whether a read shows something that could have been broken.
pub(super) fn judge(own: &[usize], ledger: &mut Ledger<'_>) -> bool {
    let operations = ledger.operations;
    let mut writes: FxHashMap<&Value, Write<'_>> = FxHashMap::default();
    let mut failures: FxHashMap<&Value, usize> = FxHashMap::default();
    let mut reads: Vec<(usize, &[Value])> = Vec::new();
    for &index in own {
        let operation = operations.at(index);
        match operation.f {
            "write" | "insert" | "add" if failed(operation) => {
                failures.insert(operation.argument, index);
            }
            "write" | "insert" | "add" => {
                let completed =
                    operation.completed.filter(|_| matches!(operation.outcome, OutcomeRef::Ok(_)));
                let write = Write { index, value: operation.argument, invoked: operation.invoked, completed };
                if writes.insert(operation.argument, write).is_some() {
                    ledger.misread(index, "its value was written before, and each should be written once");
                }
            }
            "read" => {
                if let Some((_, found)) = ledger.acknowledged(index) {
                    match list(found) {
                        Some(found) => reads.push((index, found)),
                        None => ledger.misread(index, "a read should return a list of values"),
                    }
                }
            }
            _ => ledger.stranger(index),
        }
    }
    let mut acknowledged: Vec<Write<'_>> =
        writes.values().filter(|write| write.completed.is_some()).copied().collect();
    acknowledged.sort_by_key(|write| write.completed);
    ledger.count("writes", writes.len());
    ledger.count("reads", reads.len());
    ledger.count("reversed", 0);
    let mut ordered = false;
    for (read, found) in reads {
        ordered |= look(read, found, &writes, &acknowledged, ledger);
        strangers(read, found, &writes, &failures, ledger);
    }
    ordered
}

/// Looks for a missing write that was over before one that is seen began. Whether there was anything to miss.
fn look(
    read: usize,
    found: &[Value],
    writes: &FxHashMap<&Value, Write<'_>>,
    acknowledged: &[Write<'_>],
    ledger: &mut Ledger<'_>,
) -> bool {
    let seen: FxHashSet<&Value> = found.iter().collect();
    let latest = found.iter().filter_map(|value| writes.get(value)).max_by_key(|write| write.invoked);
    let Some(latest) = latest else { return false };
    let before = acknowledged.iter().take_while(|write| write.completed < Some(latest.invoked));
    let mut any = false;
    for write in before {
        any = true;
        if !seen.contains(write.value) {
            ledger.count("reversed", 1);
            let [missing, later] = [write.value, latest.value].map(words::shown);
            let text = format!(
                "operation {read} read {later} without {missing}, whose write was acknowledged before that of {later} began"
            );
            ledger.breaks(Class::Reversed, write.value, vec![write.index, latest.index, read], text);
            break;
        }
    }
    any
}

fn strangers(
    read: usize,
    found: &[Value],
    writes: &FxHashMap<&Value, Write<'_>>,
    failures: &FxHashMap<&Value, usize>,
    ledger: &mut Ledger<'_>,
) {
    for value in found.iter().filter(|value| !writes.contains_key(value)) {
        // What no operation wrote may have been there before.
        let Some(&write) = failures.get(value) else { continue };
        let text = format!("operation {read} read {}, whose write failed", words::shown(value));
        ledger.breaks(Class::Unexpected, value, vec![write, read], text);
    }
}
