//! Makes a witness out of an operation that cannot complete.

mod calls;
mod shrink;
mod words;

pub(super) use calls::explain_calls;

use super::{
    Pending, Witness,
    frontier::{Found, Stuck, search},
    method::until,
    object::Op,
    values::Values,
};
use crate::limits::Limits;
use history::Operation;
use rustc_hash::FxHashSet;
use words::Words;

/// Explains why the operation `last` of a key, the earliest of its kind, cannot complete. All values written
/// must have names.
pub(super) fn explain(
    operations: &[Operation],
    key: Option<&str>,
    values: &Values<'_>,
    ops: &[Op],
    last: &Op,
    limits: &Limits<'_>,
) -> Witness {
    let prefix = until(ops, last.completed);
    let core = restored(&shrink::shrink(values, prefix.clone(), limits), &prefix);
    let mut partial = false;
    let stuck = match search(values, &core, limits, false) {
        Found::Stuck(stuck) => Some(stuck),
        // Time may be up by now. The verdict stands; only its explanation is shorter.
        Found::Unknown { .. } | Found::Linearizable => None,
    };
    // What was possible is a statement about the whole history; the part that is left knows less.
    let stuck = match search(values, &prefix, limits, false) {
        Found::Stuck(whole) if stuck.as_ref().is_none_or(|part| part.op.origin == whole.op.origin) => {
            Some(whole)
        }
        Found::Stuck(_) | Found::Unknown { .. } | Found::Linearizable => {
            partial = stuck.is_some();
            stuck
        }
    };
    let words = Words { operations, values, key, partial };
    // Of several that completed at the same time, the part that is left may blame another one.
    let last = stuck.as_ref().map_or(last, |stuck| &stuck.op);
    witness(&words, last, &core, stuck.as_ref())
}

fn witness(words: &Words<'_>, last: &Op, core: &[Op], stuck: Option<&Stuck>) -> Witness {
    let pending = stuck.map_or_else(Vec::new, |stuck| {
        let mut open: Vec<_> = stuck.open.iter().collect();
        open.sort_by_key(|open| open.op.invoked);
        open.iter()
            .map(|open| Pending { operation: open.op.origin as usize, why: words.why_not(open, stuck) })
            .collect()
    });
    Witness {
        key: words.key.map(str::to_owned),
        operation: last.origin as usize,
        operations: core.iter().map(|op| op.origin as usize).collect(),
        values: stuck.map_or_else(Vec::new, |stuck| words.values(&stuck.values)),
        pending,
        summary: words.summary(last, core.len(), stuck),
        other_keys: Vec::new(),
    }
}

/// The operations of the part with the completions they had before it was loosened. Nothing becomes possible
/// by that, and a person need not wonder where the completions went.
fn restored(part: &[Op], whole: &[Op]) -> Vec<Op> {
    let kept: FxHashSet<u32> = part.iter().map(|op| op.origin).collect();
    whole.iter().filter(|op| kept.contains(&op.origin)).copied().collect()
}
