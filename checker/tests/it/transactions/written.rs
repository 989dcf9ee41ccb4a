//! Histories as text, for tests to be read.

use history::{Operation, Outcome};
use serde_json::{Value, json};

/// One transaction a line: `p1 4..9 fail append x 1; r y [1 2]`. Without `p1` each has a process of its own,
/// without `4..9` it is concurrent with all others.
pub(crate) fn history(text: &str) -> Vec<Operation> {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.iter().enumerate().map(|(index, line)| operation(index, line)).collect()
}

fn operation(index: usize, line: &str) -> Operation {
    let (mut process, mut span, mut outcome) = (100 + index as u64, (index, 1000 + index), "ok");
    let mut rest = line;
    while let Some((word, after)) = rest.split_once(' ') {
        if let Some(number) = word.strip_prefix('p').and_then(|number| number.parse().ok()) {
            process = number;
        } else if let Some((from, to)) = word.split_once("..") {
            span = (from.parse().expect("a place"), to.parse().expect("a place"));
        } else if matches!(word, "fail" | "info") {
            outcome = word;
        } else {
            break;
        }
        rest = after;
    }
    let steps: Vec<Value> = rest.split(';').map(step).collect();
    let hidden: Vec<Value> = steps
        .iter()
        .map(|step| if step[0] == "r" { json!(["r", step[1], null]) } else { step.clone() })
        .collect();
    transaction(
        process,
        span,
        json!(hidden),
        match outcome {
            "fail" => Outcome::Fail { error: None, actual: None },
            "info" => Outcome::Info { error: None },
            _ => Outcome::Ok(json!(steps)),
        },
    )
}

/// An operation that is a transaction.
pub(crate) fn transaction(
    process: u64,
    (invoked, completed): (usize, usize),
    argument: Value,
    outcome: Outcome,
) -> Operation {
    let known = !matches!(outcome, Outcome::Info { .. });
    Operation {
        process,
        client: None,
        f: "txn".to_owned(),
        key: None,
        argument,
        outcome,
        invoked,
        completed: known.then_some(completed),
        intended_ns: None,
        invoked_ns: invoked as u64,
        completed_ns: known.then_some(completed as u64),
        node: None,
        phase: None,
    }
}

fn step(text: &str) -> Value {
    let (f, rest) = text.trim().split_once(' ').expect("a function and a key");
    let (key, value) = rest.split_once(' ').expect("a key and a value");
    let value: Value = if value == "nil" {
        Value::Null
    } else {
        serde_json::from_str(&value.replace(' ', ",")).expect("a number or a list of them")
    };
    json!([f, key, value])
}
