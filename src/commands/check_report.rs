//! Checks the operations of a history by the model's own method, and reports the result in words.

use crate::failure::Failure;
use crate::run::judge;
use crate::spec::explain;
use checker::certificate::{Linearization, confirm};
use checker::elements::{self, Kind};
use checker::limits::Limits;
use checker::linearizability::{self, Model, Specification, Verdict};
use checker::property::{Property, UnknownProperty};
use checker::transactions::{self, Consistency, Options, Workload};
use checker::words;
use history::Operations;
use report::{Answer, Threads, lanes};
use serde_json::{Value, json};
use std::fmt::Display;
use std::time::Duration;

/// What one configuration of a search takes in memory, in bytes, roughly.
const CONFIGURATION: usize = 100;
/// What a search may take in memory unless somebody says otherwise, in bytes.
const MEMORY: usize = 400_000_000;
/// Operations of a witness that are written out.
const SHOWN: usize = 12;
/// Operations that are drawn, and keys and operations of an order that are written out, where all is explained.
const DRAWN: usize = 60;
const KEYS_SHOWN: usize = 10;
const ORDER_SHOWN: usize = 12;

/// What transactions must fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Model(Consistency),
    /// Every model: say which hold.
    All,
}

/// How much a search may take, and how much is asked of the history.
pub(super) struct Bounds {
    pub(super) timeout: Duration,
    /// In bytes; a usual amount if none.
    pub(super) memory: Option<usize>,
    /// What transactions must fit; strict serializability if none.
    pub(super) consistency: Option<Wanted>,
    /// What the checks of elements need to know.
    pub(super) elements: elements::Options,
    /// Whether a separate verifier must confirm what is valid.
    pub(super) certify: bool,
    /// Whether to say how the answer can be followed.
    pub(super) explain: bool,
}

/// A verdict in words.
pub(super) struct CheckReport {
    /// The check that was made.
    pub(super) check: &'static str,
    pub(super) answer: Answer,
    pub(super) reason: String,
    pub(super) evidence: Vec<String>,
    /// How it can be followed step by step, where that was asked for.
    pub(super) explanation: Vec<String>,
    /// The order of each key that proves a valid verdict, where that was asked for: indices of operations.
    pub(super) orders: Option<Value>,
}

/// The model of this name, which `location` names.
///
/// # Errors
/// When there is none.
pub(super) fn property(model: &str, location: &str) -> Result<Property, Failure> {
    model.parse().map_err(|error: UnknownProperty| {
        let explained = explain::own(&error.to_string());
        let mut failure = Failure::usage(location, explained.reason);
        failure.help = explained.help;
        failure
    })
}

/// Judges operations.
pub(super) fn judge(operations: &Operations, property: Property, bounds: &Bounds) -> CheckReport {
    let report = match property {
        Property::Linearizable(model) => linearizable(operations, model, bounds),
        Property::Sequential => sequential(operations, bounds),
        Property::Transactions(workload) => transactional(operations, workload, bounds),
        Property::Elements(kind) => by_elements(operations, kind, bounds),
    };
    if operations.is_empty() { nothing_recorded(report) } else { report }
}

fn linearizable(operations: &Operations, model: Model, bounds: &Bounds) -> CheckReport {
    let stop = judge::deadline(bounds.timeout);
    let configurations = bounds.memory.unwrap_or(MEMORY) / CONFIGURATION;
    let threads = Threads::available(usize::MAX);
    let limits = Limits { stop: &*stop, configurations, workers: &threads };
    let (verdict, orders) = if bounds.certify || bounds.explain {
        linearizability::check_certified(operations, model, &limits)
    } else {
        (linearizability::check(operations, model, &limits), None)
    };
    let mut report = CheckReport::of_order(&verdict, operations, &model, bounds.explain);
    if let Some(orders) = orders.filter(|_| report.answer == Answer::Valid) {
        if bounds.certify {
            report.confirm(operations, model, &orders);
        }
        if bounds.explain {
            report.explanation = tell(&orders, operations);
            report.orders = Some(json!(orders.orders));
        }
    }
    report
}

fn sequential(operations: &Operations, bounds: &Bounds) -> CheckReport {
    let stop = judge::deadline(bounds.timeout);
    let configurations = bounds.memory.unwrap_or(MEMORY) / CONFIGURATION;
    let limits = Limits { stop: &*stop, configurations, ..Limits::DEFAULT };
    let verdict = checker::sequential::check(operations, &limits);
    let mut report = CheckReport {
        check: "sequential",
        answer: Answer::Valid,
        reason: String::new(),
        evidence: Vec::new(),
        explanation: Vec::new(),
        orders: None,
    };
    match verdict {
        checker::sequential::Verdict::Valid { order } => {
            report.reason =
                format!("{} operations fit one order, which is also that of each process", order.len());
            report.orders = bounds.explain.then(|| json!([order]));
        }
        checker::sequential::Verdict::Invalid { reason, evidence, operations: indexes } => {
            let indexes: Vec<usize> = indexes.into_iter().map(|index| index as usize).collect();
            (report.answer, report.reason, report.evidence) = (Answer::Invalid, reason, evidence);
            if bounds.explain {
                report.explanation = picture(operations, &indexes, None);
            }
        }
        checker::sequential::Verdict::Unknown { reason } => {
            (report.answer, report.reason) = (Answer::Unknown, reason);
        }
    }
    report
}

/// Judges operations by a model of one's own, whose name stands in the report.
pub(super) fn judge_by(
    operations: &Operations,
    specification: &impl Specification,
    name: &str,
    bounds: &Bounds,
) -> CheckReport {
    let stop = judge::deadline(bounds.timeout);
    let configurations = bounds.memory.unwrap_or(MEMORY) / CONFIGURATION;
    let limits = Limits { stop: &*stop, configurations, ..Limits::DEFAULT };
    let verdict = linearizability::check_against(operations, specification, &limits);
    let report = CheckReport::of_order(&verdict, operations, &name, bounds.explain);
    if operations.is_empty() { nothing_recorded(report) } else { report }
}

/// Nothing keeps every promise; whoever asks wants to know about a system.
fn nothing_recorded(report: CheckReport) -> CheckReport {
    CheckReport { answer: Answer::Unknown, reason: "no operation was recorded".to_owned(), ..report }
}

fn transactional(operations: &Operations, workload: Workload, bounds: &Bounds) -> CheckReport {
    let stop = judge::deadline(bounds.timeout);
    let options = Options::new(workload);
    let configurations = bounds.memory.unwrap_or(MEMORY) / CONFIGURATION;
    let limits = Limits { stop: &*stop, configurations, ..Limits::DEFAULT };
    let model = match bounds.consistency {
        Some(Wanted::All) => return levels(operations, workload, &limits),
        Some(Wanted::Model(model)) => model,
        None => options.model,
    };
    let verdict = transactions::check(operations, &Options { model, limits, weaker: true, ..options });
    let drawn = verdict.anomalies.first().filter(|_| bounds.explain);
    let explanation = drawn.map_or_else(Vec::new, |anomaly| picture(operations, &anomaly.operations, None));
    let (mut answer, mut reason) = (verdict.answer.into(), verdict.reason());
    if bounds.certify && answer == Answer::Valid {
        match verdict.confirm(operations, workload) {
            Some(Ok(())) => reason.push_str("; a separate verifier confirms the order"),
            Some(Err(mismatch)) => {
                answer = Answer::Unknown;
                reason = format!("the order that was found is not confirmed: {mismatch}");
            }
            None => {}
        }
    }
    CheckReport {
        check: "transactions",
        answer,
        reason,
        evidence: verdict.evidence(),
        explanation,
        orders: None,
    }
}

/// The strongest models that hold and the weakest that fail. No model was promised, so that it is valid if any holds.
fn levels(operations: &Operations, workload: Workload, limits: &Limits<'_>) -> CheckReport {
    let levels = transactions::check_levels(operations, workload, limits);
    let named =
        |models: &[Consistency]| models.iter().map(|model| model.name()).collect::<Vec<_>>().join(", ");
    let (valid, invalid, open) = (levels.strongest_valid(), levels.weakest_invalid(), levels.open());
    let mut parts = Vec::new();
    for (what, models) in [("strongest that hold", &valid), ("weakest that fail", &invalid), ("open", &open)]
    {
        if !models.is_empty() {
            parts.push(format!("{what}: {}", named(models)));
        }
    }
    let why = levels.levels.iter().find_map(|level| level.unsure.clone());
    parts.extend(why);
    let answer = match (open.is_empty(), valid.is_empty()) {
        (false, _) => Answer::Unknown,
        (true, false) => Answer::Valid,
        (true, true) => Answer::Invalid,
    };
    let mut evidence = Vec::new();
    for anomaly in &levels.anomalies {
        evidence.push(format!("{}: {}", anomaly.name, anomaly.summary));
        evidence.extend(anomaly.explanation.iter().cloned());
    }
    CheckReport {
        check: "transactions",
        answer,
        reason: parts.join("; "),
        evidence,
        explanation: Vec::new(),
        orders: None,
    }
}

fn by_elements(operations: &Operations, kind: Kind, bounds: &Bounds) -> CheckReport {
    let verdict = elements::check_with(kind, operations, &bounds.elements);
    let drawn = verdict.findings.first().filter(|_| bounds.explain);
    CheckReport {
        check: verdict.kind.name(),
        answer: verdict.answer.into(),
        evidence: verdict.evidence(operations),
        explanation: drawn.map_or_else(Vec::new, |finding| picture(operations, &finding.operations, None)),
        reason: verdict.reason,
        orders: None,
    }
}

impl CheckReport {
    fn of_order(verdict: &Verdict, operations: &Operations, model: &impl Display, explain: bool) -> Self {
        let (reason, evidence, explanation) = match verdict {
            Verdict::Valid { keys, operations } => {
                let keys = if *keys == 1 { "one key".to_owned() } else { format!("{keys} keys") };
                let operations = words::counted(*operations as u64, "operation", "operations");
                (format!("{operations} on {keys} fit one order ({model})"), Vec::new(), Vec::new())
            }
            Verdict::Unknown { reason } => (reason.clone(), Vec::new(), Vec::new()),
            Verdict::Invalid(witness) => {
                let on = witness.key.as_ref().map_or_else(String::new, |key| format!("on key {key} "));
                let odd = words::in_short(operations.at(witness.operation));
                let reason = format!("{on}no order of the operations explains {odd} ({model})");
                let shown = if explain { usize::MAX } else { SHOWN };
                let explanation = if explain {
                    picture(operations, &witness.operations, Some(witness.operation))
                } else {
                    Vec::new()
                };
                (reason, witness.evidence(operations, shown), explanation)
            }
        };
        let answer = verdict.answer().into();
        Self { check: "linearizable", answer, reason, evidence, explanation, orders: None }
    }

    fn confirm(&mut self, operations: &Operations, model: Model, orders: &Linearization) {
        match confirm(operations, model, orders) {
            Ok(()) => self.reason.push_str("; a separate verifier confirms the order"),
            Err(mismatch) => {
                self.answer = Answer::Unknown;
                self.reason = format!("the order that was found is not confirmed: {mismatch}");
            }
        }
    }
}

/// Operations side by side in the order of their events.
fn picture(operations: &Operations, indices: &[usize], odd: Option<usize>) -> Vec<String> {
    let drawn = &indices[..indices.len().min(DRAWN)];
    let mut lines = vec!["in the order of their events (bars that overlap were concurrent):".to_owned()];
    lines.extend(lanes(operations, drawn, odd));
    if indices.len() > drawn.len() {
        lines.push(format!("and {} more", indices.len() - drawn.len()));
    }
    lines
}

/// The beginning of the order of each key.
fn tell(orders: &Linearization, operations: &Operations) -> Vec<String> {
    let lines = orders.orders.iter().filter_map(|order| {
        let first = operations.get(*order.first()? as usize)?;
        let key =
            first.key.as_ref().map_or_else(|| "an order".to_owned(), |key| format!("an order on key {key}"));
        let shown = order.iter().take(ORDER_SHOWN).map(|index| {
            let operation = operations.at(*index as usize);
            words::in_short(operation)
        });
        let shown = shown.collect::<Vec<_>>().join("; ");
        let more = order.len().saturating_sub(ORDER_SHOWN);
        let more =
            if more > 0 { format!("; … {more} more, all of them with --json") } else { String::new() };
        Some(format!("{key} that explains every result: {shown}{more}"))
    });
    let mut lines: Vec<String> = lines.take(KEYS_SHOWN).collect();
    if let Some(more) = orders.orders.len().checked_sub(KEYS_SHOWN).filter(|more| *more > 0) {
        lines.push(format!("and {more} more keys, all of them with --json"));
    }
    lines
}
