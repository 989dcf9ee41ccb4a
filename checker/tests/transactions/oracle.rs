//! Brute force: is there an order of the transactions, one after the other, that explains every read?

use crate::database::{Mode, Shape, run};
use crate::share::{share, tell};
use checker::history::{Operation, Outcome};
use checker::transactions::{Answer, Consistency, Options, Verdict, Workload, check};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng, seq::IndexedRandom};
use serde_json::Value;
use std::collections::BTreeMap;

/// The orders that a model makes an execution respect.
fn precedes(model: Consistency, one: &Operation, other: &Operation) -> bool {
    let in_time = one.completed.is_some_and(|completed| completed < other.invoked);
    assert!(MODELS.contains(&model), "the oracle knows serializability only");
    let counts = model == Consistency::StrictSerializable
        || (model == Consistency::StrongSessionSerializable && one.process == other.process);
    in_time && counts
}

type State = BTreeMap<String, Vec<Value>>;

fn explained(operations: &[Operation], workload: Workload, model: Consistency) -> bool {
    let may_happen = |operation: &&Operation| !matches!(operation.outcome, Outcome::Fail { .. });
    let left: Vec<&Operation> = operations.iter().filter(may_happen).collect();
    extends(&State::new(), &left, workload, model)
}

fn extends(state: &State, left: &[&Operation], workload: Workload, model: Consistency) -> bool {
    if left.iter().all(|operation| matches!(operation.outcome, Outcome::Info { .. })) {
        return true;
    }
    (0..left.len()).any(|place| {
        let next = left[place];
        if left.iter().any(|other| precedes(model, other, next)) {
            return false;
        }
        let mut state = state.clone();
        let mut rest = left.to_vec();
        rest.remove(place);
        execute(&mut state, next, workload) && extends(&state, &rest, workload, model)
    })
}

fn execute(state: &mut State, operation: &Operation, workload: Workload) -> bool {
    let (steps, known) = match &operation.outcome {
        Outcome::Ok(steps) => (steps, true),
        Outcome::Fail { .. } | Outcome::Info { .. } => (&operation.argument, false),
    };
    steps.as_array().expect("steps").iter().all(|step| {
        let held = state.entry(step[1].to_string()).or_default();
        if step[0] != "r" {
            held.push(step[2].clone());
            return true;
        }
        !known
            || match workload {
                Workload::ListAppend => step[2].as_array().map_or(&[][..], Vec::as_slice) == held,
                Workload::RwRegister => step[2] == held.last().cloned().unwrap_or(Value::Null),
            }
    })
}

/// The operations and the verdict, a line each.
fn told(operations: &[Operation], verdict: &Verdict) -> String {
    let mut lines: Vec<String> = operations
        .iter()
        .map(|operation| {
            let steps = match &operation.outcome {
                Outcome::Ok(steps) => steps.to_string(),
                Outcome::Fail { .. } => format!("fail {}", operation.argument),
                Outcome::Info { .. } => format!("info {}", operation.argument),
            };
            format!("p{} {}..{:?} {steps}", operation.process, operation.invoked, operation.completed)
        })
        .collect();
    lines.extend(verdict.evidence());
    lines.join("\n")
}

/// Bends what some reads returned.
fn bent(mut operations: Vec<Operation>, rng: &mut ChaCha8Rng) -> Vec<Operation> {
    let values: Vec<Value> = operations
        .iter()
        .filter_map(|operation| match &operation.outcome {
            Outcome::Ok(steps) => steps.as_array(),
            Outcome::Fail { .. } | Outcome::Info { .. } => None,
        })
        .flatten()
        .filter(|step| step[0] == "r")
        .map(|step| step[2].clone())
        .collect();
    for operation in &mut operations {
        let Outcome::Ok(Value::Array(steps)) = &mut operation.outcome else { continue };
        for step in steps.iter_mut().filter(|step| step[0] == "r") {
            if rng.random_bool(0.8) {
                continue;
            }
            match &mut step[2] {
                Value::Array(list) if rng.random_bool(0.7) => match rng.random_range(0..3) {
                    0 => drop(list.pop()),
                    1 if list.len() > 1 => list.swap(0, 1),
                    _ => list.truncate(1),
                },
                value => *value = values.choose(rng).cloned().unwrap_or(Value::Null),
            }
        }
    }
    operations
}

fn small(workload: Workload, seed: u64) -> Vec<Operation> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let modes = [
        Mode::Serial,
        Mode::SnapshotIsolation,
        Mode::ReadCommitted,
        Mode::LostUpdate,
        Mode::StaleReads,
        Mode::AbortedReads,
    ];
    let shape = Shape {
        workload,
        mode: *modes.choose(&mut rng).expect("there are modes"),
        transactions: rng.random_range(2..=5),
        clients: rng.random_range(1..=4),
        keys: rng.random_range(1..=3),
        writes_per_key: 100,
        most_steps: rng.random_range(1..=4),
        fail: rng.random_range(0..30),
        info: rng.random_range(0..30),
    };
    let operations = run(&shape, seed);
    if rng.random_bool(0.4) { bent(operations, &mut rng) } else { operations }
}

const MODELS: [Consistency; 3] =
    [Consistency::StrictSerializable, Consistency::StrongSessionSerializable, Consistency::Serializable];

/// Compares the check of lists with brute force, under each of the models.
fn compare_lists(seeds: std::ops::Range<u64>) -> [u64; 2] {
    let mut counts = [0; 2];
    let mut invalid = [0; 3];
    for seed in seeds.clone() {
        let operations = small(Workload::ListAppend, seed);
        for (place, model) in MODELS.into_iter().enumerate() {
            let verdict = check(&operations, &Options { model, ..Options::new(Workload::ListAppend) });
            if verdict.unsure.is_some() {
                continue;
            }
            let explained = explained(&operations, Workload::ListAppend, model);
            invalid[place] += u64::from(!explained);
            counts[usize::from(!explained)] += 1;
            let wanted = if explained { Answer::Valid } else { Answer::Invalid };
            assert_eq!(verdict.answer, wanted, "seed {seed} {model}\n{}", told(&operations, &verdict));
        }
    }
    let enough = (seeds.end - seeds.start) / 40;
    assert!(invalid[0] > invalid[1] && invalid[1] > invalid[2] && invalid[2] > enough, "{invalid:?}");
    counts
}

/// Compares the check of registers with brute force: it may only miss what the order of writes, which shows
/// only in part, would have shown.
fn compare_registers(seeds: std::ops::Range<u64>) -> [u64; 2] {
    let mut counts = [0; 2];
    let mut caught = 0;
    for seed in seeds {
        let operations = small(Workload::RwRegister, seed);
        for model in MODELS {
            let verdict = check(&operations, &Options { model, ..Options::new(Workload::RwRegister) });
            if verdict.unsure.is_some() {
                continue;
            }
            let explained = explained(&operations, Workload::RwRegister, model);
            counts[usize::from(!explained)] += 1;
            caught += u64::from(verdict.answer == Answer::Invalid);
            assert!(
                !explained || verdict.answer == Answer::Valid,
                "seed {seed} {model}\n{}",
                told(&operations, &verdict)
            );
        }
    }
    assert!(caught * 10 > counts[1] * 9, "{caught} of {counts:?}");
    counts
}

const QUICK: u64 = 20_000;

#[test]
fn lists_are_judged_as_brute_force_judges_them() {
    compare_lists(0..QUICK);
}

#[test]
fn registers_that_are_judged_invalid_are_invalid() {
    compare_registers(0..QUICK);
}

#[test]
#[ignore = "millions of histories, as many as ORACLE_HISTORIES says"]
fn millions_of_histories_of_transactions_are_judged_as_brute_force_judges_them() {
    // Each history counts once for each of the models it is judged under.
    let seeds = QUICK..QUICK + share() / MODELS.len() as u64;
    tell("list-append", compare_lists(seeds.clone()));
    tell("rw-register", compare_registers(seeds));
}
