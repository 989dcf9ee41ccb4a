//! What each consumer and producer sees one after another: gaps, and steps back.
//!
//! Gaps are counted among the offsets that some operation shows, because a log may use offsets for itself, as for the
//! end of a transaction. Between operations a position counts only as long as the consumer keeps the key: `assign`
//! keeps those it names again, `subscribe` and `crash` keep none.

use super::super::ledger::Ledger;
use super::super::verdict::Class;
use super::log::{Log, Part, moves_messages, parts, reads_from_beginning, text};
use crate::words;
use history::{OutcomeRef, Phase};
use rustc_hash::FxHashMap;
use serde_json::Value;

/// Where a process was last, by key: the offset and the operation.
type Positions = FxHashMap<String, (i64, usize)>;

/// The end of a log, as the last final poll of a process found it.
pub(super) struct End {
    pub(super) key: String,
    /// The last offset before it: that of the process's last message, or -1 if the process read from the beginning and there is
    /// none. Unknown if the process began elsewhere, for it may have begun behind messages that another consumer committed.
    pub(super) last: Option<i64>,
    /// The poll that found no more.
    pub(super) index: usize,
}

/// Judges each process, and returns the ends of logs that the final polls found.
pub(super) fn judge(own: &[usize], logs: &[Log<'_>], ledger: &mut Ledger<'_>) -> Vec<End> {
    let mut ends: FxHashMap<(u64, String), End> = FxHashMap::default();
    let operations = ledger.operations;
    let ranks: FxHashMap<String, FxHashMap<i64, usize>> =
        logs.iter().map(|log| (log.key.clone(), log.ranks())).collect();
    let mut polls: FxHashMap<u64, Positions> = FxHashMap::default();
    let mut sends: FxHashMap<u64, Positions> = FxHashMap::default();
    let mut subscribed: FxHashMap<u64, bool> = FxHashMap::default();
    let mut order: Vec<usize> = own.to_vec();
    order.sort_by_key(|&index| operations.at(index).invoked);
    for index in order {
        let operation = operations.at(index);
        let process = operation.process;
        match operation.f {
            "assign" | "subscribe" => {
                let keys: Vec<String> =
                    operation.argument.as_array().into_iter().flatten().map(text).collect();
                let assigned = operation.f == "assign";
                polls.entry(process).or_default().retain(|key, _| assigned && keys.contains(key));
                sends.entry(process).or_default().retain(|key, _| keys.contains(key));
                subscribed.insert(process, !assigned);
            }
            "crash" => {
                polls.remove(&process);
            }
            _ if moves_messages(operation) && matches!(operation.outcome, OutcomeRef::Ok(_)) => {
                // Keys of a group move between its members whenever it likes.
                if subscribed.get(&process) == Some(&true) {
                    polls.remove(&process);
                }
                let polled = polls.entry(process).or_default();
                let sent = sends.entry(process).or_default();
                for part in parts(operation).into_iter().flatten() {
                    match part {
                        Part::Send(key, Some(offset), value) => {
                            let key = text(key);
                            let before = sent.insert(key.clone(), (offset, index));
                            if let Some((last, other)) = before.filter(|(last, _)| *last >= offset) {
                                went_back(&key, value, [last, offset], [other, index], "sent to", ledger);
                            }
                        }
                        Part::Send(..) => {}
                        Part::Poll(key, messages) => {
                            let of = (process, key.clone());
                            if !messages.is_empty() {
                                ends.remove(&of);
                            } else if operation.phase == Some(Phase::Final) {
                                let beginning = reads_from_beginning(operation).then_some(-1);
                                let last = polled.get(&key).map(|(last, _)| *last).or(beginning);
                                ends.insert(of, End { key: key.clone(), last, index });
                            }
                            for (offset, value) in messages {
                                let before = polled.insert(key.clone(), (offset, index));
                                let Some((last, other)) = before else { continue };
                                let (offsets, indexes) = ([last, offset], [other, index]);
                                if last >= offset {
                                    went_back(&key, value, offsets, indexes, "polled", ledger);
                                } else if let Some(left) =
                                    ranks.get(&key).and_then(|ranks| left_out(ranks, offsets))
                                {
                                    gap(&key, value, offsets, indexes, left, ledger);
                                }
                            }
                        }
                    }
                }
            }
            _ => {}
        }
    }
    ends.into_values().collect()
}

/// How many messages of the log lie between these offsets; none if there is none.
fn left_out(ranks: &FxHashMap<i64, usize>, [last, offset]: [i64; 2]) -> Option<usize> {
    let between = ranks.get(&offset)?.checked_sub(*ranks.get(&last)?)?;
    between.checked_sub(1).filter(|left| *left > 0)
}

/// `within` one operation, or `between` two of one process.
fn span([before, after]: [usize; 2]) -> String {
    if before == after {
        format!("operation {after}")
    } else {
        format!("operation {after}, right behind operation {before} of its process,")
    }
}

fn distinct([before, after]: [usize; 2]) -> Vec<usize> {
    if before == after { vec![after] } else { vec![before, after] }
}

fn went_back(
    key: &str,
    value: &Value,
    [last, offset]: [i64; 2],
    operations: [usize; 2],
    doing: &str,
    ledger: &mut Ledger<'_>,
) {
    ledger.count("steps back", 1);
    let within = if operations[0] == operations[1] { "int-" } else { "" };
    let kind = if doing == "polled" { "poll" } else { "send" };
    let text = format!(
        "{within}nonmonotonic-{kind}: {} {doing} offset {offset} of key {key} after offset {last}",
        span(operations)
    );
    ledger.breaks(Class::WentBack, value, distinct(operations), text);
}

fn gap(
    key: &str,
    value: &Value,
    [last, offset]: [i64; 2],
    operations: [usize; 2],
    skipped: usize,
    ledger: &mut Ledger<'_>,
) {
    let name = if operations[0] == operations[1] { "internal gaps" } else { "external gaps" };
    ledger.count(name, 1);
    let text = format!(
        "{}: {} polled offset {offset} of key {key} after offset {last}, and skipped {}",
        if operations[0] == operations[1] { "int-poll-skip" } else { "poll-skip" },
        span(operations),
        words::counted(skipped as u64, "message between them", "messages between them")
    );
    ledger.breaks(Class::Gap, value, distinct(operations), text);
}
