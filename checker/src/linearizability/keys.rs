//! Splits a history by key, and decides the keys side by side: linearizability is local (Herlihy and Wing 1990).

use super::{Limits, method::Decision};
use crate::history::Operation;
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The operations of one key, by their places, in order of invocation.
#[derive(Debug)]
pub(super) struct Key<'a> {
    pub(super) name: Option<Cow<'a, str>>,
    pub(super) places: Vec<u32>,
}

/// The keys of a history in the order in which they first appear.
pub(super) fn split(operations: &[Operation]) -> Vec<Key<'_>> {
    split_by(operations, |operation| operation.key.as_deref().map(Cow::Borrowed))
}

/// The same, where another part of an operation than its key says where it belongs.
pub(super) fn split_by<'a>(
    operations: &'a [Operation],
    partition: impl Fn(&'a Operation) -> Option<Cow<'a, str>>,
) -> Vec<Key<'a>> {
    let mut numbers: FxHashMap<Option<Cow<'a, str>>, usize> = FxHashMap::default();
    let mut keys: Vec<Key<'_>> = Vec::new();
    for (operation, place) in operations.iter().zip(0_u32..) {
        let name = partition(operation);
        let number = if let Some(&number) = numbers.get(&name) {
            number
        } else {
            keys.push(Key { name: name.clone(), places: Vec::new() });
            numbers.insert(name, keys.len() - 1);
            keys.len() - 1
        };
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
pub(super) type Decided<O> = Result<(Decision<O>, Option<Vec<u32>>), String>;

/// Decides every key, the largest first, several at the same time.
pub(super) fn decide_all<D: Send>(
    keys: &[Key<'_>],
    limits: &Limits<'_>,
    decide: impl Fn(&Key<'_>) -> D + Sync,
) -> Vec<D> {
    let mut largest_first: Vec<usize> = (0..keys.len()).collect();
    largest_first.sort_by_key(|&key| std::cmp::Reverse(keys[key].places.len()));
    let taken = AtomicUsize::new(0);
    let work = || {
        let mut decided = Vec::new();
        while let Some(&key) = largest_first.get(taken.fetch_add(1, Ordering::Relaxed)) {
            decided.push((key, decide(&keys[key])));
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
