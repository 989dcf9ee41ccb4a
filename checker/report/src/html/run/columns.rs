//! The operations of a variant in columns: `page/decode.js` reads what this writes.
//!
//! Times are microseconds. Each column holds what is hard to guess from the operations before: the difference to the
//! last time, to the last value that was written, to the last value seen of the same key. Most of that is small, and
//! a million operations take some megabytes.

use super::pack::Column;
use history::{OperationRef, OutcomeClass, OutcomeRef};
use rustc_hash::FxHashMap;
use serde::Serialize;
use serde_json::Value;

/// Letters of a value that the page shows.
const LETTERS: usize = 300;
/// Bytes of values that are not numbers, over all operations of a variant. Later ones are left out.
const TEXTS: usize = 12_000_000;

/// The kinds of a value; see `page/decode.js`.
const NONE: u8 = 0;
const INTEGER: u8 = 1;
const TEXT: u8 = 2;
const PAIR: u8 = 3;
const AS_ARGUMENT: u8 = 4;
const LEFT_OUT: u8 = 5;

/// What the columns speak of by number.
#[derive(Debug, Default, Serialize)]
pub(super) struct Names {
    pub keys: Vec<String>,
    pub nodes: Vec<String>,
    pub functions: Vec<String>,
    pub errors: Vec<String>,
    pub lanes: Vec<String>,
}

/// Names by number, in the order in which they came up.
struct Numbers<'a> {
    known: FxHashMap<&'a str, u64>,
}

impl<'a> Numbers<'a> {
    fn new() -> Self {
        Self { known: FxHashMap::default() }
    }

    fn of(&mut self, name: &'a str) -> u64 {
        let next = self.known.len() as u64;
        *self.known.entry(name).or_insert(next)
    }

    fn names(self) -> Vec<String> {
        let mut names: Vec<(u64, &str)> =
            self.known.into_iter().map(|(name, number)| (number, name)).collect();
        names.sort_unstable();
        names.into_iter().map(|(_, name)| name.to_owned()).collect()
    }
}

/// What stands in the column of outcomes.
fn class(operation: &OperationRef<'_>) -> u64 {
    match OutcomeClass::of(operation.outcome) {
        OutcomeClass::Ok => 0,
        OutcomeClass::Refused => 1,
        OutcomeClass::Fail => 2,
        OutcomeClass::Info => 3,
    }
}

fn micros(ns: u64) -> u64 {
    ns / 1000
}

fn difference(later: u64, earlier: u64) -> i64 {
    later.cast_signed().wrapping_sub(earlier.cast_signed())
}

/// The columns in the making.
pub(super) struct Columns<'a> {
    index: Column,
    invoked: Column,
    took: Column,
    due: Column,
    lane: Column,
    what: Column,
    key: Column,
    node: Column,
    error: Column,
    kinds: Column,
    arguments: Column,
    results: Column,
    texts: Column,
    keys: Numbers<'a>,
    nodes: Numbers<'a>,
    functions: Numbers<'a>,
    errors: Numbers<'a>,
    clients: FxHashMap<(bool, u64), u64>,
    lanes: Vec<String>,
    /// The last time, number and index of an operation, and the last number that was written.
    last: (u64, usize, i64),
    /// The last number seen of each key.
    seen: FxHashMap<u64, i64>,
    /// Bytes of texts that there is still room for.
    room: usize,
    count: u64,
}

impl<'a> Columns<'a> {
    pub(super) fn new() -> Self {
        let column = Column::new;
        Self {
            index: column(),
            invoked: column(),
            took: column(),
            due: column(),
            lane: column(),
            what: column(),
            key: column(),
            node: column(),
            error: column(),
            kinds: column(),
            arguments: column(),
            results: column(),
            texts: column(),
            keys: Numbers::new(),
            nodes: Numbers::new(),
            functions: Numbers::new(),
            errors: Numbers::new(),
            clients: FxHashMap::default(),
            lanes: Vec::new(),
            last: (0, 0, 0),
            seen: FxHashMap::default(),
            room: TEXTS,
            count: 0,
        }
    }

    /// Adds an operation, the one of this index in the history.
    pub(super) fn push(&mut self, index: usize, operation: &OperationRef<'a>) {
        let invoked = micros(operation.invoked_ns);
        self.index.unsigned((index - self.last.1) as u64);
        self.invoked.signed(difference(invoked, self.last.0));
        (self.last.0, self.last.1) = (invoked, index);
        let took = operation.completed_ns.map_or(0, |end| micros(end).saturating_sub(invoked) + 1);
        self.took.unsigned(took);
        let due = operation.intended_ns.map_or(0, |due| invoked.saturating_sub(micros(due)) + 1);
        self.due.unsigned(due);
        let lane = self.lane_of(operation);
        self.lane.unsigned(lane);
        self.what.unsigned(self.functions.of(operation.f) * 4 + class(operation));
        let key = operation.key.map_or(0, |key| self.keys.of(key) + 1);
        self.key.unsigned(key);
        self.node.unsigned(operation.node.map_or(0, |node| self.nodes.of(node) + 1));
        let (result, error) = match operation.outcome {
            OutcomeRef::Ok(result) => (Some(result), None),
            OutcomeRef::Fail { actual, error } => (actual, error),
            OutcomeRef::Info { error } => (None, error),
        };
        self.error.unsigned(error.map_or(0, |error| self.errors.of(error) + 1));
        self.values(key, operation.argument, result);
        self.count += 1;
    }

    fn lane_of(&mut self, operation: &OperationRef<'_>) -> u64 {
        let who = operation.client.map_or((false, operation.process), |client| (true, client.into()));
        let next = self.lanes.len() as u64;
        let lane = *self.clients.entry(who).or_insert(next);
        if lane == next {
            let noun = if who.0 { "client" } else { "process" };
            self.lanes.push(format!("{noun} {}", who.1));
        }
        lane
    }

    fn values(&mut self, key: u64, argument: &Value, result: Option<&Value>) {
        let asked = self.value(key, argument, true);
        let answered = match result {
            None | Some(Value::Null) => NONE,
            Some(result) if result == argument => AS_ARGUMENT,
            Some(result) => self.value(key, result, false),
        };
        self.kinds.bytes(&[asked | (answered << 3)]);
    }

    /// Writes a value into its column; its kind.
    fn value(&mut self, key: u64, value: &Value, asked: bool) -> u8 {
        match (value, integer(value), pair(value)) {
            (Value::Null, ..) => NONE,
            (_, Some(number), _) => {
                // Arguments are often drawn from one counter, results are what was last seen of the key.
                let base = if asked { self.last.2 } else { self.seen.get(&key).copied().unwrap_or(0) };
                let column = if asked { &mut self.arguments } else { &mut self.results };
                column.signed(number - base);
                if asked {
                    self.last.2 = number;
                }
                self.seen.insert(key, number);
                INTEGER
            }
            (.., Some((from, to))) => {
                let seen = self.seen.insert(key, to).unwrap_or(0);
                let column = if asked { &mut self.arguments } else { &mut self.results };
                column.signed(from - seen);
                column.signed(to - self.last.2);
                self.last.2 = to;
                PAIR
            }
            _ => {
                let text = shortened(value.to_string());
                if text.len() + 1 > self.room {
                    return LEFT_OUT;
                }
                self.room -= text.len() + 1;
                self.texts.text(&text);
                TEXT
            }
        }
    }

    /// The columns by name, the names behind their numbers, and how many operations there are.
    pub(super) fn finish(self) -> (Vec<(&'static str, String)>, Names, u64) {
        let names = Names {
            keys: self.keys.names(),
            nodes: self.nodes.names(),
            functions: self.functions.names(),
            errors: self.errors.names(),
            lanes: self.lanes,
        };
        let columns = [
            ("index", self.index),
            ("invoked", self.invoked),
            ("took", self.took),
            ("due", self.due),
            ("lane", self.lane),
            ("what", self.what),
            ("key", self.key),
            ("node", self.node),
            ("error", self.error),
            ("kinds", self.kinds),
            ("arguments", self.arguments),
            ("results", self.results),
            ("texts", self.texts),
        ];
        let blocks = columns.into_iter().map(|(name, column)| (name, column.finish())).collect();
        (blocks, names, self.count)
    }
}

/// An integer that a browser can hold.
fn integer(value: &Value) -> Option<i64> {
    value.as_i64().filter(|number| number.unsigned_abs() < 1 << 52)
}

fn pair(value: &Value) -> Option<(i64, i64)> {
    match value.as_array()?.as_slice() {
        [from, to] => integer(from).zip(integer(to)),
        _ => None,
    }
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
