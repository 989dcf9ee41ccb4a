//! The check for linearizability, and its witness in words.

use super::observed::Observed;
use super::verdict::{Answer, Check, many};
use super::violation::Violation;
use super::{Threads, explain, properties, queues, set_up, tries};
use checker::limits::Limits;
use checker::linearizability::{self, Verdict};
use checker::property::Property;
use checker::words;

const NAME: &str = "linearizable";
/// Configurations a search may hold; one takes about 100 bytes.
const CONFIGURATIONS: usize = 3_000_000;
/// Threads that a check may take; more only help histories of many large keys.
const THREADS: usize = 4;
/// Operations of a witness that are written out.
const SHOWN: usize = 12;

/// Whether the history of a variant is linearizable, or what else its model promises; `stop` says when the search has to give up.
pub(crate) fn check(observed: &Observed, stop: &(dyn Fn() -> bool + Sync)) -> Check {
    let model = match observed.plan.model.parse() {
        Ok(Property::Linearizable(model)) => model,
        Ok(Property::Transactions(workload)) => return properties::transactional(observed, workload, stop),
        Ok(Property::Elements(kind)) => return properties::by_elements(observed, kind),
        Ok(Property::Sequential) => return properties::sequential(observed, stop),
        Err(error) => return Check::new(NAME, Answer::Unknown, format!("{error}")),
    };
    let operations = &observed.operations;
    if operations.is_empty() {
        return Check::new(NAME, Answer::Unknown, "no operation was recorded");
    }
    let threads = Threads::available(THREADS);
    let limits = Limits { stop, configurations: CONFIGURATIONS, workers: &threads };
    match linearizability::check(operations, model, &limits) {
        Verdict::Valid { keys, operations } => {
            let over = format!("{} on {}", many(operations as u64, "operation"), many(keys as u64, "key"));
            let answers = tries::observations(&observed.operations);
            Check::new(NAME, Answer::Valid, format!("{over} fit one order"))
                .tried(answers, "answer with a value")
        }
        Verdict::Unknown { reason } => Check::new(NAME, Answer::Unknown, reason),
        Verdict::Invalid(witness) => {
            if let Some(doubt) = queues::strayed(observed) {
                return Check::new(NAME, Answer::Unknown, doubt);
            }
            if let Some(doubt) = set_up::never_refused(observed) {
                return Check::new(NAME, Answer::Unknown, doubt);
            }
            let reason = explain::violation(&witness, operations).unwrap_or_else(|| {
                let on = witness.key.as_ref().map_or_else(String::new, |key| format!("on key {key} "));
                let odd = words::in_short(operations.at(witness.operation));
                format!("{on}no order of the operations explains {odd}")
            });
            let violation = Violation::of_order(&witness, operations, model, &limits);
            Check::new(NAME, Answer::Invalid, reason)
                .with(witness.evidence_since(operations, SHOWN, observed.origin_ns()))
                .violated(Some(violation))
        }
    }
}
