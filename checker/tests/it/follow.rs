//! Following a history event by event says the same as checking it at the end.

use crate::support::generate::{CAS_REGISTER, REGISTER, Shape, bend, sound};
use checker::follow::{Follower, Progress};
use checker::limits::Limits;
use checker::linearizability::{Model, Verdict, check};
use history::{Event, Kind, Operation, Outcome, Process, pair};
use serde_json::Value;

const STORE: &[&str] = &["get", "put", "put", "delete", "cas"];

/// The events behind operations, each operation a process of its own. Some unknown outcomes are recorded late.
fn events(operations: &[Operation]) -> Vec<Event> {
    let mut events: Vec<((usize, bool, usize), Event)> = Vec::new();
    for (index, operation) in operations.iter().enumerate() {
        let event = |kind, value: &Value| Event {
            key: operation.key.clone(),
            value: value.clone(),
            ..Event::new(Process::Client(index as u64), kind, operation.f.clone())
        };
        events.push(((operation.invoked, false, index), event(Kind::Invoke, &operation.argument)));
        let completed = operation.completed;
        match (&operation.outcome, completed) {
            (Outcome::Ok(value), Some(at)) => events.push(((at, true, index), event(Kind::Ok, value))),
            (Outcome::Fail { error, actual }, Some(at)) => {
                let failed = event(Kind::Fail, &Value::Null);
                events.push((
                    (at, true, index),
                    Event { error: error.clone(), actual: actual.clone(), ..failed },
                ));
            }
            (Outcome::Info { .. }, _) if index % 2 == 0 => {
                let at = operation.invoked + index % 7 * operations.len() / 3;
                events.push(((at, true, index), event(Kind::Info, &Value::Null)));
            }
            (Outcome::Ok(_) | Outcome::Fail { .. } | Outcome::Info { .. }, _) => {}
        }
    }
    events.sort_by_key(|(at, _)| *at);
    let mut events: Vec<Event> = events.into_iter().map(|(_, event)| event).collect();
    for (index, event) in events.iter_mut().enumerate() {
        event.time = index as u64 * 10;
    }
    events
}

/// How often following ended in each way.
#[derive(Debug, Default)]
struct Counts {
    valid: u32,
    violations: u32,
    later: u32,
    suspicions: u32,
    lost: u32,
}

fn compare(operations: &[Operation], model: Model, counts: &mut Counts, name: &str) {
    let events = events(operations);
    let paired = pair(&events).expect("each operation is its own process");
    let verdict = check(&paired, model, &Limits::DEFAULT);
    let mut follower = Follower::new(model);
    for event in &events {
        if !follower.push(event) {
            break;
        }
    }
    let progress = follower.finish();
    match (&progress, &verdict) {
        (Progress::Valid { until_ns }, Verdict::Valid { .. }) => {
            assert_eq!(*until_ns, events.last().map_or(0, |event| event.time), "{name}");
            counts.valid += 1;
        }
        (Progress::Violation(violation), Verdict::Invalid(witness)) => {
            let earliest = paired[witness.operation].completed.expect("it completed");
            // What a failure contradicts is known only when it failed, and a search waits for what is open.
            assert!(violation.event >= earliest || violation.key != witness.key, "{name}: {violation:?}");
            counts.later += u32::from(violation.event != earliest);
            counts.violations += 1;
        }
        (Progress::Suspicion(_), Verdict::Invalid(_) | Verdict::Valid { .. }) => counts.suspicions += 1,
        (Progress::Lost { .. }, _) => counts.lost += 1,
        (_, _) => panic!("{name}: {progress:?} but {verdict:?}: {events:#?}"),
    }
}

fn shape(functions: &'static [&'static str], seed: u64, operations: usize) -> Shape {
    let pick = |list: &[u32], by: u64| list[usize::try_from(seed / by).unwrap_or(0) % list.len()];
    Shape {
        functions,
        operations,
        processes: pick(&[1, 2, 3, 4, 8], 7) as usize,
        values: u64::from(pick(&[0, 0, 2, 4, 50], 35)),
        keys: if seed.is_multiple_of(11) { 2 } else { 1 },
        info: pick(&[0, 5, 20, 40], 13),
        fail: pick(&[0, 10], 3),
        silent: pick(&[0, 0, 30], 17),
    }
}

fn compare_all(
    functions: &'static [&'static str],
    model: Model,
    seeds: std::ops::Range<u64>,
    size: usize,
) -> Counts {
    let mut counts = Counts::default();
    for seed in seeds {
        let size = 3 + usize::try_from(seed).expect("small") % size;
        let mut operations = sound(&shape(functions, seed, size), seed);
        if seed % 3 != 0 {
            bend(&mut operations, seed);
        }
        compare(&operations, model, &mut counts, &format!("{model}, seed {seed}"));
    }
    counts
}

#[test]
fn following_small_histories_says_what_a_check_at_the_end_says() {
    for (functions, model) in
        [(REGISTER, Model::Register), (CAS_REGISTER, Model::CasRegister), (STORE, Model::Kv)]
    {
        let counts = compare_all(functions, model, 0..100_000, 10);
        assert!(counts.valid > 5_000 && counts.violations > 5_000, "{model}: {counts:?}");
        assert_eq!(counts.suspicions + counts.lost, 0, "{model}: small histories are followed exactly");
    }
}

#[test]
fn following_larger_histories_says_what_a_check_at_the_end_says() {
    for (functions, model) in [(REGISTER, Model::Register), (CAS_REGISTER, Model::CasRegister)] {
        let counts = compare_all(functions, model, 0..3_000, 120);
        assert!(counts.valid > 500 && counts.violations > 500, "{model}: {counts:?}");
        assert!((counts.suspicions + counts.lost) * 50 < counts.violations, "{model}: {counts:?}");
    }
}

#[test]
fn a_long_history_with_unique_values_is_followed_and_its_one_stale_read_found_at_once() {
    for (processes, info) in [(3, 0), (10, 2), (60, 5)] {
        let shape = Shape {
            functions: CAS_REGISTER,
            operations: 30_000,
            processes,
            values: 0,
            keys: 2,
            info,
            fail: 2,
            silent: 0,
        };
        let mut operations = sound(&shape, 5);
        let mut counts = Counts::default();
        compare(&operations, Model::CasRegister, &mut counts, "sound");
        let stale = operations.iter().find_map(|operation| match &operation.outcome {
            Outcome::Ok(value) if operation.f == "read" && !value.is_null() => Some(value.clone()),
            Outcome::Ok(_) | Outcome::Fail { .. } | Outcome::Info { .. } => None,
        });
        let last = operations.iter_mut().rev().find(|operation| {
            operation.f == "read"
                && matches!(operation.outcome, Outcome::Ok(_))
                && operation.completed.is_some()
        });
        last.expect("there are reads").outcome = Outcome::Ok(stale.expect("there are reads"));
        compare(&operations, Model::CasRegister, &mut counts, "stale");
        assert_eq!((counts.valid, counts.violations, counts.later), (1, 1, 0), "{counts:?}");
    }
}

#[test]
fn a_model_that_is_no_register_is_left_to_the_end() {
    for model in Model::ALL {
        let mut follower = Follower::new(model);
        let mut read = Event::new(Process::Client(0), Kind::Invoke, "read");
        follower.push(&read);
        read.kind = Kind::Ok;
        read.value = serde_json::json!([1]);
        follower.push(&read);
        let progress = follower.finish();
        if matches!(model, Model::Register | Model::CasRegister | Model::Kv) {
            assert!(matches!(progress, Progress::Violation(_)), "{model}: {progress:?}");
        } else {
            let Progress::Lost { reason, .. } = progress else { panic!("{model}: {progress:?}") };
            assert!(reason.contains("at the end only"), "{model}: {reason}");
        }
    }
}
