//! The check of what was promised beside linearizability: transactions, and elements such as accounts.

use super::observed::Observed;
use super::verdict::{Answer, Check, many};
use super::violation::Violation;
use super::{queues, set_up, tries};
use checker::elements::{self, Kind};
use checker::limits::Limits;
use checker::sequential;
use checker::transactions::{self, Options, Workload};

/// Whether the transactions of a variant are what was promised, strictly serializable where nothing else was; `stop` says when the search has to give up.
pub(crate) fn transactional(
    observed: &Observed,
    workload: Workload,
    stop: &(dyn Fn() -> bool + Sync),
) -> Check {
    let usual = Options::new(workload);
    let model = observed.plan.check.promise.unwrap_or(usual.model);
    let options = Options { model, limits: Limits { stop, ..Limits::DEFAULT }, weaker: true, ..usual };
    let verdict = transactions::check(&observed.operations, &options);
    let violation = Violation::of_transactions(&verdict, &observed.operations)
        .filter(|_| verdict.answer == checker::Answer::Invalid);
    Check::new("transactions", verdict.answer.into(), verdict.reason())
        .with(verdict.evidence())
        .violated(violation)
        .tried(tries::succeeded(&observed.operations), "transaction")
}

/// Whether the operations have one order in which each process does what it did one after the other.
pub(crate) fn sequential(observed: &Observed, stop: &(dyn Fn() -> bool + Sync)) -> Check {
    const NAME: &str = "sequential";
    let operations = &observed.operations;
    if operations.is_empty() {
        return Check::new(NAME, Answer::Unknown, "no operation was recorded");
    }
    match sequential::check(operations, &Limits { stop, ..Limits::DEFAULT }) {
        sequential::Verdict::Valid { order } => {
            let all = many(order.len() as u64, "operation");
            Check::new(
                NAME,
                Answer::Valid,
                format!("{all} fit one order, which is also that of each process"),
            )
            .tried(tries::succeeded(operations), "operation")
        }
        sequential::Verdict::Unknown { reason } => Check::new(NAME, Answer::Unknown, reason),
        sequential::Verdict::Invalid { reason, evidence, .. } => {
            Check::new(NAME, Answer::Invalid, reason).with(evidence)
        }
    }
}

/// Whether nothing was lost and nothing came from nowhere.
pub(crate) fn by_elements(observed: &Observed, kind: Kind) -> Check {
    let plan = &observed.plan;
    let opening = plan.opening.filter(|_| kind == Kind::Bank);
    let options = elements::Options {
        accounts: opening.map(|_| (1..=plan.keys).map(|number| format!("k{number}")).collect()),
        total: opening.map(|opening| opening * i64::from(plan.keys)),
        opening: opening.filter(|_| plan.check.linearizable),
        // A set of a run is read as a list that has each element once.
        once: true,
        ..elements::Options::default()
    };
    let is_final = |operation: &history::OperationRef<'_>| operation.phase == Some(history::Phase::Final);
    if kind == Kind::SetFinal && !observed.operations.iter().any(|operation| is_final(&operation)) {
        let what = "there were no final reads, and before them an element may still be on its way";
        return Check::new("elements", Answer::Unknown, what);
    }
    if let Some(doubt) = set_up::doubt(observed, kind) {
        return Check::new("elements", Answer::Unknown, doubt);
    }
    let verdict = elements::check_with(kind, &observed.operations, &options);
    let evidence = || verdict.evidence_since(&observed.operations, observed.origin_ns());
    let doubt = match (kind, verdict.answer) {
        (Kind::Queue | Kind::TotalQueue | Kind::ExactlyOnceQueue, checker::Answer::Invalid) => {
            queues::doubt(observed, &verdict)
        }
        _ => None,
    };
    if let Some(doubt) = doubt {
        return Check::new("elements", Answer::Unknown, doubt).with(evidence());
    }
    let violation = Violation::of_elements(&verdict, &observed.operations);
    Check::new("elements", verdict.answer.into(), verdict.reason.clone())
        .with(evidence())
        .violated(violation)
        .tried(tries::observations(&observed.operations), "answer with a value")
}
