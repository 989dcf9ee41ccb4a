//! Brute force: is there an order of the transactions, one after the other, that explains every read?

use super::levels::contradicts_itself;
use crate::support::database::{Mode, Shape, run};
use crate::support::share::{print_counts, share};
use checker::Answer;
use checker::transactions::{Consistency, Options, Verdict, Workload, check};
use history::{Operation, Outcome};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng, seq::IndexedRandom};
use serde_json::Value;
use std::collections::BTreeMap;

/// Whether a model makes an execution respect that one operation completed before another was invoked.
fn precedes(model: Consistency, one: &Operation, other: &Operation) -> bool {
    let counts = match model {
        Consistency::Serializable | Consistency::SnapshotIsolation => false,
        Consistency::StrongSessionSerializable | Consistency::StrongSessionSnapshotIsolation => {
            one.process == other.process
        }
        Consistency::StrictSerializable | Consistency::StrongSnapshotIsolation => true,
        _ => panic!("the oracle does not know {model}"),
    };
    counts && one.completed.is_some_and(|completed| completed < other.invoked)
}

type State = BTreeMap<String, Vec<Value>>;

/// A transaction under way: its index, and the state with its own writes.
type Open = (usize, State);

/// What brute force goes by.
struct Oracle<'a> {
    operations: Vec<&'a Operation>,
    workload: Workload,
    model: Consistency,
}

fn explained(operations: &[Operation], workload: Workload, model: Consistency) -> bool {
    let may_happen = |operation: &&Operation| !matches!(operation.outcome, Outcome::Fail { .. });
    let operations: Vec<&Operation> = operations.iter().filter(may_happen).collect();
    let left: Vec<usize> = (0..operations.len()).collect();
    Oracle { operations, workload, model }.extends(&State::new(), &[], &left)
}

impl Oracle<'_> {
    fn snapshots(&self) -> bool {
        MODELS[3..].contains(&self.model)
    }

    /// Tries everything that can come next. Under snapshot isolation a transaction begins at one moment, with
    /// all its reads, and commits at another, and none begins to write what another is about to commit.
    fn extends(&self, state: &State, open: &[Open], left: &[usize]) -> bool {
        let unknown = |index: &usize| matches!(self.operations[*index].outcome, Outcome::Info { .. });
        if open.is_empty() && left.iter().all(unknown) {
            return true;
        }
        let commits = (0..open.len()).any(|nth| {
            let mut open = open.to_vec();
            let (index, own) = open.remove(nth);
            let mut state = state.clone();
            for key in self.written(index) {
                state.insert(key.clone(), own[&key].clone());
            }
            self.extends(&state, &open, left)
        });
        commits
            || left.iter().any(|index| {
                let next = self.operations[*index];
                let others = left.iter().copied().chain(open.iter().map(|(index, _)| *index));
                let taken = |key: &String| open.iter().any(|(index, _)| self.written(*index).contains(key));
                if others.clone().any(|other| precedes(self.model, self.operations[other], next))
                    || self.written(*index).iter().any(taken)
                {
                    return false;
                }
                let mut own = state.clone();
                if !execute(&mut own, next, self.workload) {
                    return false;
                }
                let rest: Vec<usize> = left.iter().copied().filter(|other| other != index).collect();
                if self.snapshots() {
                    let open: Vec<Open> = open.iter().cloned().chain([(*index, own)]).collect();
                    self.extends(state, &open, &rest)
                } else {
                    self.extends(&own, open, &rest)
                }
            })
    }

    fn written(&self, index: usize) -> Vec<String> {
        let operation = self.operations[index];
        let steps = match &operation.outcome {
            Outcome::Ok(steps) => steps,
            Outcome::Fail { .. } | Outcome::Info { .. } => &operation.argument,
        };
        let writes = steps.as_array().expect("steps").iter().filter(|step| step[0] != "r");
        writes.map(|step| step[1].to_string()).collect()
    }
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
pub(super) fn shown(operations: &[Operation], verdict: &Verdict) -> String {
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
pub(super) fn bent(mut operations: Vec<Operation>, rng: &mut ChaCha8Rng) -> Vec<Operation> {
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

pub(super) fn small(workload: Workload, seed: u64) -> Vec<Operation> {
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

/// The same with few values, each written more than once.
fn with_few_values(operations: Vec<Operation>) -> Vec<Operation> {
    with_values(operations, 3)
}

fn with_values(mut operations: Vec<Operation>, count: u64) -> Vec<Operation> {
    let few = |steps: &mut Value| {
        for step in steps.as_array_mut().into_iter().flatten() {
            if let Some(value) = step[2].as_u64() {
                step[2] = Value::from(value % count + 1);
            }
        }
    };
    for operation in &mut operations {
        few(&mut operation.argument);
        if let Outcome::Ok(result) = &mut operation.outcome {
            few(result);
        }
    }
    operations
}

const MODELS: [Consistency; 6] = [
    Consistency::StrictSerializable,
    Consistency::StrongSessionSerializable,
    Consistency::Serializable,
    Consistency::StrongSnapshotIsolation,
    Consistency::StrongSessionSnapshotIsolation,
    Consistency::SnapshotIsolation,
];

/// Compares the check with brute force, under each of the models.
fn compare(workload: Workload, seeds: std::ops::Range<u64>) -> [u64; 2] {
    compare_as(workload, seeds, &|operations| operations)
}

fn compare_as(
    workload: Workload,
    seeds: std::ops::Range<u64>,
    change: &dyn Fn(Vec<Operation>) -> Vec<Operation>,
) -> [u64; 2] {
    let mut counts = [0; 2];
    let mut invalid = [0; MODELS.len()];
    for seed in seeds.clone() {
        let operations = change(small(workload, seed));
        for (index, model) in MODELS.into_iter().enumerate() {
            let verdict = check(&operations, &Options { model, ..Options::new(workload) });
            if verdict.unsure.is_some() {
                continue;
            }
            let explained = explained(&operations, workload, model);
            invalid[index] += u64::from(!explained);
            counts[usize::from(!explained)] += 1;
            let wanted = if explained { Answer::Valid } else { Answer::Invalid };
            assert_eq!(verdict.answer, wanted, "seed {seed} {model}\n{}", shown(&operations, &verdict));
            contradicts_itself(&operations, workload, &verdict);
        }
    }
    let enough = (seeds.end - seeds.start) / 40;
    let stricter = |pair: &[u64]| pair[0] > pair[1];
    let ordered = invalid[..3].windows(2).all(stricter) && invalid[3..].windows(2).all(stricter);
    assert!(ordered && invalid[2] > invalid[5] && invalid[5] > enough, "{invalid:?}");
    counts
}

const QUICK: u64 = 20_000;

#[test]
fn lists_are_judged_as_brute_force_judges_them() {
    compare(Workload::ListAppend, 0..QUICK);
}

#[test]
fn registers_are_judged_as_brute_force_judges_them() {
    compare(Workload::RwRegister, 0..QUICK);
}

#[test]
fn repeated_values_are_judged_as_brute_force_judges_them() {
    let [valid, invalid] = compare_as(Workload::RwRegister, 0..QUICK, &with_few_values);
    // Open are only those without a transaction that is known to have happened.
    assert!(valid + invalid > QUICK * MODELS.len() as u64 * 9 / 10, "{valid} {invalid}");
}

/// Whether the check finds orders of larger histories with few values, where each read has dozens of candidates.
#[test]
fn sound_stores_with_few_values_are_valid() {
    for seed in 0..4 {
        for (mode, first) in [(Mode::Serial, 0), (Mode::SnapshotIsolation, 3)] {
            let shape = Shape {
                workload: Workload::RwRegister,
                mode,
                transactions: 400,
                clients: 6,
                keys: 8,
                writes_per_key: 100,
                most_steps: 4,
                fail: 5,
                info: 0,
            };
            let operations = with_few_values(run(&shape, seed));
            for model in &MODELS[first..] {
                let verdict = check(&operations, &Options { model: *model, ..Options::new(shape.workload) });
                assert_eq!(verdict.answer, Answer::Valid, "seed {seed} {model}: {}", verdict.reason());
            }
        }
    }
}

/// Without times, only the order of each session says what came before.
#[test]
fn few_values_need_no_times() {
    for seed in 0..3 {
        let shape = Shape {
            workload: Workload::RwRegister,
            mode: Mode::Serial,
            transactions: 300,
            clients: 6,
            keys: 8,
            writes_per_key: 100,
            most_steps: 4,
            fail: 0,
            info: 0,
        };
        let mut operations = with_values(run(&shape, seed), 12);
        let count = operations.len();
        for (index, operation) in operations.iter_mut().enumerate() {
            (operation.invoked, operation.completed) = (index, Some(count + index));
        }
        for model in [Consistency::StrongSessionSerializable, Consistency::StrongSessionSnapshotIsolation] {
            let verdict = check(&operations, &Options { model, ..Options::new(shape.workload) });
            assert_eq!(verdict.answer, Answer::Valid, "seed {seed} {model}: {}", verdict.reason());
        }
    }
}

#[test]
#[ignore = "millions of histories, as many as ORACLE_HISTORIES says"]
fn millions_of_histories_of_transactions_are_judged_as_brute_force_judges_them() {
    // Each history counts once for each of the models it is judged under.
    let seeds = QUICK..QUICK + share() / MODELS.len() as u64;
    print_counts("list-append", compare(Workload::ListAppend, seeds.clone()));
    print_counts("rw-register", compare(Workload::RwRegister, seeds.clone()));
    print_counts("repeated values", compare_as(Workload::RwRegister, seeds, &with_few_values));
}
