//! One operation: an invocation and its outcome.

use super::{OutcomeRef, Phase, event::Kind};
use serde_json::Value;

/// An operation, paired from the events of its process.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// The process that invoked it.
    pub process: u64,
    /// The client behind the process number, where the history says so.
    pub client: Option<u32>,
    /// The function: `read`, `write`, `cas`, ….
    pub f: String,
    /// The key, where the model has keys.
    pub key: Option<String>,
    /// What it was invoked with, by operation (see [`Event`](super::Event)).
    pub argument: Value,
    /// What became of it.
    pub outcome: Outcome,
    /// Index of the invocation in the order of events.
    pub invoked: usize,
    /// Index of the completion in the order of events; none if it never completed or completed `info`
    /// (it stays concurrent with everything after it).
    pub completed: Option<usize>,
    /// When it was due (open loop), in nanoseconds since the run's start.
    pub intended_ns: Option<u64>,
    /// When it was invoked, in nanoseconds since the run's start.
    pub invoked_ns: u64,
    /// When it completed, as `ok`, `fail` or `info`, in nanoseconds since the run's start.
    pub completed_ns: Option<u64>,
    /// The node it was sent to, or that answered it where it was sent again.
    pub node: Option<String>,
    /// The phase of the run it was invoked in.
    pub phase: Option<Phase>,
}

/// What became of an operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It happened, with this result.
    Ok(Value),
    /// It certainly did not happen.
    Fail {
        /// Why, in one word of the outcome table.
        error: Option<String>,
        /// What a failed compare-and-set found instead; `Some(Null)` for an absent key.
        actual: Option<Value>,
    },
    /// The outcome is unknown.
    Info {
        /// Why, in one word of the outcome table; none if the history ends before it completed.
        error: Option<String>,
    },
}

impl Outcome {
    /// The kind of the completion event it came from.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Ok(_) => Kind::Ok,
            Self::Fail { .. } => Kind::Fail,
            Self::Info { .. } => Kind::Info,
        }
    }
}

/// How an operation ended, as readers tell it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeClass {
    /// It happened.
    Ok,
    /// A compare-and-set that found another value: an answer, though nothing happened.
    Refused,
    /// The outcome is unknown.
    Info,
    /// It certainly did not happen.
    Fail,
}

impl OutcomeClass {
    /// The class of an outcome.
    pub fn of<'a>(outcome: impl Into<OutcomeRef<'a>>) -> Self {
        match outcome.into() {
            OutcomeRef::Ok(_) => Self::Ok,
            OutcomeRef::Fail { error, actual } => {
                let refused = actual.is_some() || error == Some("precondition");
                if refused { Self::Refused } else { Self::Fail }
            }
            OutcomeRef::Info { .. } => Self::Info,
        }
    }
}
