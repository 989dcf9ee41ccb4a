//! The end of a run for people: figures per variant, the verdict in words, and where the pictures are.

use super::layout::Figures;
use super::{BAD, DOUBT, FAINT, GOOD, Screen};
use anstyle::Style;
use checker::results::{Answer, RunVerdict, VariantVerdict};
use std::path::Path;

/// Lines of evidence shown of one check; the rest is in the report.
const EVIDENCE_SHOWN: usize = 16;

/// What people open first.
const PICTURES: [&str; 5] =
    ["latency.png", "throughput.png", "latency-cdf.png", "backoff.png", "report.html"];

/// Prints it all.
pub(crate) fn print(screen: &Screen, verdict: &RunVerdict, folder: &Path) {
    screen.line("");
    screen.line(&table(&verdict.variants).text(screen.columns()));
    screen.line("");
    if let Some(reading) = &verdict.reading {
        screen.line(reading);
        screen.line("");
    }
    say_verdict(screen, verdict);
    let there: Vec<_> = PICTURES.iter().map(|name| folder.join(name)).filter(|path| path.exists()).collect();
    if !there.is_empty() {
        screen.line("");
        for path in there {
            screen.line(&format!("  {}", path.display()));
        }
    }
}

/// The verdict in one sentence, and each check that is not valid with its evidence.
pub(crate) fn say_verdict(screen: &Screen, verdict: &RunVerdict) {
    let style = style(verdict.answer);
    screen.line(&format!("{style}{}{style:#}", verdict.sentence));
    for warning in &verdict.warnings {
        let of = if verdict.variants.len() > 1 { format!("{}: ", warning.variant) } else { String::new() };
        screen.line(&format!("  {DOUBT}warning{DOUBT:#}  {of}{}: {}", warning.name, warning.text));
    }
    for (variant, check) in verdict.complaints() {
        say_check(screen, variant, check.name, check.answer, &check.reason);
        say_evidence(screen, &check.evidence, "verdict.json");
    }
}

/// One check in a line.
pub(crate) fn say_check(screen: &Screen, of: &str, name: &str, answer: Answer, reason: &str) {
    let style = style(answer);
    screen.line(&format!("  {style}{}{style:#}  {of}: {name}: {reason}", answer.word()));
}

/// The first lines of evidence, and where the rest is.
pub(crate) fn say_evidence(screen: &Screen, evidence: &[String], rest: &str) {
    for line in evidence.iter().take(EVIDENCE_SHOWN) {
        screen.line(&format!("      {line}"));
    }
    if let Some(more) = evidence.len().checked_sub(EVIDENCE_SHOWN).filter(|more| *more > 0) {
        screen.line(&format!("      {FAINT}and {more} more lines: {rest}{FAINT:#}"));
    }
}

/// The colour of an answer.
pub(crate) fn style(answer: Answer) -> Style {
    match answer {
        Answer::Valid => GOOD,
        Answer::Unknown => DOUBT,
        Answer::Invalid | Answer::Failed => BAD,
    }
}

fn table(variants: &[VariantVerdict]) -> Figures<'static> {
    let protocol = variants.iter().any(|variant| variant.summary.protocol.is_some());
    let mut header =
        vec!["variant", "verdict", "ok", "refused", "fail", "info", "ok/s", "p50 ms", "p99 ms", "max ms"];
    // Other systems have no ballots, and where nobody competes there is nothing to compare.
    let competing = variants.iter().filter_map(|variant| variant.summary.protocol.as_ref());
    let competing = competing
        .into_iter()
        .any(|figures| figures.ballots.is_some_and(|it| it.preemptions > 0 || it.adoptions > 0));
    if protocol {
        header.push("decided/s");
        if competing {
            header.extend(["preempted/s", "adopted/s"]);
        }
        header.push("longest gap s");
    }
    header.push("outage s");
    let rows = variants.iter().map(|variant| row(variant, protocol, competing)).collect();
    Figures { header, rows, words: 2, names: 1 }
}

fn row(variant: &VariantVerdict, protocol: bool, competing: bool) -> Vec<String> {
    let summary = &variant.summary;
    let number = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
    };
    let mut row = vec![
        variant.variant.clone(),
        variant.answer.word().to_owned(),
        summary.counts.ok.to_string(),
        summary.counts.refused.to_string(),
        summary.counts.failed().to_string(),
        summary.counts.info.to_string(),
        number(summary.throughput_per_s, 1),
        number(summary.latency.map(|latency| latency.p50_ms), 2),
        number(summary.latency.map(|latency| latency.p99_ms), 2),
        number(summary.latency.map(|latency| latency.max_ms), 1),
    ];
    if protocol {
        let figures = summary.protocol.as_ref();
        row.push(number(figures.map(|f| f.decided_per_s), 1));
        if competing {
            let ballots = figures.and_then(|figures| figures.ballots);
            row.push(number(ballots.map(|it| it.preemptions_per_s), 1));
            row.push(number(ballots.map(|it| it.adoptions_per_s), 1));
        }
        row.push(number(figures.map(|f| f.longest_without_decision_s), 2));
    }
    row.push(number(summary.longest_outage_s, 2));
    row
}
