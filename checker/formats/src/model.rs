//! Guesses the model from the operations of a history.

use super::fault::ReadError;
use checker::property::Property;
use history::{Event, Kind, Process};
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
    /// The names fit a model, and the values do not; why.
    Odd(String),
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
            Self::Odd(why) => format!("{why}; say --model with one of {}", models()),
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
    Property::all().map(Property::name).collect::<Vec<_>>().join(", ")
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
#[allow(clippy::struct_excessive_bools, reason = "each is one thing that was seen or not")]
struct Looks<'a> {
    names: BTreeSet<&'a str>,
    /// Names of micro-operations.
    steps: BTreeSet<&'a str>,
    reads_lists: bool,
    reads_numbers: bool,
    /// Whether a step `r` returned something that is no list.
    reads_scalars: bool,
    /// Shapes of the values that updates write, and that reads return.
    written: BTreeSet<Shape>,
    read: BTreeSet<Shape>,
    /// Whether a read returned a map of numbers.
    reads_balances: bool,
    /// Whether the invocation of a read has a list or a map as its argument.
    asks_with_lists: bool,
}

/// What a value is; a store gives back what was written in the shape in which it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    Plain,
    List,
    Map,
}

impl Shape {
    /// The shape of a value; none for null.
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Null => None,
            Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(Self::Plain),
            Value::Array(_) => Some(Self::List),
            Value::Object(_) => Some(Self::Map),
        }
    }
}

/// Guesses from the names of the operations and the shapes of what reads return.
pub(super) fn guess(events: &[Event]) -> ModelGuess {
    let mut looks = Looks::default();
    for event in events.iter().filter(|event| event.process != Process::Nemesis) {
        match event.kind {
            Kind::Invoke => {
                looks.names.insert(&event.f);
                note_steps(&event.value, &mut looks);
                note_written(event, &mut looks);
                let asks = matches!(event.f.as_str(), "read" | "get") && !is_steps(&event.value);
                looks.asks_with_lists |= asks && (event.value.is_array() || event.value.is_object());
            }
            Kind::Ok if matches!(event.f.as_str(), "read" | "get") && !is_steps(&event.value) => {
                looks.read.extend(Shape::of(&event.value));
                match &event.value {
                    Value::Array(_) => looks.reads_lists = true,
                    Value::Number(_) => looks.reads_numbers = true,
                    Value::Object(balances) => {
                        looks.reads_balances |= balances.values().all(Value::is_number);
                    }
                    Value::Null | Value::Bool(_) | Value::String(_) => {}
                }
            }
            Kind::Ok => {
                note_steps(&event.value, &mut looks);
                note_written(event, &mut looks);
            }
            Kind::Fail | Kind::Info => {}
        }
    }
    looks.model()
}

/// Whether a value is a list of steps of a transaction.
fn is_steps(value: &Value) -> bool {
    let step = |step: &Value| {
        step.as_array().is_some_and(|step| {
            step.len() == 3
                && matches!(
                    step[0].as_str().map(|name| name.trim_start_matches(':')),
                    Some("r" | "w" | "append" | "read" | "write")
                )
        })
    };
    value.as_array().is_some_and(|steps| !steps.is_empty() && steps.iter().all(step))
}

/// Notes the shapes of what an update writes.
fn note_written(event: &Event, looks: &mut Looks<'_>) {
    match (event.f.as_str(), event.value.as_array().map(Vec::as_slice)) {
        ("cas", Some([from, to])) => looks.written.extend([from, to].into_iter().filter_map(Shape::of)),
        ("write" | "put" | "append", _) => looks.written.extend(Shape::of(&event.value)),
        _ => {}
    }
}

fn note_steps<'a>(value: &'a Value, looks: &mut Looks<'a>) {
    for step in value.as_array().into_iter().flatten() {
        if let Some([Value::String(name), _key, result]) = step.as_array().map(Vec::as_slice) {
            looks.steps.insert(name);
            looks.reads_lists |= name == "r" && result.is_array();
            looks.reads_scalars |= name == "r" && !result.is_array() && !result.is_null();
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
        if only(&["get", "put", "delete", "append", "cas", "read", "write"])
            && let Some(guess) = self.odd_reads()
        {
            return guess;
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

    /// The guess where reads return what no write of a register could have left.
    fn odd_reads(&self) -> Option<ModelGuess> {
        if self.asks_with_lists {
            return Some(ModelGuess::Odd(
                "reads have lists or maps as arguments, and those of a register have none".to_owned(),
            ));
        }
        let unwritten = self.read.iter().any(|shape| !self.written.contains(shape));
        if !unwritten {
            return None;
        }
        if self.written.is_empty() && self.read == BTreeSet::from([Shape::Plain]) {
            // Nothing is written at all: whatever the reads return may have been there from the start.
            return Some(ModelGuess::Odd("nothing is written, and reads return values".to_owned()));
        }
        if self.read == BTreeSet::from([Shape::Plain]) {
            return None;
        }
        if self.written.is_empty() && self.reads_balances && self.read == BTreeSet::from([Shape::Map]) {
            return Some(ModelGuess::Several(vec!["bank", "register"]));
        }
        let shape = if self.read.contains(&Shape::Map) { "maps" } else { "lists" };
        Some(ModelGuess::Odd(format!(
            "reads return {shape}, which no write of a register could have left; the names alone would say register"
        )))
    }

    fn transactions(&self) -> ModelGuess {
        let only = |allowed: &[&str]| self.steps.iter().all(|name| allowed.contains(name));
        if only(&["r"]) {
            return if self.reads_scalars && !self.reads_lists {
                // Whatever the reads return may have been there from the start.
                ModelGuess::Odd("transactions only read, and return values that are no lists".to_owned())
            } else if self.reads_lists {
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
