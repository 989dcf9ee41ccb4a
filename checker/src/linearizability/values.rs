//! Numbers for values, so that operations are small and comparisons are cheap.

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
    Text(Trie<'a>),
}

/// Values that are only compared.
#[derive(Debug, Default)]
pub(super) struct Plain<'a> {
    numbers: FxHashMap<&'a Value, u32>,
    shown: Vec<&'a Value>,
}

/// All beginnings of the texts that are looked for. A text outside of it stays outside whatever is
/// appended, so all those are [`UNOBSERVED`]: this keeps a value's size out of the search.
#[derive(Debug)]
pub(super) struct Trie<'a> {
    children: FxHashMap<(u32, u8), u32>,
    /// Parent and last byte of each text; the first two stand for "absent" and "".
    nodes: Vec<(u32, u8)>,
    suffix_numbers: FxHashMap<Cow<'a, str>, u32>,
    suffixes: Vec<Cow<'a, str>>,
}

const EMPTY_TEXT: u32 = 1;

impl<'a> Values<'a> {
    /// No values yet but the initial one.
    pub(super) fn new(text: bool) -> Self {
        if text {
            Self::Text(Trie {
                children: FxHashMap::default(),
                nodes: vec![(ABSENT, 0), (ABSENT, 0)],
                suffix_numbers: FxHashMap::default(),
                suffixes: Vec::new(),
            })
        } else {
            Self::Plain(Plain::default())
        }
    }

    /// Whether values grow by appends.
    pub(super) fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    /// One more than the largest number given out.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Plain(plain) => plain.shown.len() + 1,
            Self::Text(trie) => trie.nodes.len(),
        }
    }

    /// The number of a value that is looked for.
    pub(super) fn observe(&mut self, value: &'a Value) -> u32 {
        if value.is_null() {
            return ABSENT;
        }
        match self {
            Self::Plain(plain) => *plain.numbers.entry(value).or_insert_with(|| {
                plain.shown.push(value);
                number(plain.shown.len())
            }),
            Self::Text(trie) => trie.insert(text(value).as_bytes()),
        }
    }

    /// The number of a value that is written: [`UNOBSERVED`] unless it was observed before this call.
    pub(super) fn find(&self, value: &Value) -> u32 {
        if value.is_null() {
            return ABSENT;
        }
        match self {
            Self::Plain(plain) => plain.numbers.get(value).copied().unwrap_or(UNOBSERVED),
            Self::Text(trie) => trie.walk(EMPTY_TEXT, text(value).as_bytes()),
        }
    }

    /// The number of a suffix.
    pub(super) fn suffix(&mut self, value: &'a Value) -> u32 {
        match self {
            Self::Plain(_) => unreachable!("appends are only encoded on a key with text values"),
            Self::Text(trie) => {
                let text = text(value);
                let next = number(trie.suffixes.len());
                *trie.suffix_numbers.entry(text.clone()).or_insert_with(|| {
                    trie.suffixes.push(text);
                    next
                })
            }
        }
    }

    /// The value after a suffix was appended; to an absent value it is appended as to "".
    pub(super) fn append(&self, value: u32, suffix: u32) -> u32 {
        match self {
            Self::Plain(_) => unreachable!("appends are only encoded on a key with text values"),
            Self::Text(trie) => match value {
                UNOBSERVED => UNOBSERVED,
                ABSENT => trie.walk(EMPTY_TEXT, trie.suffixes[suffix as usize].as_bytes()),
                _ => trie.walk(value, trie.suffixes[suffix as usize].as_bytes()),
            },
        }
    }

    /// The text that is one byte shorter; the absent value for the empty text. None for values that are
    /// not text.
    pub(super) fn shorter(&self, value: usize) -> Option<usize> {
        match self {
            Self::Text(trie) if value != ABSENT as usize => Some(trie.nodes[value].0 as usize),
            Self::Text(_) | Self::Plain(_) => None,
        }
    }

    /// Whether a text ends with a suffix.
    pub(super) fn ends_with(&self, value: u32, suffix: u32) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Text(trie) => {
                let mut node = value;
                trie.suffixes[suffix as usize].bytes().rev().all(|byte| {
                    let (parent, last) = trie.nodes[node as usize];
                    let matches = node > EMPTY_TEXT && last == byte;
                    node = parent;
                    matches
                })
            }
        }
    }

    /// The value for people.
    pub(super) fn show(&self, value: u32) -> String {
        match (value, self) {
            (ABSENT, _) => "absent".to_owned(),
            (UNOBSERVED, _) => "a value nobody observed".to_owned(),
            (IMPOSSIBLE, _) => "no value at all".to_owned(),
            (_, Self::Plain(plain)) => plain.shown[value as usize - 1].to_string(),
            (_, Self::Text(trie)) => trie.show(value),
        }
    }
}

impl Trie<'_> {
    fn insert(&mut self, text: &[u8]) -> u32 {
        let mut node = EMPTY_TEXT;
        for &byte in text {
            node = *self.children.entry((node, byte)).or_insert_with(|| {
                self.nodes.push((node, byte));
                number(self.nodes.len() - 1)
            });
        }
        node
    }

    fn walk(&self, from: u32, text: &[u8]) -> u32 {
        let mut node = from;
        for &byte in text {
            match self.children.get(&(node, byte)) {
                Some(&next) => node = next,
                None => return UNOBSERVED,
            }
        }
        node
    }

    fn show(&self, value: u32) -> String {
        let mut bytes = Vec::new();
        let mut node = value;
        while node > EMPTY_TEXT {
            let (parent, byte) = self.nodes[node as usize];
            bytes.push(byte);
            node = parent;
        }
        bytes.reverse();
        format!("{:?}", String::from_utf8_lossy(&bytes))
    }
}

fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Cow::Owned(value.to_string())
        }
    }
}

fn number(place: usize) -> u32 {
    u32::try_from(place)
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
        let (long, short, a, b, c) = (json!("17ab"), json!(17), json!("a"), json!("b"), json!("c"));
        let mut values = Values::new(true);
        let seen = values.observe(&long);
        let (a, b, c) = (values.suffix(&a), values.suffix(&b), values.suffix(&c));
        let start = values.find(&short);
        assert_eq!(values.append(values.append(start, a), b), seen);
        assert_eq!(values.append(values.append(start, c), b), UNOBSERVED);
        assert_eq!(values.show(seen), "\"17ab\"");
        assert_eq!(values.append(ABSENT, a), UNOBSERVED);
    }

    #[test]
    fn plain_values_keep_numbers_and_strings_apart() {
        let (number, string) = (json!(1), json!("1"));
        let mut values = Values::new(false);
        let seen = values.observe(&number);
        assert_eq!(values.find(&json!(1)), seen);
        assert_eq!(values.find(&string), UNOBSERVED);
        assert_eq!(values.find(&Value::Null), ABSENT);
    }
}
