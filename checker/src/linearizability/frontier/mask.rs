//! A set of slots: one bit for each operation that is open.

/// A set of up to `64 * W` slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Mask<const W: usize>([u64; W]);

impl<const W: usize> Mask<W> {
    pub(super) const EMPTY: Self = Self([0; W]);

    /// The same slots in a wider set.
    pub(super) fn widened<const V: usize>(self) -> Mask<V> {
        let mut words = [0; V];
        words[..W].copy_from_slice(&self.0);
        Mask(words)
    }

    pub(super) fn has(&self, slot: usize) -> bool {
        self.0[slot / 64] & (1 << (slot % 64)) != 0
    }

    pub(super) fn set(&mut self, slot: usize) {
        self.0[slot / 64] |= 1 << (slot % 64);
    }

    pub(super) fn clear(&mut self, slot: usize) {
        self.0[slot / 64] &= !(1 << (slot % 64));
    }

    pub(super) fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    pub(super) fn within(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a & !b == 0)
    }

    pub(super) fn both(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a &= b);
        self
    }

    pub(super) fn minus(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a &= !b);
        self
    }

    pub(super) fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// The lowest slot that is not in the set; none if all are.
    pub(super) fn first_free(&self) -> Option<usize> {
        self.0.iter().position(|&word| word != u64::MAX).map(|i| i * 64 + self.0[i].trailing_ones() as usize)
    }

    /// The slots in the set, lowest first.
    pub(super) fn slots(self) -> impl Iterator<Item = usize> {
        (0..W).flat_map(move |i| {
            let mut word = self.0[i];
            std::iter::from_fn(move || {
                (word != 0).then(|| {
                    let bit = word.trailing_zeros() as usize;
                    word &= word - 1;
                    i * 64 + bit
                })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_beyond_the_first_word_count_like_the_others() {
        let mut mask = Mask::<3>::EMPTY;
        for slot in [0, 63, 64, 150] {
            mask.set(slot);
        }
        assert_eq!(mask.slots().collect::<Vec<_>>(), [0, 63, 64, 150]);
        assert_eq!((mask.count(), mask.first_free()), (4, Some(1)));
        let mut part = mask;
        part.clear(63);
        assert!(part.within(&mask) && !mask.within(&part) && !part.has(63));
        assert_eq!(mask.minus(&part).slots().collect::<Vec<_>>(), [63]);
        assert_eq!(Mask::<1>([u64::MAX]).first_free(), None);
    }
}
