//! The workloads: which functions each has, and in which mix.

use crate::operation::Function;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::json;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// Which operations there are and what they mean. The name is also the name of the checker's model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Workload {
    /// Registers of integers, one for each key: `read`, `write`, `cas`.
    Register,
    /// Strings under keys: `get`, `put`, `delete`, `cas`, `append`.
    Kv,
    /// Transactions of appends to lists and reads of them.
    ListAppend,
    /// Transactions of writes and reads of registers.
    RwRegister,
    /// Accounts, one for each key: transfers between two of them, and reads of all.
    Bank,
    /// Queues of integers, one for each key: `enqueue`, `dequeue`, and a drain at the end.
    Queue,
    /// One set of integers that only grows: `add`, `read`.
    Set,
    /// One counter that only grows: `add`, `read`.
    GCounter,
    /// One counter: `add` of positive and negative numbers, `read`.
    PnCounter,
    /// Ids that differ: `generate`.
    UniqueIds,
    /// Words that come back: `echo`.
    Echo,
    /// Logs of messages, one for each key: `send`, `poll`.
    Kafka,
    /// Locks, one for each key: `acquire`, `release`.
    Lock,
}

impl Workload {
    /// Every workload there is.
    pub const ALL: [Self; 13] = [
        Self::Register,
        Self::Kv,
        Self::ListAppend,
        Self::RwRegister,
        Self::Bank,
        Self::Queue,
        Self::Set,
        Self::GCounter,
        Self::PnCounter,
        Self::UniqueIds,
        Self::Echo,
        Self::Kafka,
        Self::Lock,
    ];

    /// Its name in specs; for most, also that of the model that judges it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Kv => "kv",
            Self::ListAppend => "list-append",
            Self::RwRegister => "rw-register",
            Self::Bank => "bank",
            Self::Queue => "queue",
            Self::Set => "set",
            Self::GCounter => "g-counter",
            Self::PnCounter => "pn-counter",
            Self::UniqueIds => "unique-ids",
            Self::Echo => "echo",
            Self::Kafka => "kafka",
            Self::Lock => "lock",
        }
    }

    /// Whether its values are strings, rather than integers or what a transaction makes of them.
    pub fn has_text_values(self) -> bool {
        self == Self::Kv
    }

    /// What it is, in one line.
    pub fn about(self) -> &'static str {
        match self {
            Self::Register => "registers of integers: read, write, cas (compare and set)",
            Self::Kv => "strings under keys: get, put, delete, cas, and append where the mix names it",
            Self::ListAppend => "transactions of one to four appends to lists and reads of them",
            Self::RwRegister => "transactions of one to four writes and reads of registers",
            Self::Bank => "accounts: transfer between two, and read of all of them",
            Self::Queue => {
                "queues of integers: enqueue, dequeue, and at the end all that is left is taken out"
            }
            Self::Set => "a set of integers that only grows: add, read",
            Self::GCounter => "a counter that only grows: add, read",
            Self::PnCounter => "a counter: add of positive and negative numbers, read",
            Self::UniqueIds => "ids that differ: generate",
            Self::Echo => "words that come back: echo (clients of kind maelstrom)",
            Self::Kafka => "logs of messages under keys: send, poll, and at the end all logs to their ends",
            Self::Lock => "locks that one client has at a time: acquire, release",
        }
    }

    /// The functions a mix may name.
    pub fn functions(self) -> &'static [Function] {
        match self {
            Self::Register => &[Function::Read, Function::Write, Function::Cas],
            Self::Kv => &[Function::Get, Function::Put, Function::Delete, Function::Cas, Function::Append],
            Self::ListAppend | Self::RwRegister => &[Function::Txn],
            Self::Bank => &[Function::Total, Function::Transfer],
            Self::Queue => &[Function::Enqueue, Function::Dequeue],
            Self::Set | Self::GCounter | Self::PnCounter => &[Function::Add, Function::Total],
            Self::UniqueIds => &[Function::Generate],
            Self::Echo => &[Function::Echo],
            Self::Kafka => &[Function::Send, Function::Poll],
            Self::Lock => &[Function::Acquire, Function::Release],
        }
    }

    /// What the probes before the load and the final reads need, of clients that somebody describes.
    pub(crate) fn probed(self) -> &'static [Function] {
        match self {
            Self::Register => &[Function::Read, Function::Write],
            Self::Kv => &[Function::Get, Function::Put],
            Self::ListAppend | Self::RwRegister => &[Function::Txn],
            Self::Bank => &[Function::Total],
            Self::Queue => &[Function::Enqueue, Function::Dequeue],
            Self::Set | Self::GCounter | Self::PnCounter => &[Function::Add, Function::Total],
            Self::UniqueIds => &[Function::Generate],
            Self::Kafka => &[Function::Send, Function::Poll],
            Self::Lock => &[Function::Acquire, Function::Release],
            Self::Echo => &[],
        }
    }

    /// The weights of a spec without a mix.
    pub fn default_mix(self) -> &'static [(Function, u32)] {
        match self {
            Self::Register => &[(Function::Read, 4), (Function::Write, 4), (Function::Cas, 2)],
            Self::Kv => &[(Function::Get, 4), (Function::Put, 3), (Function::Delete, 1), (Function::Cas, 2)],
            Self::ListAppend | Self::RwRegister => &[(Function::Txn, 1)],
            Self::Bank => &[(Function::Total, 1), (Function::Transfer, 1)],
            // Some elements stay in for a while, so that there is something to lose.
            Self::Queue => &[(Function::Enqueue, 3), (Function::Dequeue, 2)],
            Self::Set | Self::GCounter | Self::PnCounter => &[(Function::Add, 1), (Function::Total, 1)],
            Self::UniqueIds => &[(Function::Generate, 1)],
            Self::Echo => &[(Function::Echo, 1)],
            Self::Kafka => &[(Function::Send, 1), (Function::Poll, 1)],
            // A client that has a lock gives it back next; the others show that nobody else can.
            Self::Lock => &[(Function::Acquire, 4), (Function::Release, 1)],
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Workload {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let built = Self::ALL.map(Self::name).join(", ");
        match Self::ALL.into_iter().find(|workload| workload.name() == name) {
            Some(workload) => Ok(workload),
            None => Err(format!("unknown workload \"{name}\"; there are {built}")),
        }
    }
}

impl Serialize for Workload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl JsonSchema for Workload {
    fn schema_name() -> Cow<'static, str> {
        "Workload".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words =
            Self::ALL.map(|workload| json!({ "const": workload.name(), "description": workload.about() }));
        json_schema!({ "oneOf": words })
    }
}

impl<'de> Deserialize<'de> for Workload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
