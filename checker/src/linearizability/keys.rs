//! Splits a history by key, and decides the keys side by side: linearizability is local (Herlihy and Wing 1990).

use super::{
    Limits, Model,
    encode::{Names, encode},
    method::{Decision, decide, decide_and_order},
};
use crate::history::Operation;
use rustc_hash::FxHashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The operations of one key, by their places, in order of invocation.
#[derive(Debug)]
pub(super) struct Key<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) places: Vec<u32>,
}

/// The keys of a history in the order in which they first appear.
pub(super) fn split(operations: &[Operation]) -> Vec<Key<'_>> {
    let mut numbers: FxHashMap<Option<&str>, usize> = FxHashMap::default();
    let mut keys: Vec<Key<'_>> = Vec::new();
    for (operation, place) in operations.iter().zip(0_u32..) {
        let name = operation.key.as_deref();
        let number = *numbers.entry(name).or_insert_with(|| {
            keys.push(Key { name, places: Vec::new() });
            keys.len() - 1
        });
        keys[number].places.push(place);
    }
    for key in &mut keys {
        // Ours are in order already; those of other formats need not be.
        key.places.sort_by_key(|&place| operations[place as usize].invoked);
    }
    keys
}

/// What became of a key, and where it is linearizable and somebody asked, in which order. The error says
/// which operation is not understood.
pub(super) type Decided = Result<(Decision, Vec<u32>), String>;

/// Decides every key, the largest first; with `ordered`, says in which order as well.
pub(super) fn decide_all(
    operations: &[Operation],
    keys: &[Key<'_>],
    model: Model,
    limits: &Limits<'_>,
    ordered: bool,
) -> Vec<Decided> {
    let mut largest_first: Vec<usize> = (0..keys.len()).collect();
    largest_first.sort_by_key(|&key| std::cmp::Reverse(keys[key].places.len()));
    let taken = AtomicUsize::new(0);
    let work = || {
        let mut decided = Vec::new();
        while let Some(&key) = largest_first.get(taken.fetch_add(1, Ordering::Relaxed)) {
            let decision =
                encode(operations, &keys[key].places, model, Names::Observed).map(|(values, ops)| {
                    if ordered {
                        decide_and_order(&values, &ops, limits)
                    } else {
                        (decide(&values, &ops, limits), Vec::new())
                    }
                });
            decided.push((key, decision));
        }
        decided
    };
    let mut decided = std::thread::scope(|scope| {
        let others: Vec<_> = (1..limits.threads.min(keys.len())).map(|_| scope.spawn(work)).collect();
        let mut decided = work();
        for other in others {
            decided.extend(other.join().expect("a search does not panic"));
        }
        decided
    });
    decided.sort_by_key(|&(key, _)| key);
    decided.into_iter().map(|(_, decision)| decision).collect()
}
