//! How long the check takes over length, concurrency, unknown outcomes and value domain, as a table.
//!
//! `cargo bench -p checker` prints it: medians of five runs on one thread, with one history each.

#[path = "../tests/it/support/generate.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod generate;

use checker::limits::Limits;
use checker::linearizability::{Model, Verdict, check};
use generate::{APPENDS, CAS_REGISTER, KV, REGISTER, Shape, sound};
use std::time::{Duration, Instant};

const RUNS: usize = 5;
const DEADLINE: Duration = Duration::from_secs(20);

struct Case {
    model: Model,
    shape: Shape,
    /// Whether the history ends with a read of a value that has long been overwritten.
    stale: bool,
}

fn case(
    functions: &'static [&'static str],
    operations: usize,
    processes: usize,
    values: u64,
    info: u32,
) -> Case {
    let model = if functions == REGISTER {
        Model::Register
    } else if functions == CAS_REGISTER {
        Model::CasRegister
    } else {
        Model::Kv
    };
    // Half of the failed compare-and-sets of the small domains do not say what they found.
    let silent = if values == 0 { 0 } else { 50 };
    Case {
        model,
        shape: Shape { functions, operations, processes, values, keys: 1, info, fail: 1, silent },
        stale: false,
    }
}

fn cases() -> Vec<Case> {
    let stale = |case| Case { stale: true, ..case };
    vec![
        case(REGISTER, 10_000, 10, 0, 1),
        case(REGISTER, 100_000, 10, 0, 1),
        case(REGISTER, 100_000, 10, 5, 0),
        case(REGISTER, 1_000_000, 10, 5, 0),
        case(CAS_REGISTER, 10_000, 10, 5, 0),
        case(CAS_REGISTER, 100_000, 5, 5, 0),
        case(CAS_REGISTER, 100_000, 10, 5, 0),
        case(CAS_REGISTER, 100_000, 30, 5, 0),
        case(CAS_REGISTER, 10_000, 100, 5, 0),
        case(CAS_REGISTER, 10_000, 10, 50, 0),
        case(CAS_REGISTER, 10_000, 10, 5, 1),
        case(CAS_REGISTER, 5_000, 30, 5, 5),
        case(CAS_REGISTER, 5_000, 60, 5, 10),
        stale(case(CAS_REGISTER, 5_000, 60, 5, 10)),
        stale(case(CAS_REGISTER, 5_000, 10, 5, 1)),
        stale(case(CAS_REGISTER, 5_000, 30, 5, 5)),
        case(KV, 10_000, 10, 0, 1),
        case(KV, 10_000, 10, 20, 0),
        case(KV, 2_000, 10, 20, 1),
        case(APPENDS, 2_000, 10, 0, 1),
        Case {
            shape: Shape { keys: 100, ..case(CAS_REGISTER, 100_000, 30, 5, 2).shape },
            ..case(CAS_REGISTER, 1, 1, 1, 1)
        },
    ]
}

fn main() {
    println!("| model | operations | clients | values | keys | info | ends | verdict | median |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for case in cases() {
        let mut operations = sound(&case.shape, 42);
        if case.stale {
            let end = operations.iter().filter_map(|operation| operation.completed).max().unwrap_or(0);
            let mut read = operations.iter().find(|o| o.argument.is_null()).expect("there are reads").clone();
            read.outcome = history::Outcome::Ok(serde_json::Value::Null);
            (read.invoked, read.completed) = (end + 1, Some(end + 2));
            operations.push(read);
        }
        let columns: history::Operations = operations.iter().collect();
        let mut times = Vec::new();
        let mut verdict = "";
        for _ in 0..RUNS {
            let start = Instant::now();
            let limits = Limits { stop: &|| start.elapsed() > DEADLINE, ..Limits::DEFAULT };
            verdict = match check(&columns, case.model, &limits) {
                Verdict::Valid { .. } => "valid",
                Verdict::Invalid(_) => "invalid",
                Verdict::Unknown { .. } => "unknown",
            };
            times.push(start.elapsed());
            if verdict == "unknown" {
                break;
            }
        }
        times.sort();
        let Shape { operations, processes, values, keys, info, .. } = case.shape;
        let values = if values == 0 { "unique".to_owned() } else { values.to_string() };
        let ends = if case.stale { "stale read" } else { "" };
        let median = times[times.len() / 2].as_secs_f64() * 1e3;
        println!(
            "| {} | {operations} | {processes} | {values} | {keys} | {info} % | {ends} | {verdict} | {median:.1} ms |",
            case.model
        );
    }
}
