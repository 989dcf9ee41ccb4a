//! What goes into a check beside the history, and what comes out of it.

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

/// An operation that was open at the moment nothing could come next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Its place in the slice that was checked.
    pub operation: usize,
    /// Why it cannot come next, or why that would not help.
    pub why: String,
}
