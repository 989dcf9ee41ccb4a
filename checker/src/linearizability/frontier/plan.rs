//! What a search needs to know beforehand: the events in order, and how long each value can matter.

use super::super::{
    call::{Call, NEVER},
    object::Action,
    values::Values,
};
use super::uses::LastUses;
use rustc_hash::FxHashMap;

/// Stands for "no class": the operation certainly happened.
pub(super) const NO_CLASS: u32 = u32::MAX;

/// An event of the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// Index of the operation in [`Plan::ops`].
    pub(super) op: u32,
    pub(super) completes: bool,
}

/// A value or a class that no operation looks for any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Expiry {
    /// A value.
    Value(u32),
    /// What a class of operations of unknown outcome leaves.
    Class(u32),
}

/// The events of one key, prepared.
#[derive(Debug)]
pub(super) struct Plan {
    /// Without operations of unknown outcome that can help no other.
    pub(super) ops: Vec<Call<Action>>,
    pub(super) steps: Vec<Step>,
    /// By operation: its class, if its outcome is unknown.
    pub(super) class_of: Vec<u32>,
    /// Operations of unknown outcome that do the same are of one class.
    pub(super) classes: Vec<Action>,
    /// What stops mattering, and the moment from which it does, earliest first.
    pub(super) expiries: Vec<(u32, Expiry)>,
    /// The most operations open at once.
    pub(super) live: usize,
}

impl Plan {
    /// Prepares the operations of one key, in order of invocation. With `forget`, values that stop
    /// mattering are merged, which loses their names.
    pub(super) fn new(values: &Values<'_>, ops: &[Call<Action>], forget: bool) -> Self {
        let uses = LastUses::new(values, ops);
        let ops: Vec<Call<Action>> = ops.iter().filter(|op| uses.matters(op)).copied().collect();
        let mut numbers: FxHashMap<Action, u32> = FxHashMap::default();
        let mut classes = Vec::new();
        let mut class_of = Vec::with_capacity(ops.len());
        for op in &ops {
            class_of.push(if op.certain() {
                NO_CLASS
            } else {
                *numbers.entry(op.action).or_insert_with(|| {
                    classes.push(op.action);
                    number(classes.len() - 1)
                })
            });
        }
        let steps = order(&ops);
        let live = most_open(&steps, &class_of);
        let mut expiries = Vec::new();
        if forget {
            expiries.extend(uses.ends().map(|(end, value)| (end, Expiry::Value(value))));
            expiries.extend(
                classes.iter().zip(0..).map(|(&action, class)| (uses.end(action), Expiry::Class(class))),
            );
            expiries.retain(|&(end, _)| end != NEVER);
            expiries.sort_unstable();
        }
        Self { ops, steps, class_of, classes, expiries, live }
    }

    /// When a step happens.
    pub(super) fn time(&self, step: Step) -> u32 {
        let op = &self.ops[step.op as usize];
        if step.completes { op.completed } else { op.invoked }
    }
}

/// Invocations and completions in order; of equal times, invocations first, so that they are concurrent.
fn order(ops: &[Call<Action>]) -> Vec<Step> {
    let mut keys: Vec<(u64, u32)> = Vec::with_capacity(ops.len() * 2);
    for (op, number) in ops.iter().zip(0..) {
        keys.push((u64::from(op.invoked) << 1, number));
        if op.certain() {
            keys.push((u64::from(op.completed) << 1 | 1, number));
        }
    }
    keys.sort_unstable();
    keys.into_iter().map(|(key, op)| Step { op, completes: key & 1 == 1 }).collect()
}

fn most_open(steps: &[Step], class_of: &[u32]) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    for step in steps {
        if step.completes {
            open -= 1;
        } else if class_of[step.op as usize] == NO_CLASS {
            open += 1;
            most = most.max(open);
        }
    }
    most
}

/// Drops the operations of unknown outcome that can help no other.
pub(in super::super) fn drop_useless(values: &Values<'_>, ops: &mut Vec<Call<Action>>) {
    // An observation that may not have happened looks for nothing, so it must not keep what it would have found.
    ops.retain(|op| op.certain() || !op.action.is_observation());
    // What helped only an operation that is dropped helps none any more.
    loop {
        let uses = LastUses::new(values, ops);
        let matters: Vec<bool> = ops.iter().map(|op| uses.matters(op)).collect();
        if matters.iter().all(|matters| *matters) {
            return;
        }
        let mut matters = matters.into_iter();
        ops.retain(|_| matters.next().unwrap_or(true));
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("a history has fewer than four billion operations")
}
