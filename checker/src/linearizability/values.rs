//! Numbers for values, so that operations are small and comparisons are cheap.

use super::{marks::Datum, texts::Texts};
use rustc_hash::FxHashMap;
use serde_json::Value;
use std::borrow::Cow;

/// The initial value: nothing there.
pub(super) const ABSENT: u32 = 0;
/// Every value that no operation can tell from another one, because none looks for it.
pub(super) const UNOBSERVED: u32 = u32::MAX - 1;
/// Looked for by observations that contradict themselves; never held.
pub(super) const IMPOSSIBLE: u32 = u32::MAX;

/// The values of one key.
#[derive(Debug)]
pub(super) enum Values<'a> {
    /// Plain values, by number.
    Plain(Plain<'a>),
    /// Text that grows by appends.
    Text(Suffixed<'a>),
}

/// Values that are only compared.
#[derive(Debug)]
pub(super) struct Plain<'a> {
    small: Small,
    others: FxHashMap<&'a Value, u32>,
    shown: Vec<Datum<'a>>,
}

/// The numbers of small integers.
#[derive(Debug)]
enum Small {
    /// By integer; 0 for those that have none.
    Listed(Vec<u32>),
    Hashed(FxHashMap<u32, u32>),
}

/// The most entries of a list of all integers up to the largest, for each operation of the history.
const LISTED_PER_NOTE: usize = 16;

/// All texts that are looked for with their beginnings, and what is appended.
#[derive(Debug)]
pub(super) struct Suffixed<'a> {
    texts: Texts<'a>,
    numbers: FxHashMap<Cow<'a, str>, u32>,
    suffixes: Vec<Cow<'a, str>>,
}

impl<'a> Values<'a> {
    /// Values that are only compared, numbered in the order in which they first come. `largest` is the
    /// largest small integer anywhere in a history of `operations` operations.
    pub(super) fn plain(
        observed: impl Iterator<Item = Datum<'a>>,
        largest: Option<u32>,
        operations: usize,
    ) -> Self {
        let list = largest.map_or(0, |largest| largest as usize + 1);
        let small = if list <= LISTED_PER_NOTE * operations {
            Small::Listed(vec![0; list])
        } else {
            Small::Hashed(FxHashMap::with_capacity_and_hasher(operations, rustc_hash::FxBuildHasher))
        };
        let mut plain = Plain { small, others: FxHashMap::default(), shown: Vec::new() };
        for datum in observed {
            plain.observe(datum);
        }
        Self::Plain(plain)
    }

    /// Values that are appended to, and what is appended.
    pub(super) fn text(
        observed: impl Iterator<Item = Datum<'a>>,
        appended: impl Iterator<Item = Datum<'a>>,
    ) -> Self {
        let texts = Texts::new(observed.filter(|&datum| datum != Datum::Absent).map(Datum::text).collect());
        let mut numbers = FxHashMap::default();
        let mut suffixes = Vec::new();
        for suffix in appended {
            let text = suffix.text();
            numbers.entry(text).or_insert_with_key(|text| {
                suffixes.push(text.clone());
                number(suffixes.len() - 1)
            });
        }
        Self::Text(Suffixed { texts, numbers, suffixes })
    }

    /// Whether values grow by appends.
    pub(super) fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    /// One more than the largest number given out.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Plain(plain) => plain.shown.len() + 1,
            Self::Text(text) => text.texts.len(),
        }
    }

    /// The number of a value; [`UNOBSERVED`] for those that no operation looks for.
    pub(super) fn find(&self, datum: Datum<'_>) -> u32 {
        match (self, datum) {
            (_, Datum::Absent) => ABSENT,
            (Self::Plain(plain), _) => plain.find(datum),
            (Self::Text(text), _) => text.texts.find(datum.text().as_bytes()).unwrap_or(UNOBSERVED),
        }
    }

    /// The number of a suffix.
    pub(super) fn suffix(&self, datum: Datum<'_>) -> u32 {
        match self {
            Self::Plain(_) => unreachable!("appends are only encoded on a key with text values"),
            Self::Text(text) => text.numbers[&*datum.text()],
        }
    }

    /// The value after a suffix was appended; to an absent value it is appended as to "".
    pub(super) fn append(&self, value: u32, suffix: u32) -> u32 {
        match self {
            Self::Plain(_) => unreachable!("appends are only encoded on a key with text values"),
            Self::Text(_) if value == UNOBSERVED => UNOBSERVED,
            Self::Text(Suffixed { texts, suffixes, .. }) => {
                texts.longer(value, suffixes[suffix as usize].as_bytes()).unwrap_or(UNOBSERVED)
            }
        }
    }

    /// The text that is one byte shorter; the absent value for the empty text. None for values that are
    /// not text.
    pub(super) fn shorter(&self, value: usize) -> Option<usize> {
        match self {
            Self::Text(text) => text.texts.shorter(number(value)).map(|shorter| shorter as usize),
            Self::Plain(_) => None,
        }
    }

    /// Whether a text ends with a suffix.
    pub(super) fn ends_with(&self, value: u32, suffix: u32) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Text(Suffixed { texts, suffixes, .. }) => {
                texts.bytes(value).ends_with(suffixes[suffix as usize].as_bytes())
            }
        }
    }

    /// The value for people.
    pub(super) fn show(&self, value: u32) -> String {
        match (value, self) {
            (ABSENT, _) => "nothing".to_owned(),
            (UNOBSERVED, _) => "a value that no operation observed".to_owned(),
            (IMPOSSIBLE, _) => "no value at all".to_owned(),
            (_, Self::Plain(plain)) => plain.shown[value as usize - 1].show(),
            (_, Self::Text(text)) => format!("{:?}", String::from_utf8_lossy(text.texts.bytes(value))),
        }
    }
}

impl<'a> Plain<'a> {
    fn observe(&mut self, datum: Datum<'a>) {
        let next = number(self.shown.len() + 1);
        let known = match datum {
            Datum::Absent => return,
            Datum::Small(integer) => match &mut self.small {
                Small::Listed(numbers) => &mut numbers[integer as usize],
                Small::Hashed(numbers) => numbers.entry(integer).or_insert(0),
            },
            Datum::Other(value) => self.others.entry(value).or_insert(0),
        };
        if *known == 0 {
            *known = next;
            self.shown.push(datum);
        }
    }

    fn find(&self, datum: Datum<'_>) -> u32 {
        let known = match datum {
            Datum::Absent => return ABSENT,
            Datum::Small(integer) => match &self.small {
                Small::Listed(numbers) => numbers.get(integer as usize),
                Small::Hashed(numbers) => numbers.get(&integer),
            },
            Datum::Other(value) => self.others.get(value),
        };
        known.copied().filter(|&known| known != 0).unwrap_or(UNOBSERVED)
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index)
        .ok()
        .filter(|&number| number < UNOBSERVED)
        .expect("a key has fewer than four billion values")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_that_leaves_every_observed_text_is_unobserved_for_good() {
        let (long, a, b, c) = (json!("17ab"), json!("a"), json!("b"), json!("c"));
        let [long, a, b, c] = [&long, &a, &b, &c].map(Datum::Other);
        let values = Values::text([long].into_iter(), [a, b, c].into_iter());
        let seen = values.find(long);
        let [a, b, c] = [a, b, c].map(|suffix| values.suffix(suffix));
        let start = values.find(Datum::Small(17));
        assert_eq!(values.append(values.append(start, a), b), seen);
        assert_eq!(values.append(values.append(start, c), b), UNOBSERVED);
        assert_eq!(values.show(seen), "\"17ab\"");
        assert_eq!(values.append(ABSENT, a), UNOBSERVED);
        assert!(values.ends_with(seen, b) && !values.ends_with(seen, a));
    }

    #[test]
    fn plain_values_keep_numbers_and_strings_apart() {
        let string = json!("1");
        for operations in [0, 1] {
            let values = Values::plain([Datum::Small(1)].into_iter(), Some(1), operations);
            assert_eq!(values.find(Datum::Small(1)), 1);
            assert_eq!(values.find(Datum::Small(0)), UNOBSERVED);
            assert_eq!(values.find(Datum::Other(&string)), UNOBSERVED);
            assert_eq!(values.find(Datum::Absent), ABSENT);
        }
    }

    #[test]
    fn integers_have_one_number_each_however_they_are_kept() {
        let all: Vec<u32> = (0..3_000_u32).map(|i| i * 7919 % 60_013).collect();
        for operations in [6_000, 3_000] {
            let observed = all.iter().chain(&all).map(|&integer| Datum::Small(integer));
            let values = Values::plain(observed, all.iter().copied().max(), operations);
            assert_eq!(values.len(), 3_001);
            let numbers: Vec<u32> = all.iter().map(|&integer| values.find(Datum::Small(integer))).collect();
            assert_eq!(numbers, (1..=3_000).collect::<Vec<u32>>());
            assert_eq!(values.find(Datum::Small(60_014)), UNOBSERVED);
            assert_eq!(values.show(2), "7919");
        }
    }
}
