//! Large, wide and hopeless histories: what stays exact, what stays small, and what becomes unknown.

use crate::support::{
    generate::{CAS_REGISTER, KV, REGISTER, Shape, sound},
    objects::{ObjectShape, sound_object},
    threads::Threads,
};
use checker::certificate::confirm;
use checker::limits::Limits;
use checker::linearizability::{Model, Verdict, check, check_certified};
use history::{Operation, Outcome};
use serde_json::{Value, json};

fn shape(functions: &'static [&'static str]) -> Shape {
    Shape { functions, operations: 2_000, processes: 8, values: 5, keys: 1, info: 2, fail: 2, silent: 30 }
}

fn operation(f: &str, argument: Value, result: Value, invoked: usize, completed: usize) -> Operation {
    Operation {
        process: 0,
        client: None,
        f: f.into(),
        key: None,
        argument,
        outcome: Outcome::Ok(result),
        invoked,
        completed: Some(completed),
        intended_ns: None,
        invoked_ns: 0,
        completed_ns: None,
        node: None,
        phase: None,
    }
}

/// Writes that are open at once, and a read that finds one of them after all completed.
fn wide(writes: usize, found: usize) -> Vec<Operation> {
    let mut operations: Vec<Operation> =
        (0..writes).map(|i| operation("write", json!(i), json!(i), i, writes + i)).collect();
    operations.push(operation("read", Value::Null, json!(found), 2 * writes, 2 * writes + 1));
    operations
}

#[test]
fn more_open_operations_than_a_machine_word_has_bits_are_still_decided() {
    for writes in [63, 64, 65, 128, 129, 300, 600] {
        let valid = check(&wide(writes, writes / 2), Model::Register, &Limits::DEFAULT);
        assert!(matches!(valid, Verdict::Valid { .. }), "{writes} writes: {valid:?}");
        let invalid = check(&wide(writes, writes), Model::Register, &Limits::DEFAULT);
        assert!(matches!(invalid, Verdict::Invalid(_)), "{writes} writes: {invalid:?}");
    }
}

#[test]
fn large_sound_histories_are_valid_and_their_configurations_few() {
    let limits = Limits { configurations: 5_000, ..Limits::DEFAULT };
    for (functions, model) in
        [(REGISTER, Model::Register), (CAS_REGISTER, Model::CasRegister), (KV, Model::Kv)]
    {
        for seed in 0..4 {
            let operations = sound(&shape(functions), seed);
            let verdict = check(&operations, model, &limits);
            assert_eq!(verdict, Verdict::Valid { keys: 1, operations: 2_000 }, "{model}, seed {seed}");
        }
    }
}

#[test]
fn configurations_follow_concurrency_and_not_length() {
    let limits = Limits { configurations: 300, ..Limits::DEFAULT };
    for operations in [1_000, 20_000] {
        let shape = Shape { operations, processes: 5, info: 0, ..shape(CAS_REGISTER) };
        let verdict = check(&sound(&shape, 1), Model::CasRegister, &limits);
        assert_eq!(verdict, Verdict::Valid { keys: 1, operations });
    }
}

#[test]
fn a_stale_read_in_a_large_history_has_a_small_witness() {
    for (values, most) in [(0, 4), (5, 16)] {
        let mut operations = sound(&Shape { values, ..shape(REGISTER) }, 7);
        let stale =
            operations.iter().rposition(|operation| matches!(&operation.outcome, Outcome::Ok(_))).unwrap();
        let completed = operations[stale].completed.unwrap();
        operations.push(operation("read", Value::Null, Value::Null, completed + 10_000, completed + 10_001));
        let Verdict::Invalid(witness) = check(&operations, Model::Register, &Limits::DEFAULT) else {
            panic!("the last read finds nothing where something was written")
        };
        assert_eq!(witness.operation, operations.len() - 1);
        assert!(witness.operations.len() <= most, "{values} values: {witness:#?}");
        let part: Vec<_> = witness.operations.iter().map(|&index| operations[index].clone()).collect();
        assert!(matches!(check(&part, Model::Register, &Limits::DEFAULT), Verdict::Invalid(_)));
    }
}

#[test]
fn a_stale_read_of_a_unique_value_near_the_end_has_a_witness_of_at_most_six() {
    for (seed, (processes, info)) in (0..).zip([(10, 0), (10, 5), (100, 0), (100, 5)]) {
        let shape =
            Shape { operations: 20_000, processes, values: 0, info, silent: 0, ..shape(CAS_REGISTER) };
        let mut operations = sound(&shape, seed);
        let found = |operation: &Operation| match &operation.outcome {
            Outcome::Ok(value) if operation.f == "read" && !value.is_null() => Some(value.clone()),
            Outcome::Ok(_) | Outcome::Fail { .. } | Outcome::Info { .. } => None,
        };
        let old = operations[100..].iter().find_map(found).expect("there are reads");
        let stale = operations[..19_500].iter().rposition(|operation| found(operation).is_some()).unwrap();
        operations[stale].outcome = Outcome::Ok(old);
        let Verdict::Invalid(witness) = check(&operations, Model::CasRegister, &Limits::DEFAULT) else {
            panic!("a read finds what was overwritten long before")
        };
        assert_eq!(witness.operation, stale, "{}", witness.summary);
        assert!(witness.operations.len() <= 6, "{processes} clients: {witness:#?}");
        let part: Vec<_> = witness.operations.iter().map(|&index| operations[index].clone()).collect();
        assert!(matches!(check(&part, Model::CasRegister, &Limits::DEFAULT), Verdict::Invalid(_)));
    }
}

#[test]
fn large_and_wide_histories_have_orders_that_are_confirmed() {
    let mut all = vec![(wide(70, 20), Model::Register), (wide(140, 20), Model::Register)];
    let hard: &[(&[&str], Model, usize, u64, u32)] = &[
        (REGISTER, Model::Register, 100, 0, 5),
        (REGISTER, Model::Register, 30, 5, 0),
        (CAS_REGISTER, Model::CasRegister, 100, 0, 5),
        (CAS_REGISTER, Model::CasRegister, 10, 5, 0),
        (CAS_REGISTER, Model::CasRegister, 5, 5, 2),
        (KV, Model::Kv, 6, 0, 1),
        (KV, Model::Kv, 6, 5, 0),
    ];
    for &(functions, model, processes, values, info) in hard {
        for seed in 0..3 {
            let silent = if values == 0 { 0 } else { 30 };
            let shape = Shape { processes, values, info, silent, ..shape(functions) };
            all.push((sound(&shape, seed), model));
        }
    }
    for (operations, model) in all {
        let (verdict, order) = check_certified(&operations, model, &Limits::DEFAULT);
        assert_eq!(verdict, Verdict::Valid { keys: 1, operations: operations.len() });
        assert_eq!(confirm(&operations, model, &order.expect("it is valid")), Ok(()));
    }
}

#[test]
fn removals_of_nobody_knows_what_are_handed_out_in_large_histories_of_distinct_elements() {
    let limits = Limits { configurations: 100, ..Limits::DEFAULT };
    let queue: &[&str] = &["enqueue", "dequeue"];
    for (model, functions) in [
        (Model::FifoQueue, queue),
        (Model::UnorderedQueue, queue),
        (Model::PriorityQueue, queue),
        (Model::Stack, &["push", "pop"]),
    ] {
        for seed in 0..4 {
            let shape = ObjectShape {
                model,
                functions,
                operations: 10_000,
                processes: 10,
                values: 0,
                keys: 1,
                registers: 0,
                info: 2,
                fail: 1,
            };
            let mut operations = sound_object(&shape, seed);
            let (verdict, order) = check_certified(&operations, model, &limits);
            assert_eq!(verdict, Verdict::Valid { keys: 1, operations: 10_000 }, "{model}, seed {seed}");
            assert_eq!(
                confirm(&operations, model, &order.expect("it is valid")),
                Ok(()),
                "{model}, seed {seed}"
            );
            // The last element comes out again at the end.
            let removed = |operation: &&Operation| {
                operation.argument.is_null()
                    && matches!(&operation.outcome, Outcome::Ok(found) if !found.is_null())
            };
            let mut again = operations.iter().rfind(removed).expect("elements come out").clone();
            (again.invoked, again.completed) = (1_000_000, Some(1_000_001));
            operations.push(again);
            let verdict = check(&operations, model, &limits);
            assert!(matches!(verdict, Verdict::Invalid(_)), "{model}, seed {seed}: {verdict:?}");
        }
    }
}

#[test]
fn when_time_is_up_the_verdict_is_unknown_and_says_so() {
    let operations = sound(&shape(CAS_REGISTER), 1);
    let verdict = check(&operations, Model::CasRegister, &Limits { stop: &|| true, ..Limits::DEFAULT });
    let Verdict::Unknown { reason } = verdict else { panic!("{verdict:?}") };
    assert!(reason.contains("time was up"), "{reason}");
}

#[test]
fn when_memory_is_up_the_verdict_is_unknown_and_says_how_far_it_came() {
    let operations = sound(&shape(CAS_REGISTER), 1);
    let verdict = check(&operations, Model::CasRegister, &Limits { configurations: 3, ..Limits::DEFAULT });
    let Verdict::Unknown { reason } = verdict else { panic!("{verdict:?}") };
    assert!(
        reason.contains("more than 3 configurations") && reason.contains("of 2000 operations"),
        "{reason}"
    );
}

#[test]
fn threads_change_nothing_but_the_time() {
    let few = Shape { keys: 40, ..shape(CAS_REGISTER) };
    // Enough for threads to share the reading as well.
    let many = Shape { operations: 120_000, processes: 4, info: 0, ..few.clone() };
    for (shape, broken) in [(&few, None), (&few, Some(1_990)), (&many, None), (&many, Some(60_000))] {
        let mut operations = sound(shape, 3);
        if let Some(index) = broken {
            let end = operations.iter().filter_map(|operation| operation.completed).max().unwrap();
            let mut read = operation("read", Value::Null, json!("nobody wrote this"), end + 1, end + 2);
            read.key.clone_from(&operations[index].key);
            operations.push(read);
        }
        let one = check(&operations, Model::CasRegister, &Limits::DEFAULT);
        let four =
            check(&operations, Model::CasRegister, &Limits { workers: &Threads(4), ..Limits::DEFAULT });
        assert_eq!(one, four);
        assert_eq!(matches!(one, Verdict::Invalid(_)), broken.is_some(), "{one:?}");
        operations[shape.operations / 2].f = "dance".to_owned();
        operations[shape.operations - 1].f = "sing".to_owned();
        operations.truncate(shape.operations);
        let one = check(&operations, Model::CasRegister, &Limits::DEFAULT);
        let four =
            check(&operations, Model::CasRegister, &Limits { workers: &Threads(4), ..Limits::DEFAULT });
        assert_eq!(one, four);
        let Verdict::Unknown { reason } = one else { panic!("{one:?}") };
        assert!(reason.contains("sing") || reason.contains("dance"), "{reason}");
    }
}

#[test]
fn text_that_grows_is_decided_the_same_on_every_thread() {
    let shape = Shape { operations: 110_000, keys: 3_000, info: 0, ..shape(KV) };
    let sound = sound(&shape, 3);
    let mut stale = sound.clone();
    let end = stale.iter().filter_map(|operation| operation.completed).max().unwrap();
    let mut read = operation("get", Value::Null, json!("nobody wrote this"), end + 1, end + 2);
    read.key.clone_from(&stale[0].key);
    stale.push(read);
    for (operations, valid) in [(sound, true), (stale, false)] {
        let [one, four] = [1, 4].map(|threads| {
            let limits = Limits { workers: &Threads(threads), ..Limits::DEFAULT };
            let (verdict, order) = check_certified(&operations, Model::Kv, &limits);
            let confirmed = order.map(|order| confirm(&operations, Model::Kv, &order));
            assert_eq!(confirmed, valid.then_some(Ok(())), "{verdict:?}");
            verdict
        });
        assert_eq!(one, four);
    }
}
