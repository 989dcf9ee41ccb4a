//! Queues with distinct elements: no two elements leave in the other order than they came.
//!
//! Pairs suffice: the real-time orders of adds and of removals are interval orders, and the union of two interval
//! orders has a cycle only if it has one of length two. Source: Abdulla and others (PLDI 2025), see the
//! [module](super).

use super::intervals::Interval;

/// Pairs suffice: the orders of adds and of removals are interval orders, and a cycle of both has one of
/// length two. Intervals come in the order in which the adds were invoked.
pub(super) fn linearizable(intervals: &[Interval]) -> bool {
    let mut by_add: Vec<u64> = intervals
        .iter()
        .map(|interval| u64::from(interval.add.1) << 32 | u64::from(interval.remove.0))
        .collect();
    by_add.sort_unstable();
    let mut before = by_add.into_iter().peekable();
    // The latest that the removal of an element that went in earlier may begin.
    let mut latest = 0;
    intervals.iter().all(|interval| {
        while let Some(packed) = before.next_if(|packed| packed >> 32 < u64::from(interval.add.0)) {
            latest = latest.max(packed & u64::from(u32::MAX));
        }
        u64::from(interval.remove.1) >= latest
    })
}
