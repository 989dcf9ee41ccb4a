//! Lists by the number of their owner, in two arrays: where each begins, and all items one behind the other.
//!
//! A list of its own for each of a million owners takes many times the memory of its few items.

/// The lists, whose items keep the order in which they were given.
#[derive(Debug, Clone)]
pub(super) struct Lists<T> {
    starts: Vec<u32>,
    items: Vec<T>,
}

impl<T: Copy + Default> Lists<T> {
    /// Lists of items that come with their owners.
    pub(super) fn new(owners: usize, items: impl Iterator<Item = (u32, T)> + Clone) -> Self {
        // Behind each owner's own count, so that a start moves to its end while items are put in.
        let mut starts = vec![0u32; owners + 2];
        for (owner, _) in items.clone() {
            starts[owner as usize + 2] += 1;
        }
        for owner in 0..owners {
            starts[owner + 2] += starts[owner + 1];
        }
        let mut all = vec![T::default(); starts[owners + 1] as usize];
        for (owner, item) in items {
            let next = &mut starts[owner as usize + 1];
            all[*next as usize] = item;
            *next += 1;
        }
        starts.pop();
        Self { starts, items: all }
    }

    /// Lists of items that come in the order of their owners. They take the place of the pairs.
    pub(super) fn in_order(owners: usize, items: Vec<(u32, T)>) -> Self {
        let mut starts = vec![0u32; owners + 1];
        for (owner, _) in &items {
            starts[*owner as usize + 1] += 1;
        }
        for owner in 0..owners {
            starts[owner + 1] += starts[owner];
        }
        let mut items: Vec<T> = items.into_iter().map(|(_, item)| item).collect();
        items.shrink_to_fit();
        Self { starts, items }
    }

    /// How many items there are.
    pub(super) fn count(&self) -> usize {
        self.items.len()
    }

    /// The items of an owner.
    pub(super) fn of(&self, owner: u32) -> &[T] {
        &self.items[self.starts[owner as usize] as usize..self.starts[owner as usize + 1] as usize]
    }

    /// All items with their owners.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, T)> + Clone {
        let owners = (0..).zip(self.starts.windows(2));
        owners.flat_map(|(owner, ends)| {
            self.items[ends[0] as usize..ends[1] as usize].iter().map(move |item| (owner, *item))
        })
    }

    /// The same with more items at the ends of lists.
    pub(super) fn with(&self, more: &[(u32, T)]) -> Self {
        Self::new(self.starts.len() - 1, self.iter().chain(more.iter().copied()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_keep_their_order() {
        let lists = Lists::new(4, [(2, 'a'), (0, 'b'), (2, 'c'), (3, 'd')].into_iter());
        let lists = lists.with(&[(1, 'e'), (2, 'f')]);
        let all: Vec<&[char]> = (0..4).map(|owner| lists.of(owner)).collect();
        assert_eq!(all, [&['b'][..], &['e'], &['a', 'c', 'f'], &['d']]);
        assert!(Lists::<u32>::new(1, std::iter::empty()).of(0).is_empty());
        let same = Lists::in_order(4, lists.iter().collect());
        assert!((0..4).all(|owner| same.of(owner) == lists.of(owner)));
    }
}
