//! A verdict on the operations of a history in words, by whichever checker knows the model.

use crate::failure::Failure;
use crate::run::judge;
use crate::spec::explain;
use checker::certificate::confirm;
use checker::elements::{self, Kind};
use checker::history::{Operation, Outcome};
use checker::linearizability::{self, Limits, Model, UnknownModel, Verdict, Witness};
use checker::results::Answer;
use checker::transactions::{self, Consistency, Options, Workload};
use std::time::Duration;

/// What one configuration of a search takes in memory, in bytes, roughly.
const CONFIGURATION: usize = 100;
/// What a search may take in memory unless somebody says otherwise, in bytes.
const MEMORY: usize = 400_000_000;

/// How much a search may take.
pub(super) struct Bounds {
    pub(super) timeout: Duration,
    /// In bytes; a usual amount if none.
    pub(super) memory: Option<usize>,
    /// What transactions must fit; strict serializability if none.
    pub(super) consistency: Option<Consistency>,
    /// Whether a separate verifier must confirm what is valid.
    pub(super) certify: bool,
}

/// The models of transactions, by the name of their workload.
const TRANSACTIONS: [(&str, Workload); 2] =
    [("list-append", Workload::ListAppend), ("rw-register", Workload::RwRegister)];

/// A verdict in words.
pub(super) struct Judged {
    /// The check that was made.
    pub(super) check: &'static str,
    pub(super) answer: Answer,
    pub(super) reason: String,
    pub(super) evidence: Vec<String>,
}

/// Judges operations by the model of this name, which `place` has named.
///
/// # Errors
/// When no checker knows the model.
pub(super) fn judge(
    operations: &[Operation],
    model: &str,
    place: &str,
    bounds: &Bounds,
) -> Result<Judged, Failure> {
    let stop = judge::deadline(bounds.timeout);
    if let Some((_, workload)) = TRANSACTIONS.into_iter().find(|(name, _)| *name == model) {
        let options = Options::new(workload);
        let consistency = bounds.consistency.unwrap_or(options.model);
        let options = Options { model: consistency, stop: &*stop, ..options };
        return Ok(Judged::transactional(&transactions::check(operations, &options)));
    }
    if let Ok(kind) = model.parse::<Kind>() {
        return Ok(Judged::elements(&elements::check(kind, operations), operations));
    }
    let model: Model = model.parse().map_err(|_: UnknownModel| {
        let models = Model::ALL.into_iter().map(Model::name).chain(TRANSACTIONS.map(|(name, _)| name));
        let models = models.chain(Kind::ALL.map(Kind::name));
        let models = models.collect::<Vec<_>>().join(", ");
        let explained = explain::own(&format!("there is no model \"{model}\"; models are {models}"));
        let mut failure = Failure::usage(place, explained.reason);
        failure.help = explained.help;
        failure
    })?;
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let configurations = bounds.memory.unwrap_or(MEMORY) / CONFIGURATION;
    let limits = Limits { stop: &*stop, configurations, threads };
    if !bounds.certify {
        return Ok(Judged::linearizable(
            &linearizability::check(operations, model, &limits),
            operations,
            model,
        ));
    }
    let (verdict, orders) = linearizability::check_certified(operations, model, &limits);
    let mut judged = Judged::linearizable(&verdict, operations, model);
    if let Some(orders) = orders {
        match confirm(operations, model, &orders) {
            Ok(()) => judged.reason.push_str("; a separate verifier confirms the order"),
            Err(mismatch) => {
                judged.answer = Answer::Unknown;
                judged.reason = format!("the order that was found is not confirmed: {mismatch}");
            }
        }
    }
    Ok(judged)
}

impl Judged {
    fn linearizable(verdict: &Verdict, operations: &[Operation], model: Model) -> Self {
        let (answer, reason, evidence) = match verdict {
            Verdict::Valid { keys, operations } => {
                let keys = if *keys == 1 { "one key".to_owned() } else { format!("{keys} keys") };
                (
                    Answer::Valid,
                    format!("{operations} operations on {keys} fit one order ({model})"),
                    Vec::new(),
                )
            }
            Verdict::Unknown { reason } => (Answer::Unknown, reason.clone(), Vec::new()),
            Verdict::Invalid(witness) => {
                let reason = format!("no order of the operations explains them ({model})");
                (Answer::Invalid, reason, evidence(witness, operations))
            }
        };
        Self { check: "linearizable", answer, reason, evidence }
    }

    fn elements(verdict: &elements::Verdict, operations: &[Operation]) -> Self {
        let answer = match verdict.answer {
            elements::Answer::Valid => Answer::Valid,
            elements::Answer::Invalid => Answer::Invalid,
            elements::Answer::Unknown => Answer::Unknown,
        };
        let evidence = verdict.evidence(operations);
        Self { check: verdict.kind.name(), answer, reason: verdict.reason.clone(), evidence }
    }

    fn transactional(verdict: &transactions::Verdict) -> Self {
        let answer = match verdict.answer {
            transactions::Answer::Valid => Answer::Valid,
            transactions::Answer::Invalid => Answer::Invalid,
            transactions::Answer::Unknown => Answer::Unknown,
        };
        Self { check: "transactions", answer, reason: verdict.reason(), evidence: verdict.evidence() }
    }
}

fn evidence(witness: &Witness, operations: &[Operation]) -> Vec<String> {
    let mut lines = vec![witness.summary.clone()];
    lines.extend(witness.operations.iter().map(|&place| {
        let mark = if place == witness.operation { " ← cannot be explained" } else { "" };
        format!("operation {place}: {}{mark}", in_words(&operations[place]))
    }));
    lines.extend(witness.pending.iter().map(|p| format!("operation {}: {}", p.operation, p.why)));
    lines
}

/// An operation with who, where and when.
fn in_words(operation: &Operation) -> String {
    let result = match &operation.outcome {
        Outcome::Ok(value) => format!("ok {value}"),
        Outcome::Fail { actual: Some(actual), .. } => format!("fail, found {actual}"),
        Outcome::Fail { actual: None, .. } => "fail".to_owned(),
        Outcome::Info { .. } => "unknown".to_owned(),
    };
    let end =
        operation.completed_ns.map_or_else(|| "…".to_owned(), |end| format!("{:.6} s", end as f64 / 1e9));
    format!(
        "process {} {} {} {}: {result}, {:.6} s to {end}",
        operation.process,
        operation.f,
        operation.key.as_deref().unwrap_or(""),
        operation.argument,
        operation.invoked_ns as f64 / 1e9,
    )
}
