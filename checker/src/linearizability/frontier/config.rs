//! Configurations, and the antichain of them that covers all others.

use super::{mask::Mask, path::Path};
use crate::order::sort_by_key;
use rustc_hash::FxHashMap;
use std::hash::{Hash, Hasher};

/// One way the operations so far may have happened, as far as the future can tell.
#[derive(Debug, Clone)]
pub(super) struct Config<const W: usize, P> {
    /// The value.
    pub(super) state: u32,
    /// Open operations that still have to happen before they complete.
    pub(super) must: Mask<W>,
    /// Open updates that may still happen where others can see it. One that is not in `must` may also
    /// have happened already, hidden right before a write.
    pub(super) avail: Mask<W>,
    /// How many operations of unknown outcome were used, by class, in the order of classes.
    pub(super) used: Vec<(u32, u32)>,
    /// How it came about. Equal configurations may have come about differently.
    pub(super) path: P,
}

impl<const W: usize, P> PartialEq for Config<W, P> {
    fn eq(&self, other: &Self) -> bool {
        self.state == other.state
            && self.must == other.must
            && self.avail == other.avail
            && self.used == other.used
    }
}

impl<const W: usize, P> Eq for Config<W, P> {}

impl<const W: usize, P> Hash for Config<W, P> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (self.state, self.must, self.avail, &self.used).hash(hasher);
    }
}

impl<const W: usize, P: Path> Config<W, P> {
    /// The key before everything.
    pub(super) fn initial(state: u32) -> Self {
        Self { state, must: Mask::EMPTY, avail: Mask::EMPTY, used: Vec::new(), path: P::default() }
    }

    /// Whether everything the other one can still become, this one can become as well.
    pub(super) fn dominates(&self, other: &Self) -> bool {
        self.state == other.state
            && self.must.within(&other.must)
            && other.avail.within(&self.avail)
            && self.used.len() <= other.used.len()
            && self.used.iter().all(|&(class, count)| count <= other.used(class))
    }

    /// Small for configurations that kept more of their possibilities.
    pub(super) fn rank(&self) -> u32 {
        2 * self.used.iter().map(|&(_, count)| count).sum::<u32>() + self.must.count()
    }

    pub(super) fn used(&self, class: u32) -> u32 {
        self.used.iter().find(|&&(other, _)| other == class).map_or(0, |&(_, count)| count)
    }

    pub(super) fn use_class(&mut self, class: u32) {
        match self.used.binary_search_by_key(&class, |&(other, _)| other) {
            Ok(index) => self.used[index].1 += 1,
            Err(index) => self.used.insert(index, (class, 1)),
        }
    }

    /// The same without the operation in `slot`, which has completed.
    pub(super) fn without(mut self, slot: usize) -> Self {
        self.must.clear(slot);
        self.avail.clear(slot);
        self
    }
}

/// Configurations of which none dominates another, by state.
#[derive(Debug)]
pub(super) struct Antichain<const W: usize, P> {
    indexes: FxHashMap<u32, usize>,
    /// Only the first `indexes.len()` are in use; the others keep their memory.
    buckets: Vec<Vec<Config<W, P>>>,
    len: usize,
}

impl<const W: usize, P: Path> Antichain<W, P> {
    pub(super) fn new() -> Self {
        Self { indexes: FxHashMap::default(), buckets: Vec::new(), len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn clear(&mut self) {
        for bucket in &mut self.buckets[..self.indexes.len()] {
            bucket.clear();
        }
        self.indexes.clear();
        self.len = 0;
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Config<W, P>> {
        self.buckets[..self.indexes.len()].iter().flatten()
    }

    /// For changes that alter all configurations of a state alike.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Config<W, P>> {
        self.buckets[..self.indexes.len()].iter_mut().flatten()
    }

    /// Takes all configurations out.
    pub(super) fn take(&mut self) -> Vec<Config<W, P>> {
        let all = self.buckets[..self.indexes.len()].iter_mut().flat_map(std::mem::take).collect();
        self.indexes.clear();
        self.len = 0;
        all
    }

    /// Adds a configuration unless one that is here dominates it, and drops those it dominates.
    pub(super) fn insert(&mut self, config: Config<W, P>) {
        let next = self.indexes.len();
        let index = *self.indexes.entry(config.state).or_insert(next);
        if index == self.buckets.len() {
            self.buckets.push(Vec::new());
        }
        let bucket = &mut self.buckets[index];
        if bucket.iter().any(|other| other.dominates(&config)) {
            return;
        }
        let before = bucket.len();
        bucket.retain(|other| !config.dominates(other));
        bucket.push(config);
        self.len = self.len + bucket.len() - before;
    }

    /// Keeps the best `beam` configurations of each state; says whether any were dropped.
    pub(super) fn cut(&mut self, beam: usize) -> bool {
        let mut dropped = 0;
        for bucket in &mut self.buckets[..self.indexes.len()] {
            if bucket.len() > beam {
                sort_by_key(bucket, |config| config.rank().into());
                dropped += bucket.len() - beam;
                bucket.truncate(beam);
            }
        }
        self.len -= dropped;
        dropped > 0
    }
}
