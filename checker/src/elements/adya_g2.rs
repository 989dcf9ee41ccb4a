//! Whether two inserts that exclude each other both succeeded: Adya's G2 with predicates.

use super::ledger::Ledger;
use super::verdict::Class;
use crate::words;
use history::OutcomeRef;
use rustc_hash::FxHashMap;
use serde_json::Value;

/// The inserts of one key.
#[derive(Default)]
struct Pair {
    attempted: Vec<usize>,
    acknowledged: Vec<usize>,
}

pub(super) fn judge(own: &[usize], ledger: &mut Ledger<'_>) {
    let operations = ledger.operations;
    let mut pairs: FxHashMap<String, Pair> = FxHashMap::default();
    let mut order: Vec<String> = Vec::new();
    for &index in own {
        let operation = operations.at(index);
        if operation.f != "insert" {
            ledger.stranger(index);
            continue;
        }
        // Without keys of its own, a history has the key in front: [key, [a, b]].
        let key = match (operation.key, operation.argument.as_array().map(Vec::as_slice)) {
            (Some(key), _) => key.to_owned(),
            (None, Some([key, _])) => words::shown(key),
            (None, _) => {
                ledger.misread(index, "an insert needs a key and an id, such as [7,[1,null]]");
                continue;
            }
        };
        let pair = pairs.entry(key.clone()).or_insert_with(|| {
            order.push(key);
            Pair::default()
        });
        pair.attempted.push(index);
        if matches!(operation.outcome, OutcomeRef::Ok(_)) {
            pair.acknowledged.push(index);
        }
    }
    let contested = pairs.values().filter(|pair| pair.attempted.len() > 1).count();
    ledger.count("keys", pairs.len());
    ledger.count("contested", contested);
    ledger.count("inserted twice", 0);
    for key in order {
        let Some(pair) = pairs.get(&key).filter(|pair| pair.acknowledged.len() > 1) else { continue };
        ledger.count("inserted twice", 1);
        let text = format!(
            "{} inserts of key {key} were acknowledged, and each was to insert only if there was no other",
            pair.acknowledged.len()
        );
        ledger.breaks(Class::InsertedTwice, &Value::from(key), pair.acknowledged.clone(), text);
    }
    if contested == 0 {
        ledger.doubt("no key had two inserts, so none could have been inserted twice");
    }
}
