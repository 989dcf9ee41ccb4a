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
    /// Bank: what every account holds, all at one moment. Set: every element. Counter: its value.
    Total,
    /// Queue: puts an element in.
    Enqueue,
    /// Queue: takes an element out; of an empty queue none.
    Dequeue,
    /// Set: adds an element. Counter: adds a number.
    Add,
    /// Ids: makes one that no other has.
    Generate,
    /// Echo: says the same again.
    Echo,
    /// Log: appends a message to a key.
    Send,
    /// Log: the messages of all keys behind those that this client has seen.
    Poll,
    /// Lock: gets it, unless somebody has it.
    Acquire,
    /// Lock: gives it back; refused to anybody but its owner.
    Release,
}

impl Function {
    /// Every function of every workload.
    pub const ALL: [Self; 19] = [
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
        Self::Add,
        Self::Generate,
        Self::Echo,
        Self::Send,
        Self::Poll,
        Self::Acquire,
        Self::Release,
    ];

    /// Its name in histories and mixes.
    pub fn name(self) -> &'static str {
        match self {
            // The name that the checkers of banks, sets and counters know.
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
            Self::Add => "add",
            Self::Generate => "generate",
            Self::Echo => "echo",
            Self::Send => "send",
            Self::Poll => "poll",
            Self::Acquire => "acquire",
            Self::Release => "release",
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
            | Self::Dequeue
            | Self::Add
            | Self::Generate
            | Self::Echo
            | Self::Send
            | Self::Poll
            | Self::Acquire
            | Self::Release => false,
        }
    }

    /// Whether its result is one value that an answer must have.
    pub fn finds_value(self) -> bool {
        self.is_read()
            || matches!(self, Self::Dequeue | Self::Total | Self::Generate | Self::Send | Self::Poll)
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
            Function::Read
            | Function::Get
            | Function::Txn
            | Function::Total
            | Function::Dequeue
            | Function::Add
            | Function::Generate
            | Function::Echo
            | Function::Send
            | Function::Poll
            | Function::Acquire
            | Function::Release => (None, &[][..]),
        };
        let steps = self.argument.as_array().filter(|_| self.function == Function::Txn);
        let steps = steps.into_iter().flatten().filter(|step| step[0] != "r");
        own.into_iter()
            .chain(ends.iter().filter_map(|end| self.argument[*end].as_str()))
            .chain(steps.filter_map(|step| step[1].as_str()))
    }

    /// What reads this key in a workload; of a bank, set or counter, all of it; of a queue, what it takes out; of what has
    /// nothing to read, what shows that a node answers.
    pub(crate) fn reading(workload: Workload, key: String) -> Self {
        let (function, key, argument) = match workload {
            Workload::Register => (Function::Read, key, Value::Null),
            Workload::Kv => (Function::Get, key, Value::Null),
            Workload::ListAppend | Workload::RwRegister => {
                (Function::Txn, String::new(), json!([["r", key, null]]))
            }
            Workload::Bank | Workload::Set | Workload::GCounter | Workload::PnCounter => {
                (Function::Total, String::new(), Value::Null)
            }
            Workload::UniqueIds => (Function::Generate, String::new(), Value::Null),
            Workload::Echo => (Function::Echo, String::new(), json!("Please echo this")),
            Workload::Kafka => (Function::Poll, String::new(), json!([["poll"]])),
            Workload::Queue => (Function::Dequeue, key, Value::Null),
            // The lock of the probes has an owner: they acquired it.
            Workload::Lock => (Function::Release, key, json!({ "client": "bench-probe" })),
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
    /// `[["r", key, null], ["append", key, 3], …]` for a transaction, an object for a transfer, `{"client": 3}` for a lock.
    pub argument: Value,
}
