//! The first screen: the answer in a sentence, the promise it is about, and what it rests on.

use super::{facts, obligations, sign};
use crate::plan::{Plan, VariantPlan};
use crate::sentences::{listed, share};
use crate::verdict::{Answer, Check, RunVerdict, grouped, many, upper_first};
use checker::property::Property;
use maud::{Markup, html};
use std::collections::BTreeSet;

/// The answer, what was promised, and what must be read with it.
pub(super) fn header(verdict: &RunVerdict, plan: &Plan) -> Markup {
    let word = verdict.answer.word();
    html! {
        header {
            p.spec { (verdict.spec) }
            h1.(word) {
                span.badge { (sign(verdict.answer)) " " (word) }
                " " (rest_of(&verdict.sentence))
            }
            @if !verdict.about.is_empty() {
                p.about { (verdict.about) }
            }
            dl.promise {
                @for promise in promises(plan) {
                    dt { "The promise" } dd { (promise) }
                }
                (facts::rows(verdict))
            }
            @if let Some(reading) = &verdict.reading {
                p.reading { (reading) }
            }
            (obligations::warnings(verdict))
        }
    }
}

/// The sentence without its first word, which stands beside it as a badge.
fn rest_of(sentence: &str) -> String {
    upper_first(sentence.split_once(": ").map_or(sentence, |(_, rest)| rest))
}

/// What the system promised, in the order of the variants; each promise once.
fn promises(plan: &Plan) -> Vec<String> {
    let mut promises = Vec::new();
    for variant in &plan.variants {
        let promise = promise(variant);
        if !promises.contains(&promise) {
            promises.push(promise);
        }
    }
    promises
}

fn promise(variant: &VariantPlan) -> String {
    let on = format!(
        "{} on {}, {}",
        variant.system,
        many(variant.nodes.len() as u64, "node"),
        many(variant.keys.into(), "key")
    );
    let main = match variant.model.parse() {
        _ if !variant.check.linearizable => "no consistency was judged (linearizable = false)".to_owned(),
        Ok(Property::Linearizable(model)) => format!(
            "linearizability: each operation takes effect at one moment between its invocation and its answer (model {model})"
        ),
        Ok(Property::Transactions(_)) => format!(
            "transactions are {} (model {})",
            variant.check.promise.map_or("strict-serializable", |promise| promise.name()),
            variant.model
        ),
        Ok(Property::Sequential) => format!(
            "sequential consistency: all operations have one order, in which each process did its own one after the other (model {})",
            variant.model
        ),
        Ok(Property::Elements(kind)) => format!("{} (model {kind})", kind.about()),
        Err(_) => format!("model {}", variant.model),
    };
    let mut also = Vec::new();
    if variant.check.agreement && !variant.replicas.is_empty() {
        also.push("replicas agree on every decision".to_owned());
    }
    if variant.check.digest {
        also.push("replicas end with the same state".to_owned());
    }
    if !variant.check.never.is_empty() {
        also.push(format!("no line of a log matches {}", many(variant.check.never.len() as u64, "pattern")));
    }
    also.push("it serves again after the last heal".to_owned());
    format!("{}; {} ({on}).", upper_first(&main), listed(&also))
}

/// What the answer rests on: operations, faults, and each check with how often it could have failed.
pub(super) fn rests_on(verdict: &RunVerdict) -> Markup {
    let count = |of: fn(&crate::Counts) -> u64| -> u64 {
        verdict.variants.iter().map(|variant| of(&variant.summary.counts)).sum()
    };
    let [all, ok, refused, fail, info] = [
        count(|it| it.all()),
        count(|it| it.ok),
        count(|it| it.refused),
        count(|it| it.fail),
        count(|it| it.info),
    ];
    let faults = || verdict.variants.iter().flat_map(|variant| &variant.faults);
    let (planned, real) =
        (faults().count() as u64, faults().filter(|fault| fault.took_effect()).count() as u64);
    let obligations = || verdict.variants.iter().flat_map(|variant| &variant.obligations);
    let met = obligations().filter(|obligation| obligation.met).count() as u64;
    html! {
        section #rests {
            h2 { "What this rests on" }
            ul.cards {
                li {
                    strong { (grouped(all)) } " operations"
                    div.strip aria-hidden="true" {
                        @for (class, part) in [("ok", ok), ("refused", refused), ("fail", fail), ("info", info)] {
                            @if part > 0 { i.(class) style={ "flex-grow:" (part) } {} }
                        }
                    }
                    small {
                        (share(ok, all)) " ok"
                        @for (part, noun) in [(refused, "refused"), (fail, "fail"), (info, "info (outcome unknown)")] {
                            @if part > 0 { " · " (grouped(part)) " " (noun) }
                        }
                    }
                }
                li {
                    strong { (grouped(real)) " of " (grouped(planned)) } " faults left evidence"
                    small { (kinds(verdict)) }
                }
                li {
                    strong { (grouped(met)) " of " (grouped(obligations().count() as u64)) } " obligations met"
                    small { "what must have been seen before an answer counts" }
                }
                li {
                    strong { (verdict.medians.len()) } @if verdict.medians.len() == 1 { " variant" } @else { " variants" }
                    small {
                        (many(verdict.rounds.into(), "round")) @if verdict.rounds > 1 { " of each" } " · seed " (verdict.seed)
                    }
                }
            }
            (checks(verdict))
        }
    }
}

/// The kinds of faults that took effect.
fn kinds(verdict: &RunVerdict) -> String {
    let faults = verdict.variants.iter().flat_map(|variant| &variant.faults);
    let kinds: BTreeSet<&str> =
        faults.filter(|fault| fault.took_effect()).map(|fault| fault.kind.as_str()).collect();
    if kinds.is_empty() { "no fault".to_owned() } else { kinds.into_iter().collect::<Vec<_>>().join(", ") }
}

/// Each check over all variants: how often it passed, and how often it could have failed.
fn checks(verdict: &RunVerdict) -> Markup {
    let mut names: Vec<&str> = Vec::new();
    for check in verdict.variants.iter().flat_map(|variant| &variant.checks) {
        if !names.contains(&check.name) {
            names.push(check.name);
        }
    }
    html! {
        ul.checks {
            @for name in names {
                @let all = of_name(verdict, name);
                @let answer = Answer::combined(all.iter().map(|check| check.answer));
                @let passed = all.iter().filter(|check| check.answer == Answer::Valid).count();
                li {
                    span.sign.(answer.word()) title=(answer.word()) aria-label=(answer.word()) { (sign(answer)) }
                    " " strong { (name) } ": "
                    @if let [only] = all.as_slice() { (only.reason) } @else {
                        (passed) " of " (all.len()) " passed"
                    }
                    @if let Some(tries) = tries(&all) { small { (tries) } }
                }
            }
        }
    }
}

fn of_name<'a>(verdict: &'a RunVerdict, name: &str) -> Vec<&'a Check> {
    let checks = verdict.variants.iter().flat_map(|variant| &variant.checks);
    checks.filter(|check| check.name == name).collect()
}

/// How often a check could have failed, over all variants.
fn tries(checks: &[&Check]) -> Option<String> {
    let (_, noun) = checks.iter().find_map(|check| check.tried)?;
    let count: u64 = checks.iter().filter_map(|check| check.tried).map(|(count, _)| count).sum();
    Some(match count {
        0 if noun == "fault" => "no fault was planned".to_owned(),
        0 => "could not have failed: nothing was looked at".to_owned(),
        _ if noun == "answer with a value" => {
            format!("could have failed at {} with a value", many(count, "answer"))
        }
        count => format!("could have failed at {}", many(count, noun)),
    })
}
