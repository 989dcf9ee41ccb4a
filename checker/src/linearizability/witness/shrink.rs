//! Shrinks a history that is not linearizable: delta debugging (Zeller & Hildebrandt, TSE 2002).
//!
//! Every step only loosens the history. It drops a read, turns a completed update into one with an unknown result, or
//! drops an update with an unknown result that helps no operation. Loosening keeps a linearizable history
//! linearizable, so a small part that is not linearizable proves that the whole history is not.

use super::super::{
    frontier::drop_useless,
    method,
    object::{Action, NEVER, Op},
    values::Values,
};
use crate::limits::{Limits, Trials};
use rustc_hash::FxHashSet;

/// The first guess at how many of the latest operations are to blame.
const FIRST_WINDOW: usize = 8;

/// The value an operation finds.
fn sought(op: &Op) -> Option<u32> {
    match op.action {
        Action::Read(value) | Action::Cas(value, _) => Some(value),
        Action::Not(_) | Action::Write(_) | Action::Append(_) => None,
    }
}

/// The value an operation leaves.
fn left(op: &Op) -> Option<u32> {
    match op.action {
        Action::Write(value) | Action::Cas(_, value) => Some(value),
        Action::Read(_) | Action::Not(_) | Action::Append(_) => None,
    }
}

struct Shrinker<'a> {
    values: &'a Values<'a>,
    limits: &'a Limits<'a>,
    trials: Trials,
}

/// A part of `ops` that is impossible by itself, in order of invocation. `ops` must be impossible; `limits`
/// are for all the work together.
pub(super) fn shrink(values: &Values<'_>, ops: Vec<Op>, limits: &Limits<'_>) -> Vec<Op> {
    let mut shrinker = Shrinker { values, limits, trials: Trials::new() };
    let mut core = shrinker.latest(ops);
    let mut chunk = core.len().div_ceil(2).max(1);
    loop {
        let before = core.len();
        core = shrinker.without_chunks(core, chunk);
        if chunk > 1 {
            chunk = chunk.div_ceil(2);
        } else if core.len() == before || shrinker.trials.spent() {
            return core;
        }
    }
}

impl Shrinker<'_> {
    /// Whether a loosened history is still impossible, as far as the budget can tell.
    fn impossible(&mut self, ops: &[Op]) -> bool {
        self.trials.take(ops.len()) && method::impossible(self.values, ops, self.limits)
    }

    /// The latest few operations to complete, with what is needed of the others. Of observations the last
    /// one alone is tried first: each further one drags in whatever may have left what it found.
    fn latest(&mut self, ops: Vec<Op>) -> Vec<Op> {
        let mut completions: Vec<u32> = ops.iter().filter(|op| op.certain()).map(|op| op.completed).collect();
        completions.sort_unstable_by(|a, b| b.cmp(a));
        let Some(&last) = completions.first() else { return ops };
        let sought = ops.iter().find(|op| op.completed == last).and_then(sought);
        for observations in [false, true] {
            let mut window = FIRST_WINDOW;
            while window / 2 < completions.len() {
                let oldest = completions.get(window).copied();
                let part = self.loosened(&ops, |op| {
                    // Who left what the last one found is to blame, however long ago.
                    let left = sought.is_some() && sought == left(op);
                    let old = !left && oldest.is_some_and(|oldest| op.completed <= oldest);
                    let extra = op.action.is_observation() && op.completed != last && !observations;
                    op.certain() && (old || extra)
                });
                if self.impossible(&part) {
                    return part;
                }
                window *= 2;
            }
        }
        ops
    }

    fn without_chunks(&mut self, mut core: Vec<Op>, chunk: usize) -> Vec<Op> {
        // From the end: what is old is most often needed only through what is young.
        let mut end = core.len();
        while end > 0 && !self.trials.spent() {
            let start = end.saturating_sub(chunk);
            let chosen: FxHashSet<u32> =
                core[start..end].iter().filter(|op| op.certain()).map(|op| op.origin).collect();
            if !chosen.is_empty() {
                let part = self.loosened(&core, |op| chosen.contains(&op.origin));
                if self.impossible(&part) {
                    core = part;
                }
            }
            end = start.min(core.len());
        }
        core
    }

    /// The history with the chosen operations loosened.
    fn loosened(&self, ops: &[Op], chosen: impl Fn(&Op) -> bool) -> Vec<Op> {
        let mut part: Vec<Op> = ops
            .iter()
            .filter(|op| !(op.action.is_observation() && chosen(op)))
            .map(|op| if chosen(op) { Op { completed: NEVER, ..*op } } else { *op })
            .collect();
        drop_useless(self.values, &mut part);
        part
    }
}
