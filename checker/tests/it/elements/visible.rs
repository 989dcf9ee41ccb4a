//! In which order writes become visible: causal-reverse, long-fork, Adya's inserts and monotonic rows.

use super::script::{assert_says, begin, fail, history, info, ok, one_by_one, the};
use checker::Answer;
use checker::elements::{Class, Kind, Options, check, check_with};
use history::{Operation, Outcome};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use serde_json::{Value, json};

fn write(value: i64) -> (&'static str, Value, Value) {
    ("write", json!(value), json!(value))
}

fn read(found: Value) -> (&'static str, Value, Value) {
    ("read", Value::Null, found)
}

#[test]
fn later_write_without_earlier_is_reversed() {
    let sound = one_by_one(&[write(1), write(2), read(json!([1, 2])), read(json!([2, 1]))]);
    assert_says(&check(Kind::CausalReverse, &sound), Answer::Valid, "2 reads");
    let broken = check(Kind::CausalReverse, &one_by_one(&[write(1), write(2), read(json!([2]))]));
    assert_says(&broken, Answer::Invalid, "operation 2 read 2 without 1");
    assert_eq!(the(&broken, Class::Reversed), [0, 1, 2]);
    let before = check(Kind::CausalReverse, &one_by_one(&[write(1), write(2), read(json!([0, 1, 2]))]));
    assert_says(&before, Answer::Valid, "");
    let failed = [begin(0, "write", 1), fail(0, "no"), begin(0, "read", Value::Null), ok(0, json!([1]))];
    assert_says(&check(Kind::CausalReverse, &history(failed)), Answer::Invalid, "whose write failed");
    let nothing = check(Kind::CausalReverse, &one_by_one(&[write(1), read(json!([1]))]));
    assert_says(&nothing, Answer::Unknown, "no order could have been broken");
}

#[test]
fn concurrent_writes_may_appear_alone() {
    let operations = history([
        begin(0, "write", 1),
        begin(1, "write", 2),
        ok(0, 1),
        ok(1, 2),
        begin(2, "write", 3),
        ok(2, 3),
        begin(3, "read", Value::Null),
        ok(3, json!([1, 2, 3])),
        begin(3, "read", Value::Null),
        ok(3, json!([2])),
    ]);
    assert_says(&check(Kind::CausalReverse, &operations), Answer::Valid, "");
    let unknown = history([
        begin(0, "write", 1),
        info(0),
        begin(1, "write", 2),
        ok(1, 2),
        begin(2, "write", 3),
        ok(2, 3),
        begin(3, "read", Value::Null),
        ok(3, json!([2, 3])),
    ]);
    assert_says(&check(Kind::CausalReverse, &unknown), Answer::Valid, "");
}

/// The definition, pair by pair.
fn reversed(operations: &[Operation]) -> bool {
    let failed = |operation: &Operation| matches!(operation.outcome, Outcome::Fail { .. });
    let writes: Vec<&Operation> = operations.iter().filter(|o| o.f == "write" && !failed(o)).collect();
    operations.iter().filter(|o| o.f == "read").any(|read| {
        let Outcome::Ok(Value::Array(found)) = &read.outcome else { return false };
        writes.iter().any(|later| {
            found.contains(&later.argument)
                && writes.iter().any(|earlier| {
                    let acknowledged = matches!(earlier.outcome, Outcome::Ok(_));
                    acknowledged
                        && earlier.completed.is_some_and(|end| end < later.invoked)
                        && !found.contains(&earlier.argument)
                })
        })
    })
}

#[test]
fn causal_reverse_agrees_with_its_definition() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut counts = [0, 0];
    for _ in 0..20_000 {
        let mut steps = Vec::new();
        let mut open: [Option<(bool, i64)>; 3] = [None; 3];
        let mut written = 0;
        for _ in 0..rng.random_range(0..24) {
            let process = rng.random_range(0..3);
            match open[process].take() {
                Some((true, value)) => steps.push(if rng.random_range(0..5) == 0 {
                    fail(process as u64, "no")
                } else {
                    ok(process as u64, value)
                }),
                Some((false, _)) => {
                    let found: Vec<i64> = (1..=written).filter(|_| rng.random_range(0..5) != 0).collect();
                    steps.push(ok(process as u64, json!(found)));
                }
                None if rng.random_range(0..2) == 0 => {
                    written += 1;
                    open[process] = Some((true, written));
                    steps.push(begin(process as u64, "write", written));
                }
                None => {
                    open[process] = Some((false, 0));
                    steps.push(begin(process as u64, "read", Value::Null));
                }
            }
        }
        let operations = history(steps);
        let verdict = check(Kind::CausalReverse, &operations);
        let found = verdict.findings.iter().any(|finding| finding.class == Class::Reversed);
        assert_eq!(found, reversed(&operations), "{operations:#?}");
        counts[usize::from(found)] += 1;
    }
    assert!(counts.iter().all(|count| *count > 1_000), "{counts:?}");
}

fn put(key: i64) -> (&'static str, Value, Value) {
    ("write", json!([["w", key, 1]]), json!([["w", key, 1]]))
}

fn snapshot(found: &[(i64, Option<i64>)]) -> (&'static str, Value, Value) {
    let steps: Vec<Value> = found.iter().map(|(key, value)| json!(["r", key, value])).collect();
    let asked: Vec<Value> = found.iter().map(|(key, _)| json!(["r", key, null])).collect();
    ("read", json!(asked), json!(steps))
}

#[test]
fn reads_in_opposite_orders_fork() {
    let sound =
        [put(1), put(2), snapshot(&[(1, Some(1)), (2, None)]), snapshot(&[(2, Some(1)), (1, Some(1))])];
    assert_says(&check(Kind::LongFork, &one_by_one(&sound)), Answer::Valid, "2 reads");
    let forked = [put(1), put(2), snapshot(&[(1, Some(1)), (2, None)]), snapshot(&[(2, Some(1)), (1, None)])];
    let verdict = check(Kind::LongFork, &one_by_one(&forked));
    assert_says(&verdict, Answer::Invalid, "1 fork");
    assert_eq!(the(&verdict, Class::Forked), [0, 1, 2, 3]);
    let twice = [put(1), put(1), snapshot(&[(1, Some(1)), (2, None)])];
    assert_says(&check(Kind::LongFork, &one_by_one(&twice)), Answer::Unknown, "written more than once");
    let alone = [put(1), snapshot(&[(1, Some(1))])];
    assert_says(&check(Kind::LongFork, &one_by_one(&alone)), Answer::Unknown, "no fork could have shown");
    let stranger = [put(1), snapshot(&[(1, Some(9)), (2, None)]), snapshot(&[(1, Some(1)), (2, None)])];
    assert_says(&check(Kind::LongFork, &one_by_one(&stranger)), Answer::Invalid, "which no operation wrote");
}

#[test]
fn long_forks_agree_with_their_definition() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut counts = [0, 0];
    for _ in 0..20_000 {
        let keys = 4;
        let reads: Vec<Vec<(i64, Option<i64>)>> = (0..rng.random_range(0..5))
            .map(|_| {
                let keys = (0..keys).filter(|_| rng.random_range(0..4) != 0).collect::<Vec<i64>>();
                keys.into_iter().map(|key| (key, (rng.random_range(0..3) == 0).then_some(1))).collect()
            })
            .filter(|read: &Vec<_>| !read.is_empty())
            .collect();
        let steps: Vec<_> = (0..keys).map(put).chain(reads.iter().map(|read| snapshot(read))).collect();
        let sees = |read: &[(i64, Option<i64>)], one: i64, two: i64| {
            read.contains(&(one, Some(1))) && read.contains(&(two, None))
        };
        let forked = reads.iter().any(|a| {
            reads.iter().any(|b| (0..keys).any(|x| (0..keys).any(|y| sees(a, x, y) && sees(b, y, x))))
        });
        let verdict = check(Kind::LongFork, &one_by_one(&steps));
        assert_eq!(verdict.answer == Answer::Invalid, forked, "{steps:?} {verdict:#?}");
        counts[usize::from(forked)] += 1;
    }
    assert!(counts.iter().all(|count| *count > 1_000), "{counts:?}");
}

#[test]
fn exclusive_inserts_succeed_once() {
    let insert = |process, pair: Value| begin(process, "insert", json!([7, pair]));
    let one = history([
        insert(0, json!([1, null])),
        insert(1, json!([null, 2])),
        ok(0, json!([7, [1, null]])),
        fail(1, "taken"),
    ]);
    assert_says(&check(Kind::AdyaG2, &one), Answer::Valid, "1 key");
    let both = history([
        insert(0, json!([1, null])),
        insert(1, json!([null, 2])),
        ok(0, json!([7, [1, null]])),
        ok(1, json!([7, [null, 2]])),
    ]);
    let verdict = check(Kind::AdyaG2, &both);
    assert_says(&verdict, Answer::Invalid, "2 inserts of key 7 were acknowledged");
    assert_eq!(the(&verdict, Class::InsertedTwice), [0, 1]);
    let lonely = history([insert(0, json!([1, null])), ok(0, json!([7, [1, null]]))]);
    assert_says(&check(Kind::AdyaG2, &lonely), Answer::Unknown, "no key had two inserts");
}

fn row(value: i64, stamp: &str, process: i64) -> Value {
    json!({"val": value, "sts": stamp, "proc": process})
}

fn add(row: Value) -> (&'static str, Value, Value) {
    ("add", Value::Null, row)
}

#[test]
fn rows_count_up_with_their_timestamps() {
    let (one, two, three) = (row(1, "10", 0), row(2, "11.5", 1), row(3, "12", 0));
    let sound = [add(one.clone()), add(two.clone()), read(json!([one, two]))];
    assert_says(&check(Kind::Monotonic, &one_by_one(&sound)), Answer::Valid, "1 read");
    let lost = [add(one.clone()), add(two.clone()), read(json!([two])), read(json!([one, two]))];
    assert_says(&check(Kind::Monotonic, &one_by_one(&lost)), Answer::Invalid, "1 lost element");
    let twice = [add(one.clone()), read(json!([one, one]))];
    assert_says(&check(Kind::Monotonic, &one_by_one(&twice)), Answer::Invalid, "more than once");
    let stranger = [add(one.clone()), read(json!([one, three]))];
    assert_says(
        &check(Kind::Monotonic, &one_by_one(&stranger)),
        Answer::Invalid,
        "no add was acknowledged with",
    );
    let backwards = [add(one.clone()), add(two.clone()), read(json!([two, one]))];
    assert_says(&check(Kind::Monotonic, &one_by_one(&backwards)), Answer::Invalid, "its timestamp is larger");
}

#[test]
fn rows_of_one_process_keep_their_order() {
    let (early, late) = (row(2, "10", 0), row(1, "11", 0));
    let own = one_by_one(&[add(late.clone()), add(early.clone()), read(json!([early, late]))]);
    assert_says(&check(Kind::Monotonic, &own), Answer::Invalid, "though it counts further");
    let (early, late) = (row(2, "10", 0), row(1, "11", 1));
    let others = one_by_one(&[add(late.clone()), add(early.clone()), read(json!([early, late]))]);
    assert_says(&check(Kind::Monotonic, &others), Answer::Valid, "");
    let strict = Options { linearizable: true, ..Options::default() };
    assert_says(&check_with(Kind::Monotonic, &others, &strict), Answer::Invalid, "though it counts further");
}
