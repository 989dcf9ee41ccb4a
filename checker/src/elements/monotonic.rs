//! Whether rows that count up were given their timestamps in the same order.

use super::ledger::{Ledger, failed};
use super::values::{integer, list};
use super::verdict::Class;
use crate::words;
use history::OutcomeRef;
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::Value;

/// A row: what it counts, when the store says it came, and who added it.
#[derive(Debug, Clone)]
struct Row<'a> {
    value: i128,
    stamp: Stamp,
    process: Option<&'a Value>,
    shown: &'a Value,
}

/// A timestamp: a whole part and the digits behind the point.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Stamp(i128, String);

fn row(value: &Value) -> Option<Row<'_>> {
    let stamp = match value.get("sts")? {
        Value::String(text) => {
            let text = text.trim_end_matches('M');
            let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
            Stamp(whole.trim_end_matches('N').parse().ok()?, rest.trim_end_matches('0').to_owned())
        }
        number => Stamp(integer(number)?, String::new()),
    };
    let process = value.get("proc").or_else(|| value.get("process")).filter(|process| !process.is_null());
    Some(Row { value: integer(value.get("val")?)?, stamp, process, shown: value })
}

pub(super) fn judge(own: &[usize], linearizable: bool, ledger: &mut Ledger<'_>) {
    let operations = ledger.operations;
    // By value: the add that was acknowledged with it.
    let mut added: FxHashMap<i128, usize> = FxHashMap::default();
    let (mut unknown, mut reads) = (0, Vec::new());
    for &index in own {
        let operation = operations.at(index);
        match operation.f {
            "add" | "inc" => match operation.outcome {
                OutcomeRef::Ok(result) => match row(result) {
                    Some(row) => {
                        if let Some(other) = added.insert(row.value, index) {
                            let text = format!(
                                "operations {other} and {index} were both acknowledged with {}",
                                row.value
                            );
                            ledger.breaks(Class::Duplicated, row.shown, vec![other, index], text);
                        }
                    }
                    None => {
                        ledger.unclear(index, "an add should be acknowledged with an object of val and sts");
                    }
                },
                OutcomeRef::Info { .. } => unknown += 1,
                OutcomeRef::Fail { .. } => {}
            },
            "read" => {
                let Some((_, found)) = ledger.acknowledged(index) else { continue };
                match list(found).and_then(|rows| rows.iter().map(row).collect::<Option<Vec<_>>>()) {
                    Some(rows) => reads.push((index, rows)),
                    None => ledger.misread(index, "a read should return a list of objects with val and sts"),
                }
            }
            _ if failed(operation) => {}
            _ => ledger.stranger(index),
        }
    }
    for name in ["added", "reads", "lost", "reordered"] {
        ledger.count(name, 0);
    }
    ledger.count("added", added.len());
    ledger.count("reads", reads.len());
    let mut compared = false;
    for (index, rows) in &reads {
        compared |= rows.len() > 1;
        contents(*index, rows, &added, unknown, ledger);
        orders(*index, rows, linearizable, ledger);
    }
    if !compared {
        ledger.doubt("no read returned two rows, so no order could have been broken");
    }
}

/// What is missing from a read, and what it has too much.
fn contents(
    read: usize,
    rows: &[Row<'_>],
    added: &FxHashMap<i128, usize>,
    unknown: usize,
    ledger: &mut Ledger<'_>,
) {
    let operations = ledger.operations;
    let mut seen: FxHashSet<i128> = FxHashSet::default();
    let mut strangers = Vec::new();
    for row in rows {
        if !seen.insert(row.value) {
            let text = format!("operation {read} read the row {} more than once", words::shown(row.shown));
            ledger.breaks(Class::Duplicated, row.shown, vec![read], text);
        } else if !added.contains_key(&row.value) {
            strangers.push(row);
        }
    }
    if strangers.len() > unknown {
        let row = strangers[0];
        let text = format!(
            "operation {read} read {} that no add was acknowledged with, and {} may have happened without an answer; \
             one is {}",
            words::counted(strangers.len() as u64, "row", "rows"),
            words::counted(unknown as u64, "add", "adds"),
            words::shown(row.shown)
        );
        ledger.breaks(Class::Unexpected, row.shown, vec![read], text);
    }
    let invoked = operations.at(read).invoked;
    let mut lost: Vec<usize> = added
        .iter()
        .filter(|(value, _)| !seen.contains(value))
        .map(|(_, &add)| add)
        .filter(|&add| operations.at(add).completed.is_some_and(|completed| completed < invoked))
        .collect();
    lost.sort_unstable();
    ledger.count("lost", lost.len());
    for add in lost {
        let OutcomeRef::Ok(value) = operations.at(add).outcome else { continue };
        let text =
            format!("operation {read} did not read the row {} of operation {add}", words::shown(value));
        ledger.breaks(Class::Lost, value, vec![add, read], text);
    }
}

/// The order of timestamps, and of values by it: of each process, or of all if the store promises that.
fn orders(read: usize, rows: &[Row<'_>], linearizable: bool, ledger: &mut Ledger<'_>) {
    let mut last: FxHashMap<Option<&Value>, &Row<'_>> = FxHashMap::default();
    if let Some(pair) = rows.windows(2).find(|pair| pair[0].stamp > pair[1].stamp) {
        let text = format!(
            "operation {read} read {} before {}, though its timestamp is larger",
            words::shown(pair[0].shown),
            words::shown(pair[1].shown)
        );
        ledger.count("reordered", 1);
        ledger.breaks(Class::Reordered, pair[0].shown, vec![read], text);
    }
    for row in rows {
        let of = if linearizable { None } else { row.process };
        if of.is_none() && !linearizable {
            continue;
        }
        if let Some(before) = last.insert(of, row)
            && before.value > row.value
        {
            let text = format!(
                "operation {read} read {} before {}, though it counts further",
                words::shown(before.shown),
                words::shown(row.shown)
            );
            ledger.count("reordered", 1);
            ledger.breaks(Class::Reordered, row.shown, vec![read], text);
        }
    }
}
