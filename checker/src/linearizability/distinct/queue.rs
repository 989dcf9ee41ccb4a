//! First in, first out: no two elements may come out in the other order than they went in.

use super::lives::Life;

/// Pairs suffice: the orders of adds and of removals are interval orders, and a cycle of both has one of
/// length two. Lives come in the order in which the adds were invoked.
pub(super) fn linearizable(lives: &[Life]) -> bool {
    let mut by_add: Vec<u64> =
        lives.iter().map(|life| u64::from(life.add.1) << 32 | u64::from(life.remove.0)).collect();
    by_add.sort_unstable();
    let mut before = by_add.into_iter().peekable();
    // The latest that the removal of an element that went in earlier may begin.
    let mut latest = 0;
    lives.iter().all(|life| {
        while let Some(packed) = before.next_if(|packed| packed >> 32 < u64::from(life.add.0)) {
            latest = latest.max(packed & u64::from(u32::MAX));
        }
        u64::from(life.remove.1) >= latest
    })
}
