//! The check for linearizability, and its witness in words.

use super::observed::Observed;
use super::plainly;
use super::sentences::seconds;
use super::verdict::{Answer, Check, many};
use crate::history::{Operation, Outcome};
use crate::linearizability::{self, Limits, Model, Verdict, Witness};
use serde_json::Value;

const NAME: &str = "linearizable";
/// Configurations a search may hold; one takes about 100 bytes.
const CONFIGURATIONS: usize = 3_000_000;
/// So many operations of a witness are written out.
const SHOWN: usize = 12;

/// Whether the history of a variant is linearizable; `stop` says when the search has to give up.
pub(crate) fn check(observed: &Observed, stop: &(dyn Fn() -> bool + Sync)) -> Check {
    let model: Model = match observed.plan.model.parse() {
        Ok(model) => model,
        Err(error) => return Check::new(NAME, Answer::Unknown, format!("{error}")),
    };
    let operations = &observed.operations;
    if operations.is_empty() {
        return Check::new(NAME, Answer::Unknown, "no operation was recorded");
    }
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let limits = Limits { stop, configurations: CONFIGURATIONS, threads: threads.min(4) };
    match linearizability::check(operations, model, &limits) {
        Verdict::Valid { keys, operations } => {
            let over = format!("{} on {}", many(operations as u64, "operation"), many(keys as u64, "key"));
            Check::new(NAME, Answer::Valid, format!("{over} fit one order"))
        }
        Verdict::Unknown { reason } => Check::new(NAME, Answer::Unknown, reason),
        Verdict::Invalid(witness) => {
            let reason = plainly::violation(&witness, operations).unwrap_or_else(|| {
                let on = witness.key.as_ref().map_or_else(String::new, |key| format!("on key {key} "));
                let odd = in_short(&operations[witness.operation]);
                format!("{on}no order of the operations explains {odd}")
            });
            Check::new(NAME, Answer::Invalid, reason).with(evidence(&witness, operations))
        }
    }
}

fn evidence(witness: &Witness, operations: &[Operation]) -> Vec<String> {
    let mut lines = vec![witness.summary.clone()];
    lines.extend(witness.operations.iter().take(SHOWN).map(|place| {
        let mark = if *place == witness.operation { " ← cannot be explained" } else { "" };
        format!("operation {place}: {}{mark}", in_words(&operations[*place]))
    }));
    let hidden = witness.operations.len().saturating_sub(SHOWN);
    if hidden > 0 {
        lines.push(format!("and {} more that belong to it", many(hidden as u64, "operation")));
    }
    let pending = witness.pending.iter().take(SHOWN);
    lines.extend(pending.map(|pending| format!("operation {}: {}", pending.operation, pending.why)));
    if !witness.other_keys.is_empty() {
        let keys = witness.other_keys.iter().map(|key| key.as_deref().unwrap_or("(no key)"));
        lines.push(format!("not linearizable either: {}", keys.collect::<Vec<_>>().join(", ")));
    }
    lines
}

/// An operation with its result: `read k1 → 17`, `cas k1 3 → 18: unknown`.
fn in_short(operation: &Operation) -> String {
    let key = operation.key.as_ref().map_or_else(String::new, |key| format!(" {key}"));
    let argument = match &operation.argument {
        Value::Null => String::new(),
        Value::Array(parts) if parts.len() == 2 => {
            format!(" from {} to {}", shown(&parts[0]), shown(&parts[1]))
        }
        value => format!(" {}", shown(value)),
    };
    let result = match &operation.outcome {
        Outcome::Ok(value) if operation.argument == Value::Null => format!(" → {}", shown(value)),
        Outcome::Ok(_) => " → ok".to_owned(),
        Outcome::Fail { actual: Some(actual), .. } => format!(" → failed, found {}", shown(actual)),
        Outcome::Fail { actual: None, .. } => " → failed".to_owned(),
        Outcome::Info { .. } => " → unknown".to_owned(),
    };
    format!("{}{key}{argument}{result}", operation.f)
}

fn shown(value: &Value) -> String {
    if *value == Value::Null { "nothing".to_owned() } else { value.to_string() }
}

/// An operation with who, where and when.
fn in_words(operation: &Operation) -> String {
    let who = operation
        .client
        .map_or_else(|| format!("process {}", operation.process), |client| format!("client {client}"));
    let node = operation.node.as_ref().map_or_else(String::new, |node| format!(" on {node}"));
    let start = operation.invoked_ns as f64 / 1e9;
    let time = operation.completed_ns.map_or_else(
        || format!("from {start:.6} s, never completed"),
        |end| {
            let took = seconds((end - operation.invoked_ns) as f64 / 1e9);
            format!("from {start:.6} s to {:.6} s ({took})", end as f64 / 1e9)
        },
    );
    format!("{who}: {}{node}, {time}", in_short(operation))
}
