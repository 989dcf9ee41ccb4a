//! When what a check found wrong with a queue proves nothing about the system.

use super::obligations::undrained;
use super::observed::Observed;
use checker::elements::{Class, Verdict};
use checker::words;
use history::OutcomeRef;
use std::collections::{BTreeMap, BTreeSet};

/// Why what was found is no violation for certain; none if it is one. What did not come out may still be in a queue that was
/// not drained.
pub(crate) fn doubt(observed: &Observed, verdict: &Verdict) -> Option<String> {
    if let Some(strayed) = strayed(observed) {
        return Some(strayed);
    }
    let mut breaking = verdict.findings.iter().filter(|finding| finding.breaks);
    let undrained = undrained(observed).filter(|_| breaking.all(|finding| finding.class == Class::Lost))?;
    Some(format!(
        "elements that were acknowledged did not come out, and may still be in the queues, which were not drained: {undrained}"
    ))
}

/// An element that came out of another queue than the one it was put into. Most likely a request does not say which queue it
/// means, and that is no mistake of the system.
pub(crate) fn strayed(observed: &Observed) -> Option<String> {
    let mut queues: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for operation in observed.operations.iter().filter(|operation| operation.f == "enqueue") {
        let queue = operation.key?;
        queues.entry(operation.argument.to_string()).or_default().insert(queue);
    }
    observed.operations.iter().filter(|operation| operation.f == "dequeue").find_map(|operation| {
        let (OutcomeRef::Ok(element), Some(queue)) = (operation.outcome, operation.key) else {
            return None;
        };
        let put = queues.get(&element.to_string()).filter(|put| !put.contains(queue))?.first()?;
        Some(format!(
            "element {} came out of {queue}, and was put into {put}; check that the requests of [client] say which queue \
             they mean, with {{key}}",
            words::shown(element)
        ))
    })
}
