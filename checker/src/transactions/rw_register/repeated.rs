//! Reads of keys to which a value was written more than once: who may have written what they saw.

use super::super::anomaly::Name;
use super::super::findings::Findings;
use super::super::observed::{Choice, Seen};
use super::super::parse::{Access, Fate, NONE};
use super::Registers;
use history::Atom;
use rustc_hash::FxHashMap;

/// What a transaction knows of a key.
#[derive(Debug, Clone, Copy)]
struct Known {
    owner: u32,
    /// What it wrote last, or else read first; null before any write.
    value: Atom,
}

/// By element: the transactions whose last write to the key it is.
type Finals = FxHashMap<u32, Vec<u32>>;

/// Adds the reads of the keys that [`versions`](super::versions) leaves out, and reports what nobody can have written.
pub(super) fn read(registers: &mut Registers<'_>, findings: &mut Findings) {
    let unclear: Vec<bool> = registers.transactions.twice.iter().map(Option::is_some).collect();
    if !unclear.contains(&true) {
        return;
    }
    let finals = finals(registers, &unclear);
    let mut seen = std::mem::take(&mut registers.seen);
    let mut known: FxHashMap<u32, Known> = FxHashMap::default();
    for txn in registers.transactions.committed().collect::<Vec<_>>() {
        for index in registers.transactions.step_indexes(txn) {
            let step = registers.transactions.steps[index];
            if !unclear[step.key() as usize] {
                continue;
            }
            let before = known.get(&step.key()).filter(|known| known.owner == txn).copied();
            match step.access() {
                Access::Write(element) => {
                    let value = registers.transactions.elements[element as usize].value;
                    known.insert(step.key(), Known { owner: txn, value });
                }
                Access::Read(read) => {
                    let value = registers.transactions.register(read);
                    let differs = |before: &Known| !registers.transactions.same(before.value, value);
                    let others = before.is_none_or(|before| differs(&before));
                    if let Some(before) = before.filter(differs) {
                        report_internal(registers, findings, (txn, step.key()), before.value, value);
                    }
                    if before.is_none() {
                        known.insert(step.key(), Known { owner: txn, value });
                    }
                    if others {
                        let first = before.is_none();
                        let (txn, key) = (txn, step.key());
                        if value == Atom::NULL {
                            seen.push(Seen::new(txn, key, NONE, first));
                        } else {
                            choose(registers, findings, &finals, (txn, key), value);
                        }
                    }
                }
            }
        }
    }
    seen.sort_by_key(|seen| seen.txn);
    registers.seen = seen;
}

fn finals(registers: &Registers<'_>, unclear: &[bool]) -> Finals {
    let transactions = &registers.transactions;
    let mut finals = Finals::default();
    let mut last: Vec<(u32, u32)> = Vec::new();
    for txn in transactions.all().filter(|txn| transactions.fate(*txn) != Fate::Failed) {
        last.clear();
        for step in transactions.steps_of(txn) {
            let Access::Write(element) = step.access() else { continue };
            if unclear[step.key() as usize] {
                last.retain(|(key, _)| *key != step.key());
                last.push((step.key(), element));
            }
        }
        for (_, element) in &last {
            finals.entry(*element).or_default().push(txn);
        }
    }
    finals
}

fn choose(
    registers: &mut Registers<'_>,
    findings: &mut Findings,
    finals: &Finals,
    (txn, key): (u32, u32),
    value: Atom,
) {
    let transactions = &registers.transactions;
    let element = transactions.element(key, value);
    let candidates = element.and_then(|element| finals.get(&element)).map_or(&[][..], Vec::as_slice);
    let candidates: Vec<u32> = candidates.iter().copied().filter(|candidate| *candidate != txn).collect();
    if !candidates.is_empty() {
        for candidate in &candidates {
            registers.live[*candidate as usize] = true;
        }
        registers.choices.push(Choice { txn, key, candidates });
        return;
    }
    let words = |what: &str| {
        let (key, value) = (transactions.shown_key(key), transactions.shown(value));
        format!("T1 read key {key} as {value}, {what}")
    };
    let Some(element) = element else {
        return findings.add(transactions, Name::UnwrittenRead, || (vec![txn], words("which nobody wrote")));
    };
    let wrote = |other: &u32| {
        let mut steps = transactions.steps_of(*other).iter();
        steps.any(|step| matches!(step.access(), Access::Write(written) if written == element))
    };
    let mut others = transactions.all().filter(|other| *other != txn && wrote(other));
    let happened = others.clone().find(|other| transactions.fate(*other) != Fate::Failed);
    if let Some(other) = happened {
        return findings.add(transactions, Name::G1b, || {
            (vec![txn, other], words("which T2 wrote, and replaced before it ended"))
        });
    }
    match others.next() {
        Some(other) => findings
            .add(transactions, Name::G1a, || (vec![txn, other], words("which T2 wrote, and T2 failed"))),
        None => findings.add(transactions, Name::FutureRead, || {
            (vec![txn], words("which only T1 itself wrote, and not right before"))
        }),
    }
}

fn report_internal(
    registers: &Registers<'_>,
    findings: &mut Findings,
    (txn, key): (u32, u32),
    expected: Atom,
    found: Atom,
) {
    findings.add(&registers.transactions, Name::Internal, || {
        let key = registers.transactions.shown_key(key);
        let (expected, found) = (registers.transactions.shown(expected), registers.transactions.shown(found));
        (vec![txn], format!("T1 read key {key} as {found}, where it had {expected} before"))
    });
}
