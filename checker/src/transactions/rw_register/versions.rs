//! Reads what each transaction saw and replaced, and reports what no order of the versions explains.

use super::super::anomaly::Name;
use super::super::findings::Findings;
use super::super::observed::Seen;
use super::super::parse::{Access, Fate, NONE, Transactions, small};
use super::{Registers, repeated};
use history::Atom;
use rustc_hash::FxHashMap;

/// What a transaction knows of a key.
#[derive(Debug, Clone, Copy)]
struct Known {
    owner: u32,
    /// What the key holds, as far as the transaction can tell.
    version: u32,
    /// Whether its first access was a read.
    began_by_reading: bool,
    first: u32,
    updated: bool,
}

/// Reads every transaction that committed.
pub(super) fn read<'a>(transactions: Transactions<'a>, findings: &mut Findings) -> Registers<'a> {
    let elements = transactions.elements.len();
    let unknown = Known { owner: NONE, version: NONE, began_by_reading: false, first: NONE, updated: false };
    let mut reader = Reader {
        known: vec![unknown; transactions.keys.len()],
        first_update: vec![NONE; elements],
        first_update_of_null: vec![NONE; transactions.keys.len()],
        more_updates: FxHashMap::default(),
        written: vec![false; elements],
        reported: vec![false; elements],
        findings,
        registers: Registers {
            seen: Vec::new(),
            follows: vec![NONE; elements],
            choices: Vec::new(),
            live: transactions.all().map(|txn| transactions.fate(txn) == Fate::Committed).collect(),
            transactions,
        },
    };
    for txn in 0..small(reader.registers.live.len()) {
        if reader.registers.transactions.fate(txn) != Fate::Committed {
            continue;
        }
        for index in reader.registers.transactions.step_indexes(txn) {
            let step = reader.registers.transactions.steps[index];
            if reader.registers.transactions.unclear(step.key()) {
                continue;
            }
            match step.access() {
                Access::Read(read) => reader.read(txn, step.key(), read),
                Access::Write(element) => reader.write(txn, step.key(), element),
            }
        }
    }
    reader.report_lost_updates();
    let Reader { mut registers, findings, .. } = reader;
    repeated::read(&mut registers, findings);
    drop_cycles(&mut registers, findings);
    registers
}

struct Reader<'f, 'a> {
    registers: Registers<'a>,
    findings: &'f mut Findings,
    known: Vec<Known>,
    /// By element: the first transaction that read and replaced it.
    first_update: Vec<u32>,
    /// By key: the first transaction that read null and replaced it.
    first_update_of_null: Vec<u32>,
    /// The further ones, by key and element.
    more_updates: FxHashMap<(u32, u32), Vec<u32>>,
    /// By element: whether its writer, if that is the present transaction, has come to it.
    written: Vec<bool>,
    reported: Vec<bool>,
}

impl Reader<'_, '_> {
    fn read(&mut self, txn: u32, key: u32, read: u32) {
        let value = self.registers.transactions.register(read);
        let version = if value == Atom::NULL {
            NONE
        } else {
            let version = self.registers.transactions.element_or_unwritten(key, value);
            self.examine(txn, key, version);
            version
        };
        let known = &mut self.known[key as usize];
        if known.owner != txn {
            *known = Known { owner: txn, version, began_by_reading: true, first: version, updated: false };
            self.registers.seen.push(Seen::new(txn, key, version, true));
            return;
        }
        if version == NONE || self.registers.transactions.writer(version) != txn {
            self.registers.seen.push(Seen::new(txn, key, version, false));
        }
        if known.version != version {
            let expected = std::mem::replace(&mut known.version, version);
            let transactions = &self.registers.transactions;
            self.findings.add(transactions, Name::Internal, || {
                let key = transactions.shown_key(key);
                let expected = value_of(transactions, expected);
                (
                    vec![txn],
                    format!(
                        "T1 read key {key} as {}, where it had {expected} before",
                        transactions.shown_read(read)
                    ),
                )
            });
        }
    }

    /// Reports what is wrong with having read a version. The writer of a version that was read happened.
    fn examine(&mut self, txn: u32, key: u32, version: u32) {
        let index = version as usize;
        let elements = self.registers.transactions.elements.len();
        self.registers.follows.resize(elements, NONE);
        self.first_update.resize(elements, NONE);
        self.written.resize(elements, false);
        self.reported.resize(elements, false);
        let transactions = &self.registers.transactions;
        let writer = transactions.writer(version);
        let words = |what: &str| {
            let (key, value) = (transactions.shown_key(key), value_of(transactions, version));
            format!("T1 read key {key} as {value}, {what}")
        };
        if writer == NONE {
            if !std::mem::replace(&mut self.reported[index], true) {
                self.findings
                    .add(transactions, Name::UnwrittenRead, || (vec![txn], words("which nobody wrote")));
            }
        } else if transactions.fate(writer) == Fate::Failed {
            if !std::mem::replace(&mut self.reported[index], true) {
                self.findings.add(transactions, Name::G1a, || {
                    (vec![txn, writer], words("which T2 wrote, and T2 failed"))
                });
            }
        } else if writer == txn {
            if !self.written[index] {
                self.findings
                    .add(transactions, Name::FutureRead, || (vec![txn], words("before it wrote it")));
            }
        } else {
            self.registers.live[writer as usize] = true;
            if !transactions.elements[index].is_last() {
                self.findings.add(transactions, Name::G1b, || {
                    (vec![txn, writer], words("which T2 wrote, and replaced before it ended"))
                });
            }
        }
    }

    fn write(&mut self, txn: u32, key: u32, element: u32) {
        self.written[element as usize] = true;
        let known = &mut self.known[key as usize];
        if known.owner != txn {
            *known =
                Known { owner: txn, version: element, began_by_reading: false, first: NONE, updated: true };
            return;
        }
        known.version = element;
        if !known.began_by_reading {
            return;
        }
        let first = known.first;
        if !std::mem::replace(&mut known.updated, true) {
            self.note_update(txn, key, first);
        }
        let transactions = &self.registers.transactions;
        if first != NONE && transactions.elements[element as usize].is_last() {
            let before = transactions.writer(first);
            let counts = before != NONE && before != txn && transactions.fate(before) != Fate::Failed;
            if counts {
                self.registers.follows[element as usize] = first;
            }
        }
    }

    fn note_update(&mut self, txn: u32, key: u32, version: u32) {
        let first = match version {
            NONE => &mut self.first_update_of_null[key as usize],
            version => &mut self.first_update[version as usize],
        };
        if *first == NONE {
            *first = txn;
        } else {
            self.more_updates.entry((key, version)).or_default().push(txn);
        }
    }

    fn report_lost_updates(&mut self) {
        let transactions = &self.registers.transactions;
        let mut more: Vec<_> = std::mem::take(&mut self.more_updates).into_iter().collect();
        more.sort_unstable();
        for ((key, version), others) in more {
            let first = match version {
                NONE => self.first_update_of_null[key as usize],
                version => self.first_update[version as usize],
            };
            self.findings.add(transactions, Name::LostUpdate, || {
                let (key, value) = (transactions.shown_key(key), value_of(transactions, version));
                let count = others.len() + 1;
                let summary = format!("{count} transactions read key {key} as {value}, and each replaced it");
                (std::iter::once(first).chain(others).collect(), summary)
            });
        }
    }
}

/// The value of a version in words.
pub(super) fn value_of(transactions: &Transactions<'_>, version: u32) -> String {
    match version {
        NONE => "null".to_owned(),
        version => transactions.shown(transactions.elements[version as usize].value),
    }
}

/// Each version follows at most one other, so that a walk back ends or goes round. Nothing is concluded from
/// the versions of a key with a circle.
fn drop_cycles(registers: &mut Registers<'_>, findings: &mut Findings) {
    let mut walked = vec![NONE; registers.follows.len()];
    let mut circular = vec![false; registers.transactions.keys.len()];
    for start in 0..small(registers.follows.len()) {
        let mut element = start;
        while element != NONE && walked[element as usize] == NONE {
            walked[element as usize] = start;
            element = registers.follows[element as usize];
        }
        if element == NONE || walked[element as usize] != start {
            continue;
        }
        let transactions = &registers.transactions;
        let key = transactions.elements[element as usize].key;
        circular[key as usize] = true;
        findings.add(transactions, Name::CyclicVersions, || {
            let mut circle = vec![element];
            let mut next = registers.follows[element as usize];
            while next != element {
                circle.push(next);
                next = registers.follows[next as usize];
            }
            circle.reverse();
            let values: Vec<_> = circle.iter().map(|element| value_of(transactions, *element)).collect();
            let key = transactions.shown_key(key);
            let summary = format!(
                "each of these values of key {key} was written after the one before it was read, and the first \
                 after the last: {}",
                values.join(", ")
            );
            (circle.iter().map(|element| transactions.writer(*element)).collect(), summary)
        });
    }
    for (element, follows) in registers.follows.iter_mut().enumerate() {
        if circular[registers.transactions.elements[element].key as usize] {
            *follows = NONE;
        }
    }
}
