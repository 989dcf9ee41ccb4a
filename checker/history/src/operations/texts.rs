//! Texts by number, each stored once.

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;
use std::hash::BuildHasher;

/// Texts one behind the other, and where each of them ends.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts {
    text: String,
    ends: Vec<usize>,
}

impl Texts {
    pub(super) fn get(&self, number: u32) -> &str {
        let number = number as usize;
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        &self.text[start..self.ends[number]]
    }

    fn push(&mut self, text: &str) -> u32 {
        let number = super::small(self.ends.len());
        self.text.push_str(text);
        self.ends.push(self.text.len());
        number
    }
}

/// Finds the number of a text.
#[derive(Debug, Default)]
pub(super) struct TextIndex {
    numbers: HashTable<u32>,
}

impl TextIndex {
    /// The number of a text, which is added if it is new.
    pub(super) fn number(&mut self, texts: &mut Texts, text: &str) -> u32 {
        let hash = |text: &str| FxBuildHasher.hash_one(text);
        let hashed = hash(text);
        if let Some(&number) = self.numbers.find(hashed, |&number| texts.get(number) == text) {
            return number;
        }
        let number = texts.push(text);
        self.numbers.insert_unique(hashed, number, |&number| hash(texts.get(number)));
        number
    }
}
