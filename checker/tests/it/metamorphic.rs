//! What must hold between the verdicts of two histories that differ in a known way, where brute force is too slow.

use crate::support::{
    generate::{APPENDS, CAS_REGISTER, KV, REGISTER, Shape, bend, coarsen, sound},
    objects::{ObjectShape, bend_object, sound_object},
};
use checker::limits::Limits;
use checker::linearizability::{Model, Verdict, check};
use history::{Operation, Outcome};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng, seq::SliceRandom};
use serde_json::{Value, json};

/// Every model with the functions it is tried with.
const ALL: [(Model, &[&str]); 12] = [
    (Model::Register, REGISTER),
    (Model::CasRegister, CAS_REGISTER),
    (Model::Kv, KV),
    (Model::Kv, APPENDS),
    (Model::MultiRegister, &["txn"]),
    (Model::Mutex, &["acquire", "release"]),
    (Model::Set, &["add", "remove", "contains", "read"]),
    (Model::Counter, &["add", "incr", "decr", "add-and-get", "read"]),
    (Model::FifoQueue, &["enqueue", "enqueue", "dequeue", "peek"]),
    (Model::UnorderedQueue, &["enqueue", "enqueue", "dequeue", "peek"]),
    (Model::Stack, &["push", "push", "pop", "peek"]),
    (Model::PriorityQueue, &["enqueue", "enqueue", "dequeue", "peek"]),
];

/// A history of dozens of operations, sound or changed in one or two operations.
fn history(model: Model, functions: &'static [&'static str], seed: u64) -> Vec<Operation> {
    let number = usize::try_from(seed).expect("it is small");
    let (operations, processes, values) = (20 + number % 40, 2 + number % 3, [0, 0, 4][number % 3]);
    let info = if seed.is_multiple_of(2) { 0 } else { 5 };
    let mut made;
    if matches!(model, Model::Register | Model::CasRegister | Model::Kv) {
        let shape = Shape { functions, operations, processes, values, keys: 1, info, fail: 3, silent: 30 };
        made = sound(&shape, seed);
        if seed % 4 > 1 {
            bend(&mut made, seed);
        }
    } else {
        let registers = 3;
        let shape = ObjectShape {
            model,
            functions,
            operations,
            processes,
            values,
            keys: 1,
            registers,
            info,
            fail: 3,
        };
        made = sound_object(&shape, seed);
        if seed % 4 > 1 {
            bend_object(&mut made, seed);
        }
    }
    if seed.is_multiple_of(5) {
        coarsen(&mut made, 2);
    }
    made
}

/// Whether it is linearizable; none where the search gave up.
fn valid(operations: &[Operation], model: Model) -> Option<bool> {
    match check(operations, model, &Limits { configurations: 3_000, ..Limits::DEFAULT }) {
        Verdict::Valid { .. } => Some(true),
        Verdict::Invalid(_) => Some(false),
        Verdict::Unknown { .. } => None,
    }
}

/// What follows for the verdict of the second history from that of the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    /// It is the same.
    Same,
    /// If the first is valid, so is the second.
    Weaker,
    /// If the first is invalid, so is the second.
    Stronger,
}

type Change = fn(&mut Vec<Operation>, &mut ChaCha8Rng);

/// Compares the verdicts before and after a change, over all models and many seeds.
fn relate(relation: Relation, change: Change) {
    for (model, functions) in ALL {
        let mut compared = [0; 2];
        for seed in 0..200 {
            let before = history(model, functions, seed);
            let mut after = before.clone();
            change(&mut after, &mut ChaCha8Rng::seed_from_u64(seed ^ 0x3e7a));
            let (Some(first), Some(second)) = (valid(&before, model), valid(&after, model)) else { continue };
            let holds = match relation {
                Relation::Same => first == second,
                Relation::Weaker => !first || second,
                Relation::Stronger => first || !second,
            };
            assert!(holds, "{model}, seed {seed}: valid {first}, then {second}: {before:#?} {after:#?}");
            compared[usize::from(first)] += 1;
        }
        assert!(compared.iter().all(|&count| count > 10), "{model}: too few of a kind: {compared:?}");
    }
}

#[test]
fn the_order_in_which_operations_are_listed_says_nothing() {
    relate(Relation::Same, |operations, rng| operations.shuffle(rng));
}

#[test]
fn only_the_order_of_events_counts_and_not_their_distance() {
    relate(Relation::Same, |operations, rng| {
        let (by, ahead) = (rng.random_range(2..50), rng.random_range(0..1_000));
        for operation in operations {
            operation.invoked = operation.invoked * by + ahead;
            operation.completed = operation.completed.map(|completed| completed * by + ahead);
        }
    });
}

#[test]
fn who_did_it_and_on_which_node_says_nothing() {
    relate(Relation::Same, |operations, rng| {
        for operation in operations {
            operation.process = rng.random_range(0..3);
            operation.client = Some(rng.random_range(0..3));
            operation.node = Some(format!("n{}", rng.random_range(1..4)));
            operation.invoked_ns = rng.random_range(0..1_000);
        }
    });
}

#[test]
fn a_copy_of_the_history_on_another_key_changes_nothing() {
    relate(Relation::Same, |operations, rng| {
        let copies = operations
            .clone()
            .into_iter()
            .map(|operation| Operation { key: Some("other".to_owned()), ..operation });
        operations.extend(copies);
        operations.shuffle(rng);
    });
}

#[test]
fn an_operation_that_failed_without_a_look_never_was() {
    relate(Relation::Same, |operations, rng| {
        let mut failed = operations[rng.random_range(0..operations.len())].clone();
        failed.outcome = Outcome::Fail { error: Some("refused".to_owned()), actual: None };
        operations.push(failed);
    });
}

#[test]
fn a_valid_history_stays_valid_when_an_outcome_is_forgotten() {
    relate(Relation::Weaker, |operations, rng| {
        let index = rng.random_range(0..operations.len());
        operations[index].outcome = Outcome::Info { error: None };
        operations[index].completed = None;
    });
}

#[test]
fn a_valid_history_stays_valid_when_operations_take_longer() {
    relate(Relation::Weaker, |operations, rng| {
        for _ in 0..3 {
            let index = rng.random_range(0..operations.len());
            let operation = &mut operations[index];
            operation.invoked = operation.invoked.saturating_sub(rng.random_range(0..5));
            operation.completed = operation.completed.map(|completed| completed + rng.random_range(0..5));
        }
    });
}

#[test]
fn a_valid_history_stays_valid_without_one_of_its_looks() {
    relate(Relation::Weaker, |operations, rng| {
        let look = |o: &Operation| matches!(o.f.as_str(), "read" | "get" | "contains" | "peek");
        let refused = |o: &Operation| matches!(o.outcome, Outcome::Fail { .. });
        let looks: Vec<usize> =
            (0..operations.len()).filter(|&p| look(&operations[p]) || refused(&operations[p])).collect();
        if !looks.is_empty() {
            operations.remove(looks[rng.random_range(0..looks.len())]);
        }
    });
}

#[test]
fn an_invalid_history_stays_invalid_when_an_operation_ends_sooner() {
    relate(Relation::Stronger, |operations, rng| {
        for _ in 0..3 {
            let index = rng.random_range(0..operations.len());
            let operation = &mut operations[index];
            operation.completed = operation.completed.map(|at| at.saturating_sub(5).max(operation.invoked));
        }
    });
}

#[test]
fn an_invalid_history_stays_invalid_when_it_goes_on() {
    relate(Relation::Stronger, |operations, rng| {
        let end = operations.iter().filter_map(|o| o.completed).max().unwrap_or(0) + 100;
        let again = operations.clone().into_iter().filter(|_| rng.random_range(0..4) == 0);
        operations.extend(again.map(|operation| Operation {
            invoked: operation.invoked + end,
            completed: operation.completed.map(|completed| completed + end),
            ..operation
        }));
    });
}

#[test]
fn values_may_have_any_name() {
    let renamed =
        |value: &Value| value.as_u64().map_or_else(|| value.clone(), |n| json!(format!("value {n}")));
    for (model, functions) in ALL {
        // Text is made of letters, locks have no values, and counters and priorities are more than names.
        if matches!(model, Model::Kv | Model::Mutex | Model::Counter | Model::PriorityQueue) {
            continue;
        }
        for seed in 0..200 {
            let before = history(model, functions, seed);
            let mut after = before.clone();
            for operation in &mut after {
                operation.argument = everywhere(&operation.argument, &renamed);
                match &mut operation.outcome {
                    Outcome::Ok(value) | Outcome::Fail { actual: Some(value), .. } => {
                        *value = everywhere(value, &renamed);
                    }
                    Outcome::Fail { actual: None, .. } | Outcome::Info { .. } => {}
                }
            }
            let verdicts = [&before, &after].map(|operations| valid(operations, model));
            assert_eq!(verdicts[0], verdicts[1], "{model}, seed {seed}: {before:#?}");
        }
    }
}

/// The same value with every value inside it changed.
fn everywhere(value: &Value, change: &impl Fn(&Value) -> Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| everywhere(item, change)).collect(),
        other => change(other),
    }
}
