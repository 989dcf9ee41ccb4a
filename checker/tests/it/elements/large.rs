//! Large histories: every check ends with an answer where a scan of all pairs would not end at all.

use super::rng::{Counter, Object, Queue, Set, Shape, used};
use super::script::one_by_one;
use checker::Answer;
use checker::elements::{Kind, Options, check, check_with};
use history::Operation;
use rand::{SeedableRng, rngs::ChaCha8Rng};
use serde_json::{Value, json};
use std::time::Instant;

/// Prints how long a check took; with `--nocapture` and `--release`, that is its benchmark.
fn timed(kind: Kind, operations: &[Operation]) -> Answer {
    let options = Options { linearizable: true, ..Options::default() };
    let start = Instant::now();
    let verdict = check_with(kind, operations, &options);
    println!("{kind}: {} operations in {:?}: {}", operations.len(), start.elapsed(), verdict.reason);
    verdict.answer
}

fn large(object: &mut impl Object, finals: bool) -> Vec<Operation> {
    let shape = Shape { operations: 300_000, processes: 20, info: 1, fail: 1, bent: 0, finals };
    used(object, &shape, &mut ChaCha8Rng::seed_from_u64(1))
}

#[test]
fn counters_queues_ids_and_banks_of_hundreds_of_thousands_of_operations() {
    let counter = large(&mut Counter { deepest: 5, ..Counter::default() }, true);
    assert_eq!(timed(Kind::CounterBounds, &counter), Answer::Valid);
    assert_eq!(timed(Kind::PnCounter, &counter), Answer::Valid);
    let queue = large(&mut Queue::default(), false);
    assert_eq!(timed(Kind::Queue, &queue), Answer::Valid);
    assert_ne!(timed(Kind::TotalQueue, &queue), Answer::Invalid);
    let numbers = 0..300_000_u32;
    let ids: Vec<_> = numbers.clone().map(|id| ("generate", Value::Null, json!(id))).collect();
    assert_eq!(timed(Kind::UniqueIds, &one_by_one(&ids)), Answer::Valid);
    let reads: Vec<_> = numbers
        .map(|moved| ("read", Value::Null, json!({"a": 10 + moved % 5, "b": 10 - moved % 5, "c": 80})))
        .collect();
    assert_eq!(timed(Kind::Bank, &one_by_one(&reads)), Answer::Valid);
}

#[test]
fn a_set_of_a_hundred_thousand_elements_and_reads_that_miss_most_of_them() {
    let mut adds: Vec<_> = (0..100_000).map(|element| ("add", json!(element), Value::Null)).collect();
    let all: Vec<i64> = (0..100_000).collect();
    adds.extend((0..10).map(|_| ("read", Value::Null, json!(all))));
    // Every read says of every element that it is lost, in a history of 200,000 operations.
    adds.extend((0..100_000).map(|_| ("read", Value::Null, json!([]))));
    let broken = one_by_one(&adds);
    assert_eq!(timed(Kind::SetFinal, &broken[..100_010]), Answer::Valid);
    assert_eq!(timed(Kind::SetFull, &broken[..100_010]), Answer::Valid);
    assert_eq!(timed(Kind::SetFull, &broken), Answer::Invalid);
    assert_eq!(check(Kind::SetFinal, &broken).count("lost"), Some(100_000));
}

#[test]
fn a_set_that_is_read_all_the_time() {
    let mut set = Set { fresh: true, ..Set::default() };
    let shape = Shape { operations: 4_000, processes: 20, info: 1, fail: 1, bent: 0, finals: true };
    let operations = used(&mut set, &shape, &mut ChaCha8Rng::seed_from_u64(3));
    assert_eq!(timed(Kind::SetFull, &operations), Answer::Valid);
}
