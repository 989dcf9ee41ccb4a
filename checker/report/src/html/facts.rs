//! The rows of the first screen that say under which faults, what is missing, and how to see it again.

use crate::faults::FaultRecord;
use crate::headline::{decisive, in_force};
use crate::sentences::{since_load, when};
use crate::verdict::{Answer, Check, RunVerdict, VariantVerdict, many};
use maud::{Markup, html};

/// Faults and missing observations that are named.
const NAMED: usize = 3;

/// The rows, for a list of terms.
pub(super) fn rows(verdict: &RunVerdict) -> Markup {
    let worst = |variant| Some((variant, decisive(variant, verdict.answer)?));
    let decisive = verdict.variants.iter().find_map(worst);
    html! {
        @match decisive {
            Some((variant, check)) if check.violation.is_some() => { (then(variant, check)) }
            Some(_) | None => { (all(verdict)) }
        }
        (missing(verdict))
        dt { "See it again" }
        dd.again {
            @if let Some((variant, check)) = decisive {
                div { code { (judged(variant, check)) } " judges what was recorded" }
            } @else {
                div { code { "bench report ." } " judges what was recorded" }
            }
            div { code { (plain(&verdict.again)) } " runs it once more: the same seed, but real time differs" }
            small { "Both in the folder of this page." }
        }
    }
}

/// The faults in force when it broke.
fn then(variant: &VariantVerdict, check: &Check) -> Markup {
    let span = check.violation.as_ref().and_then(|violation| violation.span);
    let there: Vec<&FaultRecord> = span
        .map_or_else(Vec::new, |span| variant.faults.iter().filter(|fault| in_force(fault, span)).collect());
    let healed = || {
        let before =
            variant.faults.iter().filter(|fault| span.is_some_and(|(from, _)| fault.end_ns <= Some(from)));
        before.filter(|fault| fault.end_ns.is_some()).max_by_key(|fault| fault.end_ns)
    };
    html! {
        // The headline says when a promise broke, but not when something was seen that proves nothing.
        @if let Some((_, at)) = span.filter(|_| check.answer != Answer::Invalid) {
            dt { "When" } dd { (when(at, Some(variant.summary.load_start_ns))) }
        }
        dt { "Fault then" }
        dd {
            @if there.is_empty() {
                "none in force"
                @if let Some(last) = healed() { "; the last one was " (course(variant, last)) }
            } @else {
                (named(variant, &there))
            }
        }
    }
}

/// The faults of the whole run.
fn all(verdict: &RunVerdict) -> Markup {
    let faults =
        || verdict.variants.iter().flat_map(|variant| variant.faults.iter().map(move |it| (variant, it)));
    let real: Vec<(&VariantVerdict, &FaultRecord)> =
        faults().filter(|(_, fault)| fault.took_effect()).collect();
    html! {
        dt { "Faults" }
        dd {
            @if faults().count() == 0 {
                "none was planned"
            } @else {
                @for (index, (variant, fault)) in real.iter().take(NAMED).enumerate() {
                    @if index > 0 { "; " }
                    @if verdict.variants.len() > 1 { (variant.variant) ": " }
                    (course(variant, fault))
                }
                @if real.is_empty() { "none left evidence" }
                @if real.len() > NAMED { "; and " a href="#faults" { (many((real.len() - NAMED) as u64, "other")) } }
            }
        }
    }
}

fn named(variant: &VariantVerdict, faults: &[&FaultRecord]) -> Markup {
    html! {
        @for (index, fault) in faults.iter().take(NAMED).enumerate() {
            @if index > 0 { "; " }
            (course(variant, fault))
        }
        @if faults.len() > NAMED { "; and " a href="#faults" { (many((faults.len() - NAMED) as u64, "other")) } }
    }
}

/// A fault with its time: `1. kill leader (n2), from 1.032 s to 2.040 s`.
fn course(variant: &VariantVerdict, fault: &FaultRecord) -> Markup {
    let load_start = variant.summary.load_start_ns;
    html! {
        (fault.fault) ". " (fault.label) ", "
        @match (fault.start_ns, fault.end_ns) {
            (Some(start), Some(end)) => { "from " (since_load(start, load_start)) " to " (since_load(end, load_start)) }
            (Some(start), None) => { "from " (since_load(start, load_start)) " on" }
            (None, _) => { "never started" }
        }
    }
}

/// What a run that is unknown did not show.
fn missing(verdict: &RunVerdict) -> Markup {
    let unmet = verdict.variants.iter().filter(|variant| variant.answer == Answer::Unknown);
    let unmet = unmet.flat_map(|variant| variant.obligations.iter().map(move |it| (variant, it)));
    let unmet: Vec<_> = unmet.filter(|(_, obligation)| !obligation.met).collect();
    html! {
        @if verdict.answer == Answer::Unknown && !unmet.is_empty() {
            dt { "Not seen" }
            dd {
                ul.missing {
                    @for (variant, obligation) in unmet.iter().take(NAMED) {
                        li {
                            @if verdict.variants.len() > 1 { (variant.variant) ": " }
                            (obligation.what) ": " (obligation.counted) " of " (obligation.required)
                            @if !obligation.missing.is_empty() { " (missing: " (obligation.missing.join(", ")) ")" }
                        }
                    }
                    @if unmet.len() > NAMED {
                        li { "and " a href="#checks" { (many((unmet.len() - NAMED) as u64, "other obligation")) } }
                    }
                }
            }
        }
    }
}

/// The command that shows from the recorded history what a check says.
fn judged(variant: &VariantVerdict, check: &Check) -> String {
    let history = format!("{}/history.jsonl", variant.variant);
    let promise = variant.promise.map_or_else(String::new, |promise| format!(" --consistency {promise}"));
    match check.name {
        "linearizable" => format!("bench check {history} --explain"),
        "transactions" => format!("bench check {history} --explain{promise}"),
        _ => "bench check .".to_owned(),
    }
}

/// A command with the program by its name, as the other commands of the page have it; its path is under Origin.
pub(super) fn plain(command: &str) -> String {
    let words = command.split(' ').map(|word| if word.ends_with("/bench") { "bench" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn commands_name_the_program_alike() {
        assert_eq!(plain("/a/b/bench run spec.toml --seed 7"), "bench run spec.toml --seed 7");
        let elsewhere = "spec=\"$PWD/spec.toml\"; (cd /x && /a/bench run \"$spec\" --seed 7)";
        assert_eq!(plain(elsewhere), "spec=\"$PWD/spec.toml\"; (cd /x && bench run \"$spec\" --seed 7)");
    }
}
