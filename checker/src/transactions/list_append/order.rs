//! Derives the order of the appends to each key from the longest read, and reports the reads that contradict it.
//!
//! A read of a list shows all appends before it, in order, so the longest read of a key is the order of its versions
//! and every other read must be a prefix of it. Source: Kingsbury and Alvaro, "Elle" (VLDB 2020).

use super::super::anomaly::Name;
use super::super::findings::Findings;
use super::super::parse::{Access, Fate, NONE, Transactions, small};
use super::Lists;
use history::Atom;
use rustc_hash::{FxHashMap, FxHashSet};

/// Lists of one forked key that are looked at.
const BRANCHES: usize = 64;

/// The longest list read of a key, and who read it.
type Longest<'a> = (&'a [Atom], u32);

/// Establishes the orders, and reports what no order explains.
pub(super) fn establish<'a>(transactions: Transactions<'a>, findings: &mut Findings) -> Lists<'a> {
    let longest = longest(&transactions);
    let live = transactions.all().map(|txn| transactions.fate(txn) == Fate::Committed).collect();
    let elements = transactions.elements.len();
    let shown = vec![0; transactions.len()];
    let mut lists = Lists {
        order: Vec::with_capacity(longest.len()),
        position: vec![NONE; elements],
        version: vec![NONE; transactions.steps.len()],
        live,
        forks: FxHashMap::default(),
        transactions,
    };
    let mut examiner = Examiner { lists: &mut lists, findings, reported: vec![false; elements], shown };
    for (key, (list, reader)) in longest.iter().enumerate() {
        let order = if list.is_empty() { Vec::new() } else { examiner.order(small(key), list, *reader) };
        examiner.lists.order.push(order);
    }
    let cuts = examiner.compare(&longest);
    lists.forks = forks(&lists, &longest, &cuts);
    for (order, cut) in lists.order.iter_mut().zip(cuts) {
        for element in order.drain(cut.min(order.len())..) {
            lists.position[element as usize] = NONE;
        }
    }
    report_dirty_updates(&lists, findings);
    lists
}

fn longest<'a>(transactions: &Transactions<'a>) -> Vec<Longest<'a>> {
    let mut longest: Vec<Longest<'a>> = vec![(&[], NONE); transactions.keys.len()];
    for txn in transactions.committed() {
        for step in transactions.steps_of(txn) {
            let Access::Read(read) = step.access() else { continue };
            let best = &mut longest[step.key() as usize];
            let list = transactions.list(read);
            if list.len() > best.0.len() && !transactions.unclear(step.key()) {
                *best = (list, txn);
            }
        }
    }
    longest
}

struct Examiner<'l, 'a> {
    lists: &'l mut Lists<'a>,
    findings: &'l mut Findings,
    /// By element: whether a read of it was reported.
    reported: Vec<bool>,
    /// By transaction: how many of its appends the list in hand has shown so far.
    shown: Vec<u32>,
}

impl<'a> Examiner<'_, 'a> {
    /// The elements of the longest list, up to the first that repeats.
    fn order(&mut self, key: u32, list: &'a [Atom], reader: u32) -> Vec<u32> {
        let elements = self.examine(key, list, reader);
        let mut order = Vec::with_capacity(elements.len());
        for element in elements {
            let position = &mut self.lists.position[element as usize];
            if *position != NONE {
                break;
            }
            *position = small(order.len());
            order.push(element);
        }
        order
    }

    /// Reports what is wrong with a list by itself. What it shows of a transaction of unknown outcome
    /// happened.
    fn examine(&mut self, key: u32, list: &'a [Atom], reader: u32) -> Vec<u32> {
        let transactions = &mut self.lists.transactions;
        let elements: Vec<u32> =
            list.iter().map(|value| transactions.element_or_unwritten(key, *value)).collect();
        self.lists.position.resize(transactions.elements.len(), NONE);
        self.reported.resize(transactions.elements.len(), false);
        let transactions = &self.lists.transactions;
        for element in &elements {
            let writer = transactions.writer(*element);
            let aborted = writer != NONE && transactions.fate(writer) == Fate::Failed;
            if writer != NONE && !aborted {
                self.lists.live[writer as usize] = true;
                continue;
            }
            if std::mem::replace(&mut self.reported[*element as usize], true) {
                continue;
            }
            let key = transactions.shown_key(key);
            let value = transactions.shown(transactions.elements[*element as usize].value);
            if aborted {
                self.findings.add(transactions, Name::G1a, || {
                    let summary = format!("T1 read {value} of key {key}, which T2 appended, and T2 failed");
                    (vec![reader, writer], summary)
                });
            } else {
                self.findings.add(transactions, Name::UnwrittenRead, || {
                    (vec![reader], format!("T1 read {value} of key {key}, which nobody appended"))
                });
            }
        }
        if !self.report_duplicates(key, &elements, reader) {
            self.report_own_order(key, &elements, reader);
        }
        elements
    }

    fn report_duplicates(&mut self, key: u32, elements: &[u32], reader: u32) -> bool {
        let mut sorted = elements.to_vec();
        sorted.sort_unstable();
        let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) else { return false };
        let transactions = &self.lists.transactions;
        self.findings.add(transactions, Name::DuplicateElements, || {
            let key = transactions.shown_key(key);
            let value = transactions.shown(transactions.elements[twice[0] as usize].value);
            (
                vec![reader],
                format!("T1 read {value} more than once in key {key}, to which it was appended once"),
            )
        });
        true
    }

    /// What one transaction appended must show in its own order and from its beginning on.
    fn report_own_order(&mut self, key: u32, elements: &[u32], reader: u32) {
        let transactions = &self.lists.transactions;
        for element in elements {
            let writer = transactions.writer(*element);
            if writer == NONE || transactions.fate(writer) == Fate::Failed {
                continue;
            }
            let seen = self.shown[writer as usize];
            self.shown[writer as usize] += 1;
            if seen == transactions.elements[*element as usize].nth() {
                continue;
            }
            self.findings.add(transactions, Name::IncompatibleOrder, || {
                let value = transactions.shown(transactions.elements[*element as usize].value);
                let key = transactions.shown_key(key);
                let summary =
                    format!("T1 read {value} in key {key} out of the order in which T2 appended to it");
                if reader == writer {
                    (vec![reader], summary.replace("T2", "T1"))
                } else {
                    (vec![reader, writer], summary)
                }
            });
            break;
        }
        for element in elements {
            let writer = transactions.writer(*element);
            if writer != NONE {
                self.shown[writer as usize] = 0;
            }
        }
    }

    /// Finds the version of every read. Returns by key how much of the order no read contradicts.
    fn compare(&mut self, longest: &[Longest<'a>]) -> Vec<usize> {
        let mut cuts = vec![usize::MAX; longest.len()];
        for txn in self.lists.transactions.all() {
            if self.lists.transactions.fate(txn) != Fate::Committed {
                continue;
            }
            for index in self.lists.steps(txn) {
                let step = self.lists.transactions.steps[index];
                let Access::Read(read) = step.access() else { continue };
                if self.lists.transactions.unclear(step.key()) {
                    continue;
                }
                let list = self.lists.transactions.list(read);
                let (whole, by) = longest[step.key() as usize];
                if self.lists.transactions.same_lists(list, &whole[..list.len()]) {
                    self.lists.version[index] = small(list.len());
                    continue;
                }
                let same = |(one, other): &(&Atom, &Atom)| self.lists.transactions.same(**one, **other);
                let agree = list.iter().zip(whole).take_while(same).count();
                let cut = &mut cuts[step.key() as usize];
                *cut = agree.min(*cut);
                self.examine(step.key(), list, txn);
                let transactions = &self.lists.transactions;
                self.findings.add(transactions, Name::IncompatibleOrder, || {
                    let key = transactions.shown_key(step.key());
                    let (one, other) = (transactions.shown(list[agree]), transactions.shown(whole[agree]));
                    let summary = format!(
                        "of key {key}, T1 read {one} and T2 read {other} in position {}: \
                         neither list is the beginning of the other",
                        agree + 1
                    );
                    if txn == by {
                        (vec![txn], summary.replace("T2", "T1"))
                    } else {
                        (vec![txn, by], summary)
                    }
                });
            }
        }
        cuts
    }
}

/// The lists that reads of forked keys saw, without those that are the beginning of another.
fn forks(lists: &Lists<'_>, longest: &[Longest<'_>], cuts: &[usize]) -> FxHashMap<u32, Vec<Vec<u32>>> {
    let mut forks: FxHashMap<u32, Vec<&[Atom]>> = FxHashMap::default();
    let transactions = &lists.transactions;
    let begins = |list: &[Atom], with: &[Atom]| {
        list.get(..with.len()).is_some_and(|start| transactions.same_lists(start, with))
    };
    for txn in transactions.committed() {
        for step in transactions.steps_of(txn) {
            let Access::Read(read) = step.access() else { continue };
            if cuts[step.key() as usize] == usize::MAX || transactions.unclear(step.key()) {
                continue;
            }
            let list = transactions.list(read);
            let (whole, _) = longest[step.key() as usize];
            let branches = forks.entry(step.key()).or_insert_with(|| vec![whole]);
            if branches.len() < BRANCHES && !branches.iter().any(|branch| begins(branch, list)) {
                branches.retain(|branch| !begins(list, branch));
                branches.push(list);
            }
        }
    }
    let elements = |key: u32, list: &[Atom]| -> Vec<u32> {
        let known = list.iter().map_while(|value| transactions.element(key, *value));
        let mut seen = FxHashSet::default();
        // What follows a repeated element says nothing of an order.
        known.take_while(|element| seen.insert(*element)).collect()
    };
    let by_key = forks.into_iter();
    by_key.map(|(key, lists)| (key, lists.into_iter().map(|list| elements(key, list)).collect())).collect()
}

/// An append that failed, with one that was committed behind it: the failed one was not undone.
fn report_dirty_updates(lists: &Lists<'_>, findings: &mut Findings) {
    let transactions = &lists.transactions;
    for order in &lists.order {
        let mut failed: Option<u32> = None;
        for element in order.iter().copied().filter(|element| lists.writer(*element) != NONE) {
            match transactions.fate(lists.writer(element)) {
                Fate::Failed => failed = Some(element),
                Fate::Unknown => {}
                Fate::Committed => {
                    let Some(failed) = failed.take() else { continue };
                    findings.add(transactions, Name::DirtyUpdate, || {
                        let [one, other] = [failed, element].map(|element| lists.shown(element));
                        let key = transactions.shown_key(transactions.elements[element as usize].key);
                        (
                            vec![lists.writer(failed), lists.writer(element)],
                            format!(
                                "T2 appended {other} to key {key} behind {one}, which T1 appended, and T1 failed"
                            ),
                        )
                    });
                }
            }
        }
    }
}
