//! Whether queues were drained, queue by queue and node by node.

use super::nodes::{named, should_answer, stands_by};
use super::{NAMED, Obligation, last_heal};
use crate::observed::Observed;
use history::{OperationRef, OutcomeRef, Phase};
use serde_json::Value;
use std::collections::BTreeMap;

/// What must follow the last change of a queue before it counts as drained.
#[derive(Debug, Default)]
struct Queue {
    /// The last event at which an element was acknowledged or came out, in the order of events.
    changed: usize,
    /// Whether something may have been put in.
    used: bool,
}

/// Every queue that something was put into, with that moment.
fn queues(observed: &Observed) -> BTreeMap<&str, Queue> {
    let mut queues: BTreeMap<&str, Queue> = BTreeMap::new();
    for operation in &observed.operations {
        let changes = match (operation.f, operation.outcome) {
            ("enqueue", outcome) => !matches!(outcome, OutcomeRef::Fail { .. }),
            ("dequeue", OutcomeRef::Ok(element)) => !element.is_null(),
            _ => false,
        };
        if changes {
            let queue = queues.entry(operation.key.unwrap_or_default()).or_default();
            queue.used |= operation.f == "enqueue";
            queue.changed = queue.changed.max(operation.completed.unwrap_or(0));
        }
    }
    queues.retain(|_, queue| queue.used);
    queues
}

fn found_empty(operation: &OperationRef<'_>) -> bool {
    operation.outcome == OutcomeRef::Ok(&Value::Null)
}

/// The queues that were not seen empty in the end, each with the node that did not say so: `k1 through n2`. One node at least
/// must say it; the others may stand by.
fn missing(observed: &Observed) -> (u64, Vec<String>) {
    let queues = queues(observed);
    let healed = last_heal(observed).unwrap_or(0);
    let from = observed.phase(Phase::Final).map_or(healed, |last| last.start.max(healed));
    let nodes = if named(observed) { should_answer(observed, from) } else { Vec::new() };
    let nodes: Vec<&str> = nodes.into_iter().map(|(node, _)| node).collect();
    let (mut required, mut missing) = (0, Vec::new());
    for (name, queue) in &queues {
        let own = observed.operations.iter().filter(|operation| {
            operation.f == "dequeue"
                && operation.key.unwrap_or_default() == *name
                && operation.invoked_ns >= healed
                && operation.invoked > queue.changed
        });
        let own: Vec<OperationRef<'_>> = own.collect();
        required += nodes.len().max(1) as u64;
        if !own.iter().any(|operation| found_empty(operation)) {
            missing.extend(nodes.iter().map(|node| through(name, node)));
            if nodes.is_empty() {
                missing.push((*name).to_owned());
            }
            continue;
        }
        let says = |node: &str, operation: &OperationRef<'_>| {
            operation.node == Some(node) && (found_empty(operation) || stands_by(operation))
        };
        let silent = nodes.iter().filter(|node| !own.iter().any(|operation| says(node, operation)));
        missing.extend(silent.map(|node| through(name, node)));
    }
    (required, missing)
}

fn through(queue: &str, node: &str) -> String {
    if queue.is_empty() { format!("through {node}") } else { format!("{queue} through {node}") }
}

/// The queues that were not drained, in words; none where all were.
pub(crate) fn undrained(observed: &Observed) -> Option<String> {
    let (_, missing) = missing(observed);
    let more = missing.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let shown: Vec<&str> = missing.iter().take(NAMED).map(String::as_str).collect();
    (!missing.is_empty()).then(|| format!("{}{more}", shown.join(", ")))
}

/// Every queue was empty in the end: every node that should serve said so after the last heal, and after the last element had
/// come out.
pub(super) fn drained(observed: &Observed) -> Option<Obligation> {
    let (required, missing) = missing(observed);
    let what = "every node that should serve said in the end that each queue is empty";
    (required > 0).then(|| {
        Obligation::new("elements", "queues-drained", what)
            .after(last_heal(observed))
            .count(required - missing.len() as u64, required)
            .missing(missing)
    })
}
