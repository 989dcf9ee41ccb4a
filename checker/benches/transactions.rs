//! How long the check of transactions takes over length, list length and flaws, as a table.
//!
//! `cargo bench -p checker --bench transactions` prints it: medians of five runs on one thread.

#[path = "../tests/it/support/database.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod database;
#[path = "../tests/it/support/planted.rs"]
mod planted;

use checker::transactions::{Options, Workload, check};
use database::{Mode, Shape, run};
use history::{Operations, OutcomeRef};
use planted::{Planted, plant};
use std::time::{Duration, Instant};

const RUNS: usize = 5;

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
        let operations: Operations = plant(run(&shape, 42), shape.workload, planted).into_iter().collect();
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

fn elements(operations: &Operations) -> usize {
    let steps = operations.iter().filter_map(|operation| match operation.outcome {
        OutcomeRef::Ok(steps) => steps.as_array(),
        OutcomeRef::Fail { .. } | OutcomeRef::Info { .. } => None,
    });
    steps.flatten().map(|step| step[2].as_array().map_or(1, Vec::len)).sum()
}
