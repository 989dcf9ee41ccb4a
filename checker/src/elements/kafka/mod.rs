//! Whether a log of messages by key and offset keeps each message once, in one order, for all who poll it.

mod log;
mod positions;

use super::ledger::Ledger;
use super::verdict::Class;
use crate::words;
use log::{Log, Message, Sent};
use positions::End;
use serde_json::Value;

pub(super) fn judge(own: &[usize], ledger: &mut Ledger<'_>) {
    let logs = log::read(own, ledger);
    for name in ["sent", "polled", "lost", "unseen", "duplicated", "inconsistent offsets"] {
        ledger.count(name, 0);
    }
    let (mut polled, mut unseen) = (0, 0);
    for log in &logs {
        polled += log.polled;
        ledger.count(
            "sent",
            log.sent.values().filter(|sent| matches!(sent, Sent::Acknowledged { .. })).count(),
        );
        ledger.count("polled", log.polled);
        offsets(log, ledger);
        duplicates(log, ledger);
        strangers(log, ledger);
        unseen += losses(log, ledger);
    }
    let ends = positions::judge(own, &logs, ledger);
    for log in &logs {
        tails(log, &ends, ledger);
    }
    if unseen > 0 && !ends.is_empty() {
        ledger.doubt(format!(
            "{} never polled",
            words::counted(unseen as u64, "acknowledged message was", "acknowledged messages were")
        ));
    }
    if polled == 0 {
        ledger.doubt("no message was polled, so none could have been missed");
    }
}

/// Two messages at one offset.
fn offsets(log: &Log<'_>, ledger: &mut Ledger<'_>) {
    for (offset, messages) in &log.offsets {
        let [first, second, ..] = messages.as_slice() else { continue };
        ledger.count("inconsistent offsets", 1);
        let text = format!(
            "inconsistent-offsets: offset {offset} of key {} holds {} by operation {} and {} by operation {}",
            log.key,
            words::shown(first.value),
            first.index,
            words::shown(second.value),
            second.index
        );
        ledger.breaks(Class::InconsistentOffset, second.value, vec![first.index, second.index], text);
    }
}

/// One message at two offsets.
fn duplicates(log: &Log<'_>, ledger: &mut Ledger<'_>) {
    for (value, places) in &log.places {
        let [(first, one), .., (last, other)] = places.as_slice() else { continue };
        ledger.count("duplicated", 1);
        let text = format!(
            "duplicate: message {} of key {} is at offset {first} by operation {one} and at offset {last} by operation {other}",
            words::shown(value),
            log.key
        );
        ledger.breaks(Class::Duplicated, value, vec![*one, *other], text);
    }
}

/// Messages whose send failed and that were polled nevertheless. What no operation sent may have been there before.
fn strangers(log: &Log<'_>, ledger: &mut Ledger<'_>) {
    for (value, poll) in &log.first_polls {
        let shown = words::shown(value);
        match log.sent.get(value) {
            Some(Sent::Failed { index }) => {
                let text = format!("operation {poll} polled {shown} from key {}, whose send failed", log.key);
                ledger.breaks(Class::Unexpected, value, vec![*index, *poll], text);
            }
            Some(Sent::Acknowledged { .. } | Sent::Unknown) => {}
            None => {
                let key = &log.key;
                ledger.doubt(format!(
                    "operation {poll} polled {shown} from key {key}, which no operation sent"
                ));
            }
        }
    }
}

/// Acknowledged messages behind the end of the log that a final poll found, which began when they were acknowledged.
fn tails(log: &Log<'_>, ends: &[End], ledger: &mut Ledger<'_>) {
    let operations = ledger.operations;
    let known = ends.iter().filter(|end| end.key == log.key).filter_map(|end| Some((end.last?, end.index)));
    let Some((last, poll)) = known.min() else { return };
    for (value, sent) in &log.sent {
        let Sent::Acknowledged { offset: Some(offset), index } = *sent else { continue };
        let before = operations.at(index).completed.is_some_and(|done| done < operations.at(poll).invoked);
        // What was polled up to a later offset is counted there.
        let counted = !log.was_polled(value) && log.last_polled.is_some_and(|last| last.offset > offset);
        if !before || offset <= last || counted {
            continue;
        }
        ledger.count("lost", 1);
        let text = format!(
            "lost-write: operation {index} sent message {} to offset {offset} of key {}, and operation {poll}, a final poll, found the \
             end of the log before it",
            words::shown(value),
            log.key
        );
        ledger.breaks(Class::Lost, value, vec![index, poll], text);
    }
}

/// Acknowledged messages that were never polled, though a later one of their key was. Returns the number of the others that were
/// never polled.
fn losses(log: &Log<'_>, ledger: &mut Ledger<'_>) -> usize {
    let (furthest, mut unseen) = (log.last_polled, 0);
    let mut missing: Vec<(i64, &Value, usize)> = Vec::new();
    for (value, sent) in &log.sent {
        let Sent::Acknowledged { offset: Some(offset), index } = sent else { continue };
        if !log.was_polled(value) {
            missing.push((*offset, value, *index));
        }
    }
    missing.sort_by_key(|(offset, _, index)| (*offset, *index));
    for (offset, value, index) in missing {
        let Some(Message { offset: later, index: poll, .. }) = furthest.filter(|last| last.offset > offset)
        else {
            ledger.count("unseen", 1);
            unseen += 1;
            continue;
        };
        ledger.count("lost", 1);
        let text = format!(
            "lost-write: message {} of key {} is lost: operation {index} sent it to offset {offset}, and no poll found it, though \
             operation {poll} polled offset {later}",
            words::shown(value),
            log.key
        );
        ledger.breaks(Class::Lost, value, vec![index, poll], text);
    }
    unseen
}
