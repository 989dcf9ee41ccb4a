//! Whatever the values are, the check ends with an answer.

use super::written::transaction;
use checker::transactions::{Options, Workload, check};
use history::{Operation, Outcome};
use proptest::prelude::*;
use serde_json::{Value, json};

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2i64..3).prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-zä→]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-b]", inner, 0..3).prop_map(|map| json!(map)),
        ]
    })
}

fn step() -> impl Strategy<Value = Value> {
    let small = || prop_oneof![(0i64..4).prop_map(Value::from), any_value()];
    let list = prop::collection::vec(0i64..4, 0..4).prop_map(Value::from);
    let f = prop_oneof![Just("r"), Just("append"), Just("w")];
    prop_oneof![
        8 => (f, small(), small()).prop_map(|(f, key, value)| json!([f, key, value])),
        8 => (0i64..3, list).prop_map(|(key, list)| json!(["r", key, list])),
        4 => (0i64..3, 0i64..6).prop_map(|(key, value)| json!(["append", key, value])),
        4 => (0i64..3, 0i64..6).prop_map(|(key, value)| json!(["w", key, value])),
        1 => any_value(),
    ]
}

fn steps() -> impl Strategy<Value = Value> {
    prop_oneof![9 => prop::collection::vec(step(), 0..5).prop_map(Value::from), 1 => any_value()]
}

fn operation() -> impl Strategy<Value = Operation> {
    let outcome = prop_oneof![
        6 => steps().prop_map(Outcome::Ok),
        1 => Just(Outcome::Fail { error: None, actual: None }),
        1 => Just(Outcome::Info { error: None }),
    ];
    (0u64..4, 0usize..30, 0usize..30, steps(), outcome).prop_map(|(process, from, to, argument, outcome)| {
        transaction(process, (from, to), argument, outcome)
    })
}

/// Steps of one workload only, so that most histories are understood.
fn fitted(mut operations: Vec<Operation>, write: &str) -> Vec<Operation> {
    for operation in &mut operations {
        let Outcome::Ok(result) = &mut operation.outcome else { continue };
        for steps in [&mut operation.argument, result] {
            let kept = steps.as_array().into_iter().flatten().filter(|step| {
                let list = step[2].is_array() || step[2].is_null();
                (step[0] == write && !step[2].is_null()) || (step[0] == "r" && (write == "w" || list))
            });
            *steps = kept.cloned().collect();
        }
    }
    operations.retain(|operation| matches!(operation.outcome, Outcome::Ok(_)));
    operations
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn arbitrary_values_never_panic(operations in prop::collection::vec(operation(), 0..12)) {
        for (workload, write) in [(Workload::ListAppend, "append"), (Workload::RwRegister, "w")] {
            for operations in [operations.clone(), fitted(operations.clone(), write)] {
                let verdict = check(&operations, &Options::new(workload));
                prop_assert!(!verdict.reason().is_empty());
                for index in verdict.anomalies.iter().flat_map(|anomaly| &anomaly.operations) {
                    prop_assert!(*index < operations.len());
                }
                prop_assert!(verdict.evidence().iter().all(|line| !line.is_empty()));
            }
        }
    }
}
