//! Collects anomalies, and puts them into words.

use super::anomaly::Name;
use super::consistency::Excluded;
use super::cycles::Edge;
use super::graph::kind;
use super::parse::{Access, Fate, NONE, Transactions};
use super::verdict::{Anomaly, Dependency, Workload};
use crate::certificate::transactions::Moment;
use std::collections::BTreeMap;

/// Anomalies of each name that are put into words.
const SHOWN: usize = 5;
/// Transactions of one anomaly that are written out.
const WRITTEN_OUT: usize = 20;

#[derive(Debug, Default)]
pub(super) struct Findings {
    /// By name: those that are put into words, the shortest first.
    shown: BTreeMap<Name, Vec<Anomaly>>,
    /// The order of the transactions that shows that a model holds, if one was found.
    pub(super) order: Vec<Moment>,
    pub(super) counts: BTreeMap<Name, usize>,
    pub(super) excluded: Excluded,
}

impl Findings {
    /// Counts an anomaly; `words` gives its transactions and a sentence that calls them T1, T2, ….
    pub(super) fn add(
        &mut self,
        transactions: &Transactions<'_>,
        name: Name,
        words: impl FnOnce() -> (Vec<u32>, String),
    ) {
        self.count(name);
        // Of anomalies that are no cycles the first are shown.
        if self.shown.get(&name).is_none_or(|shown| shown.len() < SHOWN) {
            let (txns, summary) = words();
            let explanation = introduced(transactions, &txns);
            self.push(name, &txns, summary, (explanation, Vec::new()));
        }
    }

    /// Counts an anomaly that needs a proof of more than a sentence.
    pub(super) fn add_proof(
        &mut self,
        transactions: &Transactions<'_>,
        name: Name,
        words: impl FnOnce() -> (Vec<u32>, String, Vec<String>),
    ) {
        self.count(name);
        let (txns, summary, proof) = words();
        let mut explanation = introduced(transactions, &txns);
        explanation.extend(proof);
        self.push(name, &txns, summary, (explanation, Vec::new()));
    }

    /// Counts a cycle; `because` says why the first of two transactions, given by name, precedes the second.
    pub(super) fn add_cycle(
        &mut self,
        transactions: &Transactions<'_>,
        name: Name,
        edges: &[Edge],
        because: &dyn Fn(&Edge, &str, &str) -> String,
    ) {
        self.count(name);
        let shown = self.shown.get(&name);
        let is_shorter = |shown: &Anomaly| shown.operations.len() > edges.len();
        if shown.is_some_and(|shown| shown.len() == SHOWN && !shown.last().is_some_and(is_shorter)) {
            return;
        }
        let txns: Vec<u32> = edges.iter().map(|edge| edge.from).collect();
        let called: Vec<String> = (1..=txns.len()).map(|number| format!("T{number}")).collect();
        let mut explanation = introduced(transactions, &txns);
        let mut dependencies = Vec::new();
        for (index, edge) in edges.iter().enumerate().take(WRITTEN_OUT) {
            let (from, to) = (called[index].as_str(), called[(index + 1) % called.len()].as_str());
            let why = match edge.kind {
                kind::PROCESS => {
                    let who = transactions.who(edge.from);
                    format!("{who} issued {from}, then {to}")
                }
                kind::REAL_TIME => {
                    let (completed, invoked) =
                        (transactions.completed(edge.from), transactions.invoked(edge.to));
                    format!("{from} completed (event {completed}) before {to} was invoked (event {invoked})")
                }
                _ => because(edge, from, to),
            };
            explanation.push(format!("{from} precedes {to} ({}): {why}", word(edge.kind)));
            dependencies.push(Dependency { kind: word(edge.kind), why });
        }
        let known_as = known_as(edges).map_or_else(String::new, |name| format!(" ({name})"));
        let summary = match called.as_slice() {
            [one, other] => {
                format!("{one} had to precede {other}, and {other} had to precede {one}{known_as}")
            }
            _ => format!(
                "{} transactions had each to precede the next, and the last of them the first{known_as}",
                called.len()
            ),
        };
        self.push(name, &txns, summary, (explanation, dependencies));
    }

    fn count(&mut self, name: Name) {
        self.excluded = self.excluded.with(name.excludes());
        *self.counts.entry(name).or_default() += 1;
    }

    /// Those that are put into words, the worst name first, of each name the shortest first.
    pub(super) fn anomalies(self) -> Vec<Anomaly> {
        self.shown.into_values().flatten().collect()
    }

    fn push(
        &mut self,
        name: Name,
        txns: &[u32],
        summary: String,
        (explanation, edges): (Vec<String>, Vec<Dependency>),
    ) {
        let operations: Vec<usize> = txns.iter().map(|txn| *txn as usize).collect();
        let shown = self.shown.entry(name).or_default();
        let anomaly = Anomaly { name, operations, summary, explanation, edges };
        let index = shown.partition_point(|other| other.operations.len() <= anomaly.operations.len());
        shown.insert(index, anomaly);
        shown.truncate(SHOWN);
    }
}

/// What people call a cycle.
fn known_as(edges: &[Edge]) -> Option<&'static str> {
    const RW: u8 = kind::ANY_RW;
    let is = |edge: &Edge, kinds: u8| edge.kind & kinds != 0;
    match edges {
        [one, other] if is(one, RW) && is(other, RW) && one.why != other.why => Some("write skew"),
        [one, other] if (is(one, RW) && is(other, kind::WR)) || (is(one, kind::WR) && is(other, RW)) => {
            Some("read skew")
        }
        [_, _, _, _] => {
            let reads = edges.iter().filter(|edge| is(edge, kind::WR)).count();
            let missed = edges.iter().filter(|edge| is(edge, RW)).count();
            let apart = (0..4).all(|index| !is(&edges[index], RW) || !is(&edges[(index + 1) % 4], RW));
            (reads == 2 && missed == 2 && apart).then_some("long fork")
        }
        _ => None,
    }
}

fn word(edge: u8) -> &'static str {
    match edge {
        kind::WW => "ww",
        kind::WR => "wr",
        kind::PROCESS => "process",
        kind::REAL_TIME => "real time",
        kind::VIEW => "must see",
        _ => "rw",
    }
}

fn introduced(transactions: &Transactions<'_>, txns: &[u32]) -> Vec<String> {
    let mut lines: Vec<String> = txns
        .iter()
        .enumerate()
        .take(WRITTEN_OUT)
        .map(|(index, txn)| {
            let number = index + 1;
            format!("T{number} is {}", in_words(transactions, *txn))
        })
        .collect();
    if txns.len() > WRITTEN_OUT {
        lines.push(format!("and so on to T{}", txns.len()));
    }
    lines
}

/// A transaction in a line: `operation 12 of process 3 (events 24 to 29): append 5 3, r 9 → [1, 2]`.
fn in_words(transactions: &Transactions<'_>, txn: u32) -> String {
    const STEPS: usize = 12;
    let steps = transactions.steps_of(txn);
    let fate = transactions.fate(txn);
    let write = match transactions.workload {
        Workload::ListAppend => "append",
        Workload::RwRegister => "w",
    };
    let mut words: Vec<String> = steps
        .iter()
        .take(STEPS)
        .map(|step| {
            let key = transactions.shown_key(step.key());
            match step.access() {
                Access::Read(read) if fate == Fate::Committed => {
                    format!("r {key} → {}", transactions.shown_read(read))
                }
                Access::Read(_) => format!("r {key}"),
                Access::Write(element) => {
                    format!(
                        "{write} {key} {}",
                        transactions.shown(transactions.elements[element as usize].value)
                    )
                }
            }
        })
        .collect();
    if steps.len() > STEPS {
        words.push(format!("and {} more", steps.len() - STEPS));
    }
    let fate = match fate {
        Fate::Committed => "",
        Fate::Failed => " (failed)",
        Fate::Unknown => " (info)",
    };
    let invoked = transactions.invoked(txn);
    let events = match transactions.completed(txn) {
        NONE => format!("event {invoked}"),
        completed => format!("events {invoked} to {completed}"),
    };
    let object = transactions.object(txn).map_or_else(String::new, |key| format!(" on object {key}"));
    format!("operation {txn} of {} ({events}){fate}{object}: {}", transactions.who(txn), words.join(", "))
}
