//! What a user can say about a file instead of having it guessed.

use super::{FailedCas, Format};

/// What to take as given when reading; everything is guessed by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The format.
    pub format: Option<Format>,
    /// The model's name, which is passed through.
    pub model: Option<String>,
    /// Whether values of Jepsen's forms are a key and a value (`jepsen.independent`). By default they are
    /// where every operation's value is a pair and some of them could be nothing else.
    pub independent: Option<bool>,
    /// What a failed compare-and-set means; by default what the format means by it.
    pub failed_cas: Option<FailedCas>,
    /// How much memory the history may take, in bytes; by default ten times the file and 64 MiB.
    pub memory: Option<usize>,
    /// How events of the same time are ordered where a process completes an operation and begins the next.
    pub ties: Ties,
    /// Take a last line without an end as whole; by default what may be cut off in it is not used.
    pub whole_last_line: bool,
    /// Whether the state before the history is known, so that reads may return what no operation wrote.
    pub initial: bool,
}

/// The order of processes that go on to their next operations at the same time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ties {
    /// One after the other, as the file has them.
    #[default]
    Forward,
    /// One after the other, the last of the file first.
    Backward,
    /// All operations that touch are concurrent, also those of one process.
    Apart,
}
