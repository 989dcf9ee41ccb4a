//! Anomalies planted into large sound histories of transactions.

use checker::transactions::Workload;
use history::{Operation, Outcome};
use serde_json::{Value, json};

/// What is planted into a sound history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Planted {
    Nothing,
    /// One G1c, one G-single and one G2-item, each of two transactions in the middle.
    Cycles,
    /// Near the end, one read of keys that were written near the beginning sees nothing.
    StaleRead,
}

/// Replaces transactions at some indexes by others on keys of their own.
pub(crate) fn plant(mut operations: Vec<Operation>, workload: Workload, planted: Planted) -> Vec<Operation> {
    let (write, read) = match workload {
        Workload::ListAppend => ("append", json!([1])),
        Workload::RwRegister => ("w", json!(1)),
    };
    let write = |key: &str| json!([write, key, 1]);
    let saw = |key: &str| json!(["r", key, read]);
    let missed = |key: &str| json!(["r", key, null]);
    let middle = operations.len() / 2;
    match planted {
        Planted::Nothing => {}
        Planted::Cycles => {
            replace(&mut operations, middle, &[write("a"), saw("b")]);
            replace(&mut operations, middle + 1, &[write("b"), saw("a")]);
            replace(&mut operations, middle + 1000, &[write("c"), write("d")]);
            replace(&mut operations, middle + 1001, &[saw("c"), missed("d")]);
            replace(&mut operations, middle + 2000, &[missed("f"), write("e")]);
            replace(&mut operations, middle + 2001, &[missed("e"), write("f")]);
            replace(&mut operations, middle + 3000, &[saw("e"), saw("f")]);
        }
        Planted::StaleRead => {
            let end = operations.len() - 100;
            replace(&mut operations, 100, &[write("a")]);
            replace(&mut operations, end, &[missed("a")]);
        }
    }
    operations
}

/// Replaces the next transaction that succeeded and only read, so that nothing else breaks.
fn replace(operations: &mut [Operation], index: usize, steps: &[Value]) {
    let only_reads = |operation: &&mut Operation| match &operation.outcome {
        Outcome::Ok(Value::Array(steps)) => steps.iter().all(|step| step[0] == "r" && step[1].is_number()),
        Outcome::Ok(_) | Outcome::Fail { .. } | Outcome::Info { .. } => false,
    };
    let operation = operations[index..].iter_mut().find(only_reads).expect("there are reads");
    operation.outcome = Outcome::Ok(Value::from(steps.to_vec()));
}
