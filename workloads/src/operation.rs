//! An operation, independent of the protocol of any system.

use crate::spec::Workload;
use serde_json::{Value, json};
use std::fmt;

/// What an operation does; the `f` of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Function {
    /// Register: the value of a key.
    Read,
    /// Register: sets a key.
    Write,
    /// Sets a key if it holds the expected value (both workloads).
    Cas,
    /// Store: the value of a key.
    Get,
    /// Store: sets a key.
    Put,
    /// Store: removes a key; done as well if it was not there.
    Delete,
    /// Store: adds text at the end of a key's value; an absent key counts as empty.
    Append,
    /// Reads and writes of several keys at once.
    Txn,
    /// Bank: moves money from one account to another.
    Transfer,
    /// Bank: what every account holds, all at one moment.
    Total,
    /// Queue: puts an element in.
    Enqueue,
    /// Queue: takes an element out; of an empty queue none.
    Dequeue,
}

impl Function {
    /// Every function of every workload.
    pub const ALL: [Self; 12] = [
        Self::Read,
        Self::Write,
        Self::Cas,
        Self::Get,
        Self::Put,
        Self::Delete,
        Self::Append,
        Self::Txn,
        Self::Transfer,
        Self::Total,
        Self::Enqueue,
        Self::Dequeue,
    ];

    /// Its name in histories and mixes.
    pub fn name(self) -> &'static str {
        match self {
            // A bank's read has the name that its checkers know.
            Self::Read | Self::Total => "read",
            Self::Write => "write",
            Self::Cas => "cas",
            Self::Get => "get",
            Self::Put => "put",
            Self::Delete => "delete",
            Self::Append => "append",
            Self::Txn => "txn",
            Self::Transfer => "transfer",
            Self::Enqueue => "enqueue",
            Self::Dequeue => "dequeue",
        }
    }

    /// Whether its result is the value of the key, and it changes nothing.
    pub fn is_read(self) -> bool {
        match self {
            Self::Read | Self::Get => true,
            Self::Write
            | Self::Cas
            | Self::Put
            | Self::Delete
            | Self::Append
            | Self::Txn
            | Self::Transfer
            | Self::Total
            | Self::Enqueue
            | Self::Dequeue => false,
        }
    }

    /// Whether its result is one value that an answer must have.
    pub fn finds_value(self) -> bool {
        self.is_read() || self == Self::Dequeue
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Operation {
    /// The names of the keys that it writes.
    pub(crate) fn written_keys(&self) -> impl Iterator<Item = &str> {
        let (own, ends) = match self.function {
            Function::Write
            | Function::Cas
            | Function::Put
            | Function::Delete
            | Function::Append
            | Function::Enqueue => (Some(self.key.as_str()), &[][..]),
            Function::Transfer => (None, &["from", "to"][..]),
            Function::Read | Function::Get | Function::Txn | Function::Total | Function::Dequeue => {
                (None, &[][..])
            }
        };
        let steps = self.argument.as_array().filter(|_| self.function == Function::Txn);
        let steps = steps.into_iter().flatten().filter(|step| step[0] != "r");
        own.into_iter()
            .chain(ends.iter().filter_map(|end| self.argument[*end].as_str()))
            .chain(steps.filter_map(|step| step[1].as_str()))
    }

    /// What reads this key in a workload; of a bank, all accounts; of a queue, what it takes out.
    pub(crate) fn reading(workload: Workload, key: String) -> Self {
        let (function, key, argument) = match workload {
            Workload::Register => (Function::Read, key, Value::Null),
            Workload::Kv => (Function::Get, key, Value::Null),
            Workload::ListAppend | Workload::RwRegister => {
                (Function::Txn, String::new(), json!([["r", key, null]]))
            }
            Workload::Bank => (Function::Total, String::new(), Value::Null),
            Workload::Queue => (Function::Dequeue, key, Value::Null),
        };
        Self { function, key, argument }
    }
}

/// One operation, ready to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// What it does.
    pub function: Function,
    /// The key it does it to; empty where that says nothing, because there are several.
    pub key: String,
    /// What with, in the shape of a history's `value`: null for reads, deletes and dequeues, `[from, to]` for a `cas`,
    /// `[["r", key, null], ["append", key, 3], …]` for a transaction, an object for a transfer.
    pub argument: Value,
}
