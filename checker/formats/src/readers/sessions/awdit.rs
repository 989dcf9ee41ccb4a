//! AWDIT's text: `w key value` and `r key value`, a line of `-` behind each transaction, a line of `=` behind each session.
//! Its files write what is there at first.

use super::super::super::{Options, budget::Budget, draft::Draft, fault::Fault};
use super::{Txns, draft};

/// Whether it writes, the key and the value.
type Parts = (bool, u64, u64);

/// The parts of a line.
fn parts(line: &[u8]) -> Option<Parts> {
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    let writes = match words.next()? {
        "w" => true,
        "r" => false,
        _ => return None,
    };
    let (key, value) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    words.next().is_none().then_some((writes, key, value))
}

/// The parts of the first line and what follows it, if the line is as AWDIT writes it: `w 12 34` and a line feed.
fn plain_parts(text: &[u8]) -> Option<(Parts, &[u8])> {
    let (writes, text) = match text {
        [b'w', b' ', rest @ ..] => (true, rest),
        [b'r', b' ', rest @ ..] => (false, rest),
        _ => return None,
    };
    let (key, text) = digits(text, b' ')?;
    let (value, text) = digits(text, b'\n')?;
    Some(((writes, key, value), text))
}

/// A number and what follows the sign at its end.
fn digits(text: &[u8], end: u8) -> Option<(u64, &[u8])> {
    /// Numbers of up to this many digits fit in 64 bits.
    const DIGITS: usize = 19;
    let mut number = 0;
    for (index, byte) in text.iter().enumerate().take(DIGITS + 1) {
        match byte {
            b'0'..=b'9' if index < DIGITS => number = 10 * number + u64::from(byte - b'0'),
            byte if *byte == end && index > 0 => return Some((number, &text[index + 1..])),
            _ => return None,
        }
    }
    None
}

/// Whether a line is made of this sign.
fn is_rule(line: &[u8], sign: u8) -> bool {
    let line = line.trim_ascii();
    !line.is_empty() && line.iter().all(|byte| *byte == sign)
}

/// Whether the text begins as such a file.
pub(in super::super::super) fn is_awdit(text: &[u8]) -> bool {
    text.split(|&byte| byte == b'\n').next().is_some_and(|line| parts(line).is_some())
}

pub(in super::super) fn read<'a>(
    bytes: &'a [u8],
    budget: Budget,
    options: &Options,
) -> Result<Draft<'a>, Fault> {
    let (mut txns, mut begin) = (Txns::default(), None);
    let mut text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let (mut session, mut cut, mut open_end) = (0, false, false);
    while !text.is_empty() {
        let offset = bytes.len() - text.len();
        if let Some(((writes, key, value), rest)) = plain_parts(text) {
            begin.get_or_insert(offset);
            txns.step(writes, key, value);
            text = rest;
            continue;
        }
        let line = text.split_inclusive(|&byte| byte == b'\n').next().unwrap_or_default();
        let last = line.last() != Some(&b'\n');
        if is_rule(line, b'-') || is_rule(line, b'=') {
            txns.end(begin.take().unwrap_or(offset), session, true);
            session += u64::from(is_rule(line, b'='));
        } else if !line.trim_ascii().is_empty() {
            let Some((writes, key, value)) = parts(line) else {
                if last && (begin.is_some() || !txns.offsets.is_empty()) {
                    cut = true;
                    break;
                }
                return Err(Fault::at(
                    offset,
                    "this should be r or w with a key and a value, in numbers, or a line of --- or ===",
                ));
            };
            if last && !options.whole_last_line {
                open_end = true;
                break;
            }
            begin.get_or_insert(offset);
            txns.step(writes, key, value);
        }
        text = &text[line.len()..];
    }
    // A transaction inside which the file is cut may have more steps.
    if options.whole_last_line || !(cut || open_end) {
        txns.end(begin.unwrap_or(bytes.len()), session, true);
    } else {
        txns.discard();
    }
    let mut draft = draft(bytes, budget, txns, None)?;
    if open_end {
        draft.note_open_end();
    } else if cut {
        draft.note_cut();
        draft.end.open = !options.whole_last_line;
    }
    Ok(draft)
}
