//! Which nodes must have answered, and when.

use super::{Obligation, last_heal};
use crate::observed::{Observed, answered};
use history::{OperationRef, OutcomeRef, Phase};
use std::collections::BTreeMap;

/// What a node that stands by says to every command; that is what it should do.
const STANDBY: &str = "standby";
/// The nodes that answer clients: of the bench's own store those with a replica, of others all; spare ones never have to.
fn serving(observed: &Observed) -> Vec<&str> {
    let plan = &observed.plan;
    let all = if plan.replicas.is_empty() { &plan.nodes } else { &plan.replicas };
    all.iter().filter(|node| !plan.spares.contains(node)).map(String::as_str).collect()
}

/// Whether a node said that it stands by.
pub(super) fn stands_by(operation: &OperationRef<'_>) -> bool {
    matches!(operation.outcome, OutcomeRef::Fail { error: Some(error), .. } if error == STANDBY)
}

/// Whether a node did what it was asked to, or said that it stands by.
fn serves(operation: &OperationRef<'_>) -> bool {
    stands_by(operation) || answered(operation.outcome)
}

fn to<'a>(observed: &'a Observed, node: &'a str) -> impl Iterator<Item = OperationRef<'a>> {
    observed.operations.iter().filter(move |operation| operation.node == Some(node))
}

/// When the first fault started; without one, the end of time.
fn first_fault(observed: &Observed) -> u64 {
    observed.faults.iter().filter_map(|fault| fault.start_ns).min().unwrap_or(u64::MAX)
}

/// Whether the history says which node an operation went to.
pub(super) fn named(observed: &Observed) -> bool {
    observed.operations.iter().any(|operation| operation.node.is_some())
}

/// Nodes that no client had asked anything before the first fault.
pub(crate) fn unasked_before(observed: &Observed) -> Vec<&str> {
    let first = first_fault(observed);
    let asked = |node: &&str| to(observed, node).any(|operation| operation.invoked_ns < first);
    if !named(observed) {
        return Vec::new();
    }
    serving(observed).into_iter().filter(|node| !asked(node)).collect()
}

/// Nodes that ended by themselves as a fault allows, for example because it had damaged their data, and that did not
/// serve in the end.
pub(crate) fn excused(observed: &Observed) -> Vec<&str> {
    let from =
        observed.phase(Phase::Final).map(|last| last.start).or_else(|| last_heal(observed)).unwrap_or(0);
    let excused = |node: &&str| observed.excused.iter().any(|name| name == node);
    let silent = |node: &&str| !serves_since(observed, node, from);
    serving(observed).into_iter().filter(excused).filter(silent).collect()
}

/// Every node that clients asked before the first fault answered then.
pub(super) fn before(observed: &Observed) -> Option<Obligation> {
    if observed.faults.iter().all(|fault| fault.start_ns.is_none()) || !named(observed) {
        return None;
    }
    let first = first_fault(observed);
    let unasked = unasked_before(observed);
    let asked: Vec<&str> = serving(observed).into_iter().filter(|node| !unasked.contains(node)).collect();
    let silent = |node: &&str| {
        !to(observed, node)
            .any(|operation| serves(&operation) && operation.completed_ns.is_some_and(|at| at < first))
    };
    let missing: Vec<String> =
        asked.iter().filter(|node| silent(node)).map(|node| (*node).to_owned()).collect();
    let what = "every node that clients asked before the first fault answered";
    let required = asked.len() as u64;
    Some(
        Obligation::new("liveness", "nodes-before", what)
            .count(required - missing.len() as u64, required)
            .missing(missing),
    )
}

/// Every node that should serve answered after the last heal, or at all where there was no fault.
pub(super) fn after(observed: &Observed) -> Option<Obligation> {
    if !named(observed) {
        return None;
    }
    let healed = last_heal(observed);
    let what = match healed {
        Some(_) => "every node that should serve answered after the last heal",
        None => "every node that should serve answered",
    };
    let nodes = should_answer(observed, healed.unwrap_or(0));
    Some(since(observed, "nodes-after", what, &nodes).after(healed))
}

/// Every node that should serve answered most of its final reads: what the others say of a key is not what it would say,
/// and what it says of one key is not what it would say of the others.
pub(super) fn in_the_end(observed: &Observed) -> Option<Obligation> {
    let from = observed.phase(Phase::Final)?.start;
    if !named(observed) {
        return None;
    }
    let nodes = should_answer(observed, from);
    let few = |(node, _): &&(&str, u64)| {
        let (answered, asked) = final_reads(observed, node);
        answered == 0 || 2 * answered < asked
    };
    let missing: Vec<String> = nodes
        .iter()
        .filter(few)
        .map(|(node, since)| match final_reads(observed, node) {
            (0, _) => format!("{node}{}", errors(observed, node, *since)),
            (answered, asked) => format!("{node} ({answered} of {asked} answered)"),
        })
        .collect();
    let (what, required) =
        ("every node that should serve answered most of its final reads", nodes.len() as u64);
    let obligation = Obligation::new("liveness", "nodes-in-the-end", what).after(Some(from));
    Some(obligation.count(required - missing.len() as u64, required).missing(missing))
}

/// How many of its final reads a node answered, and how many there were.
fn final_reads(observed: &Observed, node: &str) -> (usize, usize) {
    let finals = to(observed, node).filter(|operation| operation.phase == Some(Phase::Final));
    let finals: Vec<OperationRef<'_>> = finals.collect();
    (finals.iter().filter(|operation| serves(operation)).count(), finals.len())
}

/// The nodes that should serve and that no fault excuses, each with the time from which an answer counts.
pub(super) fn should_answer(observed: &Observed, from: u64) -> Vec<(&str, u64)> {
    let excused = excused(observed);
    serving(observed).into_iter().filter(|node| !excused.contains(node)).map(|node| (node, from)).collect()
}

/// Every node that a fault had started again answered after that.
pub(super) fn restarted(observed: &Observed) -> Option<Obligation> {
    if !named(observed) {
        return None;
    }
    let (serving, excused) = (serving(observed), excused(observed));
    let mut started: BTreeMap<&str, u64> = BTreeMap::new();
    for fault in observed.faults.iter().filter(|fault| fault.restarts()) {
        let Some(end) = fault.end_ns else { continue };
        for node in fault.nodes.iter().map(String::as_str) {
            if serving.contains(&node) && !excused.contains(&node) {
                let last = started.entry(node).or_default();
                *last = end.max(*last);
            }
        }
    }
    if started.is_empty() {
        return None;
    }
    let what = "every node that was started again served again";
    let nodes: Vec<(&str, u64)> = started.into_iter().collect();
    Some(since(observed, "restarted-nodes", what, &nodes))
}

/// Counts the nodes that answered a request sent at or after a time.
fn since(observed: &Observed, name: &'static str, what: &str, nodes: &[(&str, u64)]) -> Obligation {
    let silent = |(node, since): &&(&str, u64)| !serves_since(observed, node, *since);
    let missing: Vec<String> = nodes
        .iter()
        .filter(silent)
        .map(|(node, since)| format!("{node}{}", errors(observed, node, *since)))
        .collect();
    let required = nodes.len() as u64;
    Obligation::new("liveness", name, what).count(required - missing.len() as u64, required).missing(missing)
}

/// Whether a node answered a request that was sent at or after a time.
fn serves_since(observed: &Observed, node: &str, since: u64) -> bool {
    to(observed, node).any(|operation| operation.invoked_ns >= since && serves(&operation))
}

/// How requests to a node ended since a time: ` (31 requests: timeout)`.
fn errors(observed: &Observed, node: &str, since: u64) -> String {
    let mut errors: BTreeMap<&str, u64> = BTreeMap::new();
    for operation in to(observed, node).filter(|operation| operation.invoked_ns >= since) {
        if let OutcomeRef::Fail { error, .. } | OutcomeRef::Info { error } = operation.outcome {
            *errors.entry(error.unwrap_or("no answer")).or_default() += 1;
        }
    }
    let requests: u64 = errors.values().sum();
    if requests == 0 {
        return " (no request was sent)".to_owned();
    }
    let words: Vec<&str> = errors.into_keys().collect();
    format!(" ({requests} {}: {})", if requests == 1 { "request" } else { "requests" }, words.join(", "))
}
