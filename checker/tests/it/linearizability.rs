//! The checker against a brute-force oracle, on many small histories of every model.

use crate::support::{
    generate::{APPENDS, CAS_REGISTER, KV, REGISTER, Shape, bend, coarsen, sound},
    oracle::{linearizable, possible},
    share::{print_counts, share},
};
use checker::certificate::{Mismatch, confirm};
use checker::limits::Limits;
use checker::linearizability::{Model, Verdict, Witness, check_certified};
use history::Operation;
use std::collections::BTreeSet;

fn pick<T: Copy>(list: &[T], number: u64) -> T {
    list[usize::try_from(number % list.len() as u64).expect("a list is short")]
}

/// Small histories that are full of trouble.
fn small(functions: &'static [&'static str], seed: u64) -> Shape {
    Shape {
        functions,
        operations: pick(&[3, 4, 5, 6, 7, 8, 9], seed),
        processes: pick(&[1, 2, 3, 4], seed / 7),
        values: pick(&[0, 1, 2, 3], seed / 28),
        keys: if seed.is_multiple_of(11) { 2 } else { 1 },
        info: pick(&[0, 20, 40], seed / 112),
        fail: pick(&[0, 10], seed / 336),
        silent: pick(&[0, 50, 100], seed / 672),
    }
}

/// A sound history, or a bent one, or one with ties, by seed.
fn history(functions: &'static [&'static str], seed: u64) -> Vec<Operation> {
    let mut operations = sound(&small(functions, seed), seed);
    if !seed.is_multiple_of(4) {
        bend(&mut operations, seed);
    }
    if seed.is_multiple_of(5) {
        coarsen(&mut operations, pick(&[2, 3], seed / 5));
    }
    operations
}

/// Compares the checker with the oracle; how many histories were valid and how many were not.
fn compare(functions: &'static [&'static str], model: Model, seeds: std::ops::Range<u64>) -> [u64; 2] {
    let mut counts = [0, 0];
    for seed in seeds {
        let operations = history(functions, seed);
        let expected = linearizable(&operations, model);
        let (verdict, order) = check_certified(&operations, model, &Limits::DEFAULT);
        match verdict {
            Verdict::Valid { operations: counted, .. } => {
                assert_eq!(counted, operations.len());
                assert!(expected, "seed {seed} is valid only for the checker: {operations:#?}");
                let order = order.expect("a valid verdict has an order");
                if let Err(mismatch) = confirm(&operations, model, &order) {
                    panic!("seed {seed}: {mismatch}: {order:?} {operations:#?}");
                }
            }
            Verdict::Invalid(witness) => {
                assert_eq!(order, None);
                assert!(!expected, "seed {seed} is invalid only for the checker: {operations:#?}");
                if seed % 8 == 1 {
                    assert_witness(&operations, model, &witness, seed);
                }
            }
            Verdict::Unknown { reason } => panic!("seed {seed}: {reason}"),
        }
        counts[usize::from(!expected)] += 1;
    }
    counts
}

/// The witness must stand by itself, and its operation must be the first that cannot complete.
fn assert_witness(operations: &[Operation], model: Model, witness: &Witness, seed: u64) {
    let part: Vec<Operation> = witness.operations.iter().map(|&index| operations[index].clone()).collect();
    assert!(!linearizable(&part, model), "seed {seed}: the witness proves nothing: {part:#?}");
    assert!(witness.operations.contains(&witness.operation), "seed {seed}: {witness:?}");
    assert!(
        witness.pending.iter().any(|pending| pending.operation == witness.operation),
        "seed {seed}: {witness:?}"
    );
    let completed = operations[witness.operation].completed.expect("it completed");
    let earlier: Vec<Operation> = operations
        .iter()
        .filter(|operation| operation.invoked <= completed)
        .map(|operation| {
            let mut operation = operation.clone();
            if operation.completed.is_some_and(|event| event >= completed) {
                operation.completed = None;
                operation.outcome = history::Outcome::Info { error: None };
            }
            operation
        })
        .collect();
    assert!(
        linearizable(&earlier, model),
        "seed {seed}: an earlier operation could not complete: {witness:?}"
    );
    // Of completions at one moment, either may come first.
    let tied = operations.iter().filter(|operation| operation.completed == Some(completed)).count() > 1;
    let texts = operations.iter().any(|operation| operation.f == "append");
    if !tied && !texts && !witness.summary.contains("of the witness alone") {
        let named: BTreeSet<String> = witness.values.iter().cloned().collect();
        assert_eq!(named, possible(operations, witness.operation), "seed {seed}: {operations:#?}");
    }
}

fn assert_both_kinds(counts: [u64; 2]) {
    let all = counts[0] + counts[1];
    assert!(counts.iter().all(|&count| count * 20 > all), "one kind is too rare to prove much: {counts:?}");
}

const QUICK: u64 = 150_000;

#[test]
fn registers_agree_with_brute_force() {
    assert_both_kinds(compare(REGISTER, Model::Register, 0..QUICK));
}

#[test]
fn registers_with_compare_and_set_agree_with_brute_force() {
    assert_both_kinds(compare(CAS_REGISTER, Model::CasRegister, 0..QUICK));
}

#[test]
fn key_value_stores_agree_with_brute_force() {
    assert_both_kinds(compare(KV, Model::Kv, 0..QUICK));
}

#[test]
fn appends_agree_with_brute_force() {
    assert_both_kinds(compare(APPENDS, Model::Kv, 0..QUICK));
}

#[test]
fn a_wrong_order_is_not_confirmed() {
    let mut found = [0; 4];
    for seed in 0..20_000 {
        let operations = history(CAS_REGISTER, seed);
        let (_, order) = check_certified(&operations, Model::CasRegister, &Limits::DEFAULT);
        let Some(order) = order.filter(|order| order.orders[0].len() > 2) else { continue };
        let mut shorter = order.clone();
        let lost = shorter.orders[0].pop().expect("it has a last operation");
        let mut longer = order.clone();
        longer.orders[0].push(lost);
        assert_eq!(confirm(&operations, Model::CasRegister, &longer), Err(Mismatch::Twice(lost)));
        let mut swapped = order.clone();
        swapped.orders[0].reverse();
        for wrong in [shorter, swapped] {
            match confirm(&operations, Model::CasRegister, &wrong) {
                Ok(()) => found[3] += 1,
                Err(Mismatch::Missing(operation)) => {
                    assert_eq!(operation, lost as usize);
                    found[0] += 1;
                }
                Err(Mismatch::Time { operation, after }) => {
                    let [late, early] = [operation, after].map(|index| &operations[index as usize]);
                    assert!(late.completed.is_some_and(|completed| completed < early.invoked));
                    found[1] += 1;
                }
                Err(Mismatch::Result { .. }) => found[2] += 1,
                Err(mismatch) => panic!("seed {seed}: {mismatch}"),
            }
        }
    }
    assert!(found[..3].iter().all(|&count| count > 500), "too few mismatches of a kind: {found:?}");
}

#[test]
#[ignore = "millions of histories, as many as ORACLE_HISTORIES says"]
fn millions_of_histories_agree_with_brute_force() {
    let kinds = [
        (REGISTER, Model::Register),
        (CAS_REGISTER, Model::CasRegister),
        (KV, Model::Kv),
        (APPENDS, Model::Kv),
    ];
    for (functions, model) in kinds {
        let counts = compare(functions, model, QUICK..QUICK + share());
        print_counts(&format!("{model}: {}", functions.join(", ")), counts);
        assert_both_kinds(counts);
    }
}
