//! What comes out of a check.

use crate::{Answer, words};
use history::ToOperations;

/// Whether a history is linearizable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is, on every key.
    Valid {
        /// How many keys there were.
        keys: usize,
        /// How many operations there were, of every outcome.
        operations: usize,
    },
    /// It is not, and here is why.
    Invalid(Box<Witness>),
    /// Undecided: a limit was reached, or an operation was not understood.
    Unknown {
        /// Which key, why, and what was decided until then.
        reason: String,
    },
}

impl Verdict {
    /// The answer without what goes with it.
    pub fn answer(&self) -> Answer {
        match self {
            Self::Valid { .. } => Answer::Valid,
            Self::Invalid(_) => Answer::Invalid,
            Self::Unknown { .. } => Answer::Unknown,
        }
    }
}

/// Why a history is not linearizable. Operations are named by their index in the slice that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// The key it concerns; none where the history has no keys.
    pub key: Option<String>,
    /// The earliest operation that cannot complete as it did, whatever the order of the others.
    pub operation: usize,
    /// The smallest part of the history found that is still invalid by itself, in order of invocation.
    pub operations: Vec<usize>,
    /// The values the key may have had when `operation` completed; where the summary says so, by the operations of
    /// the witness alone.
    pub values: Vec<String>,
    /// The operations that were open when `operation` completed (it is among them), each with why it does not help.
    pub pending: Vec<Pending>,
    /// The whole story in a few sentences.
    pub summary: String,
    /// Other keys that are not linearizable either.
    pub other_keys: Vec<Option<String>>,
}

impl Witness {
    /// All of it in lines for people, `shown` operations at most. `operations` is the slice that was checked.
    pub fn evidence(&self, operations: &(impl ToOperations + ?Sized), shown: usize) -> Vec<String> {
        let operations = &*operations.to_operations();
        self.evidence_since(operations, shown, 0)
    }

    /// The same with times that count from a moment, in nanoseconds of the history's clock.
    pub fn evidence_since(
        &self,
        operations: &(impl ToOperations + ?Sized),
        shown: usize,
        origin_ns: u64,
    ) -> Vec<String> {
        let operations = &*operations.to_operations();
        let mut lines = vec![self.summary.clone()];
        lines.extend(self.operations.iter().take(shown).map(|index| {
            let mark = if *index == self.operation { " ← cannot be explained" } else { "" };
            format!("operation {index}: {}{mark}", words::in_words_since(operations.at(*index), origin_ns))
        }));
        if let Some(hidden) = self.operations.len().checked_sub(shown).filter(|hidden| *hidden > 0) {
            let hidden = words::counted(hidden as u64, "more operation belongs", "more operations belong");
            lines.push(format!("{hidden} to it"));
        }
        let pending = self.pending.iter().take(shown);
        lines.extend(pending.map(|pending| format!("operation {}: {}", pending.operation, pending.why)));
        if !self.other_keys.is_empty() {
            let keys = self.other_keys.iter().map(|key| key.as_deref().unwrap_or("(no key)"));
            lines.push(format!("not linearizable either: {}", keys.collect::<Vec<_>>().join(", ")));
        }
        lines
    }
}

/// An operation that was open at the moment nothing could come next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Its index in the slice that was checked.
    pub operation: usize,
    /// Why it cannot come next, or why that would not help.
    pub why: String,
}
