//! Memoization: the set of configurations entered so far, compared exactly.

use super::object::count;
use rustc_hash::FxHashMap;

/// Where a search stands: what is in the order, and what the object holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Config<const W: usize> {
    /// Which of the operations open at the mark are in the order, by slot.
    pub(super) mask: [u64; W],
    /// The lowest rank that is not in the order.
    pub(super) mark: u32,
    pub(super) state: u32,
}

impl<const W: usize> Config<W> {
    pub(super) fn has(&self, slot: u32) -> bool {
        self.mask[slot as usize / 64] & 1 << (slot % 64) != 0
    }

    pub(super) fn flip(&mut self, slot: u32) {
        self.mask[slot as usize / 64] ^= 1 << (slot % 64);
    }
}

/// No uses of optional operations at all.
pub(super) const UNUSED: u32 = 0;
const END: u32 = u32::MAX;

/// Which optional operations are in the order: sorted numbers of their classes, as often as they are used.
#[derive(Debug)]
struct Uses {
    lists: Vec<Box<[u32]>>,
    /// One bit for some class in the list.
    signatures: Vec<u64>,
    numbers: FxHashMap<Box<[u32]>, u32>,
    bytes: usize,
}

impl Uses {
    fn new() -> Self {
        let nothing: Box<[u32]> = Box::default();
        Self {
            lists: vec![nothing.clone()],
            signatures: vec![0],
            numbers: FxHashMap::from_iter([(nothing, UNUSED)]),
            bytes: 0,
        }
    }

    fn add(&mut self, uses: u32, class: u32) -> u32 {
        let mut list = self.lists[uses as usize].to_vec();
        list.insert(list.partition_point(|&other| other < class), class);
        let list = list.into_boxed_slice();
        if let Some(&number) = self.numbers.get(&list) {
            return number;
        }
        let number = count(self.lists.len());
        self.bytes += 2 * size_of_val(&*list) + 64;
        self.signatures.push(self.signatures[uses as usize] | 1 << (class % 64));
        self.lists.push(list.clone());
        self.numbers.insert(list, number);
        number
    }

    /// Whether every use of the first is one of the second.
    fn within(&self, inner: u32, outer: u32) -> bool {
        if inner == outer || inner == UNUSED {
            return true;
        }
        if self.signatures[inner as usize] & !self.signatures[outer as usize] != 0 {
            return false;
        }
        let mut outer = self.lists[outer as usize].iter();
        self.lists[inner as usize].iter().all(|class| outer.any(|other| other == class))
    }
}

/// Every configuration entered so far.
#[derive(Debug)]
pub(super) struct Memory<const W: usize> {
    /// Head of a list in `entries`.
    seen: FxHashMap<Config<W>, u32>,
    /// Uses, and the next entry of the same configuration.
    entries: Vec<(u32, u32)>,
    uses: Uses,
    optional: bool,
}

impl<const W: usize> Memory<W> {
    /// `optional` says whether there are operations that may not have happened.
    pub(super) fn new(optional: bool) -> Self {
        Self { seen: FxHashMap::default(), entries: Vec::new(), uses: Uses::new(), optional }
    }

    /// Remembers a configuration; false if it, or one that can do all it can, was entered before: one
    /// that differs only in having used fewer optional operations.
    pub(super) fn enter(&mut self, config: Config<W>, uses: u32) -> bool {
        if !self.optional {
            return self.seen.insert(config, END).is_none();
        }
        let head = self.seen.entry(config).or_insert(END);
        let mut entry = *head;
        while entry != END {
            let (other, next) = self.entries[entry as usize];
            if self.uses.within(other, uses) {
                return false;
            }
            entry = next;
        }
        self.entries.push((uses, *head));
        *head = count(self.entries.len() - 1);
        true
    }

    /// One more use of a class of optional operations.
    pub(super) fn used(&mut self, uses: u32, class: u32) -> u32 {
        self.uses.add(uses, class)
    }

    /// How often a class of optional operations is used.
    pub(super) fn times(&self, uses: u32, class: u32) -> usize {
        let list = &self.uses.lists[uses as usize];
        list.partition_point(|&other| other <= class) - list.partition_point(|&other| other < class)
    }

    /// About how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        let slot = size_of::<Config<W>>() + 5;
        // A hash map is between half full and full.
        self.seen.len() * slot * 3 / 2 + self.entries.len() * 8 + self.uses.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_that_used_more_than_another_one_is_not_entered_again() {
        let mut memory = Memory::<1>::new(true);
        let config = Config { mask: [1], mark: 0, state: 0 };
        let two = memory.used(UNUSED, 2);
        let two_twice = memory.used(two, 2);
        let one_and_two = memory.used(two, 1);
        assert_eq!((memory.times(two_twice, 2), memory.times(two_twice, 1)), (2, 0));
        assert!(memory.enter(config, two_twice));
        assert!(memory.enter(config, one_and_two), "it used one thing that the other one has left");
        assert!(!memory.enter(config, two_twice));
        assert!(memory.enter(config, two), "it has more left than both");
        assert!(!memory.enter(config, one_and_two));
        assert!(memory.enter(Config { state: 1, ..config }, two_twice));
    }
}
