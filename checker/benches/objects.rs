//! How long the check of containers, locks, counters and transactions takes, as a table.
//!
//! `cargo bench -p checker --bench objects` prints it: the best of five runs on one thread, including the
//! split by key and, where invalid, the witness. `-- stack` takes only the rows that contain a word.

#[path = "../tests/it/support/generate.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod generate;
#[path = "../tests/it/support/objects.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod objects;

use checker::limits::Limits;
use checker::linearizability::{Model, Verdict, check};
use generate::{APPENDS, Shape, sound};
use history::{Operation, Outcome};
use objects::{ObjectShape, sound_object};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const RUNS: usize = 5;
const DEADLINE: Duration = Duration::from_secs(10);

const QUEUE: &[&str] = &["enqueue", "dequeue"];
const STACK: &[&str] = &["push", "pop"];
const SET: &[&str] = &["add", "remove", "contains"];

fn shape(model: Model, functions: &'static [&'static str], operations: usize) -> ObjectShape {
    ObjectShape {
        model,
        functions,
        operations,
        processes: 10,
        values: 0,
        keys: 1,
        registers: 8,
        info: 0,
        fail: 0,
    }
}

/// What the history ends with.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Sound,
    Wrong,
}

fn cases() -> Vec<(String, Model, Vec<Operation>)> {
    let mut cases = Vec::new();
    let mut case = |about: &str, shape: &ObjectShape, end: End| {
        let mut operations = sound_object(shape, 42);
        if end == End::Wrong {
            spoil(&mut operations, shape.model);
        }
        let keys = if shape.keys > 1 { format!(", {} keys", shape.keys) } else { String::new() };
        cases.push((format!("{about}{keys}, {} % info", shape.info), shape.model, operations));
    };
    let containers = [
        (Model::Set, SET),
        (Model::FifoQueue, QUEUE),
        (Model::UnorderedQueue, QUEUE),
        (Model::PriorityQueue, QUEUE),
        (Model::Stack, STACK),
    ];
    for (model, functions) in containers {
        let large = shape(model, functions, 100_000);
        case("distinct values", &large, End::Sound);
        case("distinct values, a wrong answer", &large, End::Wrong);
        case("distinct values", &ObjectShape { info: 1, ..large.clone() }, End::Sound);
        case("20 values", &ObjectShape { values: 20, ..shape(model, functions, 2_000) }, End::Sound);
    }
    case("adds and whole reads", &shape(Model::Set, &["add", "read"], 2_000), End::Sound);
    let lock = shape(Model::Mutex, &["acquire", "release"], 10_000);
    case("", &lock, End::Sound);
    case("a wrong answer", &lock, End::Wrong);
    case("", &ObjectShape { info: 1, ..lock.clone() }, End::Sound);
    let counter = shape(Model::Counter, &["add", "incr", "read"], 10_000);
    case("", &counter, End::Sound);
    for registers in [8, 50] {
        let about = format!("{registers} registers, unique values");
        let txns = ObjectShape { registers, ..shape(Model::MultiRegister, &["txn"], 10_000) };
        case(&about, &txns, End::Sound);
        case(&format!("{about}, a wrong answer"), &txns, End::Wrong);
        case(&about, &ObjectShape { info: 1, ..txns.clone() }, End::Sound);
    }
    let txns = ObjectShape { values: 5, ..shape(Model::MultiRegister, &["txn"], 10_000) };
    case("8 registers, 5 values", &txns, End::Sound);
    for (keys, info) in [(1, 0), (1, 1), (10, 0)] {
        let shape = Shape {
            functions: APPENDS,
            operations: 10_000,
            processes: 10,
            values: 0,
            keys,
            info,
            fail: 0,
            silent: 0,
        };
        let about = format!("unique appends, {keys} keys, {info} % info");
        cases.push((about, Model::Kv, sound(&shape, 42)));
    }
    cases
}

/// Appends an answer that cannot be, long after everything else.
fn spoil(operations: &mut Vec<Operation>, model: Model) {
    let end = operations.iter().filter_map(|operation| operation.completed).max().unwrap_or(0);
    let f = match model {
        Model::Stack => "pop",
        Model::Set => "contains",
        Model::Mutex => "release",
        Model::MultiRegister => "txn",
        _ => "dequeue",
    };
    let index = operations.len() - operations.len() / 10;
    let mut last =
        operations[..index].iter().rfind(|o| o.f == f && o.completed.is_some()).expect("one").clone();
    (last.invoked, last.completed) = (end + 1, Some(end + 2));
    match model {
        Model::Set => {
            if let Outcome::Ok(Value::Bool(found)) = &mut last.outcome {
                *found = !*found;
            }
        }
        Model::Mutex => {
            let mut again = last.clone();
            (again.invoked, again.completed) = (end + 3, Some(end + 4));
            operations.push(again);
        }
        Model::MultiRegister => last.outcome = Outcome::Ok(json!([["r", "r0", 1_000]])),
        _ => {}
    }
    operations.push(last);
}

fn main() {
    println!("| model | operations | history | verdict | best of five |");
    println!("|---|---|---|---|---|");
    let word = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    for (about, model, operations) in cases() {
        let operations: history::Operations = operations.iter().collect();
        if !format!("{model} {about}").contains(&word) {
            continue;
        }
        let mut best = Duration::MAX;
        let mut verdict = "";
        for _ in 0..RUNS {
            let start = Instant::now();
            let limits = Limits { stop: &|| start.elapsed() > DEADLINE, ..Limits::DEFAULT };
            verdict = match check(&operations, model, &limits) {
                Verdict::Valid { .. } => "valid",
                Verdict::Invalid(_) => "invalid",
                Verdict::Unknown { .. } => "unknown",
            };
            best = best.min(start.elapsed());
            if verdict == "unknown" {
                break;
            }
        }
        let best = best.as_secs_f64() * 1e3;
        let about = about.trim_start_matches(", ");
        println!("| {model} | {} | {about} | {verdict} | {best:.1} ms |", operations.len());
    }
}
