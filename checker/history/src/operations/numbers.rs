//! Finds items of a table by what they are.

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;
use std::hash::{BuildHasher, Hash};

/// Finds the numbers of items that stand in a table.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    numbers: HashTable<u32>,
}

impl Numbers {
    /// The number of an item that equals this one and fits.
    pub(super) fn find<'t, T: Hash + Eq + ?Sized + 't>(
        &self,
        item: &T,
        of: impl Fn(u32) -> &'t T,
        fits: impl Fn(&T) -> bool,
    ) -> Option<u32> {
        let hash = FxBuildHasher.hash_one(item);
        self.numbers
            .find(hash, |&number| {
                let known = of(number);
                known == item && fits(known)
            })
            .copied()
    }

    /// Notes the number of an item.
    pub(super) fn insert<'t, T: Hash + ?Sized + 't>(
        &mut self,
        item: &T,
        number: u32,
        of: impl Fn(u32) -> &'t T,
    ) {
        let hash = |item: &T| FxBuildHasher.hash_one(item);
        self.numbers.insert_unique(hash(item), number, |&number| hash(of(number)));
    }
}
