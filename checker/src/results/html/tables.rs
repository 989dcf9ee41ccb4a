//! The parts of the page that are made of a run's figures.

use super::{escape, obligations, sign};
use crate::results::evidence::brief;
use crate::results::sentences::{rate, seconds};
use crate::results::statistics::Summary;
use crate::results::verdict::{Answer, RunVerdict, VariantVerdict, grouped};
use std::fmt::Write;

fn badge(answer: Answer) -> String {
    let word = answer.word();
    format!("<span class=\"badge small {word}\">{} {word}</span>", sign(answer))
}

fn row(html: &mut String, cells: &[String]) {
    html.push_str("<tr>");
    for cell in cells {
        let _ = write!(html, "<td>{cell}</td>");
    }
    html.push_str("</tr>");
}

fn header(html: &mut String, columns: &[&str]) {
    html.push_str("<div class=\"wide\"><table><thead><tr>");
    for column in columns {
        let class = if matches!(*column, "variant" | "evidence") { " class=\"left\"" } else { "" };
        let _ = write!(html, "<th{class}>{column}</th>");
    }
    html.push_str("</tr></thead><tbody>");
}

const END: &str = "</tbody></table></div>";

fn dash() -> String {
    "–".to_owned()
}

fn time(value: Option<f64>) -> String {
    value.map_or_else(dash, |value| escape(&seconds(value)))
}

/// The table of variants.
pub(super) fn variants(verdict: &RunVerdict) -> String {
    let mut html = "<section><h2>Figures</h2>".to_owned();
    header(
        &mut html,
        &[
            "variant",
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
        ],
    );
    for variant in &verdict.variants {
        let summary = &variant.summary;
        let latency = |pick: fn(&crate::results::Quantiles) -> f64| {
            time(summary.latency.as_ref().map(|quantiles| pick(quantiles) / 1e3))
        };
        row(
            &mut html,
            &[
                escape(&variant.variant),
                badge(variant.answer),
                grouped(summary.counts.all()),
                grouped(summary.counts.ok),
                grouped(summary.counts.refused),
                grouped(summary.counts.failed()),
                grouped(summary.counts.info),
                grouped(summary.unsent),
                summary.throughput_per_s.map_or_else(dash, rate),
                latency(|quantiles| quantiles.p50_ms),
                latency(|quantiles| quantiles.p90_ms),
                latency(|quantiles| quantiles.p99_ms),
                latency(|quantiles| quantiles.p999_ms),
                latency(|quantiles| quantiles.max_ms),
            ],
        );
    }
    html.push_str(END);
    html.push_str(&protocol(verdict));
    html.push_str(&backoffs(verdict));
    html.push_str("</section>");
    html
}

/// Whether the variants differ in how their leaders wait.
pub(super) fn differ_in_backoff(verdict: &RunVerdict) -> bool {
    verdict.variants.windows(2).any(|pair| pair[0].backoff != pair[1].backoff)
}

/// How the leaders of each variant wait, where the variants differ in that.
fn backoffs(verdict: &RunVerdict) -> String {
    if !differ_in_backoff(verdict) {
        return String::new();
    }
    let mut html = "<dl>".to_owned();
    for variant in &verdict.variants {
        let backoff = variant.backoff.as_deref().unwrap_or("not said");
        let _ = write!(html, "<dt>{}</dt><dd>backoff: {}</dd>", escape(&variant.variant), escape(backoff));
    }
    html.push_str("</dl>");
    html
}

/// What the protocol did and how long clients were without it. Columns that no variant has a figure for are left out.
fn protocol(verdict: &RunVerdict) -> String {
    type Cell = fn(&Summary) -> Option<String>;
    const COLUMNS: [(&str, Cell); 9] = [
        ("decided", |it| it.protocol.map(|it| grouped(it.decided))),
        ("decided/s", |it| it.protocol.map(|it| rate(it.decided_per_s))),
        ("preemptions", |it| it.protocol?.ballots.map(|it| grouped(it.preemptions))),
        ("preemptions/s", |it| it.protocol?.ballots.map(|it| rate(it.preemptions_per_s))),
        ("adoptions", |it| it.protocol?.ballots.map(|it| grouped(it.adoptions))),
        ("adoptions/s", |it| it.protocol?.ballots.map(|it| rate(it.adoptions_per_s))),
        ("longest without a decision", |it| {
            it.protocol.map(|it| escape(&seconds(it.longest_without_decision_s)))
        }),
        ("longest outage", |it| it.longest_outage_s.map(|it| escape(&seconds(it)))),
        ("recovered after the heal", |it| it.time_to_recover_s.map(|it| escape(&seconds(it)))),
    ];
    let known =
        |(_, cell): &&(&str, Cell)| verdict.variants.iter().any(|variant| cell(&variant.summary).is_some());
    let columns: Vec<_> = COLUMNS.iter().filter(known).collect();
    if columns.is_empty() {
        return String::new();
    }
    let mut html = String::new();
    let names: Vec<&str> = std::iter::once("variant").chain(columns.iter().map(|(name, _)| *name)).collect();
    header(&mut html, &names);
    for variant in &verdict.variants {
        let cells = columns.iter().map(|(_, cell)| cell(&variant.summary).unwrap_or_else(dash));
        let cells: Vec<String> = std::iter::once(escape(&variant.variant)).chain(cells).collect();
        row(&mut html, &cells);
    }
    html.push_str(END);
    html
}

/// The table of faults.
pub(super) fn faults(verdict: &RunVerdict) -> String {
    let mut html = "<section><h2>Faults</h2>".to_owned();
    if verdict.variants.iter().all(|variant| variant.faults.is_empty()) {
        html.push_str("<p>None was planned.</p></section>");
        return html;
    }
    let columns = [
        "fault",
        "variant",
        "start",
        "first error",
        "healed",
        "backlog drained",
        "outage",
        "recovered after the heal",
        "evidence",
    ];
    header(&mut html, &columns);
    for variant in &verdict.variants {
        fault_rows(&mut html, variant);
    }
    html.push_str(END);
    html.push_str(
        "<p class=\"about\">Start, first error, heal and the end of the backlog are in seconds since the load began, as in the \
         pictures; outage and recovery are lengths of time.</p></section>",
    );
    html
}

fn fault_rows(html: &mut String, variant: &VariantVerdict) {
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
        let _ = write!(
            html,
            "<tr><td>{}. {}</td><td class=\"left\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"prose\">{evidence}</td></tr>",
            fault.fault,
            escape(&fault.label),
            escape(&variant.variant),
            moment(fault.start_ns),
            moment(outage.and_then(|outage| outage.first_error_ns)),
            moment(fault.end_ns),
            moment(outage.and_then(|outage| outage.backlog_drained_ns)),
            lasted(outage.and_then(|outage| outage.outage_ns)),
            lasted(outage.and_then(|outage| outage.time_to_recover_ns(fault))),
        );
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
         <dt>do it again</dt><dd><code>bench run spec.toml --seed {}</code>, in this folder</dd>\
         <dt>judge it again</dt><dd><code>bench report .</code>, in this folder</dd></dl></section>",
        escape(&verdict.spec),
        verdict.seed,
        escape(&verdict.started),
        escape(&verdict.machine),
        escape(&verdict.bench),
        escape(&verdict.checker),
        verdict.seed,
    )
}
