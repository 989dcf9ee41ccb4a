//! Splits a history by key: linearizability is local (Herlihy and Wing 1990).

use super::method::Ordered;
use history::{OperationRef, Operations};
use rustc_hash::FxHashMap;
use std::borrow::Cow;

/// The operations of one key, by their indexes, in order of invocation.
#[derive(Debug)]
pub(super) struct Key<'a> {
    pub(super) name: Option<Cow<'a, str>>,
    pub(super) indexes: Vec<u32>,
}

/// The keys of a history in the order in which they first appear.
pub(super) fn split(operations: &Operations) -> Vec<Key<'_>> {
    split_by(operations, |operation| operation.key.map(Cow::Borrowed))
}

/// The same, where another part of an operation than its key says where it belongs.
pub(super) fn split_by<'a>(
    operations: &'a Operations,
    partition: impl Fn(OperationRef<'a>) -> Option<Cow<'a, str>>,
) -> Vec<Key<'a>> {
    let mut numbers: FxHashMap<Option<Cow<'a, str>>, usize> = FxHashMap::default();
    let mut keys: Vec<Key<'_>> = Vec::new();
    // Ours are in order already; those of other formats need not be.
    let (mut in_order, mut before) = (true, 0);
    for (operation, index) in operations.iter().zip(0_u32..) {
        in_order &= before <= operation.invoked;
        before = operation.invoked;
        let name = partition(operation);
        let number = if let Some(&number) = numbers.get(&name) {
            number
        } else {
            keys.push(Key { name: name.clone(), indexes: Vec::new() });
            numbers.insert(name, keys.len() - 1);
            keys.len() - 1
        };
        keys[number].indexes.push(index);
    }
    for key in keys.iter_mut().filter(|_| !in_order) {
        key.indexes.sort_by_key(|&index| operations.at(index as usize).invoked);
    }
    keys
}

/// What is known of a key. The error says which operation is not understood.
pub(super) type Decided<O> = Result<Ordered<O>, String>;
