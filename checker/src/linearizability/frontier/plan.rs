//! What a search needs to know beforehand: the events in order, and how long each value can matter.

use super::super::{
    object::{Action, NEVER, Op},
    values::Values,
};
use rustc_hash::FxHashMap;

/// Stands for "no class": the operation certainly happened.
pub(super) const NO_CLASS: u32 = u32::MAX;

/// An event of the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// Place of the operation in [`Plan::ops`].
    pub(super) op: u32,
    pub(super) completes: bool,
}

/// The events of one key, prepared.
#[derive(Debug)]
pub(super) struct Plan {
    /// Without operations of unknown outcome that cannot help anybody.
    pub(super) ops: Vec<Op>,
    pub(super) steps: Vec<Step>,
    /// By operation: its class, if its outcome is unknown.
    pub(super) class_of: Vec<u32>,
    /// Operations of unknown outcome that do the same are of one class.
    pub(super) classes: Vec<Action>,
    /// Values and the moment from which nobody looks for them any more, earliest first.
    pub(super) expiries: Vec<(u32, u32)>,
    /// The most operations open at once.
    pub(super) live: usize,
}

impl Plan {
    /// Prepares the operations of one key, in order of invocation. With `forget`, values that stop
    /// mattering are merged, which loses their names.
    pub(super) fn new(values: &Values, ops: &[Op], forget: bool) -> Self {
        let uses = LastUses::new(values, ops);
        let ops: Vec<Op> = ops.iter().filter(|op| uses.matters(op)).copied().collect();
        let mut numbers: FxHashMap<Action, u32> = FxHashMap::default();
        let mut classes = Vec::new();
        let mut class_of = Vec::with_capacity(ops.len());
        for op in &ops {
            class_of.push(if op.certain() {
                NO_CLASS
            } else {
                *numbers.entry(op.action).or_insert_with(|| {
                    classes.push(op.action);
                    place(classes.len() - 1)
                })
            });
        }
        let steps = order(&ops);
        let live = most_open(&steps, &class_of);
        let expiries = if forget { uses.expiries() } else { Vec::new() };
        Self { ops, steps, class_of, classes, expiries, live }
    }

    /// When a step happens.
    pub(super) fn time(&self, step: Step) -> u32 {
        let op = &self.ops[step.op as usize];
        if step.completes { op.completed } else { op.invoked }
    }
}

/// Invocations and completions in order; of equal times, invocations first, so that they are concurrent.
fn order(ops: &[Op]) -> Vec<Step> {
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

/// Drops the operations of unknown outcome that cannot help anybody.
pub(in super::super) fn drop_useless(values: &Values, ops: &mut Vec<Op>) {
    let uses = LastUses::new(values, ops);
    ops.retain(|op| uses.matters(op));
}

/// By value: the first moment at which no operation looks for it any more; 0 if none ever does.
struct LastUses {
    by_value: Vec<u32>,
    /// The same for operations that look for any value other than a certain one.
    any: u32,
}

impl LastUses {
    fn new(values: &Values, ops: &[Op]) -> Self {
        let mut uses = Self { by_value: vec![0; values.len()], any: 0 };
        if values.is_text() {
            uses.any = NEVER;
            return uses;
        }
        let mut chains: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
        for op in ops {
            match op.action {
                Action::Read(value) => uses.look(value, op.completed),
                Action::Not(_) => uses.any = uses.any.max(op.completed.saturating_add(1)),
                Action::Cas(from, _) if op.certain() => uses.look(from, op.completed),
                Action::Cas(from, to) => chains.entry(to).or_default().push(from),
                Action::Write(_) | Action::Append(_) => {}
            }
        }
        // A compare-and-set that may have happened looks for its old value as long as its new one matters.
        let mut open: Vec<u32> = chains.keys().copied().collect();
        while let Some(to) = open.pop() {
            let until = uses.until(to);
            for &from in chains.get(&to).map_or(&[][..], Vec::as_slice) {
                if uses.by_value.get(from as usize).is_some_and(|&known| known < until) {
                    uses.by_value[from as usize] = until;
                    open.push(from);
                }
            }
        }
        uses
    }

    fn look(&mut self, value: u32, time: u32) {
        // The value nobody ever holds has no entry.
        if let Some(last) = self.by_value.get_mut(value as usize) {
            *last = time.saturating_add(1).max(*last);
        }
    }

    fn until(&self, value: u32) -> u32 {
        self.by_value.get(value as usize).copied().unwrap_or(0).max(self.any)
    }

    fn matters(&self, op: &Op) -> bool {
        op.certain()
            || match op.action {
                Action::Write(to) | Action::Cas(_, to) => self.until(to) > op.invoked,
                Action::Append(_) => true,
                Action::Read(_) | Action::Not(_) => false,
            }
    }

    fn expiries(&self) -> Vec<(u32, u32)> {
        let mut expiries: Vec<_> =
            (0..).zip(&self.by_value).map(|(value, &last)| (last.max(self.any), value)).collect();
        expiries.retain(|&(last, _)| last != NEVER);
        expiries.sort_unstable();
        expiries
    }
}

fn place(index: usize) -> u32 {
    u32::try_from(index).expect("a history has fewer than four billion operations")
}
