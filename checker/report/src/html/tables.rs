//! The parts of the page that are made of a run's figures.

use super::facts::plain;
use super::table::{Column, Table};
use super::{digests, logs, obligations, sign};
use crate::evidence::brief;
use crate::faults::FaultRecord;
use crate::rounds::VariantMedians;
use crate::sentences::{percent, rate, seconds};
use crate::verdict::{Answer, Check, RunVerdict, VariantVerdict, grouped};
use maud::{Markup, Render, html};
use std::iter::once;

fn badge(answer: Answer) -> Markup {
    let word = answer.word();
    html! {
        span.badge.small.(word) { (sign(answer)) " " (word) }
    }
}

fn dash() -> Markup {
    html! { "–" }
}

/// The headings of figures, behind that of the variant they are of.
fn named<'a>(figures: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = (&'a str, Column)> {
    once(("variant", Column::Left)).chain(figures.into_iter().map(|figure| (figure, Column::Right)))
}

/// The table of variants.
pub(super) fn variants(verdict: &RunVerdict) -> Markup {
    type Say = fn(f64) -> String;
    const COLUMNS: [(&str, &str, Say); 12] = [
        ("operations", "operations", count),
        ("ok", "ok", count),
        ("refused", "refused", count),
        ("fail", "fail", count),
        ("info", "info", count),
        ("unsent", "unsent", count),
        ("ok/s", "throughput_per_s", rate),
        ("p50", "p50_ms", milliseconds),
        ("p90", "p90_ms", milliseconds),
        ("p99", "p99_ms", milliseconds),
        ("p99.9", "p999_ms", milliseconds),
        ("max", "max_ms", milliseconds),
    ];
    let mut table = Table::new(named(once("verdict").chain(COLUMNS.map(|(heading, ..)| heading))));
    for medians in &verdict.medians {
        let figures = COLUMNS.map(|(_, figure, say)| spread(medians, figure, say).unwrap_or_else(dash));
        table.row([name_of(medians), badge(medians.answer)].into_iter().chain(figures));
    }
    html! {
        section #figures {
            h2 { "Figures" }
            (table)
            (protocol(verdict))
            (backoffs(verdict))
        }
    }
}

/// How the leaders of each variant wait, where the variants differ in that.
fn backoffs(verdict: &RunVerdict) -> Markup {
    html! {
        @if verdict.differ_in_backoff() {
            dl {
                @for variant in &verdict.medians {
                    dt { (variant.variant) }
                    dd { "backoff: " (variant.backoff.as_deref().unwrap_or("not said")) }
                }
            }
        }
    }
}

/// What the protocol did and how long clients were without it. Columns that no variant has a figure for are left out.
fn protocol(verdict: &RunVerdict) -> Markup {
    type Cell = fn(&VariantMedians) -> Option<Markup>;
    const COLUMNS: [(&str, Cell); 8] = [
        ("leaders in livelock", livelock),
        ("decided/s", |it| spread(it, "decided_per_s", rate)),
        ("preemptions/s", |it| spread(it, "preemptions_per_s", rate)),
        ("adoptions/s", |it| spread(it, "adoptions_per_s", rate)),
        ("longest without a decision", |it| spread(it, "longest_without_decision_s", seconds)),
        ("in standstill", |it| spread(it, "standstill_share", percent)),
        ("longest outage", |it| spread(it, "longest_outage_s", seconds)),
        ("recovered after the heal", |it| spread(it, "time_to_recover_s", seconds)),
    ];
    let known = |(_, cell): &&(&str, Cell)| verdict.medians.iter().any(|medians| cell(medians).is_some());
    let columns: Vec<_> = COLUMNS.iter().filter(known).collect();
    let mut table = Table::new(named(columns.iter().map(|(heading, _)| *heading)));
    for medians in &verdict.medians {
        let cells = columns.iter().map(|(_, cell)| cell(medians).unwrap_or_else(dash));
        table.row(once(name_of(medians)).chain(cells));
    }
    html! {
        @if !columns.is_empty() {
            (table)
            @if verdict.rounds > 1 {
                p.about {
                    "Medians of " (verdict.rounds) " rounds, with the range below each. The pictures show the \
                     round with the median of ok/s; all rounds are in summary.csv."
                }
            }
        }
    }
}

/// The name of a variant, and how many rounds it has.
fn name_of(medians: &VariantMedians) -> Markup {
    let rounds = medians.rounds.len();
    html! {
        (medians.variant)
        @if rounds > 1 { br; small { (rounds) " rounds" } }
    }
}

/// A figure, with its range over the rounds where there are several and it differs between them.
fn spread(medians: &VariantMedians, figure: &str, say: fn(f64) -> String) -> Option<Markup> {
    let spread = medians.figure(figure)?;
    let [median, min, max] = [spread.median, spread.min, spread.max].map(say);
    Some(html! {
        (median)
        @if medians.rounds.len() > 1 && min != max { br; small { (min) " – " (max) } }
    })
}

/// Whether the leaders of a variant were in a livelock, and in how many rounds; none where none was ever preempted.
fn livelock(medians: &VariantMedians) -> Option<Markup> {
    medians.figure("preemptions_per_s").filter(|figure| figure.max > 0.0)?;
    let (locked, rounds) = (medians.livelocks, medians.rounds.len());
    Some(html! {
        @if locked == 0 {
            "no"
        } @else {
            strong { "livelock" }
            @if rounds != 1 { br; small { (locked) " of " (rounds) " rounds" } }
        }
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a median of counts")]
fn count(value: f64) -> String {
    grouped(value.round() as u64)
}

fn milliseconds(value: f64) -> String {
    seconds(value / 1e3)
}

/// How each node came back, in a sentence.
pub(super) fn recoveries(verdict: &RunVerdict) -> Markup {
    let several = verdict.variants.len() > 1;
    html! {
        @if verdict.variants.iter().any(|variant| !variant.recoveries.is_empty()) {
            section #recovery {
                h2 { "Recovery" }
                ul.recoveries {
                    @for variant in &verdict.variants {
                        @for recovery in &variant.recoveries {
                            li {
                                @if several { (variant.variant) ": " }
                                (recovery.sentence) " (fault " (recovery.fault) ", " (recovery.label) ")"
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The table of faults.
pub(super) fn faults(verdict: &RunVerdict) -> Markup {
    let mut table = Table::new([
        ("fault", Column::Left),
        ("variant", Column::Left),
        ("start", Column::Right),
        ("first error", Column::Right),
        ("healed", Column::Right),
        ("backlog drained", Column::Right),
        ("outage", Column::Right),
        ("recovered after the heal", Column::Right),
        ("evidence", Column::Prose),
    ]);
    for variant in &verdict.variants {
        for fault in &variant.faults {
            table.row(fault_row(variant, fault));
        }
    }
    html! {
        section #faults {
            h2 { "Faults" }
            @if verdict.variants.iter().all(|variant| variant.faults.is_empty()) {
                p { "None was planned." }
            } @else {
                (table)
                p.about {
                    "Start, first error, heal and the end of the backlog are in seconds since the load began, as \
                     in the pictures; outage and recovery are lengths of time. An outage that touches the times of \
                     several faults is counted once, for the fault that was in force for most of it."
                }
            }
        }
    }
}

fn fault_row(variant: &VariantVerdict, fault: &FaultRecord) -> [Markup; 9] {
    let outage = variant.outages.iter().find(|outage| outage.fault == fault.fault);
    let moment = |ns: Option<u64>| {
        let since_load = |ns: u64| (ns as f64 - variant.summary.load_start_ns as f64) / 1e9;
        ns.map_or_else(dash, |ns| format!("{:.2} s", since_load(ns)).replace('-', "−").render())
    };
    let lasted = |ns: Option<u64>| ns.map_or_else(dash, |ns| seconds(ns as f64 / 1e9).render());
    [
        html! { (fault.fault) ". " (fault.label) },
        variant.variant.render(),
        moment(fault.start_ns),
        moment(outage.and_then(|outage| outage.first_error_ns)),
        moment(fault.end_ns),
        moment(outage.and_then(|outage| outage.backlog_drained_ns)),
        match outage.and_then(|outage| outage.same_as) {
            Some(other) => html! { "that of " (other) "." },
            None => lasted(outage.and_then(|outage| outage.outage_ns)),
        },
        lasted(outage.and_then(|outage| outage.time_to_recover_ns(fault))),
        folded(&fault.evidence),
    ]
}

/// The essential of some evidence, which unfolds to all of it where there is more.
fn folded(evidence: &[String]) -> Markup {
    let few = brief(evidence);
    html! {
        @if evidence.is_empty() {
            (badge(Answer::Unknown)) " none"
        } @else if few == evidence.join("; ") {
            (few)
        } @else {
            details {
                summary { (few) }
                (lines(evidence))
            }
        }
    }
}

/// All lines of some evidence.
fn lines(evidence: &[String]) -> Markup {
    html! {
        ul.evidence {
            @for line in evidence { li { (line) } }
        }
    }
}

/// Every check of every variant with its evidence.
pub(super) fn checks(verdict: &RunVerdict) -> Markup {
    html! {
        section #checks {
            h2 { "Checks" }
            @for variant in &verdict.variants {
                h3 { (variant.variant) " " (badge(variant.answer)) }
                @for check in &variant.checks { (one(check)) }
                (digests::table(variant))
                (logs::table(variant))
                (obligations::table(verdict, variant))
            }
            (obligations::of_rounds(verdict))
        }
    }
}

fn one(check: &Check) -> Markup {
    html! {
        div.check {
            p { (badge(check.answer)) " " strong { (check.name) } ": " (check.reason) }
            @if !check.evidence.is_empty() { (lines(&check.evidence)) }
        }
    }
}

/// Where the run came from and how to do it again, wherever its folder is now.
pub(super) fn origin(verdict: &RunVerdict) -> Markup {
    html! {
        section #origin {
            h2 { "Origin" }
            dl {
                dt { "spec" } dd { (verdict.spec) }
                dt { "seed" } dd { (verdict.seed) }
                dt { "started" } dd { (verdict.started) }
                dt { "machine" } dd { (verdict.machine) }
                dt { "versions" } dd { "bench " (verdict.bench) ", judged by checker " (verdict.checker) }
                @if plain(&verdict.again) != verdict.again {
                    dt { "bench was called as" } dd { code { (verdict.again) } }
                }
            }
        }
    }
}
