//! The lists as registers: each append replaces the list by a longer one. What reads show of the order of the
//! appends becomes what an append must have found.

use super::super::parse::{Access, Fate, NONE, small};
use super::super::rw_register::{Registers, Seen};
use super::Lists;
use rustc_hash::FxHashSet;

/// The same transactions; none if a read contradicts the others, so that its version is unknown.
pub(super) fn registers(lists: Lists<'_>) -> Option<Registers<'_>> {
    let mut seen = Vec::new();
    let mut touched: FxHashSet<u32> = FxHashSet::default();
    for txn in (0..small(lists.live.len())).filter(|txn| lists.is_live(*txn)) {
        touched.clear();
        for index in lists.steps(txn) {
            let step = &lists.transactions.steps[index];
            let committed = lists.transactions.fate(txn) == Fate::Committed;
            let found = match step.access {
                Access::Read(_) if !committed => continue,
                Access::Read(_) => Some(lists.version[index]),
                Access::Write(element) => Some(lists.position[element as usize]).filter(|at| *at != NONE),
            };
            if !touched.insert(step.key) {
                continue;
            }
            match found {
                // An append that no read shows may have found anything.
                None => {}
                Some(NONE) => return None,
                Some(length) => {
                    let before = (length as usize).checked_sub(1);
                    let version = before.map_or(NONE, |last| lists.order[step.key as usize][last]);
                    seen.push(Seen { txn, key: step.key, version });
                }
            }
        }
    }
    let Lists { transactions, live, .. } = lists;
    let follows = vec![NONE; transactions.elements.len()];
    Some(Registers { transactions, seen, follows, live })
}
