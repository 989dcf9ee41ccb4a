//! The summary of a run: measurements per variant, the verdict in words, and the paths of the pictures.

use super::layout::Figures;
use super::{BAD, DOUBT, FAINT, GOOD, Screen};
use anstyle::Style;
use report::{Answer, PICTURES, RunVerdict, Spread, VariantMedians};
use std::path::Path;

/// Number of shown recoveries; the rest is in the report.
const RECOVERIES_SHOWN: usize = 8;
/// Number of shown evidence lines per check; the rest is in the report.
const EVIDENCE_SHOWN: usize = 16;

/// Prints the summary.
pub(crate) fn print(screen: &Screen, verdict: &RunVerdict, folder: &Path) {
    screen.line("");
    screen.line(&table(&verdict.medians).text(screen.columns()));
    screen.line("");
    if let Some(reading) = &verdict.reading {
        screen.line(reading);
        screen.line("");
    }
    say_recoveries(screen, verdict);
    say_verdict(screen, verdict);
    let files = PICTURES.iter().chain([&"report.html"]);
    let there: Vec<_> = files.map(|name| folder.join(name)).filter(|path| path.exists()).collect();
    if !there.is_empty() {
        screen.line("");
        for path in there {
            screen.line(&format!("  {}", path.display()));
        }
    }
}

/// Prints the return of each node that a fault had silenced.
fn say_recoveries(screen: &Screen, verdict: &RunVerdict) {
    let all: Vec<_> = verdict
        .variants
        .iter()
        .flat_map(|variant| variant.recoveries.iter().map(move |recovery| (variant, recovery)))
        .collect();
    for (variant, recovery) in all.iter().take(RECOVERIES_SHOWN) {
        let of = if verdict.variants.len() > 1 { format!("{}: ", variant.variant) } else { String::new() };
        let style = if recovery.level_after_s.is_some() { GOOD } else { DOUBT };
        let (node, rest) = recovery.sentence.split_once(": ").unwrap_or((&recovery.sentence, ""));
        let rest = if rest.is_empty() { String::new() } else { format!(": {rest}") };
        screen.line(&format!("{of}{style}{node}{style:#}{rest}"));
    }
    if let Some(more) = all.len().checked_sub(RECOVERIES_SHOWN).filter(|more| *more > 0) {
        screen.line(&format!("{FAINT}and {more} more recoveries: recoveries.csv{FAINT:#}"));
    }
    if !all.is_empty() {
        screen.line("");
    }
}

/// Prints the verdict in one sentence, and each check that is not valid with its evidence.
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

/// Prints one check in a line.
pub(crate) fn say_check(screen: &Screen, of: &str, name: &str, answer: Answer, reason: &str) {
    let style = style(answer);
    screen.line(&format!("  {style}{}{style:#}  {of}: {name}: {reason}", answer.word()));
}

/// Prints the first lines of evidence, and the file of the rest.
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

/// The format of a number.
type Say = fn(f64) -> String;

/// The columns: heading, measurement, format. The last five need sampled nodes.
const COLUMNS: [(&str, &str, Say); 13] = [
    ("ok", "ok", |value| format!("{value:.0}")),
    ("refused", "refused", |value| format!("{value:.0}")),
    ("fail", "fail", |value| format!("{value:.0}")),
    ("info", "info", |value| format!("{value:.0}")),
    ("ok/s", "throughput_per_s", |value| format!("{value:.1}")),
    ("p50 ms", "p50_ms", |value| format!("{value:.2}")),
    ("p99 ms", "p99_ms", |value| format!("{value:.2}")),
    ("max ms", "max_ms", |value| format!("{value:.1}")),
    ("outage s", "longest_outage_s", |value| format!("{value:.2}")),
    ("decided/s", "decided_per_s", |value| format!("{value:.1}")),
    ("preempted/s", "preemptions_per_s", |value| format!("{value:.1}")),
    ("adopted/s", "adoptions_per_s", |value| format!("{value:.1}")),
    ("longest gap s", "longest_without_decision_s", |value| format!("{value:.2}")),
];

/// Measurements that need competing leaders of the own store.
const COMPETING: [&str; 2] = ["preemptions_per_s", "adoptions_per_s"];

/// A row per variant; with several rounds, its medians, and their ranges below.
fn table(variants: &[VariantMedians]) -> Figures<'static> {
    let some = |figure: &str| variants.iter().any(|variant| variant.figure(figure).is_some());
    let competing = variants
        .iter()
        .flat_map(|variant| COMPETING.map(|figure| variant.figure(figure)))
        .flatten()
        .any(|figure| figure.max > 0.0);
    let shown = |figure: &str| match figure {
        "decided_per_s" | "longest_without_decision_s" => some(figure),
        figure => competing || !COMPETING.contains(&figure),
    };
    let columns: Vec<_> = COLUMNS.iter().filter(|(_, figure, _)| shown(figure)).collect();
    let mut header = vec!["variant", "verdict"];
    header.extend(columns.iter().map(|(heading, ..)| *heading));
    let livelocks = variants.iter().any(|variant| variant.livelocks > 0);
    if livelocks {
        header.push("leaders");
    }
    let rows = variants.iter().map(|variant| {
        let several = variant.rounds.len() > 1;
        let rounds = if several { format!("\n{} rounds", variant.rounds.len()) } else { String::new() };
        let mut row = vec![format!("{}{rounds}", variant.variant), variant.answer.word().to_owned()];
        row.extend(columns.iter().map(|(_, figure, say)| cell(variant.figure(figure), several, *say)));
        if livelocks {
            row.push(leaders(variant));
        }
        row
    });
    Figures { header, rows: rows.collect(), words: 2, names: 1 }
}

/// A median, and below it the range.
fn cell(spread: Option<Spread>, several: bool, say: Say) -> String {
    let Some(spread) = spread else { return "–".to_owned() };
    let [median, min, max] = [spread.median, spread.min, spread.max].map(say);
    if several && min != max { format!("{median}\n{min}–{max}") } else { median }
}

/// Whether the leaders were in a livelock.
fn leaders(variant: &VariantMedians) -> String {
    match (variant.livelocks, variant.rounds.len()) {
        (0, _) => String::new(),
        (_, 1) => "livelock".to_owned(),
        (locked, rounds) => format!("livelock\n{locked} of {rounds}"),
    }
}
