//! What a check of elements says: the answer, what it found, and figures.

use super::kind::Kind;
use crate::{Answer, words};
use history::ToOperations;
use serde::Serialize;
use serde_json::Value;

/// Findings of a class that are written out as evidence.
const SHOWN: usize = 5;
/// Operations of a finding that are written out.
const OPERATIONS_SHOWN: usize = 4;

/// What became of an element, an account or a read that is worth a line. [`Kind`] defines them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// It should be there and is not.
    Lost,
    /// It is there although no operation added it.
    Unexpected,
    /// It is there more often than it was put there.
    Duplicated,
    /// It was missing for a while after it was known to be there.
    Stale,
    /// No read says anything certain about it.
    NeverRead,
    /// It is there although no add of it was acknowledged.
    Recovered,
    /// A read outside what the adds allow.
    OutOfBounds,
    /// A final read that is no sum of the adds.
    Unacceptable,
    /// A final read that differs from another.
    Disagreeing,
    /// An account there is not.
    UnexpectedKey,
    /// An account that holds nothing, not even zero.
    NilBalance,
    /// Balances that do not add up.
    WrongTotal,
    /// An account that holds less than nothing.
    NegativeBalance,
    /// A balance that no order of the transfers leads to.
    WrongBalance,
    /// A write that is missing beside one that began after it was over.
    Reversed,
    /// Two writes that two reads see in opposite orders.
    Forked,
    /// Two inserts that exclude each other.
    InsertedTwice,
    /// A row before one that should come first.
    Reordered,
    /// An offset with two messages.
    InconsistentOffset,
    /// Messages that a consumer skipped.
    Gap,
    /// An offset at or before the last one of the same process.
    WentBack,
}

impl Class {
    /// What one of it is called, and many.
    pub(super) fn nouns(self) -> (&'static str, &'static str) {
        match self {
            Self::Lost => ("lost element", "lost elements"),
            Self::Unexpected => ("unexpected element", "unexpected elements"),
            Self::Duplicated => ("duplicated element", "duplicated elements"),
            Self::Stale => ("stale element", "stale elements"),
            Self::NeverRead => ("element never read", "elements never read"),
            Self::Recovered => ("recovered element", "recovered elements"),
            Self::OutOfBounds => ("read out of bounds", "reads out of bounds"),
            Self::Unacceptable => ("unacceptable final read", "unacceptable final reads"),
            Self::Disagreeing => ("disagreeing final read", "disagreeing final reads"),
            Self::UnexpectedKey => ("read of an unexpected account", "reads of unexpected accounts"),
            Self::NilBalance => ("read without a balance", "reads without a balance"),
            Self::WrongTotal => ("read with a wrong total", "reads with a wrong total"),
            Self::NegativeBalance => ("read of a negative balance", "reads of negative balances"),
            Self::WrongBalance => ("read of a wrong balance", "reads of wrong balances"),
            Self::Reversed => ("reversed write", "reversed writes"),
            Self::Forked => ("fork", "forks"),
            Self::InsertedTwice => ("key with two inserts", "keys with two inserts"),
            Self::Reordered => ("row out of order", "rows out of order"),
            Self::InconsistentOffset => ("inconsistent offset", "inconsistent offsets"),
            Self::Gap => ("gap", "gaps"),
            Self::WentBack => ("step back", "steps back"),
        }
    }
}

/// One thing found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// What it is.
    pub class: Class,
    /// Whether it makes the history invalid; otherwise it is only worth knowing.
    pub breaks: bool,
    /// The key it concerns; none where the history has no keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The element, or the value that was read.
    pub value: Value,
    /// The operations that show it, by their indexes in the slice that was checked.
    pub operations: Vec<usize>,
    /// What happened, in words.
    pub text: String,
}

/// How long something took, over all elements it happened to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Latencies {
    /// What took so long, as in `visible` or `lost`.
    pub name: &'static str,
    /// Elements it happened to; at least 1.
    pub elements: usize,
    /// Nanoseconds at the quantiles 0, 0.5, 0.95, 0.99 and 1; the value at rank ⌊n·q⌋ counted from 0, or the
    /// last.
    pub quantiles_ns: [u64; 5],
}

impl Latencies {
    /// The quantiles that are kept.
    pub const QUANTILES: [f64; 5] = [0.0, 0.5, 0.95, 0.99, 1.0];

    pub(super) fn of(name: &'static str, mut taken: Vec<u64>) -> Option<Self> {
        taken.sort_unstable();
        let last = taken.len().checked_sub(1)?;
        // In whole percent, so that no rounding of floats decides which element it is.
        let at = |percent: usize| taken[(taken.len() * percent / 100).min(last)];
        let quantiles_ns = [at(0), at(50), at(95), at(99), at(100)];
        Some(Self { name, elements: taken.len(), quantiles_ns })
    }
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// What was checked.
    pub kind: Kind,
    /// What it says.
    pub answer: Answer,
    /// Why, in one sentence without its full stop.
    pub reason: String,
    /// Everything found, of all keys: what makes the history invalid first, then by class.
    pub findings: Vec<Finding>,
    /// Figures by name, summed over all keys, in the order in which the check counts them.
    pub counts: Vec<(&'static str, u64)>,
    /// How long things took, where the check measures it.
    pub latencies: Vec<Latencies>,
    /// What is not known and why, and what else is worth saying, a sentence each.
    pub notes: Vec<String>,
}

impl Verdict {
    /// A figure by its name.
    pub fn count(&self, name: &str) -> Option<u64> {
        self.counts.iter().find(|(other, _)| *other == name).map(|(_, count)| *count)
    }

    /// All of it in lines for people: findings with their operations, a few of each class, then figures. `operations` is the
    /// slice that was checked.
    pub fn evidence(&self, operations: &(impl ToOperations + ?Sized)) -> Vec<String> {
        let operations = &*operations.to_operations();
        self.evidence_since(operations, 0)
    }

    /// The same with times that count from a moment, in nanoseconds of the history's clock.
    pub fn evidence_since(&self, operations: &(impl ToOperations + ?Sized), origin_ns: u64) -> Vec<String> {
        let operations = &*operations.to_operations();
        let mut lines = Vec::new();
        for group in self.findings.chunk_by(|a, b| (a.breaks, a.class) == (b.breaks, b.class)) {
            for finding in group.iter().take(SHOWN) {
                let key = finding.key.as_ref().map_or_else(String::new, |key| format!("on key {key}, "));
                lines.push(format!("{key}{}", finding.text));
                let named = finding.operations.iter().take(OPERATIONS_SHOWN);
                lines.extend(named.filter_map(|index| {
                    let operation = operations.get(*index)?;
                    Some(format!("operation {index}: {}", words::in_words_since(operation, origin_ns)))
                }));
            }
            if let Some(hidden) = group.len().checked_sub(SHOWN).filter(|hidden| *hidden > 0) {
                let (one, many) = group[0].class.nouns();
                lines.push(format!("and {}", words::counted(hidden as u64, one, many)));
            }
        }
        lines.extend(self.notes.iter().cloned());
        let counts: Vec<String> = self.counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
        if !counts.is_empty() {
            lines.push(counts.join(", "));
        }
        lines.extend(self.latencies.iter().map(|latencies| {
            let [min, median, p95, p99, max] = latencies.quantiles_ns.map(words::duration);
            format!(
                "time to {}: {min} at least, {median} median, {p95} at 95 %, {p99} at 99 %, {max} at most",
                latencies.name
            )
        }));
        lines
    }
}
