//! Cobra's logs, one a session: records of a letter and numbers of 64 bits, the largest byte first. Sessions are told
//! apart by a line feed, which is no such letter.

use super::super::super::{budget::Budget, draft::Draft, fault::Fault};
use super::{Txns, draft};

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

pub(in super::super) fn read(bytes: &[u8], budget: Budget) -> Result<Draft<'_>, Fault> {
    // Where the transaction begins that is being read.
    let (mut txns, mut open): (Txns, Option<usize>) = (Txns::default(), None);
    let (mut offset, mut session, mut cut) = (0, 0, false);
    while let Some(&letter) = bytes.get(offset) {
        if letter == b'\n' {
            (session, offset) = (session + 1, offset + 1);
            open = None;
            txns.discard();
            continue;
        }
        let odd = |what: &str| Fault::at(offset, format!("byte {offset} is {what} in a log of Cobra"));
        let count = numbers(letter).ok_or_else(|| odd("no letter of a record"))?;
        let Some(record) = bytes.get(offset + 1..offset + 1 + 8 * count) else {
            cut = true;
            break;
        };
        let number = |index: usize| {
            let bytes: [u8; 8] = record[8 * index..8 * index + 8].try_into().expect("eight bytes were taken");
            u64::from_be_bytes(bytes)
        };
        match (letter, open) {
            (b'S', None) => open = Some(offset),
            (b'C' | b'A', _) => {
                let begin = open.take().ok_or_else(|| odd("the end of a transaction that did not begin"))?;
                txns.end(begin, session, letter == b'C');
            }
            (b'W', Some(_)) => txns.step(true, number(1), number(0)),
            (b'R', Some(_)) => {
                let [writer, write, key] = [number(0), number(1), number(2)];
                let initial = [INITIAL, NOTHING].contains(&writer) && [INITIAL, NOTHING].contains(&write);
                if initial && !COLLECTION.contains(&write) {
                    txns.read_nothing(key);
                } else if !COLLECTION.contains(&write) {
                    txns.step(false, key, write);
                }
            }
            _ => return Err(odd("a record outside of a transaction, or a transaction inside of one")),
        }
        offset += 1 + 8 * count;
    }
    txns.discard();
    let mut draft = draft(bytes, budget, txns, None)?;
    if cut {
        draft.note_cut();
    }
    Ok(draft)
}
