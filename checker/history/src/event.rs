//! One event of a history, as it stands on one line of `history.jsonl`.

use super::Converted;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// The first line of a history file: what the events belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Version of the file format; this crate writes 1.
    pub history: u32,
    /// Name of the spec, for example `backoff`.
    pub spec: String,
    /// Name of the variant; `main` where the spec has none.
    pub variant: String,
    /// The model the operations speak of, for example `register` or `kv`.
    pub model: String,
    /// Seed of the run.
    pub seed: u64,
    /// When the run's clock stood at 0, in UTC (RFC 3339).
    pub started: String,
    /// The state before the history begins: a value for every key, or an object with one for each; keys start empty
    /// if it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial: Option<Value>,
    /// What is not certain, where another tool's file was converted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub converted: Option<Converted>,
}

/// Who an event belongs to.
///
/// A *client* is a logical thread of operations. It goes on under a new process number after each
/// operation of unknown outcome, so a process has at most one operation open, and none after an `info`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Process {
    /// A client's current process number.
    Client(u64),
    /// The nemesis: the event is the start or the end of a fault.
    Nemesis,
}

impl Serialize for Process {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Client(number) => serializer.serialize_u64(*number),
            Self::Nemesis => serializer.serialize_str("nemesis"),
        }
    }
}

impl<'de> Deserialize<'de> for Process {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ProcessVisitor)
    }
}

struct ProcessVisitor;

impl Visitor<'_> for ProcessVisitor {
    type Value = Process;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the number of a process or \"nemesis\"")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Process, E> {
        Ok(Process::Client(number))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Process, E> {
        if name == "nemesis" {
            return Ok(Process::Nemesis);
        }
        Err(E::custom(format!("process is \"{name}\"; it should be a number or \"nemesis\"")))
    }
}

/// Whether an event begins an operation or how it ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The operation begins.
    Invoke,
    /// It happened, with the result in `value`.
    Ok,
    /// It certainly did not happen.
    Fail,
    /// Its outcome is unknown, or it is a note of the nemesis.
    Info,
}

/// The part of a run in which an operation was invoked. Only `load` and `recovery` enter the statistics;
/// every phase enters the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Before the clock of the statistics starts.
    Warmup,
    /// Load while faults come and go (safety).
    Load,
    /// Load after everything was healed (liveness).
    Recovery,
    /// The last reads of every key.
    Final,
}

/// One line of a history.
///
/// `value` by operation: `read`/`get` null on invocation and the value read on `ok` (null: absent);
/// `write`/`put` the value; `delete` null; `append` the string; `cas` `[from, to]`.
/// Values are integers or strings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Nanoseconds since the run's start (monotonic). Never decreases down the file.
    pub time: u64,
    /// Who it belongs to.
    pub process: Process,
    /// Invocation, or how the operation completed.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The function: `read`, `write`, `cas`, …; for the nemesis the fault's kind.
    pub f: String,
    /// The key, where the model has keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Argument or result, by operation.
    #[serde(default)]
    pub value: Value,
    /// Why it failed or is unknown: one word of the outcome table, for example `timeout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// With a failed `cas` whose precondition did not hold (`error` is `precondition`): the value that was
    /// there instead. It makes the failure as good as a read. `Some(Null)` where the key was absent.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub actual: Option<Value>,
    /// On invocations: the client behind the process number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<u32>,
    /// On invocations: the node it was sent to. On completions: the node that answered, where it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// On invocations of an open loop: when the operation was due, in nanoseconds since the run's start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intended: Option<u64>,
    /// On invocations: the phase of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
}

/// Keeps `"actual": null` apart from no `actual` at all.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Event {
    /// An event with nothing but the fields every event has; `time` is set by the [`Recorder`].
    pub fn new(process: Process, kind: Kind, f: impl Into<String>) -> Self {
        Self {
            time: 0,
            process,
            kind,
            f: f.into(),
            key: None,
            value: Value::Null,
            error: None,
            actual: None,
            client: None,
            node: None,
            intended: None,
            phase: None,
        }
    }
}

/// Takes events in the order in which they happen. Load and faults share one.
///
/// An invocation must be recorded before its request leaves, a completion after its answer is here: then
/// the order of the history is never stricter than what really happened.
pub trait Recorder: Send + Sync {
    /// Stamps the event with the present time, appends it, and returns the stamp in nanoseconds.
    fn record(&self, event: Event) -> u64;
    /// Nanoseconds since the run's start.
    fn now_ns(&self) -> u64;
}
