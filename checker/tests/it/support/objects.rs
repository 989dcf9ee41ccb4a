//! Histories of sound containers, locks, counters and transactions, made from a seed, and bent ones.

use checker::linearizability::Model;
use history::{Operation, Outcome};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng, seq::IndexedRandom};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// What the histories are like.
#[derive(Debug, Clone)]
pub(crate) struct ObjectShape {
    pub(crate) model: Model,
    /// Functions to choose from; one named twice is chosen twice as often.
    pub(crate) functions: &'static [&'static str],
    pub(crate) operations: usize,
    pub(crate) processes: usize,
    /// Values are 1 to this; 0 for a new value with every update.
    pub(crate) values: u64,
    pub(crate) keys: usize,
    /// Registers of a multi-register.
    pub(crate) registers: u64,
    /// Percent of operations whose outcome stays unknown, and of those that fail.
    pub(crate) info: u32,
    pub(crate) fail: u32,
}

/// What an object holds.
#[derive(Debug, Clone, Default)]
struct Object {
    elements: VecDeque<u64>,
    held: bool,
    number: i64,
    registers: Vec<Option<u64>>,
}

struct Open {
    operation: usize,
    applied: bool,
}

/// A history that a sound object produced.
pub(crate) fn sound_object(shape: &ObjectShape, seed: u64) -> Vec<Operation> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let registers = vec![None; usize::try_from(shape.registers).expect("few registers")];
    let mut objects = vec![Object { registers, ..Object::default() }; shape.keys];
    let mut operations: Vec<Operation> = Vec::new();
    let mut open: Vec<Option<Open>> = (0..shape.processes).map(|_| None).collect();
    let mut holds = vec![false; shape.processes];
    let (mut event, mut fresh) = (0, 0);
    loop {
        let index = rng.random_range(0..open.len());
        let ended = operations.len() == shape.operations;
        match &mut open[index] {
            None if ended => {
                if open.iter().all(Option::is_none) {
                    return operations;
                }
            }
            None => {
                open[index] = Some(Open { operation: operations.len(), applied: false });
                let key = rng.random_range(0..shape.keys);
                let mut f = *shape.functions.choose(&mut rng).expect("there are functions");
                if shape.model == Model::Mutex && rng.random_range(0..20) != 0 {
                    f = if holds[index] { "release" } else { "acquire" };
                }
                let argument = argument(shape, &mut rng, f, &mut fresh, &objects[key]);
                operations.push(begin(f, (shape.keys > 1).then_some(key), argument, event));
                event += 1;
            }
            Some(open_operation) if !open_operation.applied => {
                let operation = &mut operations[open_operation.operation];
                let key =
                    operation.key.as_ref().map_or(0, |key| key[1..].parse().expect("keys are numbered"));
                // A client waits for a lock as long as its holder may still release it.
                if operation.f == "acquire" && objects[key].held && !ended && rng.random_range(0..10) != 0 {
                    continue;
                }
                open_operation.applied = true;
                operation.outcome = outcome(shape, &mut rng, operation, &mut objects[key]);
                if shape.model == Model::Mutex && !matches!(operation.outcome, Outcome::Fail { .. }) {
                    holds[index] = operation.f == "acquire";
                }
            }
            Some(open_operation) => {
                let operation = &mut operations[open_operation.operation];
                if !matches!(operation.outcome, Outcome::Info { .. }) {
                    operation.completed = Some(event);
                    event += 1;
                }
                open[index] = None;
            }
        }
    }
}

fn begin(f: &str, key: Option<usize>, argument: Value, event: usize) -> Operation {
    Operation {
        process: 0,
        client: None,
        f: f.to_owned(),
        key: key.map(|key| format!("k{key}")),
        argument,
        outcome: Outcome::Info { error: None },
        invoked: event,
        completed: None,
        intended_ns: None,
        invoked_ns: event as u64,
        completed_ns: None,
        node: None,
        phase: None,
    }
}

fn argument(shape: &ObjectShape, rng: &mut ChaCha8Rng, f: &str, fresh: &mut u64, object: &Object) -> Value {
    let mut value = |rng: &mut ChaCha8Rng| {
        *fresh += 1;
        if shape.values == 0 { *fresh } else { rng.random_range(1..=shape.values) }
    };
    match f {
        "add" | "add-and-get" if shape.model == Model::Counter => json!(rng.random_range(-3..=5)),
        "decr" => json!(rng.random_range(1..=2)),
        "enqueue" | "push" | "add" => {
            let value = value(rng);
            // Priorities must not simply grow.
            if shape.model == Model::PriorityQueue && shape.values == 0 {
                return json!(value * 7919 % 999_983);
            }
            json!(value)
        }
        // Mostly of something that is there, else of something that may have been there.
        "remove" | "contains" if !object.elements.is_empty() && rng.random_range(0..4) != 0 => {
            json!(object.elements[rng.random_range(0..object.elements.len())])
        }
        "remove" | "contains" => {
            json!(rng.random_range(1..=if shape.values == 0 { *fresh + 1 } else { shape.values }))
        }
        "txn" => {
            let most = shape.registers.min(4);
            let parts: Vec<Value> = (0..rng.random_range(most.min(2)..=most))
                .map(|_| {
                    let register = format!("r{}", rng.random_range(0..shape.registers));
                    if rng.random_bool(0.5) {
                        json!(["r", register, null])
                    } else {
                        json!(["w", register, value(rng)])
                    }
                })
                .collect();
            json!(parts)
        }
        _ => Value::Null,
    }
}

fn outcome(shape: &ObjectShape, rng: &mut ChaCha8Rng, operation: &Operation, object: &mut Object) -> Outcome {
    let unknown = rng.random_range(0..100) < shape.info;
    if rng.random_range(0..100) < shape.fail || (unknown && rng.random_bool(0.5)) {
        return if unknown {
            Outcome::Info { error: Some("timeout".into()) }
        } else {
            Outcome::Fail { error: Some("refused".into()), actual: None }
        };
    }
    let result = apply(shape.model, rng, operation, object);
    if unknown { Outcome::Info { error: Some("timeout".into()) } } else { result }
}

fn apply(model: Model, rng: &mut ChaCha8Rng, operation: &Operation, object: &mut Object) -> Outcome {
    let argument = &operation.argument;
    let refused = || Outcome::Fail { error: Some("precondition".into()), actual: None };
    let by = argument.as_i64().unwrap_or(1);
    Outcome::Ok(match operation.f.as_str() {
        "acquire" | "release" => {
            let acquires = operation.f == "acquire";
            if object.held == acquires {
                return refused();
            }
            object.held = acquires;
            Value::Null
        }
        "incr" | "add" if model == Model::Counter => {
            object.number += by;
            argument.clone()
        }
        "decr" => {
            object.number -= by;
            argument.clone()
        }
        "add-and-get" => {
            object.number += by;
            json!(object.number)
        }
        "read" if model == Model::Counter => json!(object.number),
        "read" => json!(object.elements),
        "add" | "remove" | "contains" => {
            let element = argument.as_u64().expect("elements are numbers");
            let index = object.elements.iter().position(|&other| other == element);
            match (operation.f.as_str(), index) {
                ("add", None) => object.elements.push_back(element),
                ("remove", Some(index)) => drop(object.elements.swap_remove_back(index)),
                _ => {}
            }
            let there = index.is_some();
            match operation.f.as_str() {
                "contains" => json!(there),
                _ if rng.random_range(0..5) == 0 => argument.clone(),
                "add" => json!(!there),
                _ => json!(there),
            }
        }
        "enqueue" | "push" => {
            object.elements.push_back(argument.as_u64().expect("elements are numbers"));
            argument.clone()
        }
        "txn" => transaction(argument, &mut object.registers),
        f => {
            let Some(index) = next_out(model, rng, &object.elements) else {
                return if rng.random_range(0..3) == 0 { refused() } else { Outcome::Ok(Value::Null) };
            };
            let element = object.elements[index];
            if f != "peek" {
                object.elements.remove(index);
            }
            json!(element)
        }
    })
}

fn next_out(model: Model, rng: &mut ChaCha8Rng, elements: &VecDeque<u64>) -> Option<usize> {
    let last = elements.len().checked_sub(1)?;
    Some(match model {
        Model::FifoQueue => 0,
        Model::Stack => last,
        Model::PriorityQueue => (0..=last).max_by_key(|&index| elements[index]).expect("it is not empty"),
        _ => rng.random_range(0..=last),
    })
}

fn transaction(parts: &Value, registers: &mut [Option<u64>]) -> Value {
    let mut parts = parts.clone();
    for part in parts.as_array_mut().expect("a transaction is a list") {
        let register: usize =
            part[1].as_str().expect("registers have names")[1..].parse().expect("and numbers");
        if part[0] == json!("w") {
            registers[register] = part[2].as_u64();
        } else {
            part[2] = json!(registers[register]);
        }
    }
    parts
}

/// The same history with a few results, outcomes or times bent.
pub(crate) fn bend_object(operations: &mut [Operation], seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x0b1e);
    if operations.is_empty() {
        return;
    }
    for _ in 0..rng.random_range(1..=3) {
        let (a, b) = (rng.random_range(0..operations.len()), rng.random_range(0..operations.len()));
        match rng.random_range(0..7) {
            0..=2 => {
                // Two operations that do the same swap their answers.
                if operations[a].f == operations[b].f && operations[a].f != "txn" {
                    let (x, y) = (operations[a].outcome.clone(), operations[b].outcome.clone());
                    if let (Outcome::Ok(_), Outcome::Ok(_)) = (&x, &y) {
                        operations[a].outcome = y;
                        operations[b].outcome = x;
                    }
                }
            }
            3 | 4 => wrong_answer(&mut operations[a], &mut rng),
            5 => {
                // A lost update: the answer says yes, and it may never have happened.
                let last = operations.iter().filter_map(|o| o.completed).max().unwrap_or(0);
                let operation = &mut operations[a];
                let answers =
                    !matches!(operation.f.as_str(), "enqueue" | "push" | "add" | "acquire" | "release");
                if matches!(operation.outcome, Outcome::Info { .. }) && !answers {
                    operation.outcome = Outcome::Ok(operation.argument.clone());
                    operation.completed = Some(last.max(operation.invoked) + 1);
                }
            }
            _ => {
                if let Some(completed) = operations[a].completed {
                    let earliest = operations[a].invoked + 1;
                    operations[a].completed = Some(rng.random_range(earliest.min(completed)..=completed));
                }
            }
        }
    }
}

fn wrong_answer(operation: &mut Operation, rng: &mut ChaCha8Rng) {
    if matches!(operation.f.as_str(), "acquire" | "release") {
        operation.outcome = match operation.outcome {
            Outcome::Ok(_) => Outcome::Fail { error: Some("precondition".into()), actual: None },
            Outcome::Fail { .. } => Outcome::Ok(Value::Null),
            Outcome::Info { .. } => return,
        };
    }
    let f = operation.f.clone();
    let Outcome::Ok(result) = &mut operation.outcome else { return };
    match (f.as_str(), &mut *result) {
        (_, Value::Bool(flag)) => *flag = !*flag,
        ("read", Value::Array(elements)) => {
            if rng.random_bool(0.5) {
                elements.pop();
            } else {
                let more = json!(rng.random_range(1..=4));
                if !elements.contains(&more) {
                    elements.push(more);
                }
            }
        }
        ("txn", Value::Array(parts)) => {
            if let Some(part) = parts.iter_mut().find(|part| part[0] == json!("r")) {
                part[2] = if rng.random_bool(0.3) { Value::Null } else { json!(rng.random_range(1..=6)) };
            }
        }
        ("dequeue" | "pop" | "peek", value) => {
            *value = if rng.random_bool(0.4) { Value::Null } else { json!(rng.random_range(1..=4)) };
        }
        ("read" | "add-and-get", value) => *value = json!(rng.random_range(-2..=6)),
        _ => {}
    }
}
