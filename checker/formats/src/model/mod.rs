//! Guesses the model from the operations of a history.

mod columns;

pub(super) use columns::{fits, guess_of_operations};

use super::{
    draft::Draft,
    fault::{Fault, ReadError},
};
use checker::property::Property;
use history::{Event, Kind, Process};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::Value;
use std::cell::OnceCell;
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
    /// Values that updates write, elements that adds add, and what reads return.
    written: Values<'a>,
    added: Values<'a>,
    read: Values<'a>,
    /// Shapes of the values that steps write.
    steps_write: BTreeSet<Shape>,
    /// Whether a read returned a map of numbers.
    reads_balances: bool,
    /// Whether the invocation of a read has a list or a map as its argument, or anything that is not its result.
    asks: bool,
    /// Whether the state before the history is known.
    starts: bool,
    /// Whether an add has no element.
    adds_nothing: bool,
    /// Whether an acquire or release has an argument or a result.
    locks_with_values: bool,
    /// Whether the answer of a write is a list or a map that is not what was written.
    answers_differ: bool,
}

/// Values that were seen, also more than once.
#[derive(Default)]
struct Values<'a> {
    all: Vec<&'a Value>,
    /// Each of them once, if somebody has asked for it.
    distinct: OnceCell<FxHashSet<&'a Value>>,
}

impl<'a> Values<'a> {
    fn push(&mut self, value: &'a Value) {
        self.all.push(value);
    }

    fn contains(&self, value: &Value) -> bool {
        self.distinct.get_or_init(|| self.all.iter().copied().collect()).contains(value)
    }

    fn shapes(&self) -> BTreeSet<Shape> {
        let mut shapes = BTreeSet::new();
        let mut last = None;
        for shape in self.all.iter().map(|value| Shape::of(value)) {
            if last.as_ref() != Some(&shape) {
                shapes.insert(shape.clone());
                last = Some(shape);
            }
        }
        shapes
    }
}

/// What a value is; a store gives back what was written in the shape in which it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    Null,
    Truth,
    Number,
    Text,
    List(Vec<Shape>),
    Map(Vec<String>),
}

/// Elements of a list that its shape has.
const ELEMENTS: usize = 4;

impl Shape {
    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Truth,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::Text,
            Value::Array(items) => Self::List(items.iter().take(ELEMENTS).map(Self::of).collect()),
            Value::Object(entries) => Self::Map(entries.keys().cloned().collect()),
        }
    }

    fn is_plain(&self) -> bool {
        matches!(self, Self::Truth | Self::Number | Self::Text)
    }
}

/// Guesses from the names of the operations and the values of what they write and read.
pub(super) fn guess(events: &[Event], starts: bool) -> ModelGuess {
    let mut looks = Looks { starts, ..Looks::default() };
    let mut open: FxHashMap<Process, &Value> = FxHashMap::default();
    for event in events.iter().filter(|event| event.process != Process::Nemesis) {
        match event.kind {
            Kind::Invoke => {
                looks.names.insert(&event.f);
                looks.invocation(&event.f, &event.value);
                open.insert(event.process, &event.value);
            }
            Kind::Ok => looks.answer(&event.f, open.get(&event.process).copied(), &event.value),
            Kind::Fail | Kind::Info => {}
        }
    }
    looks.model()
}

/// Whether a read was invoked with something that is not what it returned.
fn asks_another(asked: Option<&Value>, result: &Value) -> bool {
    asked.is_some_and(|asked| !asked.is_null() && asked != result)
}

/// Models whose reads have no arguments.
const OF_REGISTERS: [&str; 4] = ["register", "cas-register", "kv", "sequential-register"];

/// Refuses a model of registers that somebody named, where reads have arguments.
pub(super) fn refuse(model: &str, draft: &Draft<'_>) -> Result<(), Fault> {
    if !OF_REGISTERS.contains(&model) {
        return Ok(());
    }
    let mut open: FxHashMap<Process, &Value> = FxHashMap::default();
    for (event, &line) in draft.events.iter().zip(&draft.lines) {
        let is_read = matches!(event.f.as_str(), "read" | "get") && !is_steps(&event.value);
        if event.kind == Kind::Invoke {
            open.insert(event.process, &event.value);
        } else if event.kind == Kind::Ok
            && is_read
            && asks_another(open.get(&event.process).copied(), &event.value)
        {
            return Err(Fault::line(
                line as usize,
                1,
                format!(
                    "this {} has an argument, and those of the model {model} have none; say another --model",
                    event.f
                ),
            ));
        }
    }
    Ok(())
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

/// Notes what an update writes.
fn note_written<'a>(f: &str, value: &'a Value, looks: &mut Looks<'a>) {
    match (f, value.as_array().map(Vec::as_slice)) {
        ("cas", Some([from, to])) => {
            [from, to]
                .into_iter()
                .filter(|value| !value.is_null())
                .for_each(|value| looks.written.push(value));
        }
        ("write" | "put" | "append", _) if !value.is_null() => looks.written.push(value),
        ("add" | "broadcast", _) => {
            looks.adds_nothing |= value.is_null();
            looks.added.push(value);
        }
        ("acquire" | "release" | "lock" | "unlock", _) => looks.locks_with_values |= has_values(value),
        _ => {}
    }
}

fn has_values(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) => false,
        Value::String(text) => text.parse::<f64>().is_ok(),
        Value::Number(_) | Value::Array(_) | Value::Object(_) => true,
    }
}

/// Notes what the answer of an update says beside its invocation.
fn note_answer<'a>(f: &str, asked: Option<&'a Value>, value: &'a Value, looks: &mut Looks<'a>) {
    match f {
        "write" | "put" => match asked {
            // What was written is said only by the answer.
            None | Some(Value::Null) if value.is_null() => {}
            None | Some(Value::Null) => looks.written.push(value),
            Some(asked) => {
                let structured = value.is_array() || value.is_object();
                looks.answers_differ |= structured && asked != value;
            }
        },
        "acquire" | "release" | "lock" | "unlock" => looks.locks_with_values |= has_values(value),
        _ => {}
    }
}

fn note_read<'a>(value: &'a Value, looks: &mut Looks<'a>) {
    if !value.is_null() {
        looks.read.push(value);
    }
    match value {
        Value::Array(_) => looks.reads_lists = true,
        Value::Number(_) => looks.reads_numbers = true,
        Value::Object(balances) => looks.reads_balances |= balances.values().all(Value::is_number),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

fn note_steps<'a>(value: &'a Value, looks: &mut Looks<'a>) {
    for step in value.as_array().into_iter().flatten() {
        if let Some([Value::String(name), _key, result]) = step.as_array().map(Vec::as_slice) {
            let name = name.strip_prefix(':').unwrap_or(name);
            looks.steps.insert(name);
            let reads = matches!(name, "r" | "read");
            looks.reads_lists |= reads && result.is_array();
            looks.reads_scalars |= reads && !result.is_array() && !result.is_null();
            if !reads {
                looks.steps_write.insert(Shape::of(result));
            }
        }
    }
}

impl<'a> Looks<'a> {
    /// Notes what an operation was invoked with.
    fn invocation(&mut self, f: &str, value: &'a Value) {
        let is_read = matches!(f, "read" | "get") && !is_steps(value);
        note_steps(value, self);
        note_written(f, value, self);
        self.asks |= is_read && (value.is_array() || value.is_object());
    }

    /// Notes the result of an operation, which was invoked with another value.
    fn answer(&mut self, f: &str, asked: Option<&'a Value>, value: &'a Value) {
        if matches!(f, "read" | "get") && !is_steps(value) {
            self.asks |= asks_another(asked, value);
            note_read(value, self);
        } else {
            note_steps(value, self);
            note_answer(f, asked, value, self);
        }
    }

    /// Whether there are micro-operations, and nothing but transactions and reads and writes.
    fn only_transactions(&self) -> bool {
        let transactions = ["txn", "read", "write"];
        !self.steps.is_empty() && self.names.iter().all(|name| transactions.contains(name))
    }

    fn model(&self) -> ModelGuess {
        let only = |allowed: &[&str]| self.names.iter().all(|name| allowed.contains(name));
        let some = |wanted: &[&str]| wanted.iter().any(|name| self.names.contains(name));
        if self.names.is_empty() {
            return ModelGuess::Unknown(Vec::new());
        }
        if self.only_transactions() {
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
            if self.locks_with_values {
                return ModelGuess::Several(vec!["mutex", "fenced-mutex", "semaphore"]);
            }
            "mutex"
        } else if only(&["push", "pop", "peek"]) {
            "stack"
        } else if only(&["read", "transfer"]) && some(&["transfer"]) {
            "bank"
        } else if only(&["generate"]) {
            "unique-ids"
        } else if only(&["read", "broadcast"]) {
            return match self.additions(false) {
                ModelGuess::Several(_) => ModelGuess::Plain("set-full"),
                other => other,
            };
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
        let odd = |why: &str| Some(ModelGuess::Odd(why.to_owned()));
        if self.asks {
            return odd("reads have arguments, and those of a register have none");
        }
        if self.answers_differ {
            return odd(
                "answers of writes are lists or maps of more than was written, as with versioned-register",
            );
        }
        let (read, written) = (self.read.shapes(), self.written.shapes());
        if written.is_empty() && !read.is_empty() {
            // Nothing is written at all: whatever the reads return may have been there from the start.
            return match read.first() {
                Some(shape) if self.starts && shape.is_plain() => None,
                Some(Shape::Map(_)) if self.reads_balances => {
                    Some(ModelGuess::Several(vec!["bank", "register"]))
                }
                _ => odd("nothing is written, and reads return values"),
            };
        }
        let twin = |text: &str| match text.strip_prefix(':') {
            Some(name) => Value::from(name),
            None => Value::from(format!(":{text}")),
        };
        let texts = || self.read.all.iter().filter(|value| value.is_string());
        let unwritten = |value: &&&Value| !self.written.contains(value);
        if texts()
            .filter(unwritten)
            .filter_map(|value| value.as_str())
            .any(|text| self.written.contains(&twin(text)))
        {
            return odd("reads return texts where keywords were written, or keywords where texts were");
        }
        // A list or a map comes back as it was written. A number may come back as text where nothing else is read.
        let matched = || self.read.all.iter().any(|value| self.written.contains(value));
        let texts = OnceCell::new();
        let texts = || *texts.get_or_init(|| self.names.contains("append") || matched());
        let strange = |shape: &&Shape| !(written.contains(shape) || shape.is_plain() && texts());
        let shape = read.iter().rev().find(strange)?;
        let of_written = |value: &Value| {
            value.as_array().is_some_and(|items| items.iter().all(|item| self.written.contains(item)))
        };
        if self.read.all.iter().copied().any(of_written) {
            return odd(
                "reads return lists of values that were written, which no write of a register could have left, but which \
                 causal-reverse looks for",
            );
        }
        let kind = match shape {
            Shape::Map(_) => "maps",
            Shape::List(_) => "lists",
            Shape::Null | Shape::Truth | Shape::Number | Shape::Text => "values of another kind",
        };
        Some(ModelGuess::Odd(format!(
            "reads return {kind} that no write of a register could have left; the names alone would say register"
        )))
    }

    fn transactions(&self) -> ModelGuess {
        let only = |allowed: &[&str]| self.steps.iter().all(|name| allowed.contains(name));
        let odd = |why: &str| ModelGuess::Odd(why.to_owned());
        if only(&["r"]) || only(&["read"]) {
            return if self.reads_scalars || self.reads_lists {
                // Whatever the reads return may have been there from the start.
                odd("transactions only read, and return values that may have been there from the start")
            } else {
                ModelGuess::Several(vec!["list-append", "rw-register"])
            };
        }
        let writes_lists = self.steps_write.iter().any(|shape| matches!(shape, Shape::List(_)));
        if only(&["r", "append"]) && !self.reads_scalars {
            ModelGuess::Plain("list-append")
        } else if only(&["r", "append"]) {
            odd("transactions append to lists, and reads return values that are no lists")
        } else if only(&["r", "w", "read", "write"]) && self.reads_lists && !writes_lists {
            odd("transactions write values that are no lists, and reads return lists")
        } else if only(&["r", "w"]) && !self.names.contains("txn") {
            // Each write and each read of a long-fork test is an operation of its own.
            ModelGuess::Several(vec!["long-fork", "rw-register"])
        } else if only(&["r", "w"]) {
            ModelGuess::Plain("rw-register")
        } else if only(&["read", "write"]) {
            ModelGuess::Plain("multi-register")
        } else {
            ModelGuess::Unknown(self.steps.iter().take(NAMES_SHOWN).map(|name| (*name).to_owned()).collect())
        }
    }

    fn additions(&self, counts: bool) -> ModelGuess {
        let element = |value: &Value| self.added.contains(value);
        let of_added = |value: &Value| match value.as_array() {
            Some(items) => items.is_empty() || items.iter().any(element),
            None => false,
        };
        if self.reads_lists && self.adds_nothing {
            return ModelGuess::Odd(
                "adds name no element, and reads return lists, as monotonic has them".to_owned(),
            );
        }
        if self.reads_lists && !self.read.all.iter().any(|value| of_added(value)) {
            return ModelGuess::Odd("reads return lists of nothing that was added".to_owned());
        }
        match (counts || self.reads_numbers, self.reads_lists) {
            (true, false) => ModelGuess::Plain("counter-bounds"),
            (false, true) => ModelGuess::Plain("set-full"),
            (true, true) | (false, false) => ModelGuess::Several(vec!["set-full", "counter-bounds"]),
        }
    }
}
