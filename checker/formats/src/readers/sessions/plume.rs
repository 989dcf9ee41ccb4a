//! Plume's lines: `w(key,value,session,transaction)` and `r(…)`; the transaction -1 stands for those that were aborted.

use super::super::super::{budget::Budget, draft::Draft, fault::Fault};
use super::{Txns, draft, step};
use rustc_hash::FxHashMap;

/// Whether it writes, the key, the value, the session and the transaction.
fn parts(line: &[u8]) -> Option<(bool, u64, u64, u64, i64)> {
    let line = std::str::from_utf8(line).ok()?.trim();
    let writes = match line.get(..2)? {
        "w(" => true,
        "r(" => false,
        _ => return None,
    };
    let mut numbers = line[2..].strip_suffix(')')?.split(',').map(str::trim);
    let (key, value) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    let (session, txn) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    numbers.next().is_none().then_some((writes, key, value, session, txn))
}

/// Whether the text begins as such a file.
pub(in super::super::super) fn is_plume(text: &[u8]) -> bool {
    text.split(|&byte| byte == b'\n').next().is_some_and(|line| parts(line).is_some())
}

pub(in super::super) fn read(bytes: &[u8], budget: Budget) -> Result<Draft<'_>, Fault> {
    // Each step with its transaction, as those of several may alternate.
    let (mut begins, mut steps) = (Vec::new(), Vec::new());
    let mut known: FxHashMap<(u64, i64), usize> = FxHashMap::default();
    let (mut offset, mut cut) = (if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 }, false);
    for line in bytes[offset..].split_inclusive(|&byte| byte == b'\n') {
        if !line.trim_ascii().is_empty() {
            let Some((writes, key, value, session, txn)) = parts(line) else {
                if line.last() != Some(&b'\n') && !begins.is_empty() {
                    cut = true;
                    break;
                }
                return Err(Fault::at(
                    offset,
                    "this should be r(key,value,session,transaction) or w(…), in numbers",
                ));
            };
            let index = *known.entry((session, txn)).or_insert_with(|| {
                begins.push((offset, session, txn != -1));
                begins.len() - 1
            });
            steps.push((index, step(writes, key, value)));
        }
        offset += line.len();
    }
    steps.sort_by_key(|(index, _)| *index);
    let mut txns = Txns::default();
    for of_one in steps.chunk_by(|(one, _), (other, _)| one == other) {
        for (_, step) in of_one {
            txns.transactions.step(*step);
        }
        let (begin, session, committed) = begins[of_one[0].0];
        txns.end(begin, session, committed);
    }
    let mut draft = draft(bytes, budget, txns, Some(0))?;
    if cut {
        draft.note_cut();
    }
    Ok(draft)
}
