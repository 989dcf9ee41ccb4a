//! A violation told operation by operation, with the faults between them.

use super::picture;
use crate::faults::FaultRecord;
use crate::headline::decisive;
use crate::observed::Observed;
use crate::sentences::seconds;
use crate::verdict::{Answer, RunVerdict, VariantVerdict, upper_first};
use crate::violation::{Possible, Violation};
use checker::words;
use history::{OperationRef, OutcomeRef};
use maud::{Markup, html};
use serde_json::Value;

/// Something that happened, for the story and its picture.
#[derive(Debug, Clone, Copy)]
pub(super) enum Moment<'a> {
    /// An operation, by its index.
    Operation(usize, OperationRef<'a>),
    /// A fault began.
    Began(&'a FaultRecord),
    /// A fault was healed.
    Healed(&'a FaultRecord),
}

impl Moment<'_> {
    fn at(&self) -> u64 {
        match self {
            Self::Operation(_, operation) => operation.invoked_ns,
            Self::Began(fault) => fault.start_ns.unwrap_or(0),
            Self::Healed(fault) => fault.end_ns.unwrap_or(0),
        }
    }
}

/// Faults before a violation that are told.
const FAULTS: usize = 8;
/// Possible values that are listed.
const VALUES: usize = 8;

/// What happened in the order of time: the operations of the violation, and the faults that were in force between the
/// first and the last of them.
pub(super) fn moments<'a>(observed: &'a Observed, violation: &Violation) -> Vec<Moment<'a>> {
    let named = |index: &usize| Some((*index, observed.operations.get(*index)?));
    let operations: Vec<(usize, OperationRef<'_>)> = violation.operations.iter().filter_map(named).collect();
    let first = operations.iter().map(|(_, it)| it.invoked_ns).min().unwrap_or(0);
    let last = operations.iter().map(|(_, it)| it.completed_ns.unwrap_or(it.invoked_ns)).max().unwrap_or(0);
    let between = |fault: &&FaultRecord| {
        fault.start_ns.is_some_and(|start| start <= last) && fault.end_ns.is_none_or(|end| end >= first)
    };
    let mut faults: Vec<&FaultRecord> = observed.faults.iter().filter(between).collect();
    if faults.is_empty() {
        // What was healed shortly before is the next best explanation.
        faults.extend(
            observed
                .faults
                .iter()
                .filter(|fault| fault.end_ns.is_some_and(|end| end < first))
                .max_by_key(|it| it.end_ns),
        );
    }
    let mut moments: Vec<Moment<'_>> =
        operations.iter().map(|(index, operation)| Moment::Operation(*index, *operation)).collect();
    for fault in &faults[faults.len().saturating_sub(FAULTS)..] {
        moments.push(Moment::Began(fault));
        if fault.end_ns.is_some_and(|end| end <= last) {
            moments.push(Moment::Healed(fault));
        }
    }
    moments.sort_by_key(Moment::at);
    moments
}

/// The section about the worst answer of a run that is not valid.
pub(super) fn section(verdict: &RunVerdict, variant: &VariantVerdict, observed: &Observed) -> Markup {
    let Some(check) = decisive(variant, variant.answer) else { return html! {} };
    let several = verdict.variants.len() > 1;
    html! {
        section #violation {
            h2 { (heading(variant.answer)) @if several { ": " (variant.variant) } }
            // The headline has said it where it is short enough.
            @let said = [check.reason.clone(), upper_first(&check.reason)];
            @if !said.iter().any(|said| verdict.sentence.contains(said)) { p.lead { (upper_first(&check.reason)) "." } }
            @if let Some(violation) = &check.violation {
                (told(observed, violation))
            } @else if !check.evidence.is_empty() {
                ul.evidence { @for line in check.evidence.iter().take(20) { li { (line) } } }
            }
        }
    }
}

/// The heading of that section, and its name among the links to sections.
pub(super) fn heading(answer: Answer) -> &'static str {
    match answer {
        Answer::Invalid => "What broke",
        Answer::Unknown => "Why nothing is proven",
        Answer::Failed | Answer::Valid => "What failed",
    }
}

fn told(observed: &Observed, violation: &Violation) -> Markup {
    let moments = moments(observed, violation);
    let cyclic = !violation.edges.is_empty();
    html! {
        div.story {
            div {
                ol.moments {
                    @for moment in &moments { (sentence(observed, violation, *moment)) }
                }
                @if violation.more > 0 { p.about { (violation.more) " more operations belong to it." } }
                @if cyclic { (edges(violation)) } @else { (conclusion(observed, violation)) }
            }
            figure {
                div.wide {
                    @if cyclic { (picture::cycle(observed, violation)) } @else { (picture::bars(&moments, violation)) }
                }
                figcaption {
                    @if cyclic {
                        "Each transaction had to come before the next one. Nothing can come before itself."
                    } @else {
                        "In the order of their events, not to scale: bars that overlap were concurrent. "
                        @if violation.odd.is_some() { "The red operation cannot be explained. " }
                        "Shaded: a fault was in force."
                    }
                }
            }
        }
        (order(observed, violation))
    }
}

/// A moment in seconds since the load began.
fn seconds_since_load(observed: &Observed, ns: u64) -> String {
    format!("{:.3} s", observed.axis_seconds(ns)).replace('-', "−")
}

/// One moment of the story.
fn sentence(observed: &Observed, violation: &Violation, moment: Moment<'_>) -> Markup {
    let at = seconds_since_load(observed, moment.at());
    match moment {
        Moment::Operation(index, operation) => {
            let name = violation.operations.iter().position(|it| *it == index);
            let name = name.filter(|_| !violation.edges.is_empty()).map(|at| format!("T{}: ", at + 1));
            html! {
                li.odd[violation.odd == Some(index)] data-operation=(index) {
                    time { (at) } " "
                    span { @if let Some(name) = name { strong { (name) } } (in_plain_words(&operation)) }
                }
            }
        }
        Moment::Began(fault) => html! {
            li.fault {
                time { (at) } " " span { "Fault " (fault.fault) " begins: " (fault.label) "." }
            }
        },
        Moment::Healed(fault) => html! {
            li.fault { time { (at) } " " span { "Fault " (fault.fault) " is healed: " (fault.label) "." } }
        },
    }
}

/// An operation in a sentence without its time: `Client 3 writes 42 to k7 through n2: acknowledged after 1.2 ms.`
pub(super) fn in_plain_words(operation: &OperationRef<'_>) -> String {
    let who = upper_first(&words::who(operation));
    let key = operation.key.map_or_else(String::new, |key| format!(" {key}"));
    let through = operation.node.map_or_else(String::new, |node| format!(" through {node}"));
    let argument = words::shown(operation.argument);
    if let Some(steps) = steps(operation) {
        let ending = if matches!(operation.outcome, OutcomeRef::Ok(_)) {
            committed(operation)
        } else {
            ending(operation)
        };
        return format!("{who} runs {steps}{through}: {ending}.");
    }
    let asks = match (operation.f, operation.argument.as_array().map(Vec::as_slice)) {
        ("read" | "get", _) => format!("reads{key}"),
        ("write" | "put", _) => format!("writes {argument} to{key}"),
        ("append", _) => format!("appends {argument} to{key}"),
        ("add" | "enqueue", _) => format!(
            "{}s {argument}{}",
            operation.f,
            operation.key.map_or_else(String::new, |key| format!(" to {key}"))
        ),
        ("delete", _) => format!("deletes{key}"),
        ("cas", Some([from, to])) => {
            format!("changes{key} from {} to {} by compare-and-set", words::shown(from), words::shown(to))
        }
        (f, _) if operation.argument.is_null() => format!("asks for {f}{key}"),
        (f, _) => format!("asks for {f}{key} {argument}"),
    };
    format!("{who} {asks}{through}: {}.", ending(operation))
}

/// The steps of a transaction with what each read; none where it is no transaction.
fn steps(operation: &OperationRef<'_>) -> Option<String> {
    let parts = match operation.outcome {
        OutcomeRef::Ok(result) if result.is_array() => result,
        OutcomeRef::Ok(_) | OutcomeRef::Fail { .. } | OutcomeRef::Info { .. } => operation.argument,
    };
    let step = |part: &Value| match part.as_array()?.as_slice() {
        [kind, key, value] => Some(match kind.as_str()? {
            "r" if value.is_null() => format!("r {}", plain(key)),
            "r" => format!("r {} → {}", plain(key), words::shown(value)),
            kind => format!("{kind} {} {}", plain(key), words::shown(value)),
        }),
        _ => None,
    };
    let parts = parts.as_array().filter(|_| operation.f == "txn")?;
    Some(parts.iter().map(step).collect::<Option<Vec<_>>>()?.join(", "))
}

/// A key without the quotes of JSON.
fn plain(key: &Value) -> String {
    key.as_str().map_or_else(|| key.to_string(), str::to_owned)
}

fn committed(operation: &OperationRef<'_>) -> String {
    let took =
        operation.completed_ns.map(|end| seconds(end.saturating_sub(operation.invoked_ns) as f64 / 1e9));
    took.map_or_else(|| "committed".to_owned(), |took| format!("committed after {took}"))
}

/// How an operation ended, and after how long.
fn ending(operation: &OperationRef<'_>) -> String {
    let took =
        operation.completed_ns.map(|end| seconds(end.saturating_sub(operation.invoked_ns) as f64 / 1e9));
    let after = took.map_or_else(String::new, |took| format!(" after {took}"));
    let why = |error: Option<&str>| error.map_or_else(String::new, |error| format!(" ({error})"));
    let reads = matches!(operation.f, "read" | "get");
    match operation.outcome {
        OutcomeRef::Ok(result) if !reads && (result.is_null() || result == operation.argument) => {
            format!("acknowledged{after}")
        }
        OutcomeRef::Ok(result) => format!("the answer{after} is {}", words::shown(result)),
        OutcomeRef::Fail { actual: Some(actual), .. } => {
            format!("refused{after}, for the value is {}", words::shown(actual))
        }
        OutcomeRef::Fail { error, .. } => format!("it fails{after}{}", why(error)),
        OutcomeRef::Info { error } => {
            format!("no answer{}, so it may have happened or not (info)", why(error))
        }
    }
}

/// Why nothing explains the odd operation: what was possible instead, and which operations say so.
fn conclusion(observed: &Observed, violation: &Violation) -> Markup {
    let values = &violation.values[..violation.values.len().min(VALUES)];
    html! {
        @if violation.odd.is_none() || values.is_empty() {
            p.conclusion { (upper_first(violation.summary.trim_end_matches('.'))) "." }
        } @else {
            p.conclusion {
                "No order of these operations explains that. When the last of them was answered, "
                @if let [only] = values {
                    "the only possible value was " strong { (only.value) } (source(observed, only)) "."
                } @else {
                    "these values were possible:"
                }
            }
            @if values.len() > 1 {
                ul.possible {
                    @for possible in values {
                        li data-operation=[possible.source] {
                            strong { (possible.value) } span { (source(observed, possible)) }
                        }
                    }
                    @if violation.values.len() > values.len() {
                        li { "and " (violation.values.len() - values.len()) " more" }
                    }
                }
            }
        }
    }
}

/// Where a possible value came from, in brackets.
fn source(observed: &Observed, possible: &Possible) -> String {
    match possible.source.and_then(|index| observed.operations.get(index)) {
        Some(operation) => format!(
            " (of {}, {} at {})",
            words::who(operation),
            words::in_short(operation),
            seconds_since_load(observed, operation.invoked_ns)
        ),
        None if possible.value == "nothing" => " (as at first)".to_owned(),
        None => String::new(),
    }
}

/// Why each transaction of a cycle had to precede the next.
fn edges(violation: &Violation) -> Markup {
    let count = violation.edges.len();
    html! {
        ol.edges {
            @for (index, (kind, why)) in violation.edges.iter().enumerate() {
                li {
                    strong { "T" (index + 1) " before T" ((index + 1) % count + 1) }
                    " (" (edge_in_words(kind)) "): " (why) "."
                }
            }
        }
    }
}

/// What a kind of edge means.
fn edge_in_words(kind: &str) -> &'static str {
    match kind {
        "ww" => "its write was overwritten",
        "wr" => "its write was read",
        "rw" => "it read what was overwritten then",
        "process" => "order of one client",
        _ => "real time",
    }
}

/// The longest order that was found with the state after each step, and what each open operation would have needed.
fn order(observed: &Observed, violation: &Violation) -> Markup {
    let operation = |index: usize| observed.operations.get(index).map_or_else(String::new, words::in_short);
    html! {
        @if !violation.order.is_empty() {
            details.order open {
                summary { "The longest order that was found, with the state after each step" }
                ol start=(violation.before + 1) {
                    @for step in &violation.order {
                        li data-operation=(step.operation) {
                            code { (operation(step.operation)) } span { "state: " strong { (step.state) } }
                        }
                    }
                    @if let Some(odd) = violation.odd {
                        li.odd data-operation=(odd) { code { (operation(odd)) } span { "does not fit" } }
                    }
                }
            }
        }
        @if !violation.needs.is_empty() {
            details.needs open {
                summary { "What each remaining operation would need" }
                ul {
                    @for (index, why) in &violation.needs {
                        li data-operation=(index) { code { (operation(*index)) } " " (why) "." }
                    }
                }
            }
        }
    }
}
