//! AWDIT's text: `w key value` and `r key value`, a line of `-` behind each transaction, a line of `=` behind each session.
//! Its files write what is there at first.

use super::super::super::{Options, budget::Budget, draft::Draft, fault::Fault};
use super::{Txn, draft};

/// Whether it writes, the key and the value.
fn parts(line: &[u8]) -> Option<(bool, u64, u64)> {
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    let writes = match words.next()? {
        "w" => true,
        "r" => false,
        _ => return None,
    };
    let (key, value) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    words.next().is_none().then_some((writes, key, value))
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
    let (mut txns, mut open): (Vec<Txn>, Option<Txn>) = (Vec::new(), None);
    let (mut offset, mut session) = (if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 }, 0);
    let (mut cut, mut open_end) = (false, false);
    for line in bytes[offset..].split_inclusive(|&byte| byte == b'\n') {
        let last = line.last() != Some(&b'\n');
        if is_rule(line, b'-') || is_rule(line, b'=') {
            txns.extend(open.take());
            session += u64::from(is_rule(line, b'='));
        } else if !line.trim_ascii().is_empty() {
            let Some((writes, key, value)) = parts(line) else {
                if last && (open.is_some() || !txns.is_empty()) {
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
            open.get_or_insert_with(|| Txn::new(offset, session)).step(writes, key, value);
        }
        offset += line.len();
    }
    // A transaction inside which the file is cut may have more steps.
    if options.whole_last_line || !(cut || open_end) {
        txns.extend(open);
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
