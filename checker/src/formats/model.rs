//! Guesses the model from the operations of a history.

use super::fault::ReadError;
use crate::history::{Event, Kind, Process};
use crate::promise::Promise;
use serde_json::Value;
use std::collections::BTreeSet;

/// How many names of operations a message lists.
const NAMES_SHOWN: usize = 12;

/// What is known of a history's model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelGuess {
    /// The file or the user names it.
    Said(String),
    /// The operations leave no other.
    Plain(&'static str),
    /// The operations fit each of these.
    Several(Vec<&'static str>),
    /// The operations fit none; their names.
    Unknown(Vec<String>),
}

impl ModelGuess {
    /// The model's name, or what can be said instead.
    pub fn name(&self) -> Result<&str, ReadError> {
        let message = match self {
            Self::Said(name) => return Ok(name),
            Self::Plain(name) => return Ok(name),
            Self::Several(models) => {
                let said: Vec<String> = models.iter().map(|model| format!("--model {model}")).collect();
                format!("the operations fit more than one model; say {}", said.join(" or "))
            }
            Self::Unknown(names) if names.is_empty() => {
                format!(
                    "there are no operations to guess the model from; say --model with one of {}",
                    models()
                )
            }
            Self::Unknown(names) => format!(
                "no model is known by the operations {}; say --model with one of {}",
                names.join(", "),
                models()
            ),
        };
        Err(ReadError { line: 0, column: 0, message })
    }
}

fn models() -> String {
    Promise::all().map(Promise::name).collect::<Vec<_>>().join(", ")
}

/// Stricter models that the same operations fit. A guess never takes the stricter one: a system that
/// promises less would be found broken.
pub(super) fn stricter(model: &str) -> &'static [&'static str] {
    match model {
        "set-full" => &["set"],
        "counter-bounds" => &["counter"],
        "total-queue" => &["fifo-queue", "unordered-queue", "priority-queue"],
        "rw-register" => &["multi-register"],
        _ => &[],
    }
}

/// What the operations of a history look like.
#[derive(Default)]
struct Looks<'a> {
    names: BTreeSet<&'a str>,
    /// Names of micro-operations.
    steps: BTreeSet<&'a str>,
    reads_lists: bool,
    reads_numbers: bool,
}

/// Guesses from the names of the operations and the shapes of what reads return.
pub(super) fn guess(events: &[Event]) -> ModelGuess {
    let mut looks = Looks::default();
    for event in events.iter().filter(|event| event.process != Process::Nemesis) {
        match event.kind {
            Kind::Invoke => {
                looks.names.insert(&event.f);
                note_steps(&event.value, &mut looks);
            }
            Kind::Ok if event.f == "read" => match &event.value {
                Value::Array(_) => looks.reads_lists = true,
                Value::Number(_) => looks.reads_numbers = true,
                Value::Null | Value::Bool(_) | Value::String(_) | Value::Object(_) => {}
            },
            Kind::Ok => note_steps(&event.value, &mut looks),
            Kind::Fail | Kind::Info => {}
        }
    }
    looks.model()
}

fn note_steps<'a>(value: &'a Value, looks: &mut Looks<'a>) {
    for step in value.as_array().into_iter().flatten() {
        if let Some([Value::String(name), _key, result]) = step.as_array().map(Vec::as_slice) {
            looks.steps.insert(name);
            looks.reads_lists |= name == "r" && result.is_array();
        }
    }
}

impl Looks<'_> {
    fn model(&self) -> ModelGuess {
        let only = |allowed: &[&str]| self.names.iter().all(|name| allowed.contains(name));
        let some = |wanted: &[&str]| wanted.iter().any(|name| self.names.contains(name));
        if self.names.is_empty() {
            return ModelGuess::Unknown(Vec::new());
        }
        if !self.steps.is_empty() && only(&["txn", "read", "write"]) {
            return self.transactions();
        }
        let plain = if only(&["read", "write"]) {
            "register"
        } else if only(&["read", "write", "cas"]) {
            "cas-register"
        } else if only(&["get", "put", "delete", "append", "cas", "read", "write"]) {
            "kv"
        } else if only(&["acquire", "release"]) || only(&["lock", "unlock"]) {
            "mutex"
        } else if only(&["push", "pop", "peek"]) {
            "stack"
        } else if only(&["read", "transfer"]) && some(&["transfer"]) {
            "bank"
        } else if only(&["generate"]) {
            "unique-ids"
        } else if only(&["read", "broadcast"]) {
            "set-full"
        } else if only(&["read", "add", "incr", "decr"]) {
            return self.additions(some(&["incr", "decr"]));
        } else if only(&["read", "add", "incr", "decr", "add-and-get"]) {
            "counter"
        } else if only(&["read", "add", "remove", "contains"]) {
            "set"
        } else if only(&["enqueue", "dequeue", "drain"]) && some(&["drain"]) {
            "total-queue"
        } else if only(&["enqueue", "dequeue", "peek"]) {
            return ModelGuess::Several(vec![
                "fifo-queue",
                "unordered-queue",
                "priority-queue",
                "total-queue",
            ]);
        } else {
            return ModelGuess::Unknown(
                self.names.iter().take(NAMES_SHOWN).map(|name| (*name).to_owned()).collect(),
            );
        };
        ModelGuess::Plain(plain)
    }

    fn transactions(&self) -> ModelGuess {
        let only = |allowed: &[&str]| self.steps.iter().all(|name| allowed.contains(name));
        if only(&["r"]) {
            return if self.reads_lists {
                ModelGuess::Plain("list-append")
            } else {
                ModelGuess::Several(vec!["list-append", "rw-register"])
            };
        }
        if only(&["r", "append"]) {
            ModelGuess::Plain("list-append")
        } else if only(&["r", "w"]) {
            ModelGuess::Plain("rw-register")
        } else if only(&["read", "write"]) {
            ModelGuess::Plain("multi-register")
        } else {
            ModelGuess::Unknown(self.steps.iter().take(NAMES_SHOWN).map(|name| (*name).to_owned()).collect())
        }
    }

    fn additions(&self, counts: bool) -> ModelGuess {
        match (counts || self.reads_numbers, self.reads_lists) {
            (true, false) => ModelGuess::Plain("counter-bounds"),
            (false, true) => ModelGuess::Plain("set-full"),
            (true, true) | (false, false) => ModelGuess::Several(vec!["set-full", "counter-bounds"]),
        }
    }
}
