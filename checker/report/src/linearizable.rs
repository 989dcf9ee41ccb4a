//! The check for linearizability, and its witness in words.

use super::observed::Observed;
use super::verdict::{Answer, Check, many};
use super::{plainly, promised};
use checker::linearizability::{self, Limits, Verdict};
use checker::promise::Promise;
use checker::words;

const NAME: &str = "linearizable";
/// Configurations a search may hold; one takes about 100 bytes.
const CONFIGURATIONS: usize = 3_000_000;
/// So many operations of a witness are written out.
const SHOWN: usize = 12;

/// Whether the history of a variant is linearizable, or what else its model promises; `stop` says when the search has to give up.
pub(crate) fn check(observed: &Observed, stop: &(dyn Fn() -> bool + Sync)) -> Check {
    let model = match observed.plan.model.parse() {
        Ok(Promise::Linearizable(model)) => model,
        Ok(Promise::Transactions(workload)) => return promised::transactional(observed, workload, stop),
        Ok(Promise::Elements(kind)) => return promised::by_elements(observed, kind),
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
                let odd = words::in_short(&operations[witness.operation]);
                format!("{on}no order of the operations explains {odd}")
            });
            Check::new(NAME, Answer::Invalid, reason).with(witness.evidence(operations, SHOWN))
        }
    }
}
