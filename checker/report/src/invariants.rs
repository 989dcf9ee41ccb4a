//! The check that the invariants of the protocol held: after every step of a simulated run, or over the traces of nodes.

use super::observed::Observed;
use super::plan::Invariants;
use super::verdict::{Answer, Check, many};

/// What was seen of the invariants; none where the run was real and its nodes wrote no traces.
pub(crate) fn check(observed: &Observed) -> Option<Check> {
    const NAME: &str = "invariants";
    let Invariants { steps, traced, broken } = observed.load.as_ref()?.invariants.as_ref()?;
    Some(match broken {
        Some(reason) => Check::new(NAME, Answer::Invalid, reason.clone()),
        None if *traced && *steps == 0 => Check::new(NAME, Answer::Unknown, "the nodes left no traces"),
        None if *traced => {
            let reason = format!("they hold over the traces of all nodes: {}", many(*steps, "event"));
            Check::new(NAME, Answer::Valid, reason).tried(*steps, "event")
        }
        None => Check::new(NAME, Answer::Valid, format!("they held after each of {}", many(*steps, "step")))
            .tried(*steps, "step"),
    })
}
