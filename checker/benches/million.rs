//! A million operations on registers with unique values: how long, and how much memory, as a table.
//!
//! `cargo bench -p checker --bench million` prints it, from five runs each, on one thread unless it says
//! otherwise. Memory is what is held beside the operations or events. With the variable `OPERATIONS` it takes
//! one history of that length instead.

#[path = "../tests/it/support/generate.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod generate;
#[path = "../tests/it/support/threads.rs"]
mod threads;

use checker::certificate::confirm;
use checker::follow::{Follower, Progress};
use checker::limits::Limits;
use checker::linearizability::{Model, Verdict, check, check_certified};
use generate::{CAS_REGISTER, Shape, sound};
use history::{Event, Kind, Operation, Operations, Outcome, Process};
use serde_json::Value;
use std::time::{Duration, Instant};
use threads::Threads;

const RUNS: usize = 5;

fn shape(operations: usize, processes: usize, keys: usize, info: u32) -> Shape {
    Shape { functions: CAS_REGISTER, operations, processes, values: 0, keys, info, fail: 1, silent: 0 }
}

/// Ends with a read of a value that was overwritten long ago.
fn stale(operations: &mut Vec<Operation>) {
    let end = operations.iter().filter_map(|operation| operation.completed).max().unwrap_or(0);
    let found = |operation: &&Operation| {
        operation.f == "read" && matches!(&operation.outcome, Outcome::Ok(value) if !value.is_null())
    };
    let mut read = operations.iter().find(found).expect("there are reads").clone();
    (read.invoked, read.completed) = (end + 1, Some(end + 2));
    operations.push(read);
}

/// How long something took, and how much more memory was held meanwhile than before.
struct Measured<T> {
    times: Vec<Duration>,
    mebibytes: f64,
    result: T,
}

fn measure<T>(mut work: impl FnMut() -> T) -> Measured<T> {
    let mut times = Vec::new();
    let mut last = None;
    // The peak starts again here.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let before = memory("VmRSS:");
    for _ in 0..RUNS {
        let start = Instant::now();
        let result = std::hint::black_box(work());
        times.push(start.elapsed());
        last = Some(result);
    }
    times.sort();
    Measured { times, mebibytes: memory("VmHWM:") - before, result: last.expect("it ran") }
}

/// What the operating system says of this process's memory, in MiB.
fn memory(field: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) / 1024.0
}

fn row<T>(history: &str, what: &str, measured: &Measured<T>, said: &str) {
    let [best, median] = [measured.times[0], measured.times[RUNS / 2]].map(|time| time.as_secs_f64() * 1e3);
    println!(
        "| {history} | {what} | {best:.1} ms | {median:.1} ms | {:.0} MiB | {said} |",
        measured.mebibytes
    );
}

fn say(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Valid { .. } => "valid".to_owned(),
        Verdict::Invalid(witness) => format!("invalid, a witness of {}", witness.operations.len()),
        Verdict::Unknown { reason } => reason.clone(),
    }
}

/// The events behind operations, each a process of its own, without times.
fn events(operations: &[Operation]) -> Vec<Event> {
    let mut events = Vec::new();
    for (operation, process) in operations.iter().zip(0..) {
        let event = |kind, value: &Value| Event {
            key: operation.key.clone(),
            value: value.clone(),
            ..Event::new(Process::Client(process), kind, operation.f.clone())
        };
        events.push((operation.invoked, event(Kind::Invoke, &operation.argument)));
        let completion = match &operation.outcome {
            Outcome::Ok(value) => event(Kind::Ok, value),
            Outcome::Info { .. } => continue,
            Outcome::Fail { error, actual } => {
                let failed = event(Kind::Fail, &Value::Null);
                Event { error: error.clone(), actual: actual.clone(), ..failed }
            }
        };
        events.extend(operation.completed.map(|at| (at, completion)));
    }
    events.sort_by_key(|&(at, _)| at);
    events.into_iter().map(|(_, event)| event).collect()
}

/// Judges the same history on one thread and on two, in turns, so that both meet the same neighbours.
fn in_turns(history: &str, operations: &[Operation], model: Model) {
    let operations: &Operations = &operations.iter().collect();
    let (mut times, mut spent) = ([Vec::new(), Vec::new()], [0.0, 0.0]);
    for _ in 0..RUNS {
        for (index, threads) in [(0, 1), (1, 2)] {
            let before = processor_time();
            let start = Instant::now();
            std::hint::black_box(check(
                operations,
                model,
                &Limits { workers: &Threads(threads), ..Limits::DEFAULT },
            ));
            times[index].push(start.elapsed());
            spent[index] += processor_time() - before;
        }
    }
    let [one, two] = times.map(|mut times| {
        times.sort();
        Measured { times, mebibytes: 0.0, result: () }
    });
    let ratio = |index: usize| one.times[index].as_secs_f64() / two.times[index].as_secs_f64();
    let said = format!(
        "{:.2} times as fast by the best, {:.2} by the median, with {:.2} of the processor time",
        ratio(0),
        ratio(RUNS / 2),
        spent[1] / spent[0]
    );
    row(history, "`check`, in turns with two threads", &one, "");
    row(history, "`check`, two threads", &two, &said);
}

/// What this process has used of the processors until now, in ticks of the system.
fn processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    fields.filter_map(|field| field.parse::<f64>().ok()).sum()
}

/// Judges the same history at once, with an order and its confirmation, and event by event.
fn every_way(history: &str, operations: &[Operation], model: Model) {
    let columns: Operations = operations.iter().collect();
    let one = measure(|| check(&columns, model, &Limits::DEFAULT));
    row(history, "`check`", &one, &say(&one.result));
    if operations.last().is_some_and(|operation| operation.key.is_some()) {
        in_turns(history, operations, model);
    }
    if matches!(one.result, Verdict::Valid { .. }) {
        let certified = measure(|| check_certified(&columns, model, &Limits::DEFAULT));
        row(history, "`check_certified`", &certified, &say(&certified.result.0));
        let order = certified.result.1.expect("it is valid");
        let confirmed = measure(|| confirm(&columns, model, &order));
        row(history, "`confirm`", &confirmed, &format!("{:?}", confirmed.result));
    }
    let events = events(operations);
    let followed = measure(|| {
        let mut follower = Follower::new(model);
        let _ = events.iter().all(|event| follower.push(event));
        follower.progress()
    });
    let progress = match &followed.result {
        Progress::Valid { .. } => "valid".to_owned(),
        Progress::Violation(violation) => {
            format!("violation at event {} of {}", violation.event, events.len())
        }
        other @ (Progress::Suspicion(_) | Progress::Lost { .. }) => format!("{other:?}"),
    };
    row(history, "`Follower`, all events", &followed, &progress);
}

/// The histories of one key, of many keys, and of few values.
fn all() {
    for (clients, keys, info, bad) in [
        (10, 1, 0, false),
        (10, 1, 5, false),
        (100, 1, 0, false),
        (100, 1, 5, false),
        (10, 1, 0, true),
        (100, 1, 5, true),
        (50, 1000, 0, false),
        (50, 1000, 5, false),
    ] {
        let mut operations = sound(&shape(1_000_000, clients, keys, info), 42);
        if bad {
            stale(&mut operations);
        }
        let s = if keys == 1 { "" } else { "s" };
        let end = if bad { ", stale read at the end" } else { "" };
        every_way(
            &format!("unique values, {keys} key{s}, {clients} clients, {info} % info{end}"),
            &operations,
            Model::CasRegister,
        );
    }
    let many = Shape { values: 5, silent: 50, ..shape(1_000_000, 50, 1_000, 0) };
    every_way("5 values, 1000 keys, 50 clients, 0 % info", &sound(&many, 42), Model::CasRegister);
    let few = Shape { keys: 8, ..many };
    in_turns("5 values, 8 keys, 50 clients, 0 % info", &sound(&few, 42), Model::CasRegister);
}

fn main() {
    println!("| history | what | best | median | memory | said |\n|---|---|---|---|---|---|");
    let Some(operations) = std::env::var("OPERATIONS").ok().and_then(|text| text.parse().ok()) else {
        return all();
    };
    // One large history by itself: what a process needs for it altogether, and for each operation.
    let history = sound(&shape(operations, 10, 1, 1), 42);
    let before = memory("VmRSS:");
    let history: Operations = history.iter().collect();
    let held = memory("VmRSS:") - before;
    let judged = measure(|| check(&history, Model::CasRegister, &Limits::DEFAULT));
    let each = |mebibytes: f64| mebibytes * 1024.0 * 1024.0 / operations as f64;
    let said = format!(
        "{}; {:.0} bytes an operation beside the {:.0} of the history",
        say(&judged.result),
        each(judged.mebibytes),
        each(held)
    );
    row(&format!("{operations} operations, 1 key, 10 clients, 1 % info"), "`check`", &judged, &said);
}
