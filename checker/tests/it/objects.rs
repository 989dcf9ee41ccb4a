//! Containers, locks, counters and transactions against a brute-force oracle, on many small histories.

use crate::support::{
    generate::coarsen,
    objects::{ObjectShape, bend_object, sound_object},
    objects_oracle::linearizable,
    share::{print_counts, share},
};
use checker::certificate::confirm;
use checker::limits::Limits;
use checker::linearizability::{Model, Verdict, Witness, check_certified};
use history::{Operation, Outcome};

fn pick<T: Copy>(list: &[T], number: u64) -> T {
    list[usize::try_from(number % list.len() as u64).expect("a list is short")]
}

/// Small histories that are full of trouble.
fn small(model: Model, functions: &'static [&'static str], seed: u64) -> ObjectShape {
    ObjectShape {
        model,
        functions,
        operations: pick(&[3, 4, 5, 6, 7, 8, 9], seed),
        processes: pick(&[1, 2, 3, 4], seed / 7),
        values: pick(&[0, 0, 2, 3], seed / 28),
        keys: if seed.is_multiple_of(11) { 2 } else { 1 },
        registers: pick(&[1, 2, 3], seed / 112),
        info: pick(&[0, 20, 40], seed / 336),
        fail: pick(&[0, 10], seed / 1008),
    }
}

/// A sound history, or a bent one, or one with ties, by seed.
fn history(model: Model, functions: &'static [&'static str], seed: u64) -> Vec<Operation> {
    let mut operations = sound_object(&small(model, functions, seed), seed);
    if !seed.is_multiple_of(4) {
        bend_object(&mut operations, seed);
    }
    if seed.is_multiple_of(5) {
        coarsen(&mut operations, pick(&[2, 3], seed / 5));
    }
    operations
}

/// Compares the checker with the oracle; both verdicts must occur often enough to prove something. How many
/// histories were valid and how many were not.
fn compare(model: Model, functions: &'static [&'static str], seeds: std::ops::Range<u64>) -> [u64; 2] {
    let mut counts = [0, 0];
    for seed in seeds {
        let operations = history(model, functions, seed);
        let expected = linearizable(&operations, model);
        let (verdict, order) = check_certified(&operations, model, &Limits::DEFAULT);
        match verdict {
            Verdict::Valid { operations: counted, .. } => {
                assert_eq!(counted, operations.len());
                assert!(expected, "{model}, seed {seed} is valid only for the checker: {operations:#?}");
                let confirmed = order.as_ref().map(|order| confirm(&operations, model, order));
                assert_eq!(confirmed, Some(Ok(())), "{model}, seed {seed}: {order:?} {operations:#?}");
            }
            Verdict::Invalid(witness) => {
                assert!(!expected, "{model}, seed {seed} is invalid only for the checker: {operations:#?}");
                if seed % 8 == 1 {
                    assert_witness(&operations, model, &witness, seed);
                }
            }
            Verdict::Unknown { reason } => panic!("{model}, seed {seed}: {reason}"),
        }
        counts[usize::from(!expected)] += 1;
    }
    let all = counts[0] + counts[1];
    assert!(counts.iter().all(|&count| count * 20 > all), "{model}: one kind is too rare: {counts:?}");
    counts
}

/// The witness must stand by itself, and its operation must be the first that cannot complete.
fn assert_witness(operations: &[Operation], model: Model, witness: &Witness, seed: u64) {
    let part: Vec<Operation> = witness.operations.iter().map(|&index| operations[index].clone()).collect();
    let context = || format!("{model}, seed {seed}: {witness:#?} {operations:#?}");
    assert!(!linearizable(&part, model), "the witness proves nothing: {}", context());
    assert!(witness.operations.contains(&witness.operation), "{}", context());
    assert!(witness.pending.iter().any(|pending| pending.operation == witness.operation), "{}", context());
    let completed = operations[witness.operation].completed.expect("it completed");
    let earlier: Vec<Operation> = operations
        .iter()
        .filter(|operation| operation.invoked <= completed)
        .map(|operation| {
            let mut operation = operation.clone();
            if operation.completed.is_some_and(|event| event >= completed) {
                operation.completed = None;
                operation.outcome = Outcome::Info { error: None };
            }
            operation
        })
        .collect();
    assert!(linearizable(&earlier, model), "an earlier operation could not complete: {}", context());
}

const QUICK: u64 = 60_000;

const QUEUE: &[&str] = &["enqueue", "enqueue", "dequeue"];
const QUEUE_AND_PEEK: &[&str] = &["enqueue", "enqueue", "dequeue", "peek"];
const STACK: &[&str] = &["push", "push", "pop"];
const STACK_AND_PEEK: &[&str] = &["push", "push", "pop", "peek"];
const SET: &[&str] = &["add", "remove", "contains"];
const GROWING_SET: &[&str] = &["add", "read"];
const WHOLE_SET: &[&str] = &["add", "add", "remove", "contains", "read"];
const COUNTER: &[&str] = &["add", "incr", "decr", "add-and-get", "read", "read"];
const MUTEX: &[&str] = &["acquire", "release"];
const TXN: &[&str] = &["txn"];

/// Every model with the functions it is tested with.
const ALL: [(Model, &[&str]); 14] = [
    (Model::Mutex, MUTEX),
    (Model::Counter, COUNTER),
    (Model::Set, SET),
    (Model::Set, GROWING_SET),
    (Model::Set, WHOLE_SET),
    (Model::FifoQueue, QUEUE),
    (Model::FifoQueue, QUEUE_AND_PEEK),
    (Model::UnorderedQueue, QUEUE),
    (Model::UnorderedQueue, QUEUE_AND_PEEK),
    (Model::Stack, STACK),
    (Model::Stack, STACK_AND_PEEK),
    (Model::PriorityQueue, QUEUE),
    (Model::PriorityQueue, QUEUE_AND_PEEK),
    (Model::MultiRegister, TXN),
];

#[test]
fn locks_and_counters_agree_with_brute_force() {
    compare(Model::Mutex, MUTEX, 0..QUICK);
    compare(Model::Counter, COUNTER, 0..QUICK);
}

#[test]
fn sets_agree_with_brute_force() {
    compare(Model::Set, SET, 0..QUICK);
    compare(Model::Set, GROWING_SET, 0..QUICK);
    compare(Model::Set, WHOLE_SET, 0..QUICK);
}

#[test]
fn queues_agree_with_brute_force() {
    compare(Model::FifoQueue, QUEUE, 0..QUICK);
    compare(Model::FifoQueue, QUEUE_AND_PEEK, 0..QUICK / 2);
    compare(Model::UnorderedQueue, QUEUE, 0..QUICK);
    compare(Model::UnorderedQueue, QUEUE_AND_PEEK, 0..QUICK / 2);
}

#[test]
fn an_element_that_may_have_been_removed_by_name_may_also_have_gone_without_one() {
    let seed = 344_217;
    let operations = history(Model::FifoQueue, QUEUE, seed);
    let (verdict, _) = check_certified(&operations, Model::FifoQueue, &Limits::DEFAULT);
    let Verdict::Invalid(witness) = verdict else { panic!("{verdict:?}") };
    assert_witness(&operations, Model::FifoQueue, &witness, seed);
}

#[test]
fn long_queues_of_few_values_are_decided() {
    for (processes, info, functions) in [(5, 0, QUEUE), (10, 0, QUEUE_AND_PEEK), (10, 1, QUEUE)] {
        let small = small(Model::FifoQueue, functions, 0);
        let shape = ObjectShape { operations: 2_000, processes, values: 20, info, keys: 1, fail: 0, ..small };
        for seed in 0..3 {
            let mut operations = sound_object(&shape, seed);
            let (verdict, order) = check_certified(&operations, Model::FifoQueue, &Limits::DEFAULT);
            assert!(matches!(verdict, Verdict::Valid { .. }), "{processes} {info} {seed}: {verdict:?}");
            assert_eq!(confirm(&operations, Model::FifoQueue, &order.expect("it is valid")), Ok(()));
            let dequeues: Vec<usize> =
                (0..operations.len()).filter(|index| found(&operations[*index]).is_some()).collect();
            let one = dequeues[dequeues.len() / 2];
            let differs = |other: &&usize| found(&operations[**other]) != found(&operations[one]);
            let other = *dequeues[dequeues.len() * 3 / 4..].iter().find(differs).expect("there are others");
            let outcome = operations[one].outcome.clone();
            operations[one].outcome = std::mem::replace(&mut operations[other].outcome, outcome);
            let (verdict, _) = check_certified(&operations, Model::FifoQueue, &Limits::DEFAULT);
            assert!(matches!(verdict, Verdict::Invalid(_)), "{processes} {info} {seed}: {verdict:?}");
        }
    }
}

/// What a dequeue took.
fn found(operation: &Operation) -> Option<u64> {
    match &operation.outcome {
        Outcome::Ok(value) if operation.f == "dequeue" => value.as_u64(),
        Outcome::Ok(_) | Outcome::Fail { .. } | Outcome::Info { .. } => None,
    }
}

#[test]
fn stacks_agree_with_brute_force() {
    compare(Model::Stack, STACK, 0..QUICK);
    compare(Model::Stack, STACK_AND_PEEK, 0..QUICK / 2);
}

#[test]
fn priority_queues_agree_with_brute_force() {
    compare(Model::PriorityQueue, QUEUE, 0..QUICK);
    compare(Model::PriorityQueue, QUEUE_AND_PEEK, 0..QUICK / 2);
}

#[test]
fn transactions_over_registers_agree_with_brute_force() {
    compare(Model::MultiRegister, TXN, 0..QUICK);
}

#[test]
#[ignore = "millions of histories, as many as ORACLE_HISTORIES says"]
fn millions_of_histories_of_objects_agree_with_brute_force() {
    for (model, functions) in ALL {
        let counts = compare(model, functions, QUICK..QUICK + share());
        print_counts(&format!("{model}: {}", functions.join(", ")), counts);
    }
}
