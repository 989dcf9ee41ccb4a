//! Histories by chance: an object is used by a few processes, and sometimes it, or what it answers, is bent.

use super::script::{Step, begin, fail, final_read, history, info, ok, whole};
use history::Operation;
use rand::{RngExt, rngs::ChaCha8Rng};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What is used, and how it answers when an operation takes effect.
pub(crate) trait Object {
    /// Some operation: its function and argument.
    fn invent(&mut self, rng: &mut ChaCha8Rng) -> (&'static str, Value);
    /// Does it and returns its result; `bent` asks for something that should not be.
    fn apply(&mut self, f: &str, argument: &Value, bent: bool, rng: &mut ChaCha8Rng) -> Value;
}

/// How a history comes about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) operations: usize,
    pub(crate) processes: u64,
    /// Percent of operations of unknown outcome, that fail, and that are bent.
    pub(crate) info: u32,
    pub(crate) fail: u32,
    pub(crate) bent: u32,
    /// Whether the last operations are final reads, one by one.
    pub(crate) finals: bool,
}

struct Open {
    process: u64,
    f: &'static str,
    argument: Value,
    /// The result, once it took effect.
    result: Option<Value>,
}

/// A history of the object.
pub(crate) fn used(object: &mut impl Object, shape: &Shape, rng: &mut ChaCha8Rng) -> Vec<Operation> {
    let mut steps: Vec<Step> = Vec::new();
    let mut open: BTreeMap<u64, Open> = BTreeMap::new();
    let mut next_process = shape.processes;
    let mut processes: Vec<u64> = (0..shape.processes).collect();
    let (mut begun, mut ended) = (0, 0);
    while ended < shape.operations {
        let slot = rng.random_range(0..processes.len());
        let percent = |rng: &mut ChaCha8Rng, share| rng.random_range(0..100) < share;
        match open.get_mut(&(slot as u64)) {
            None if begun == shape.operations => {}
            None => {
                begun += 1;
                let (f, argument) = object.invent(rng);
                steps.push(begin(processes[slot], f, argument.clone()));
                open.insert(slot as u64, Open { process: processes[slot], f, argument, result: None });
            }
            Some(operation) if operation.result.is_none() && percent(rng, 100 - shape.fail) => {
                let bent = percent(rng, shape.bent);
                operation.result = Some(object.apply(operation.f, &operation.argument, bent, rng));
            }
            Some(_) => {
                ended += 1;
                let Open { process, result, .. } = open.remove(&(slot as u64)).expect("it is open");
                if percent(rng, shape.info) {
                    steps.push(info(process));
                    processes[slot] = next_process;
                    next_process += 1;
                } else {
                    steps.push(result.map_or(fail(process, "unavailable"), |result| ok(process, result)));
                }
            }
        }
    }
    for process in next_process..next_process + 2 * u64::from(shape.finals) {
        let result = object.apply("read", &Value::Null, rng.random_range(0..100) < shape.bent, rng);
        steps.extend([final_read(process), ok(process, result)]);
    }
    history(steps)
}

/// A set of small numbers; `fresh` of them are never added twice.
#[derive(Default)]
pub(crate) struct Set {
    pub(crate) fresh: bool,
    pub(crate) elements: Vec<i64>,
    pub(crate) added: i64,
}

impl Object for Set {
    fn invent(&mut self, rng: &mut ChaCha8Rng) -> (&'static str, Value) {
        if rng.random_range(0..2) == 0 {
            return ("read", Value::Null);
        }
        self.added += 1;
        ("add", if self.fresh { json!(self.added) } else { json!(rng.random_range(0..4)) })
    }

    fn apply(&mut self, f: &str, argument: &Value, bent: bool, rng: &mut ChaCha8Rng) -> Value {
        if f == "add" {
            let element = whole(argument);
            if !bent && !self.elements.contains(&element) {
                self.elements.push(element);
            }
            return argument.clone();
        }
        let mut seen = self.elements.clone();
        match rng.random_range(0..3) {
            0 if bent && !seen.is_empty() => {
                seen.remove(rng.random_range(0..seen.len()));
            }
            1 if bent => seen.push(rng.random_range(0..6)),
            2 if bent && !seen.is_empty() => {
                self.elements.remove(rng.random_range(0..seen.len()));
            }
            _ => {}
        }
        json!(seen)
    }
}

/// A counter; adds go down to `-deepest`.
#[derive(Default)]
pub(crate) struct Counter {
    pub(crate) deepest: i64,
    pub(crate) value: i64,
}

impl Object for Counter {
    fn invent(&mut self, rng: &mut ChaCha8Rng) -> (&'static str, Value) {
        match rng.random_range(0..2) {
            0 => ("read", Value::Null),
            _ => ("add", json!(rng.random_range(-self.deepest..5))),
        }
    }

    fn apply(&mut self, f: &str, argument: &Value, bent: bool, rng: &mut ChaCha8Rng) -> Value {
        let off = if bent { rng.random_range(-4..5) } else { 0 };
        if f == "add" {
            self.value += whole(argument) + off;
            return argument.clone();
        }
        json!(self.value + off)
    }
}

/// A bag of small numbers.
#[derive(Default)]
pub(crate) struct Queue(Vec<i64>);

impl Object for Queue {
    fn invent(&mut self, rng: &mut ChaCha8Rng) -> (&'static str, Value) {
        match rng.random_range(0..9) {
            0 => ("drain", Value::Null),
            1..5 => ("dequeue", Value::Null),
            _ => ("enqueue", json!(rng.random_range(0..5))),
        }
    }

    fn apply(&mut self, f: &str, argument: &Value, bent: bool, rng: &mut ChaCha8Rng) -> Value {
        match f {
            "enqueue" => {
                let times = if bent { 2 * rng.random_range(0..2) } else { 1 };
                self.0.extend((0..times).map(|_| whole(argument)));
                argument.clone()
            }
            "dequeue" if bent => json!(rng.random_range(0..5)),
            "dequeue" if self.0.is_empty() => Value::Null,
            "dequeue" => json!(self.0.remove(rng.random_range(0..self.0.len()))),
            _ => {
                let mut all = std::mem::take(&mut self.0);
                all.truncate(if bent { 1 } else { all.len() });
                json!(all)
            }
        }
    }
}
