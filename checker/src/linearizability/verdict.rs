//! What goes into a check beside the history, and what comes out of it.

use crate::words;
use history::Operation;
use std::fmt;

/// How long and how large a check may grow. Beyond it the verdict is [`Verdict::Unknown`].
#[derive(Clone, Copy)]
pub struct Limits<'a> {
    /// Says that time is up. Asked often, from several threads; this crate reads no clock.
    pub stop: &'a (dyn Fn() -> bool + Sync),
    /// The most configurations a key's search may hold at once; one takes about 100 bytes.
    pub configurations: usize,
    /// Keys checked at the same time, each on a thread of its own; 0 counts as 1.
    pub threads: usize,
}

impl Limits<'static> {
    /// No deadline, about half a gigabyte a thread, one thread.
    pub const DEFAULT: Self = Self { stop: &|| false, configurations: 4_000_000, threads: 1 };
}

impl fmt::Debug for Limits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits")
            .field("configurations", &self.configurations)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

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
    /// Nobody knows: a limit was reached, or an operation was not understood.
    Unknown {
        /// Which key, why, and what was decided until then.
        reason: String,
    },
}

/// Why a history is not linearizable. Operations are named by their place in the slice that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// The key it concerns; none where the history has no keys.
    pub key: Option<String>,
    /// The earliest operation that cannot complete as it did, whatever the order of the others.
    pub operation: usize,
    /// The smallest part of the history found that is still invalid by itself, in order of invocation.
    pub operations: Vec<usize>,
    /// The values the key may have had when `operation` completed, as far as the rest of that part allows.
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
    pub fn evidence(&self, operations: &[Operation], shown: usize) -> Vec<String> {
        let mut lines = vec![self.summary.clone()];
        lines.extend(self.operations.iter().take(shown).map(|place| {
            let mark = if *place == self.operation { " ← cannot be explained" } else { "" };
            format!("operation {place}: {}{mark}", words::in_words(&operations[*place]))
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
    /// Its place in the slice that was checked.
    pub operation: usize,
    /// Why it cannot come next, or why that would not help.
    pub why: String,
}
