//! Whether ids differ.

use super::ledger::Ledger;
use super::verdict::Class;
use crate::words;
use rustc_hash::FxHashMap;
use serde_json::Value;
use std::cmp::Ordering;

pub(super) fn judge(own: &[usize], ledger: &mut Ledger<'_>) {
    let operations = ledger.operations;
    let mut given: FxHashMap<&Value, usize> = FxHashMap::default();
    // Few ids come twice, so only those get a list.
    let mut twice: FxHashMap<&Value, Vec<usize>> = FxHashMap::default();
    let mut range: Option<(&Value, &Value)> = None;
    let (mut attempted, mut acknowledged) = (0, 0);
    for &index in own {
        if operations.at(index).f != "generate" {
            ledger.stranger(index);
            continue;
        }
        attempted += 1;
        match ledger.acknowledged(index) {
            Some((_, Value::Null)) => ledger.misread(index, "it was acknowledged without an id"),
            Some((_, id)) => {
                acknowledged += 1;
                if let Some(first) = given.insert(id, index) {
                    twice.entry(id).or_insert_with(|| vec![first]).push(index);
                }
                let (low, high) = range.unwrap_or((id, id));
                let low = if order(id, low).is_lt() { id } else { low };
                let high = if order(id, high).is_gt() { id } else { high };
                range = Some((low, high));
            }
            None => {}
        }
    }
    ledger.count("attempted", attempted);
    ledger.count("acknowledged", acknowledged);
    let mut twice: Vec<(&Value, Vec<usize>)> = twice.into_iter().collect();
    twice.sort_by_key(|(_, indexes)| indexes[0]);
    ledger.count("duplicated", twice.len());
    for (id, indexes) in twice {
        let text = format!("id {} was given out {} times", words::shown(id), indexes.len());
        ledger.breaks(Class::Duplicated, id, indexes, text);
    }
    match range {
        Some((low, high)) => {
            ledger.note(format!("ids from {} to {}", words::shown(low), words::shown(high)));
        }
        None => ledger.doubt("no id was acknowledged"),
    }
}

/// Numbers by size, then text, then everything else by how it is written.
fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a.cmp(&b),
            (Some(_) | None, Some(_) | None) => {
                a.as_f64().unwrap_or(0.0).total_cmp(&b.as_f64().unwrap_or(0.0))
            }
        },
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (a, b) => rank(a).cmp(&rank(b)).then_with(|| a.to_string().cmp(&b.to_string())),
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Number(_) => 0,
        Value::String(_) => 1,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ids_are_ordered_as_people_would() {
        let sorted = [
            json!(-1),
            json!(2),
            json!(10),
            json!(10.5),
            json!(u64::MAX),
            json!("10"),
            json!("2"),
            json!([1]),
        ];
        for pair in sorted.windows(2) {
            assert_eq!(order(&pair[0], &pair[1]), Ordering::Less, "{pair:?}");
        }
    }
}
