//! The check of what was promised beside linearizability: transactions, and elements such as accounts.

use super::observed::Observed;
use super::verdict::{Answer, Check};
use checker::elements::{self, Kind};
use checker::transactions::{self, Options, Workload};

/// Whether the transactions of a variant are strictly serializable; `stop` says when the search has to give up.
pub(crate) fn transactional(
    observed: &Observed,
    workload: Workload,
    stop: &(dyn Fn() -> bool + Sync),
) -> Check {
    let options = Options { stop, ..Options::new(workload) };
    let verdict = transactions::check(&observed.operations, &options);
    let answer = match verdict.answer {
        transactions::Answer::Valid => Answer::Valid,
        transactions::Answer::Invalid => Answer::Invalid,
        transactions::Answer::Unknown => Answer::Unknown,
    };
    Check::new("transactions", answer, verdict.reason()).with(verdict.evidence())
}

/// Whether nothing was lost and nothing came from nowhere.
pub(crate) fn by_elements(observed: &Observed, kind: Kind) -> Check {
    let verdict = elements::check(kind, &observed.operations);
    let answer = match verdict.answer {
        elements::Answer::Valid => Answer::Valid,
        elements::Answer::Invalid => Answer::Invalid,
        elements::Answer::Unknown => Answer::Unknown,
    };
    Check::new("elements", answer, verdict.reason.clone()).with(verdict.evidence(&observed.operations))
}
