//! All beginnings of the texts that are looked for, numbered without storing any of them.
//!
//! Where a value only grows, each text is a beginning of the next: the longest one stands for all of them.
//! So the texts are kept as few *strands*, each of which says where it leaves an earlier one. A text that is
//! no beginning of any stays so whatever is appended: this keeps a value's size out of the search.

use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::cmp::Reverse;

/// Nothing was ever written.
const ABSENT: u32 = 0;
/// The empty text, with which every text begins.
const EMPTY: u32 = 1;
/// Bytes compared at once.
const BLOCK: usize = 64;

/// The beginnings of some texts. A text's number is larger than those of its own beginnings.
#[derive(Debug)]
pub(super) struct Texts<'a> {
    strands: Vec<Strand<'a>>,
    /// By the text in which a strand leaves and the first byte that it has of its own.
    leaves: FxHashMap<(u32, u8), usize>,
    len: u32,
}

#[derive(Debug)]
struct Strand<'a> {
    text: Cow<'a, str>,
    /// How many bytes it shares with earlier strands, and the number of the text up to there.
    shared: usize,
    from: u32,
    /// The number of the text that is one byte longer than that.
    first: u32,
}

impl Strand<'_> {
    /// The number of its text of this length, which must be longer than what is shared.
    fn number(&self, length: usize) -> u32 {
        self.first + narrow(length - self.shared - 1)
    }
}

impl<'a> Texts<'a> {
    pub(super) fn new(mut texts: Vec<Cow<'a, str>>) -> Self {
        let mut all = Self { strands: Vec::new(), leaves: FxHashMap::default(), len: EMPTY + 1 };
        texts.sort_by_key(|text| Reverse(text.len()));
        for text in texts {
            let (from, shared) = all.walk(EMPTY, text.as_bytes());
            if let Some(&byte) = text.as_bytes().get(shared) {
                all.leaves.insert((from, byte), all.strands.len());
                let first = all.len;
                all.len = first
                    .checked_add(narrow(text.len() - shared))
                    .expect("the texts of a key have fewer than four billion beginnings");
                all.strands.push(Strand { text, shared, from, first });
            }
        }
        all
    }

    /// One more than the largest number.
    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    /// The number of a text, if it is a beginning of one that is looked for.
    pub(super) fn find(&self, text: &[u8]) -> Option<u32> {
        let (number, followed) = self.walk(EMPTY, text);
        (followed == text.len()).then_some(number)
    }

    /// The same for a text with something appended; an absent one counts as empty.
    pub(super) fn longer(&self, text: u32, suffix: &[u8]) -> Option<u32> {
        let (number, followed) = self.walk(text.max(EMPTY), suffix);
        (followed == suffix.len()).then_some(number)
    }

    /// The text without its last byte; the absent one for the empty text.
    pub(super) fn shorter(&self, text: u32) -> Option<u32> {
        match text {
            ABSENT => None,
            EMPTY => Some(ABSENT),
            _ => {
                let (strand, _) = self.index(text);
                Some(if text == strand.first { strand.from } else { text - 1 })
            }
        }
    }

    /// The text with this number.
    pub(super) fn bytes(&self, text: u32) -> &[u8] {
        match text {
            ABSENT | EMPTY => &[],
            _ => {
                let (strand, length) = self.index(text);
                &strand.text.as_bytes()[..length]
            }
        }
    }

    /// The strand that has a text, and the text's length. It must not be empty.
    fn index(&self, text: u32) -> (&Strand<'a>, usize) {
        let after = self.strands.partition_point(|strand| strand.first <= text);
        let strand = &self.strands[after - 1];
        (strand, strand.shared + 1 + (text - strand.first) as usize)
    }

    /// Follows more bytes from a text: where they lead, and how many could be followed.
    fn walk(&self, from: u32, more: &[u8]) -> (u32, usize) {
        let (mut number, mut followed) = (from, 0);
        let mut here = (from > EMPTY).then(|| self.index(from));
        loop {
            if let Some((strand, length)) = here {
                let common = common(&strand.text.as_bytes()[length..], &more[followed..]);
                followed += common;
                if common > 0 {
                    number = strand.number(length + common);
                }
            }
            let next = more.get(followed).and_then(|&byte| self.leaves.get(&(number, byte)));
            let Some(&next) = next else { return (number, followed) };
            let strand = &self.strands[next];
            here = Some((strand, strand.shared));
        }
    }
}

/// How many bytes are the same from the start.
fn common(a: &[u8], b: &[u8]) -> usize {
    let blocks = a.chunks_exact(BLOCK).zip(b.chunks_exact(BLOCK)).take_while(|(a, b)| a == b).count();
    let same = blocks * BLOCK;
    same + a[same..].iter().zip(&b[same..]).take_while(|(a, b)| a == b).count()
}

fn narrow(length: usize) -> u32 {
    u32::try_from(length).expect("a text has fewer than four billion bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_beginning_and_nothing_else_has_a_number_of_its_own() {
        let mut numbers = std::iter::successors(Some(7_u64), |seed| Some(seed * 48_271 % 0x7fff_ffff));
        let mut next = |below: u64| usize::try_from(numbers.next().expect("endless") % below).expect("small");
        for round in 0..200 {
            let mut texts: Vec<String> = Vec::new();
            for _ in 0..=next(8) {
                let mut text =
                    if texts.is_empty() { String::new() } else { texts[next(texts.len() as u64)].clone() };
                text.truncate(next(100));
                let more = if round % 2 == 0 { next(4) } else { next(150) };
                text.extend((0..more).map(|_| if next(30) == 0 { 'b' } else { 'a' }));
                texts.push(text);
            }
            let beginnings: BTreeSet<&str> =
                texts.iter().flat_map(|text| (0..=text.len()).map(|end| &text[..end])).collect();
            let known = Texts::new(texts.iter().map(|text| Cow::Borrowed(text.as_str())).collect());
            assert_eq!(known.len(), beginnings.len() + 1);
            for text in &beginnings {
                let number = known.find(text.as_bytes()).expect("it is a beginning");
                assert_eq!(known.bytes(number), text.as_bytes());
                let shorter = text
                    .len()
                    .checked_sub(1)
                    .map_or(ABSENT, |end| known.find(&text.as_bytes()[..end]).expect("it is a beginning"));
                assert!(shorter < number);
                assert_eq!(known.shorter(number), Some(shorter));
                for suffix in ["", "a", "b", "aaaaab", "aa"] {
                    let longer = format!("{text}{suffix}");
                    assert_eq!(known.longer(number, suffix.as_bytes()), known.find(longer.as_bytes()));
                    assert_eq!(known.find(longer.as_bytes()).is_some(), beginnings.contains(&*longer));
                }
            }
            assert_eq!(known.shorter(ABSENT), None);
            assert_eq!(known.longer(ABSENT, b""), Some(EMPTY));
        }
    }
}
