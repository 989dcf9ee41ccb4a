//! Calls of one key, prepared for the search: ranks by completion, slots, classes of equal calls.

use super::super::call::{Call, NEVER};
use super::object::count;
use crate::order::sort_by_key;
use rustc_hash::FxHashMap;
use std::hash::Hash;

/// No operation.
pub(super) const NO_RANK: u32 = u32::MAX;

/// The operations that certainly happened, by rank: in the order of their completions.
///
/// All of those that completed before the one of rank `mark` are in the order already, and none that was
/// invoked after its completion. So what is in the order is said by `mark` and a bit for each operation
/// open at that completion. Each has a slot while it is open, and slots are used again.
#[derive(Debug)]
pub(super) struct Plan {
    /// Indexes in the calls, by rank.
    pub(super) indexes: Vec<u32>,
    /// By rank.
    pub(super) classes: Vec<u32>,
    /// By rank.
    pub(super) slots: Vec<u32>,
    /// By rank: who had the slot before.
    pub(super) before: Vec<u32>,
    /// Ranks in the order of invocation.
    pub(super) by_invocation: Vec<u32>,
    /// By mark: how many of `by_invocation` were invoked when the operation of that rank completed.
    pub(super) entered: Vec<u32>,
    /// Slots there are.
    pub(super) live: usize,
    /// By class: whether it changes nothing.
    pub(super) pure: Vec<bool>,
    /// Operations that may have happened, by class.
    pub(super) optional: Vec<Optional>,
}

/// Interchangeable operations that may have happened.
#[derive(Debug)]
pub(super) struct Optional {
    pub(super) class: u32,
    /// By mark (see [`Plan::entered`]) from the first at which it could be used: when each became possible.
    pub(super) since: Vec<u32>,
    /// Indexes in the calls.
    pub(super) indexes: Vec<u32>,
}

/// The actions that occur, by class, and the class of each call.
pub(super) fn classes<A: Clone + Eq + Hash>(calls: &[Call<A>]) -> (Vec<A>, Vec<u32>) {
    let mut numbers: FxHashMap<&A, u32> = FxHashMap::default();
    let mut actions = Vec::new();
    let classes = calls
        .iter()
        .map(|call| {
            *numbers.entry(&call.action).or_insert_with(|| {
                actions.push(call.action.clone());
                count(actions.len() - 1)
            })
        })
        .collect();
    (actions, classes)
}

impl Plan {
    /// `calls` in order of invocation, the class of each, and which classes are pure.
    pub(super) fn new<A>(calls: &[Call<A>], classes: &[u32], pure: Vec<bool>) -> Self {
        let mut indexes: Vec<u32> =
            (0..count(calls.len())).filter(|&p| calls[p as usize].certain()).collect();
        sort_by_key(&mut indexes, |&index| calls[index as usize].completed.into());
        let mut rank_of = vec![NO_RANK; calls.len()];
        for (&index, rank) in indexes.iter().zip(0..) {
            rank_of[index as usize] = rank;
        }
        let by_invocation: Vec<u32> = rank_of.iter().copied().filter(|&rank| rank != NO_RANK).collect();
        let mut plan = Self {
            classes: indexes.iter().map(|&index| classes[index as usize]).collect(),
            slots: vec![0; indexes.len()],
            before: vec![NO_RANK; indexes.len()],
            by_invocation,
            entered: Vec::with_capacity(indexes.len()),
            live: 0,
            optional: optional(calls, classes, &indexes, &pure),
            pure,
            indexes,
        };
        plan.give_slots(calls);
        plan
    }

    fn give_slots<A>(&mut self, calls: &[Call<A>]) {
        let mut free: Vec<u32> = Vec::new();
        let mut last: Vec<u32> = Vec::new();
        let mut next = 0;
        for rank in 0..self.indexes.len() {
            let completed = calls[self.indexes[rank] as usize].completed;
            while let Some(&entering) = self.by_invocation.get(next) {
                let entering = entering as usize;
                if calls[self.indexes[entering] as usize].invoked > completed {
                    break;
                }
                let slot = free.pop().unwrap_or_else(|| {
                    last.push(NO_RANK);
                    count(last.len() - 1)
                });
                self.slots[entering] = slot;
                self.before[entering] = std::mem::replace(&mut last[slot as usize], count(entering));
                next += 1;
            }
            self.entered.push(count(next));
            free.push(self.slots[rank]);
        }
        self.live = last.len();
    }
}

fn optional<A>(calls: &[Call<A>], classes: &[u32], indexes: &[u32], pure: &[bool]) -> Vec<Optional> {
    let mut numbers: FxHashMap<u32, usize> = FxHashMap::default();
    let mut optional: Vec<Optional> = Vec::new();
    let completions: Vec<u32> = indexes.iter().map(|&index| calls[index as usize].completed).collect();
    for ((call, &class), index) in calls.iter().zip(classes).zip(0..) {
        let since = completions.partition_point(|&completed| completed < call.invoked);
        if call.completed != NEVER || pure[class as usize] || since == completions.len() {
            continue;
        }
        let number = *numbers.entry(class).or_insert_with(|| {
            optional.push(Optional { class, since: Vec::new(), indexes: Vec::new() });
            optional.len() - 1
        });
        optional[number].since.push(count(since));
        optional[number].indexes.push(index);
    }
    optional
}
