//! How long the check of transactions takes over length, list length and flaws, as a table.
//!
//! `cargo bench -p checker --bench transactions` prints it: medians of five runs on one thread.

#[path = "../tests/support/database.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod database;

use checker::history::{Operation, Outcome};
use checker::transactions::{Options, Workload, check};
use database::{Mode, Shape, run};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const RUNS: usize = 5;

/// What is planted into a sound history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Planted {
    Nothing,
    /// One G1c and one G-single, each of two transactions in the middle.
    Cycles,
    /// Near the end, one read of keys that were written near the beginning sees nothing.
    StaleRead,
}

fn shape(workload: Workload, mode: Mode, transactions: usize, writes_per_key: u64) -> Shape {
    Shape {
        workload,
        mode,
        transactions,
        clients: 20,
        keys: 10,
        writes_per_key,
        most_steps: 4,
        fail: 2,
        info: 2,
    }
}

fn cases() -> Vec<(Shape, Planted)> {
    let list = |mode, transactions, writes| shape(Workload::ListAppend, mode, transactions, writes);
    let register = |mode, transactions, writes| shape(Workload::RwRegister, mode, transactions, writes);
    vec![
        (list(Mode::Serial, 10_000, 100), Planted::Nothing),
        (list(Mode::Serial, 100_000, 32), Planted::Nothing),
        (list(Mode::Serial, 100_000, 256), Planted::Nothing),
        (list(Mode::Serial, 100_000, 100), Planted::Nothing),
        (list(Mode::Serial, 100_000, 100), Planted::Cycles),
        (list(Mode::Serial, 100_000, 100), Planted::StaleRead),
        (list(Mode::ReadCommitted, 20_000, 100), Planted::Nothing),
        (list(Mode::SnapshotIsolation, 5_000, 1_000), Planted::Nothing),
        (list(Mode::LostUpdate, 5_000, 1_000), Planted::Nothing),
        (list(Mode::Serial, 1_000_000, 32), Planted::Nothing),
        (register(Mode::Serial, 100_000, 100), Planted::Nothing),
        (register(Mode::Serial, 100_000, 100), Planted::Cycles),
        (register(Mode::Serial, 100_000, 100), Planted::StaleRead),
        (register(Mode::Serial, 100_000, 1_000_000), Planted::Nothing),
        (register(Mode::ReadCommitted, 20_000, 100), Planted::Nothing),
    ]
}

fn main() {
    println!(
        "| workload | database | transactions | writes per key | planted | elements read | anomalies | median |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (shape, planted) in cases() {
        let operations = plant(run(&shape, 42), &shape, planted);
        let mut times = Vec::new();
        let mut found = String::new();
        for _ in 0..RUNS {
            let start = Instant::now();
            let verdict = check(&operations, &Options::new(shape.workload));
            times.push(start.elapsed());
            let names = verdict.counts.iter().map(|(name, count)| format!("{name} ({count})"));
            found = names.collect::<Vec<_>>().join(", ");
        }
        times.sort_unstable();
        println!(
            "| {:?} | {:?} | {} | {} | {planted:?} | {} | {found} | {} |",
            shape.workload,
            shape.mode,
            operations.len(),
            shape.writes_per_key,
            elements(&operations),
            milliseconds(times[RUNS / 2])
        );
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

fn elements(operations: &[Operation]) -> usize {
    let steps = operations.iter().filter_map(|operation| match &operation.outcome {
        Outcome::Ok(steps) => steps.as_array(),
        Outcome::Fail { .. } | Outcome::Info { .. } => None,
    });
    steps.flatten().map(|step| step[2].as_array().map_or(1, Vec::len)).sum()
}

/// Replaces the transactions at some places by others on keys of their own.
fn plant(mut operations: Vec<Operation>, shape: &Shape, planted: Planted) -> Vec<Operation> {
    let (write, read) = match shape.workload {
        Workload::ListAppend => ("append", json!([1])),
        Workload::RwRegister => ("w", json!(1)),
    };
    let write = |key: &str| json!([write, key, 1]);
    let saw = |key: &str| json!(["r", key, read]);
    let missed = |key: &str| json!(["r", key, null]);
    let middle = operations.len() / 2;
    match planted {
        Planted::Nothing => {}
        Planted::Cycles => {
            replace(&mut operations, middle, &[write("a"), saw("b")]);
            replace(&mut operations, middle + 1, &[write("b"), saw("a")]);
            replace(&mut operations, middle + 1000, &[write("c"), write("d")]);
            replace(&mut operations, middle + 1001, &[saw("c"), missed("d")]);
        }
        Planted::StaleRead => {
            let end = operations.len() - 100;
            replace(&mut operations, 100, &[write("a")]);
            replace(&mut operations, end, &[missed("a")]);
        }
    }
    operations
}

/// Puts a transaction in the place of the next one that succeeded and only read, so that nothing else breaks.
fn replace(operations: &mut [Operation], place: usize, steps: &[Value]) {
    let only_reads = |operation: &&mut Operation| match &operation.outcome {
        Outcome::Ok(Value::Array(steps)) => steps.iter().all(|step| step[0] == "r" && step[1].is_number()),
        Outcome::Ok(_) | Outcome::Fail { .. } | Outcome::Info { .. } => false,
    };
    let operation = operations[place..].iter_mut().find(only_reads).expect("there are reads");
    operation.outcome = Outcome::Ok(Value::from(steps.to_vec()));
}
