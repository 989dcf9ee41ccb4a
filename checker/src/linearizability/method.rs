//! Chooses how one key is decided. A new method is one more branch here; each of them is exact.

use super::{
    frontier::{self, Found},
    object::{NEVER, Op},
    registers::{REMEMBERED, by_zones, first_contradiction, refuted, zone_order},
    values::Values,
};
use crate::limits::{Limits, Share, Stop};

/// What is known about one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision<O = Op> {
    Linearizable,
    /// The earliest operation that cannot complete.
    Impossible(O),
    /// It stopped early; the operations that completed before this moment are linearizable.
    Unknown {
        why: Stop,
        sound_until: u32,
    },
}

/// Decides one key, whose operations come in order of invocation.
pub(super) fn decide(values: &Values<'_>, ops: &[Op], limits: &Limits<'_>) -> Decision {
    if limits.stopped() {
        return Decision::Unknown { why: Stop::Time, sound_until: 0 };
    }
    match by_zones(values, ops) {
        Some(true) => Decision::Linearizable,
        Some(false) => Decision::Impossible(
            first_contradiction(values, ops, REMEMBERED)
                .expect("what is impossible has a first contradiction"),
        ),
        None if refuted(values, ops) => refined(values, ops, limits),
        None => by_search(values, ops, limits),
    }
}

/// Decides one key as [`decide`] does; where it is linearizable, also in which order, by origin.
pub(super) fn decide_and_order(values: &Values<'_>, ops: &[Op], limits: &Limits<'_>) -> (Decision, Vec<u32>) {
    if limits.stopped() {
        return (Decision::Unknown { why: Stop::Time, sound_until: 0 }, Vec::new());
    }
    match by_zones(values, ops) {
        Some(true) => (Decision::Linearizable, zone_order(values, ops)),
        None if !refuted(values, ops) => {
            let (found, order) = frontier::search_for_order(values, ops, limits);
            (decision(found), order.unwrap_or_default())
        }
        Some(false) | None => (decide(values, ops, limits), Vec::new()),
    }
}

/// Whether a key is impossible, without saying where. Cheaper than [`decide`].
pub(super) fn impossible(values: &Values<'_>, ops: &[Op], limits: &Limits<'_>) -> bool {
    match by_zones(values, ops) {
        Some(linearizable) => !linearizable,
        None => refuted(values, ops) || matches!(by_search(values, ops, limits), Decision::Impossible(_)),
    }
}

fn by_search(values: &Values<'_>, ops: &[Op], limits: &Limits<'_>) -> Decision {
    decision(frontier::search(values, ops, limits, true))
}

fn decision(found: Found) -> Decision {
    match found {
        Found::Linearizable => Decision::Linearizable,
        Found::Stuck(stuck) => Decision::Impossible(stuck.op),
        Found::Unknown { why, sound_until } => Decision::Unknown { why, sound_until },
    }
}

/// The refuter may blame a later completion than the search would, but never gives up: the search gets a
/// small chance on what lies before.
fn refined(values: &Values<'_>, ops: &[Op], limits: &Limits<'_>) -> Decision {
    let refuted = earliest(ops, |part| refuted(values, part));
    let before = until(ops, refuted.completed);
    match limits.share(Share::BLAME_OF_VALUE, |limits| by_search(values, &before, limits)) {
        Decision::Impossible(op) => Decision::Impossible(op),
        Decision::Linearizable | Decision::Unknown { .. } => Decision::Impossible(refuted),
    }
}

/// The operation with whose completion a history becomes impossible, by halving. The whole must be.
fn earliest(ops: &[Op], impossible: impl Fn(&[Op]) -> bool) -> Op {
    let mut completions: Vec<&Op> = ops.iter().filter(|op| op.certain()).collect();
    completions.sort_unstable_by_key(|op| op.completed);
    let first = completions.partition_point(|op| !impossible(&until(ops, op.completed)));
    **completions.get(first).or(completions.last()).expect("a history without completions is linearizable")
}

/// The history as it stood when the completion at `event` came in: what was open then may or may not have
/// happened, and what was invoked later does not exist.
pub(super) fn until(ops: &[Op], event: u32) -> Vec<Op> {
    ops.iter()
        .filter(|op| op.invoked <= event)
        .filter(|op| op.completed <= event || !op.action.is_observation())
        .map(|op| if op.completed <= event { *op } else { Op { completed: NEVER, ..*op } })
        .collect()
}
