//! Collects anomalies, and puts them into words.

use super::anomaly::Name;
use super::consistency::Excluded;
use super::cycles::Edge;
use super::graph::kind;
use super::parse::{Access, Fate, Transactions, brief};
use super::verdict::{Anomaly, Dependency, Workload};
use std::collections::BTreeMap;

/// Anomalies of each name that are put into words.
const SHOWN: usize = 5;
/// Transactions of one anomaly that are written out.
const WRITTEN_OUT: usize = 20;

#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) anomalies: Vec<Anomaly>,
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
        if self.counted(name) {
            let (txns, summary) = words();
            let explanation = introduced(transactions, &txns);
            self.push(transactions, name, &txns, summary, (explanation, Vec::new()));
        }
    }

    /// Counts a cycle; `because` says why the first of two transactions, given by name, precedes the second.
    pub(super) fn add_cycle(
        &mut self,
        transactions: &Transactions<'_>,
        name: Name,
        edges: &[Edge],
        because: &dyn Fn(&Edge, &str, &str) -> String,
    ) {
        if !self.counted(name) {
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
                    let process = transactions.txns[edge.from as usize].process;
                    format!("process {process} issued {from}, then {to}")
                }
                kind::REAL_TIME => {
                    let [first, second] = [edge.from, edge.to].map(|txn| &transactions.txns[txn as usize]);
                    format!(
                        "{from} completed (event {}) before {to} was invoked (event {})",
                        first.completed, second.invoked
                    )
                }
                _ => because(edge, from, to),
            };
            explanation.push(format!("{from} precedes {to} ({}): {why}", word(edge.kind)));
            dependencies.push(Dependency { kind: word(edge.kind), why });
        }
        let summary = match called.as_slice() {
            [one, other] => format!("{one} had to precede {other}, and {other} had to precede {one}"),
            _ => format!(
                "{} transactions had each to precede the next, and the last of them the first",
                called.len()
            ),
        };
        self.push(transactions, name, &txns, summary, (explanation, dependencies));
    }

    /// Counts it, and says whether it should be put into words.
    fn counted(&mut self, name: Name) -> bool {
        self.excluded = self.excluded.with(name.excludes());
        let count = self.counts.entry(name).or_default();
        *count += 1;
        *count <= SHOWN
    }

    fn push(
        &mut self,
        transactions: &Transactions<'_>,
        name: Name,
        txns: &[u32],
        summary: String,
        (explanation, edges): (Vec<String>, Vec<Dependency>),
    ) {
        let operations = txns.iter().map(|txn| transactions.txns[*txn as usize].operation as usize).collect();
        self.anomalies.push(Anomaly { name, operations, summary, explanation, edges });
    }
}

fn word(edge: u8) -> &'static str {
    match edge {
        kind::WW => "ww",
        kind::WR => "wr",
        kind::PROCESS => "process",
        kind::REAL_TIME => "real time",
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

/// A transaction in a line: `operation 12 of process 3: append 5 3, r 9 → [1, 2]`.
fn in_words(transactions: &Transactions<'_>, number: u32) -> String {
    const STEPS: usize = 12;
    let txn = &transactions.txns[number as usize];
    let steps = transactions.steps_of(number);
    let write = match transactions.workload {
        Workload::ListAppend => "append",
        Workload::RwRegister => "w",
    };
    let mut words: Vec<String> = steps
        .iter()
        .take(STEPS)
        .map(|step| {
            let key = brief(transactions.keys[step.key as usize]);
            match step.access {
                Access::Read(value) if txn.fate == Fate::Committed => format!("r {key} → {}", brief(value)),
                Access::Read(_) => format!("r {key}"),
                Access::Write(element) => {
                    format!("{write} {key} {}", brief(transactions.elements[element as usize].value))
                }
            }
        })
        .collect();
    if steps.len() > STEPS {
        words.push(format!("and {} more", steps.len() - STEPS));
    }
    let fate = match txn.fate {
        Fate::Committed => "",
        Fate::Failed => " (failed)",
        Fate::Unknown => " (outcome unknown)",
    };
    format!("operation {} of process {}{fate}: {}", txn.operation, txn.process, words.join(", "))
}
