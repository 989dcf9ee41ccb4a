//! Histories made from a seed: by running a sound register under chance, then bending what it answered.

use history::{Operation, Outcome};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng, seq::IndexedRandom};
use serde_json::{Value, json};

/// What the histories are like.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// Functions to choose from; one named twice is chosen twice as often.
    pub(crate) functions: &'static [&'static str],
    pub(crate) operations: usize,
    pub(crate) processes: usize,
    /// Values written are 1 to this; 0 for a new value with every update.
    pub(crate) values: u64,
    pub(crate) keys: usize,
    /// Percent of operations whose outcome stays unknown, and of those that fail.
    pub(crate) info: u32,
    pub(crate) fail: u32,
    /// Percent of failed compare-and-sets that do not say what they found.
    pub(crate) silent: u32,
}

pub(crate) const REGISTER: &[&str] = &["read", "write"];
pub(crate) const CAS_REGISTER: &[&str] = &["read", "write", "cas"];
pub(crate) const KV: &[&str] = &["get", "put", "delete", "cas", "append", "append"];
pub(crate) const APPENDS: &[&str] = &["get", "append"];

struct Open {
    operation: usize,
    applied: bool,
}

/// A history that a sound store produced.
pub(crate) fn sound(shape: &Shape, seed: u64) -> Vec<Operation> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut states = vec![Value::Null; shape.keys];
    let mut operations: Vec<Operation> = Vec::new();
    let mut open: Vec<Option<Open>> = (0..shape.processes).map(|_| None).collect();
    let (mut event, mut written) = (0, 0);
    loop {
        let index = rng.random_range(0..open.len());
        match &mut open[index] {
            None if operations.len() == shape.operations => {
                if open.iter().all(Option::is_none) {
                    return operations;
                }
            }
            None => {
                open[index] = Some(Open { operation: operations.len(), applied: false });
                let key = rng.random_range(0..shape.keys);
                let mut value = || {
                    written += 1;
                    if shape.values == 0 { written } else { rng.random_range(1..=shape.values) }
                };
                let (fresh, other) = (value(), value());
                operations.push(begin(shape, &mut rng, key, event, [fresh, other], &states[key]));
                event += 1;
            }
            Some(open_operation) if !open_operation.applied => {
                open_operation.applied = true;
                let operation = &mut operations[open_operation.operation];
                let state = &mut states[key_number(operation)];
                operation.outcome = outcome(shape, &mut rng, operation, state);
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

fn begin(
    shape: &Shape,
    rng: &mut ChaCha8Rng,
    key: usize,
    event: usize,
    values: [u64; 2],
    state: &Value,
) -> Operation {
    let f = *shape.functions.choose(rng).expect("there are functions");
    let argument = match f {
        "read" | "get" | "delete" => Value::Null,
        "append" if shape.values == 0 => json!(format!("{},", values[0])),
        "append" => json!(char::from(b'a' + u8::try_from(values[0] % 26).expect("a letter")).to_string()),
        "cas" => {
            let guess = match rng.random_range(0..8) {
                0 => Value::Null,
                1 | 2 => json!(values[1]),
                _ => state.clone(),
            };
            json!([guess, values[0]])
        }
        _ => json!(values[0]),
    };
    Operation {
        process: 0,
        client: None,
        f: f.to_owned(),
        key: (shape.keys > 1).then(|| format!("k{key}")),
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

fn key_number(operation: &Operation) -> usize {
    operation.key.as_ref().map_or(0, |key| key[1..].parse().expect("keys are numbered"))
}

fn outcome(shape: &Shape, rng: &mut ChaCha8Rng, operation: &Operation, state: &mut Value) -> Outcome {
    let unknown = rng.random_range(0..100) < shape.info;
    if rng.random_range(0..100) < shape.fail || (unknown && rng.random_bool(0.5)) {
        return if unknown {
            Outcome::Info { error: Some("timeout".into()) }
        } else {
            Outcome::Fail { error: Some("refused".into()), actual: None }
        };
    }
    let result = match operation.f.as_str() {
        "read" | "get" => Outcome::Ok(state.clone()),
        "delete" => {
            *state = Value::Null;
            Outcome::Ok(Value::Null)
        }
        "append" => {
            *state = json!(text(state) + &text(&operation.argument));
            Outcome::Ok(operation.argument.clone())
        }
        "cas"
            if text(&operation.argument[0]) != text(state)
                || operation.argument[0].is_null() != state.is_null() =>
        {
            let silent = rng.random_range(0..100) < shape.silent;
            Outcome::Fail { error: Some("precondition".into()), actual: (!silent).then(|| state.clone()) }
        }
        "cas" => {
            *state = operation.argument[1].clone();
            Outcome::Ok(operation.argument.clone())
        }
        _ => {
            *state = operation.argument.clone();
            Outcome::Ok(operation.argument.clone())
        }
    };
    if unknown { Outcome::Info { error: Some("timeout".into()) } } else { result }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The same history with a few results, outcomes or times bent.
pub(crate) fn bend(operations: &mut [Operation], seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x5eed);
    if operations.is_empty() {
        return;
    }
    let reads: Vec<usize> =
        (0..operations.len()).filter(|&index| operations[index].argument.is_null()).collect();
    for round in 0..rng.random_range(1..=4) {
        // A read answers wrongly in the first round, if there is one.
        let a = match reads.choose(&mut rng) {
            Some(&read) if round == 0 => read,
            _ => rng.random_range(0..operations.len()),
        };
        let b = rng.random_range(0..operations.len());
        match rng.random_range(0..6) {
            0..=2 => stale_result(operations, a, b),
            3 => {
                // A lost update: the answer says yes, and it may never have happened.
                if matches!(operations[a].outcome, Outcome::Info { .. }) {
                    let last = operations.iter().filter_map(|o| o.completed).max().unwrap_or(0);
                    operations[a].outcome = Outcome::Ok(operations[a].argument.clone());
                    operations[a].completed = Some(last.max(operations[a].invoked) + 1);
                }
            }
            4 => {
                if let Some(completed) = operations[a].completed {
                    let earliest = operations[a].invoked + 1;
                    operations[a].completed = Some(rng.random_range(earliest.min(completed)..=completed));
                }
            }
            _ => {
                if let (Outcome::Ok(x), Outcome::Ok(y)) =
                    (operations[a].outcome.clone(), operations[b].outcome.clone())
                    && operations[a].f == operations[b].f
                {
                    operations[a].outcome = Outcome::Ok(y);
                    operations[b].outcome = Outcome::Ok(x);
                }
            }
        }
    }
}

/// Lets operation `a` answer with a value that operation `b` knew.
fn stale_result(operations: &mut [Operation], a: usize, b: usize) {
    let value = match (&operations[b].outcome, &operations[b].argument) {
        (Outcome::Ok(value), argument) if argument.is_null() => value.clone(),
        (_, Value::Array(pair)) => pair[1].clone(),
        (_, argument) => argument.clone(),
    };
    match &mut operations[a].outcome {
        Outcome::Ok(found) if matches!(operations[a].f.as_str(), "read" | "get") => *found = value,
        Outcome::Fail { actual: Some(actual), .. } => *actual = value,
        Outcome::Fail { actual: None, .. } | Outcome::Ok(_) | Outcome::Info { .. } => {}
    }
}

/// The same history with times so coarse that events tie. Equal times are concurrent.
pub(crate) fn coarsen(operations: &mut [Operation], by: usize) {
    for operation in operations {
        operation.invoked /= by;
        operation.completed = operation.completed.map(|completed| completed / by);
    }
}
