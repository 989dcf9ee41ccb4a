//! Texts by number, each stored once.

use super::numbers::Numbers;

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
    numbers: Numbers,
}

impl TextIndex {
    /// The number of a text, which is added if it is new.
    pub(super) fn number(&mut self, texts: &mut Texts, text: &str) -> u32 {
        if let Some(number) = self.numbers.find(text, |number| texts.get(number), |_| true) {
            return number;
        }
        let number = texts.push(text);
        self.numbers.insert(text, number, |number| texts.get(number));
        number
    }
}
