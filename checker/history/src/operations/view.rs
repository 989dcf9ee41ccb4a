//! An operation of a collection in columns, as checks see it.

use super::{Builder, Operations, Steps};
use crate::{Kind, Operation, Outcome, Phase};
use serde_json::Value;
use std::borrow::Cow;

/// An operation that stands in columns, or elsewhere; its fields are those of [`Operation`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OperationRef<'a> {
    /// The process that invoked it.
    pub process: u64,
    /// The client behind the process number, where the history says so.
    pub client: Option<u32>,
    /// The function: `read`, `write`, `cas`, ….
    pub f: &'a str,
    /// The key, where the model has keys.
    pub key: Option<&'a str>,
    /// What it was invoked with, by operation (see [`Event`](crate::Event)).
    pub argument: &'a Value,
    /// What became of it.
    pub outcome: OutcomeRef<'a>,
    /// Index of the invocation in the order of events.
    pub invoked: usize,
    /// Index of the completion in the order of events; none if it never completed or completed `info`.
    pub completed: Option<usize>,
    /// When it was due (open loop), in nanoseconds since the run's start.
    pub intended_ns: Option<u64>,
    /// When it was invoked, in nanoseconds since the run's start.
    pub invoked_ns: u64,
    /// When it completed, as `ok`, `fail` or `info`, in nanoseconds since the run's start.
    pub completed_ns: Option<u64>,
    /// The node it was sent to, or that answered it where it was sent again.
    pub node: Option<&'a str>,
    /// The phase of the run it was invoked in.
    pub phase: Option<Phase>,
}

/// What became of an operation; see [`Outcome`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OutcomeRef<'a> {
    /// It happened, with this result.
    Ok(&'a Value),
    /// It certainly did not happen.
    Fail {
        /// Why, in one word of the outcome table.
        error: Option<&'a str>,
        /// What a failed compare-and-set found instead; `Some(Null)` for an absent key.
        actual: Option<&'a Value>,
    },
    /// The outcome is unknown.
    Info {
        /// Why, in one word of the outcome table; none if the history ends before it completed.
        error: Option<&'a str>,
    },
}

/// An operation as checks of transactions see it.
#[derive(Debug, Clone)]
pub struct TransactionRef<'a> {
    /// The process that invoked it.
    pub process: u64,
    /// The client behind the process number, where the history says so.
    pub client: Option<u32>,
    /// The function: `txn`, ….
    pub f: &'a str,
    /// The key, where the model has keys.
    pub key: Option<&'a str>,
    /// How it ended: `ok`, `fail` or `info`.
    pub kind: Kind,
    /// Its result if it is `ok`, or else its argument.
    pub steps: Steps<'a>,
    /// Index of the invocation in the order of events.
    pub invoked: usize,
    /// Index of the completion in the order of events; none if it never completed or completed `info`.
    pub completed: Option<usize>,
}

impl OperationRef<'_> {
    /// The operation as a value of its own.
    pub fn to_owned(self) -> Operation {
        Operation {
            process: self.process,
            client: self.client,
            f: self.f.to_owned(),
            key: self.key.map(str::to_owned),
            argument: self.argument.clone(),
            outcome: self.outcome.to_owned(),
            invoked: self.invoked,
            completed: self.completed,
            intended_ns: self.intended_ns,
            invoked_ns: self.invoked_ns,
            completed_ns: self.completed_ns,
            node: self.node.map(str::to_owned),
            phase: self.phase,
        }
    }
}

impl OutcomeRef<'_> {
    /// The kind of the completion event it came from.
    pub fn kind(self) -> Kind {
        match self {
            Self::Ok(_) => Kind::Ok,
            Self::Fail { .. } => Kind::Fail,
            Self::Info { .. } => Kind::Info,
        }
    }

    /// The outcome as a value of its own.
    pub fn to_owned(self) -> Outcome {
        let text = |text: Option<&str>| text.map(str::to_owned);
        match self {
            Self::Ok(value) => Outcome::Ok(value.clone()),
            Self::Fail { error, actual } => Outcome::Fail { error: text(error), actual: actual.cloned() },
            Self::Info { error } => Outcome::Info { error: text(error) },
        }
    }
}

impl<'a> From<&'a Operation> for OperationRef<'a> {
    fn from(operation: &'a Operation) -> Self {
        Self {
            process: operation.process,
            client: operation.client,
            f: &operation.f,
            key: operation.key.as_deref(),
            argument: &operation.argument,
            outcome: OutcomeRef::from(&operation.outcome),
            invoked: operation.invoked,
            completed: operation.completed,
            intended_ns: operation.intended_ns,
            invoked_ns: operation.invoked_ns,
            completed_ns: operation.completed_ns,
            node: operation.node.as_deref(),
            phase: operation.phase,
        }
    }
}

impl<'a> From<&OperationRef<'a>> for OperationRef<'a> {
    fn from(operation: &OperationRef<'a>) -> Self {
        *operation
    }
}

impl<'a> From<&'a Outcome> for OutcomeRef<'a> {
    fn from(outcome: &'a Outcome) -> Self {
        match outcome {
            Outcome::Ok(value) => Self::Ok(value),
            Outcome::Fail { error, actual } => {
                Self::Fail { error: error.as_deref(), actual: actual.as_ref() }
            }
            Outcome::Info { error } => Self::Info { error: error.as_deref() },
        }
    }
}

/// Operations that stand in columns, or can be put there.
pub trait ToOperations {
    /// The operations in columns; borrowed where they are in columns already.
    fn to_operations(&self) -> Cow<'_, Operations>;
}

impl ToOperations for Operations {
    fn to_operations(&self) -> Cow<'_, Operations> {
        Cow::Borrowed(self)
    }
}

impl ToOperations for [Operation] {
    fn to_operations(&self) -> Cow<'_, Operations> {
        Cow::Owned(self.iter().collect())
    }
}

impl ToOperations for Vec<Operation> {
    fn to_operations(&self) -> Cow<'_, Operations> {
        self.as_slice().to_operations()
    }
}

impl<const N: usize> ToOperations for [Operation; N] {
    fn to_operations(&self) -> Cow<'_, Operations> {
        self.as_slice().to_operations()
    }
}

impl<T: ToOperations + ?Sized> ToOperations for &T {
    fn to_operations(&self) -> Cow<'_, Operations> {
        (**self).to_operations()
    }
}

impl<'a> FromIterator<&'a Operation> for Operations {
    fn from_iter<I: IntoIterator<Item = &'a Operation>>(operations: I) -> Self {
        operations.into_iter().map(OperationRef::from).collect()
    }
}

impl FromIterator<Operation> for Operations {
    fn from_iter<I: IntoIterator<Item = Operation>>(operations: I) -> Self {
        let mut builder = Builder::default();
        operations.into_iter().for_each(|operation| builder.push(OperationRef::from(&operation)));
        builder.finish()
    }
}

impl<'a> FromIterator<OperationRef<'a>> for Operations {
    fn from_iter<I: IntoIterator<Item = OperationRef<'a>>>(operations: I) -> Self {
        let mut builder = Builder::default();
        operations.into_iter().for_each(|operation| builder.push(operation));
        builder.finish()
    }
}
