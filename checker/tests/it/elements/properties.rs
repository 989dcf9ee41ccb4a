//! The checks against their definitions and against brute force, on histories made by chance.

use super::rng::{Counter, Object, Queue, Set, Shape, used};
use super::script::{one_by_one, values};
use super::{naive, orders};
use checker::Answer;
use checker::elements::{Class, Kind, Latencies, Options, Verdict, check, check_with};
use history::Operation;
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SMALL: Shape = Shape { operations: 9, processes: 3, info: 15, fail: 10, bent: 20, finals: false };

/// Judges histories, each made from its own seed; returns the counts of valid, unknown and invalid ones.
fn many<O: Object>(
    histories: u64,
    shape: impl Fn(u64) -> Shape,
    object: impl Fn(u64) -> O,
    judge: impl Fn(&[Operation]) -> Answer,
) -> [usize; 3] {
    let mut answers = [0; 3];
    for seed in 0..histories {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let operations = used(&mut object(seed), &shape(seed), &mut rng);
        answers[match judge(&operations) {
            Answer::Valid => 0,
            Answer::Unknown => 1,
            Answer::Invalid => 2,
        }] += 1;
    }
    answers
}

fn elements(verdict: &Verdict, class: Class) -> BTreeSet<i64> {
    values(verdict, class).iter().filter_map(Value::as_i64).collect()
}

fn small_set(seed: u64) -> Set {
    Set { fresh: seed.is_multiple_of(2), ..Set::default() }
}

fn with_finals(seed: u64) -> Shape {
    Shape { finals: seed.is_multiple_of(3), ..SMALL }
}

#[test]
fn set_full_says_what_its_definition_says() {
    let answers = many(30_000, with_finals, small_set, |operations| {
        let strict = Options { linearizable: true, ..Options::default() };
        let (says, naive) = (check(Kind::SetFull, operations), naive::set_full(operations));
        let about = || format!("{operations:#?}\n{says:#?}\n{naive:#?}");
        assert_eq!(elements(&says, Class::Lost), naive.lost, "{}", about());
        assert_eq!(elements(&says, Class::Stale), naive.stale, "{}", about());
        assert_eq!(elements(&says, Class::NeverRead), naive.never_read, "{}", about());
        assert_eq!(elements(&says, Class::Duplicated), naive.duplicated, "{}", about());
        assert_eq!(elements(&says, Class::Unexpected), naive.unexpected, "{}", about());
        assert_eq!(says.count("stable"), Some(naive.stable.len() as u64), "{}", about());
        for (name, taken) in [("become visible", &naive.visible_ns), ("be lost", &naive.lost_ns)] {
            let found = says.latencies.iter().find(|latencies| latencies.name == name);
            let quantile = |q: f64| {
                let rank = (0..taken.len()).take_while(|rank| *rank as f64 <= taken.len() as f64 * q).count();
                taken[rank - 1]
            };
            let expected = (!taken.is_empty()).then(|| Latencies::QUANTILES.map(quantile));
            assert_eq!(found.map(|latencies| latencies.quantiles_ns), expected, "{}", about());
        }
        let broken = !(naive.lost.is_empty() && naive.duplicated.is_empty() && naive.unexpected.is_empty());
        assert_eq!(says.answer == Answer::Invalid, broken, "{}", about());
        assert_eq!(says.answer == Answer::Valid, !broken && !naive.stable.is_empty(), "{}", about());
        let says = check_with(Kind::SetFull, operations, &strict);
        assert_eq!(says.answer == Answer::Invalid, broken || !naive.stale.is_empty(), "{}", about());
        says.answer
    });
    assert!(answers.iter().all(|count| *count > 1_000), "{answers:?}");
}

#[test]
fn set_says_what_its_definition_says() {
    let answers = many(30_000, with_finals, small_set, |operations| {
        let (says, [lost, unexpected]) = (check(Kind::SetFinal, operations), naive::set(operations));
        assert_eq!(elements(&says, Class::Lost), lost, "{operations:#?}\n{says:#?}");
        assert_eq!(elements(&says, Class::Unexpected), unexpected, "{operations:#?}\n{says:#?}");
        assert_eq!(says.answer == Answer::Invalid, !(lost.is_empty() && unexpected.is_empty()));
        says.answer
    });
    assert!(answers.iter().all(|count| *count > 1_000), "{answers:?}");
}

#[test]
fn a_set_found_broken_has_no_order_that_explains_it() {
    let shape = |seed| Shape { operations: 7, ..with_finals(seed) };
    let answers = many(6_000, shape, small_set, |operations| {
        let options = Options { linearizable: true, ..Options::default() };
        let full = check_with(Kind::SetFull, operations, &options);
        let plain = check(Kind::SetFinal, operations);
        for says in [&full, &plain] {
            if says.answer == Answer::Invalid {
                assert!(!orders::explains(operations, orders::set), "{operations:#?}\n{says:#?}");
            }
        }
        full.answer
    });
    assert!(answers.iter().all(|count| *count > 500), "{answers:?}");
}

#[test]
fn a_counter_is_out_of_bounds_where_no_choice_of_adds_reaches() {
    let object = |seed| Counter { deepest: if seed % 2 == 0 { 0 } else { 4 }, ..Counter::default() };
    let answers = many(
        20_000,
        |_| SMALL,
        object,
        |operations| {
            let says = check(Kind::CounterBounds, operations);
            let wrong: BTreeSet<usize> = naive::bounds(operations)
                .into_iter()
                .filter(|(_, value, [low, high])| value < low || high < value)
                .map(|(index, ..)| index)
                .collect();
            let found: BTreeSet<usize> = says.findings.iter().map(|finding| finding.operations[0]).collect();
            assert_eq!(found, wrong, "{operations:#?}\n{says:#?}");
            says.answer
        },
    );
    assert!(answers.iter().all(|count| *count > 100), "{answers:?}");
}

#[test]
fn a_counter_found_broken_has_no_order_that_explains_it() {
    let object = |_| Counter { deepest: 4, ..Counter::default() };
    let shape = |_| Shape { operations: 7, finals: true, ..SMALL };
    let answers = many(6_000, shape, object, |operations| {
        let [bounds, finals] = [Kind::CounterBounds, Kind::PnCounter].map(|kind| check(kind, operations));
        let unacceptable =
            finals.count("final reads") == Some(2) && !values(&finals, Class::Unacceptable).is_empty();
        if bounds.answer == Answer::Invalid || unacceptable {
            assert!(
                !orders::explains(operations, orders::counter),
                "{operations:#?}\n{bounds:#?}\n{finals:#?}"
            );
        }
        bounds.answer
    });
    assert!(answers[0] > 500 && answers[2] > 500, "{answers:?}");
}

#[test]
fn final_reads_are_unacceptable_where_no_choice_of_adds_of_unknown_outcome_reaches() {
    let object = |seed| Counter { deepest: if seed % 2 == 0 { 0 } else { 4 }, ..Counter::default() };
    let shape = |_| Shape { finals: true, info: 40, ..SMALL };
    let answers = many(20_000, shape, object, |operations| {
        let says = check(Kind::PnCounter, operations);
        let [wrong, differing] = naive::convergence(operations);
        let found = |class| -> BTreeSet<usize> {
            let of_class = says.findings.iter().filter(|finding| finding.class == class);
            of_class.filter_map(|finding| finding.operations.last().copied()).collect()
        };
        assert_eq!(found(Class::Unacceptable), wrong, "{operations:#?}\n{says:#?}");
        assert_eq!(found(Class::Disagreeing), differing, "{operations:#?}\n{says:#?}");
        says.answer
    });
    assert!(answers[0] > 2_000 && answers[2] > 2_000, "{answers:?}");
}

#[test]
fn a_queue_says_what_its_definition_says() {
    let answers = many(
        20_000,
        |_| SMALL,
        |_| Queue::default(),
        |operations| {
            let says = check(Kind::Queue, operations);
            let found =
                |class| -> Vec<i64> { values(&says, class).iter().filter_map(Value::as_i64).collect() };
            let [unexpected, duplicated] = naive::queue(operations);
            assert_eq!(found(Class::Unexpected), unexpected, "{operations:#?}\n{says:#?}");
            assert_eq!(found(Class::Duplicated), duplicated, "{operations:#?}\n{says:#?}");
            says.answer
        },
    );
    assert!(answers.iter().all(|count| *count > 500), "{answers:?}");
}

#[test]
fn a_total_queue_counts_what_multisets_say() {
    let answers = many(
        20_000,
        |_| SMALL,
        |_| Queue::default(),
        |operations| {
            let says = check(Kind::TotalQueue, operations);
            let [ok, lost, duplicated, recovered] = naive::total_queue(operations);
            let count = |name| says.count(name).map(|count| usize::try_from(count).unwrap());
            assert_eq!(count("ok"), Some(ok), "{operations:#?}\n{says:#?}");
            assert_eq!(count("duplicated"), Some(duplicated), "{operations:#?}\n{says:#?}");
            assert_eq!(count("recovered"), Some(recovered), "{operations:#?}\n{says:#?}");
            assert!(count("lost") <= Some(lost), "{operations:#?}\n{says:#?}");
            if lost > 0 {
                assert_ne!(says.answer, Answer::Valid, "{operations:#?}\n{says:#?}");
            }
            says.answer
        },
    );
    assert!(answers.iter().all(|count| *count > 500), "{answers:?}");
}

#[test]
fn a_queue_found_broken_has_no_order_that_explains_it() {
    let shape = |_| Shape { operations: 8, bent: 10, fail: 5, ..SMALL };
    let answers = many(
        10_000,
        shape,
        |_| Queue::default(),
        |operations| {
            let [queue, total] = [Kind::Queue, Kind::TotalQueue].map(|kind| check(kind, operations));
            for says in [&queue, &total] {
                if says.answer == Answer::Invalid {
                    assert!(!orders::explains(operations, orders::queue), "{operations:#?}\n{says:#?}");
                }
            }
            total.answer
        },
    );
    assert!(answers.iter().all(|count| *count > 300), "{answers:?}");
}

#[test]
fn what_a_sound_object_did_is_never_found_broken() {
    let shape = |_| Shape { operations: 300, processes: 8, info: 5, fail: 5, bent: 0, finals: true };
    let options = Options { linearizable: true, ..Options::default() };
    let sound = |kinds: &'static [Kind], operations: &[Operation]| {
        let says = kinds.iter().map(|kind| check_with(*kind, operations, &options));
        says.map(|says| {
            assert_ne!(says.answer, Answer::Invalid, "{says:#?}");
            says.answer
        })
        .max()
        .unwrap()
    };
    let sets = many(60, shape, small_set, |operations| sound(&[Kind::SetFinal, Kind::SetFull], operations));
    assert_eq!(sets, [60, 0, 0]);
    let growing = |_| Counter::default();
    let counters = many(60, shape, growing, |operations| {
        sound(&[Kind::CounterBounds, Kind::GCounter, Kind::PnCounter], operations)
    });
    assert_eq!(counters, [60, 0, 0]);
    let shape = |_| Shape { finals: false, ..shape(0) };
    many(60, shape, |_| Queue::default(), |operations| sound(&[Kind::Queue, Kind::TotalQueue], operations));
}

#[test]
fn a_bank_finds_what_its_definition_finds_first() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let accounts = ["0", "1", "2"];
    let options =
        Options { accounts: Some(accounts.map(str::to_owned).into()), total: Some(6), ..Options::default() };
    let mut broken = 0;
    for _ in 0..20_000 {
        let mut read = serde_json::Map::new();
        for account in 0..rng.random_range(2..5) {
            let balance = rng.random_range(-1..5);
            read.insert(
                account.to_string(),
                if rng.random_range(0..20) == 0 { Value::Null } else { json!(balance) },
            );
        }
        let read = Value::Object(read);
        let says = check_with(Kind::Bank, &one_by_one(&[("read", Value::Null, read.clone())]), &options);
        let first = naive::bank(&read, &accounts, 6);
        assert_eq!(says.answer == Answer::Invalid, first.is_some(), "{read} {says:#?}");
        if let Some(first) = first {
            broken += 1;
            let classes: Vec<Value> = says.findings.iter().map(|finding| json!(finding.class)).collect();
            assert!(classes.contains(&json!(first)), "{read} {first} {says:#?}");
        }
    }
    assert!((1_000..19_500).contains(&broken), "{broken}");
}

#[test]
fn ids_are_duplicated_where_two_are_equal() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for _ in 0..2_000 {
        let ids: Vec<i64> = (0..rng.random_range(1..6)).map(|_| rng.random_range(0..12)).collect();
        let operations: Vec<_> = ids.iter().map(|id| ("generate", Value::Null, json!(id))).collect();
        let says = check(Kind::UniqueIds, &one_by_one(&operations));
        let twice: BTreeSet<i64> =
            ids.iter().filter(|id| ids.iter().filter(|other| other == id).count() > 1).copied().collect();
        assert_eq!(says.answer == Answer::Valid, twice.is_empty());
        assert_eq!(elements(&says, Class::Duplicated), twice);
    }
}
