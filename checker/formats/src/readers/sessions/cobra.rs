//! Cobra's logs, one a session: records of a letter and numbers of 64 bits, the largest byte first. Sessions are told
//! apart by a line feed, which is no such letter.
//!
//! A write has a number and a value, and a read has both of the write that it saw. Cobra's own clients give every write
//! another number. Others count the writes of each transaction, so that two writes of a key may have the same number;
//! then the pair of number and value identifies a write.

use super::super::super::{budget::Budget, draft::Draft, fault::Fault};
use super::{Txns, draft};
use rustc_hash::FxHashMap;

/// Numbers that stand for the initial transaction and its writes, and for no value.
const INITIAL: u64 = 0xbebe_ebee;
const NOTHING: u64 = 0xdead_beef;
/// Writes of Cobra's own garbage collection.
const COLLECTION: [u64; 2] = [0x2333_2333, 0x6666_6666];

/// How many numbers follow a letter.
fn numbers(letter: u8) -> Option<usize> {
    match letter {
        b'S' | b'C' | b'A' => Some(1),
        b'W' => Some(3),
        b'R' => Some(4),
        _ => None,
    }
}

/// Whether the bytes begin as such a log.
pub fn is_cobra(bytes: &[u8]) -> bool {
    bytes.first() == Some(&b'S') && bytes.get(9).is_some_and(|letter| matches!(letter, b'W' | b'R' | b'C'))
}

/// A record, or the end of a session.
struct Record<'a> {
    /// Where it begins.
    offset: usize,
    letter: u8,
    numbers: &'a [u8],
}

impl Record<'_> {
    fn number(&self, index: usize) -> u64 {
        let bytes: [u8; 8] =
            self.numbers[8 * index..8 * index + 8].try_into().expect("eight bytes were taken");
        u64::from_be_bytes(bytes)
    }

    fn odd(&self, what: &str) -> Fault {
        odd(self.offset, what)
    }
}

fn odd(offset: usize, what: &str) -> Fault {
    Fault::at(offset, format!("byte {offset} is {what} in a log of Cobra"))
}

/// The records of a file.
struct Records<'a> {
    bytes: &'a [u8],
    offset: usize,
    /// Whether the file ends inside a record.
    cut: bool,
}

impl<'a> Records<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0, cut: false }
    }

    fn next(&mut self) -> Result<Option<Record<'a>>, Fault> {
        let offset = self.offset;
        let Some(&letter) = self.bytes.get(offset) else { return Ok(None) };
        let count = match letter {
            b'\n' => 0,
            _ => numbers(letter).ok_or_else(|| odd(offset, "no letter of a record"))?,
        };
        let Some(numbers) = self.bytes.get(offset + 1..offset + 1 + 8 * count) else {
            self.cut = true;
            return Ok(None);
        };
        self.offset = offset + 1 + 8 * count;
        Ok(Some(Record { offset, letter, numbers }))
    }
}

/// Numbers for writes of a key that have the same number and different values.
#[derive(Debug, Default)]
struct Shared {
    /// By key and number: the values, each with the number that stands for it.
    writes: FxHashMap<(u64, u64), Vec<(u64, u64)>>,
    /// The number of reads whose value has no write.
    unwritten: u64,
    /// Writes that got another number.
    renumbered: usize,
}

impl Shared {
    fn of(bytes: &[u8]) -> Result<Self, Fault> {
        let mut records = Records::new(bytes);
        let mut writes: Vec<[u64; 3]> = Vec::new();
        let mut largest = 0;
        while let Some(record) = records.next()? {
            match record.letter {
                b'W' => {
                    writes.push([record.number(1), record.number(0), record.number(2)]);
                    largest = largest.max(record.number(0));
                }
                b'R' => largest = largest.max(record.number(1)),
                _ => {}
            }
        }
        writes.sort_unstable();
        let mut shared = Self::default();
        let mut free = largest;
        let mut fresh = || {
            free = free.checked_add(1).ok_or_else(|| {
                Fault::whole_file(
                    "two writes of a key have one number, and no number is left to tell them apart",
                )
            })?;
            Ok(free)
        };
        let same = |one: &[u64; 3], other: &[u64; 3]| one[..2] == other[..2];
        for group in writes.chunk_by(same).filter(|group| group[0] != group[group.len() - 1]) {
            let [key, number, first] = group[0];
            let mut values = vec![(first, number)];
            for &[_, _, value] in &group[1..] {
                let renumbered = value != first;
                if values.last().is_some_and(|&(last, _)| last != value) {
                    values.push((value, fresh()?));
                }
                shared.renumbered += usize::from(renumbered);
            }
            shared.writes.insert((key, number), values);
        }
        if !shared.writes.is_empty() {
            shared.unwritten = fresh()?;
        }
        Ok(shared)
    }

    /// What stands for a write.
    fn number(&self, key: u64, number: u64, value: u64) -> u64 {
        let Some(values) = self.writes.get(&(key, number)) else { return number };
        let found = values.binary_search_by_key(&value, |&(value, _)| value);
        found.map_or(self.unwritten, |index| values[index].1)
    }
}

pub(in super::super) fn read(bytes: &[u8], budget: Budget) -> Result<Draft<'_>, Fault> {
    let shared = Shared::of(bytes)?;
    // Where the transaction begins that is being read.
    let (mut txns, mut open): (Txns, Option<usize>) = (Txns::default(), None);
    let mut session = 0;
    let mut records = Records::new(bytes);
    while let Some(record) = records.next()? {
        let number = |index| record.number(index);
        match (record.letter, open) {
            (b'\n', _) => {
                session += 1;
                open = None;
                txns.discard();
            }
            (b'S', None) => open = Some(record.offset),
            (b'C' | b'A', _) => {
                let begin =
                    open.take().ok_or_else(|| record.odd("the end of a transaction that did not begin"))?;
                txns.end(begin, session, record.letter == b'C');
            }
            (b'W', Some(_)) => txns.step(true, number(1), shared.number(number(1), number(0), number(2))),
            (b'R', Some(_)) => {
                let [writer, write, key] = [number(0), number(1), number(2)];
                let initial = [INITIAL, NOTHING].contains(&writer) && [INITIAL, NOTHING].contains(&write);
                if initial && !COLLECTION.contains(&write) {
                    txns.read_nothing(key);
                } else if !COLLECTION.contains(&write) {
                    txns.step(false, key, shared.number(key, write, number(3)));
                }
            }
            _ => return Err(record.odd("a record outside of a transaction, or a transaction inside of one")),
        }
    }
    txns.discard();
    let mut draft = draft(bytes, budget, txns, None)?;
    draft.count_note(
        shared.renumbered,
        "write has the number of another write of its key and another value: it got a number of its own",
        "writes have the numbers of other writes of their keys and other values: they got numbers of their own",
    );
    if records.cut {
        draft.note_cut();
    }
    Ok(draft)
}
