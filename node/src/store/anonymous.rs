//! The applied commands of anonymous clients: one bit each, and no result.
//!
//! A replica numbers anonymous commands under a name of its own life. Such a command may be decided in two
//! slots, like any other, and must be applied only in the first. No client requests its result again.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;

/// Distance to a life's highest number up to which a command can still be new.
///
/// An older one is not applied.
const WINDOW: u64 = 1 << 16;

/// Largest number of known lives: the one that has been silent for longest is dropped first.
const LIVES: usize = 64;

/// The anonymous commands of one life of a replica.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Life {
    name: Arc<str>,
    /// Every number below was applied or is given up; a multiple of 64.
    floor: u64,
    /// A bit for each number from there on.
    words: VecDeque<u64>,
}

impl Life {
    fn new(name: &Arc<str>) -> Self {
        Self { name: Arc::clone(name), floor: 0, words: VecDeque::new() }
    }

    fn has(&self, number: u64) -> bool {
        let Some(above) = number.checked_sub(self.floor) else { return true };
        let word = usize::try_from(above / 64).ok().and_then(|index| self.words.get(index));
        word.is_some_and(|word| word & (1 << (above % 64)) != 0)
    }

    fn add(&mut self, number: u64) {
        while number.checked_sub(self.floor).is_some_and(|above| above >= WINDOW) {
            self.words.pop_front();
            self.floor += 64;
            if self.words.is_empty() {
                self.floor = self.floor.max((number - number % 64).saturating_sub(WINDOW - 64));
            }
        }
        let Some(above) = number.checked_sub(self.floor) else { return };
        let index = usize::try_from(above / 64).expect("the window is small");
        if index >= self.words.len() {
            self.words.resize(index + 1, 0);
        }
        self.words[index] |= 1 << (above % 64);
        while self.words.front() == Some(&u64::MAX) {
            self.words.pop_front();
            self.floor = self.floor.saturating_add(64);
        }
    }
}

/// The known lives, the most recently active one last.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Anonymous(Vec<Life>);

impl Anonymous {
    /// Whether this command was applied, or is too old to be applied.
    pub(super) fn has(&self, name: &str, number: u64) -> bool {
        self.0.iter().rev().find(|life| &*life.name == name).is_some_and(|life| life.has(number))
    }

    /// Records that it was applied.
    pub(super) fn add(&mut self, name: &Arc<str>, number: u64) {
        let known = self.0.iter().rposition(|life| life.name == *name);
        let mut life = known.map_or_else(|| Life::new(name), |index| self.0.remove(index));
        life.add(number);
        self.0.push(life);
        if self.0.len() > LIVES {
            self.0.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_in_order_take_one_word() {
        let (mut anonymous, name) = (Anonymous::default(), Arc::from("~1"));
        for number in 0..200_000 {
            assert!(!anonymous.has(&name, number));
            anonymous.add(&name, number);
            assert!(anonymous.has(&name, number) && !anonymous.has("~2", number));
        }
        assert!(anonymous.0[0].words.len() <= 1);
    }

    #[test]
    fn a_missing_number_holds_one_window() {
        let (mut anonymous, name) = (Anonymous::default(), Arc::from("~1"));
        (1..10_000_000_u64).step_by(65).for_each(|number| anonymous.add(&name, number));
        assert!(anonymous.0[0].words.len() as u64 <= WINDOW / 64);
        assert!(anonymous.has(&name, 2), "it is too old to be applied");
        anonymous.add(&name, u64::MAX);
        assert!(anonymous.0[0].words.len() as u64 <= WINDOW / 64);
        assert!(anonymous.has(&name, u64::MAX) && !anonymous.has(&name, u64::MAX - 1));
    }

    #[test]
    fn silent_lives_are_forgotten_first() {
        let mut anonymous = Anonymous::default();
        for life in 0..2 * LIVES {
            anonymous.add(&"~busy".into(), life as u64);
            anonymous.add(&format!("~{life}").into(), 1);
        }
        assert_eq!(anonymous.0.len(), LIVES);
        assert!(anonymous.has("~busy", 0) && !anonymous.has("~0", 1) && anonymous.has("~127", 1));
    }

    proptest! {
        #[test]
        fn it_is_a_set_of_numbers(numbers in prop::collection::vec(0_u64..400, 0..300)) {
            let (mut anonymous, name) = (Anonymous::default(), Arc::from("~1"));
            let mut set = std::collections::BTreeSet::new();
            for number in numbers {
                prop_assert_eq!(anonymous.has(&name, number), set.contains(&number));
                anonymous.add(&name, number);
                set.insert(number);
            }
            prop_assert!((0..500).all(|number| anonymous.has(&name, number) == set.contains(&number)));
            let bytes = postcard::to_stdvec(&anonymous).unwrap();
            let again: Anonymous = postcard::from_bytes(&bytes).unwrap();
            prop_assert_eq!(postcard::to_stdvec(&again).unwrap(), bytes);
        }
    }
}
