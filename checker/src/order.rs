//! Sorting by numbers, with one copy of the sorting algorithm for all types.
//!
//! The sort of the standard library is compiled anew for every type and closure, 5 to 25 kB each. Generic code, which
//! is compiled for every kind of object, sorts numbers instead and moves its items once.

/// The indexes of `keys` in the order of these; those of equal keys keep theirs.
pub(crate) fn indexes_by_key(keys: impl IntoIterator<Item = u64>) -> Vec<usize> {
    sorted(keys.into_iter().zip(0..).collect())
}

fn sorted(mut keys: Vec<(u64, usize)>) -> Vec<usize> {
    keys.sort_unstable();
    keys.into_iter().map(|(_, index)| index).collect()
}

/// Sorts `items`; those of equal keys keep their order.
pub(crate) fn sort_by_key<T>(items: &mut Vec<T>, key: impl FnMut(&T) -> u64) {
    let order = indexes_by_key(items.iter().map(key));
    let mut old: Vec<Option<T>> = items.drain(..).map(Some).collect();
    items.extend(order.into_iter().filter_map(|index| old[index].take()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_keys_keep_their_order() {
        let mut words = ["pear", "fig", "plum", "kiwi", "date", "nut"].map(str::to_owned).to_vec();
        assert_eq!(indexes_by_key(words.iter().map(|word| word.len() as u64)), [1, 5, 0, 2, 3, 4]);
        let mut wanted = words.clone();
        wanted.sort_by_key(String::len);
        sort_by_key(&mut words, |word| word.len() as u64);
        assert_eq!(words, wanted);
    }
}
