//! The answer of a run in one plain sentence: what broke, when, and under which fault; or why nothing is proven.

use super::faults::FaultRecord;
use super::obligations;
use super::plan::{Plan, VariantPlan};
use super::sentences::{listed, when};
use super::verdict::{Answer, Check, VariantVerdict, many, upper_first};
use checker::transactions::ALLOWED;
use std::collections::BTreeSet;

/// Faults that the sentence names.
const NAMED: usize = 2;

/// The sentence.
pub(crate) fn sentence(answer: Answer, variants: &[VariantVerdict], plan: &Plan) -> String {
    let promised = promised(variants, plan);
    let worst = worst(answer, variants);
    let why = worst.map_or_else(|| "nothing was recorded".to_owned(), |(_, check)| reason(answer, check));
    let scope = worst.filter(|_| variants.len() > 1);
    let scope = scope.map_or_else(String::new, |(variant, _)| format!(" ({})", variant.variant));
    match answer {
        Answer::Valid => {
            let reservations = reservations(variants, plan);
            format!("Valid: the system kept its promises under {}.{promised}{reservations}", load(variants))
        }
        Answer::Invalid => {
            let circumstances = worst.and_then(|(variant, check)| circumstances(variant, check));
            let circumstances = circumstances.map_or_else(String::new, |text| format!(", {text}"));
            format!("Invalid: {why}{scope}{circumstances}.{promised}")
        }
        Answer::Unknown => {
            let early = worst.and_then(|(variant, check)| ended_early(variant, check));
            let early = early.map_or_else(String::new, |text| format!(" {}{scope}.", upper_first(text)));
            format!("Unknown: nothing is proven. {}{scope}.{early}{promised}", upper_first(&why))
        }
        Answer::Failed => {
            format!("Failed: the bench itself could not do its work. {}{scope}.", upper_first(&why))
        }
    }
}

/// How much the system was asked, and under how many faults.
fn load(variants: &[VariantVerdict]) -> String {
    let operations: u64 = variants.iter().map(|variant| variant.summary.counts.all()).sum();
    let faults =
        variants.iter().flat_map(|variant| &variant.faults).filter(|fault| fault.took_effect()).count();
    match faults {
        0 => format!("{}, without a fault", many(operations, "operation")),
        1 => format!("{} and a fault that took effect", many(operations, "operation")),
        faults => format!("{} and {faults} faults that took effect", many(operations, "operation")),
    }
}

/// The check that decides the answer, with its variant.
fn worst(answer: Answer, variants: &[VariantVerdict]) -> Option<(&VariantVerdict, &Check)> {
    variants.iter().find_map(|variant| Some((variant, decisive(variant, answer)?)))
}

/// The check of a variant that says most about why the answer is this one. That a run ended early is the reason only
/// where nothing else is: what is missing because of it says more.
pub(crate) fn decisive(variant: &VariantVerdict, answer: Answer) -> Option<&Check> {
    let of = || variant.checks.iter().filter(|check| check.answer == answer && answer != Answer::Valid);
    let last = || variant.checks.last().filter(|last| last.answer == answer);
    let rank = |check: &&Check| match (check.violation.is_some(), check.name) {
        (true, _) => 0,
        (false, "complete") => 3,
        // It could not serve again if the run was over before.
        (false, "liveness") if last().is_some() => 2,
        (false, _) => 1,
    };
    if answer == Answer::Failed {
        return last().or_else(|| of().next());
    }
    of().min_by_key(rank)
}

/// Why, with the name of the check where the reason needs its subject to be understood.
fn reason(answer: Answer, check: &Check) -> String {
    let clear = answer == Answer::Invalid
        || check.violation.is_some()
        || ["complete", obligations::NAME].contains(&check.name);
    if clear { check.reason.clone() } else { format!("{}: {}", check.name, check.reason) }
}

/// That the run ended early, where another check says why nothing is proven.
fn ended_early<'a>(variant: &'a VariantVerdict, decisive: &Check) -> Option<&'a str> {
    let last = variant.checks.last()?;
    let early = last.name == "complete" && last.answer == Answer::Unknown && decisive.name != "complete";
    early.then_some(last.reason.as_str())
}

/// When it happened and under which faults; none where the check does not say when.
fn circumstances(variant: &VariantVerdict, check: &Check) -> Option<String> {
    let span = check.violation.as_ref()?.span?;
    let at = when(span.1, Some(variant.summary.load_start_ns));
    let fault = during(&variant.faults, span);
    Some(fault.map_or_else(|| at.clone(), |fault| format!("{at}, {fault}")))
}

/// Whether a fault was in force at some moment of a time.
pub(crate) fn in_force(fault: &FaultRecord, (from, to): (u64, u64)) -> bool {
    fault.start_ns.is_some_and(|start| start <= to) && fault.end_ns.is_none_or(|end| from < end)
}

/// The faults in force at a time, in words, or else the last one before it; none where there was none.
fn during(faults: &[FaultRecord], (from, to): (u64, u64)) -> Option<String> {
    let name = |fault: &&FaultRecord| format!("fault {}: {}", fault.fault, fault.label);
    let there = faults.iter().filter(|fault| in_force(fault, (from, to)));
    let all: Vec<String> = there.map(|fault| name(&fault)).collect();
    if !all.is_empty() {
        let mut shown: Vec<String> = all.iter().take(NAMED).cloned().collect();
        if all.len() > NAMED {
            shown.push(many((all.len() - NAMED) as u64, "other fault"));
        }
        return Some(format!("during {}", listed(&shown)));
    }
    let healed = faults.iter().filter_map(|fault| Some((fault.end_ns.filter(|end| *end <= from)?, fault)));
    let (end, fault) = healed.max_by_key(|(end, _)| *end)?;
    let after = super::sentences::seconds(from.saturating_sub(end) as f64 / 1e9);
    Some(format!("{after} after the heal of {}", name(&fault)))
}

/// What was promised of transactions where that is not the usual, for each variant where they differ, and the anomalies
/// that were found and are allowed.
fn promised(variants: &[VariantVerdict], plan: &Plan) -> String {
    let all: BTreeSet<_> = plan.variants.iter().map(VariantPlan::promise).collect();
    let name = |variant: &VariantPlan| variant.promise().unwrap_or_else(|| variant.usual_promise());
    let allowed = |variant: &VariantVerdict| {
        let names = variant.checks.iter().find_map(|check| Some(check.reason.split_once(ALLOWED)?.1));
        let of = if variants.len() > 1 { format!(" in {}", variant.variant) } else { String::new() };
        names.map(|names| format!("{ALLOWED}{names}{of}"))
    };
    let allowed: String = variants.iter().filter_map(allowed).collect();
    match all.first() {
        Some(Some(only)) if all.len() == 1 => format!(" The promise was {only}{allowed}."),
        Some(_) if all.len() > 1 => {
            let first = plan.variants.iter().filter(|variant| variant.round.unwrap_or(1) == 1);
            let each = first.map(|variant| format!("{} for {}", name(variant), variant.in_spec()));
            format!(" The promise was {}{allowed}.", each.collect::<Vec<_>>().join(", "))
        }
        Some(_) | None if !allowed.is_empty() => {
            let usual = plan.variants.first().map_or("", VariantPlan::usual_promise);
            format!(" The promise was {usual}{allowed}.")
        }
        Some(_) | None => String::new(),
    }
}

/// What a valid answer does not cover: checks that are switched off, keys that were not read again.
fn reservations(variants: &[VariantVerdict], plan: &Plan) -> String {
    let mut text = String::new();
    let off =
        |wanted: fn(&super::CheckPlan) -> bool| plan.variants.iter().any(|variant| !wanted(&variant.check));
    // Where invariants were checked, agreement was one of them.
    let simulated =
        variants.iter().flat_map(|variant| &variant.checks).any(|check| check.name == "invariants");
    if off(|check| check.linearizable) {
        text.push_str(" Linearizability was not judged (linearizable = false).");
    }
    if plan.variants.iter().any(|plan| !plan.check.agreement && !plan.replicas.is_empty() && !simulated) {
        text.push_str(" Agreement of the replicas was not judged (agreement = false).");
    }
    let warnings = variants.iter().flat_map(|variant| &variant.warnings);
    for warning in warnings.filter(|warning| warning.name == "unobserved-keys") {
        text = format!("{text} {}.", upper_first(&warning.text));
    }
    text
}
