//! The parts of the page that are made of a run's figures.

use super::table::{Column, Table};
use super::{escape, obligations, sign};
use crate::evidence::brief;
use crate::rounds::VariantMedians;
use crate::sentences::{percent, rate, seconds};
use crate::verdict::{Answer, RunVerdict, VariantVerdict, grouped};
use std::fmt::Write;

fn badge(answer: Answer) -> String {
    let word = answer.word();
    format!("<span class=\"badge small {word}\">{} {word}</span>", sign(answer))
}

fn dash() -> String {
    "–".to_owned()
}

fn time(value: Option<f64>) -> String {
    value.map_or_else(dash, |value| escape(&seconds(value)))
}

/// The headings of figures, behind that of the variant they are of.
fn named<'a>(figures: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = (&'a str, Column)> {
    [("variant", Column::Left)].into_iter().chain(figures.into_iter().map(|figure| (figure, Column::Right)))
}

/// The table of variants.
pub(super) fn variants(verdict: &RunVerdict) -> String {
    let mut html = "<section><h2>Figures</h2>".to_owned();
    let figures = [
        "verdict",
        "operations",
        "ok",
        "refused",
        "fail",
        "info",
        "unsent",
        "ok/s",
        "p50",
        "p90",
        "p99",
        "p99.9",
        "max",
    ];
    let mut table = Table::new(named(figures));
    for medians in &verdict.medians {
        let cell = |figure: &str, say: fn(f64) -> String| spread(medians, figure, say).unwrap_or_else(dash);
        table.row([
            name_of(medians),
            badge(medians.answer),
            cell("operations", count),
            cell("ok", count),
            cell("refused", count),
            cell("fail", count),
            cell("info", count),
            cell("unsent", count),
            cell("throughput_per_s", rate),
            cell("p50_ms", milliseconds),
            cell("p90_ms", milliseconds),
            cell("p99_ms", milliseconds),
            cell("p999_ms", milliseconds),
            cell("max_ms", milliseconds),
        ]);
    }
    html.push_str(&table.finish());
    html.push_str(&protocol(verdict));
    html.push_str(&backoffs(verdict));
    html.push_str("</section>");
    html
}

/// How the leaders of each variant wait, where the variants differ in that.
fn backoffs(verdict: &RunVerdict) -> String {
    if !verdict.differ_in_backoff() {
        return String::new();
    }
    let mut html = "<dl>".to_owned();
    for variant in &verdict.medians {
        let backoff = variant.backoff.as_deref().unwrap_or("not said");
        let _ = write!(html, "<dt>{}</dt><dd>backoff: {}</dd>", escape(&variant.variant), escape(backoff));
    }
    html.push_str("</dl>");
    html
}

/// What the protocol did and how long clients were without it. Columns that no variant has a figure for are left out.
fn protocol(verdict: &RunVerdict) -> String {
    type Cell = fn(&VariantMedians) -> Option<String>;
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
    if columns.is_empty() {
        return String::new();
    }
    let mut table = Table::new(named(columns.iter().map(|(heading, _)| *heading)));
    for medians in &verdict.medians {
        let cells = columns.iter().map(|(_, cell)| cell(medians).unwrap_or_else(dash));
        table.row(std::iter::once(name_of(medians)).chain(cells));
    }
    let mut html = table.finish();
    if verdict.rounds > 1 {
        let rounds = verdict.rounds;
        let _ = write!(
            html,
            "<p class=\"about\">Medians of {rounds} rounds, with the range below each. The pictures show the round with the \
             median of ok/s; all rounds are in summary.csv.</p>"
        );
    }
    html
}

/// The name of a variant, and how many rounds it has.
fn name_of(medians: &VariantMedians) -> String {
    match medians.rounds.len() {
        0 | 1 => escape(&medians.variant),
        rounds => format!("{}<br><small>{rounds} rounds</small>", escape(&medians.variant)),
    }
}

/// A figure, with its range over the rounds where there are several and it differs between them.
fn spread(medians: &VariantMedians, figure: &str, say: fn(f64) -> String) -> Option<String> {
    let spread = medians.figure(figure)?;
    let [median, min, max] = [spread.median, spread.min, spread.max].map(|value| escape(&say(value)));
    if medians.rounds.len() < 2 || min == max {
        return Some(median);
    }
    Some(format!("{median}<br><small>{min} – {max}</small>"))
}

/// Whether the leaders of a variant were in a livelock, and in how many rounds; none where none was ever preempted.
fn livelock(medians: &VariantMedians) -> Option<String> {
    medians.figure("preemptions_per_s").filter(|figure| figure.max > 0.0)?;
    Some(match (medians.livelocks, medians.rounds.len()) {
        (0, _) => "no".to_owned(),
        (_, 1) => "<strong>livelock</strong>".to_owned(),
        (locked, rounds) => {
            format!("<strong>livelock</strong><br><small>{locked} of {rounds} rounds</small>")
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
pub(super) fn recoveries(verdict: &RunVerdict) -> String {
    let mut html = String::new();
    for variant in &verdict.variants {
        let of = if verdict.variants.len() > 1 { format!("{}: ", variant.variant) } else { String::new() };
        for recovery in &variant.recoveries {
            let said = format!("{of}{} (fault {}, {})", recovery.sentence, recovery.fault, recovery.label);
            let _ = write!(html, "<li>{}</li>", escape(&said));
        }
    }
    if html.is_empty() {
        return html;
    }
    format!("<section><h2>Recovery</h2><ul class=\"recoveries\">{html}</ul></section>")
}

/// The table of faults.
pub(super) fn faults(verdict: &RunVerdict) -> String {
    let mut html = "<section><h2>Faults</h2>".to_owned();
    if verdict.variants.iter().all(|variant| variant.faults.is_empty()) {
        html.push_str("<p>None was planned.</p></section>");
        return html;
    }
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
        fault_rows(&mut table, variant);
    }
    html.push_str(&table.finish());
    html.push_str(
        "<p class=\"about\">Start, first error, heal and the end of the backlog are in seconds since the load began, as in the \
         pictures; outage and recovery are lengths of time.</p></section>",
    );
    html
}

fn fault_rows(table: &mut Table, variant: &VariantVerdict) {
    for fault in &variant.faults {
        let outage = variant.outages.iter().find(|outage| outage.fault == fault.fault);
        let moment = |ns: Option<u64>| {
            let since_load = |ns: u64| (ns as f64 - variant.summary.load_start_ns as f64) / 1e9;
            ns.map_or_else(dash, |ns| format!("{:.2} s", since_load(ns)).replace('-', "−"))
        };
        let evidence = if fault.evidence.is_empty() {
            format!("{} none", badge(Answer::Unknown))
        } else {
            folded(&fault.evidence)
        };
        let lasted = |ns: Option<u64>| time(ns.map(|ns| ns as f64 / 1e9));
        table.row([
            format!("{}. {}", fault.fault, escape(&fault.label)),
            escape(&variant.variant),
            moment(fault.start_ns),
            moment(outage.and_then(|outage| outage.first_error_ns)),
            moment(fault.end_ns),
            moment(outage.and_then(|outage| outage.backlog_drained_ns)),
            lasted(outage.and_then(|outage| outage.outage_ns)),
            lasted(outage.and_then(|outage| outage.time_to_recover_ns(fault))),
            evidence,
        ]);
    }
}

/// The essential of some evidence, which unfolds to all of it where there is more.
fn folded(evidence: &[String]) -> String {
    let few = brief(evidence);
    if few == evidence.join("; ") {
        return escape(&few);
    }
    let mut html = format!("<details><summary>{}</summary><ul class=\"evidence\">", escape(&few));
    for line in evidence {
        let _ = write!(html, "<li>{}</li>", escape(line));
    }
    html.push_str("</ul></details>");
    html
}

/// Every check of every variant with its evidence.
pub(super) fn checks(verdict: &RunVerdict) -> String {
    let mut html = "<section><h2>Checks</h2>".to_owned();
    for variant in &verdict.variants {
        let _ = write!(html, "<h3>{} {}</h3>", escape(&variant.variant), badge(variant.answer));
        for check in &variant.checks {
            let _ = write!(
                html,
                "<div class=\"check\"><p>{} <strong>{}</strong>: {}</p>",
                badge(check.answer),
                escape(check.name),
                escape(&check.reason)
            );
            if !check.evidence.is_empty() {
                html.push_str("<ul class=\"evidence\">");
                for line in &check.evidence {
                    let _ = write!(html, "<li>{}</li>", escape(line));
                }
                html.push_str("</ul>");
            }
            html.push_str("</div>");
        }
        html.push_str(&obligations::table(variant));
    }
    html.push_str("</section>");
    html
}

/// Where the run came from and how to do it again, wherever its folder is now.
pub(super) fn origin(verdict: &RunVerdict) -> String {
    format!(
        "<section><h2>Origin</h2><dl><dt>spec</dt><dd>{}</dd><dt>seed</dt><dd>{}</dd><dt>started</dt><dd>{}</dd>\
         <dt>machine</dt><dd>{}</dd><dt>versions</dt><dd>bench {}, judged by checker {}</dd>\
         <dt>do it again</dt><dd><code>{}</code>, in this folder</dd>\
         <dt>judge it again</dt><dd><code>bench report .</code>, in this folder</dd></dl></section>",
        escape(&verdict.spec),
        verdict.seed,
        escape(&verdict.started),
        escape(&verdict.machine),
        escape(&verdict.bench),
        escape(&verdict.checker),
        escape(&verdict.again),
    )
}
