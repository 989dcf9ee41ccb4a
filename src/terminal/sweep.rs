//! Output of a sweep: a line for each measurement, and the table of medians at the end.

use super::layout::Figures;
use super::summary::style;
use super::{DOUBT, FAINT, Screen};
use report::sweep::{Cell, Measurement, SweepReport};
use std::path::Path;

/// The files that people open first.
const FILES: [&str; 3] = ["sweep.png", "sweep.csv", "report.html"];

/// Prints a new measurement, with its index and the total number.
pub(crate) fn measured(
    screen: &Screen,
    (made, all): (usize, usize),
    key: &str,
    row: &Measurement,
    failures: &[String],
) {
    let width = all.to_string().len();
    let rate = number(row.throughput_per_s, 0);
    let p99 = row.p99_ms.map_or_else(String::new, |p99| format!("  99 % within {p99:.2} ms"));
    let answer = row.answer.map_or_else(String::new, |answer| {
        let style = style(answer);
        format!("  {style}{}{style:#}", answer.word())
    });
    screen.line(&format!(
        "  {FAINT}{made:width$}/{all}{FAINT:#}  {key} {}  {}  {rate} /s{p99}{answer}",
        row.value, row.variant
    ));
    if !failures.is_empty() {
        screen.line(&format!("        {DOUBT}not ok{DOUBT:#}: {}", failures.join(", ")));
    }
}

/// Prints the end of a sweep: medians, conclusions, and paths.
pub(crate) fn print(screen: &Screen, report: &SweepReport, folder: &Path) {
    screen.line("");
    if !report.cells.is_empty() {
        screen.line(&table(report).text(screen.columns()));
        screen.line("");
    }
    for sentence in &report.reading {
        screen.line(sentence);
    }
    if report.plan.recorded {
        let style = style(report.answer);
        screen.line(&format!("{style}{}{style:#}: the worst of all runs", report.answer.word()));
    } else {
        screen.line(&format!("{FAINT}No history was recorded, so correctness was not checked.{FAINT:#}"));
    }
    let (made, all) = report.measured;
    if made < all {
        screen.line(&format!("{DOUBT}{made} of {all} measurements were made.{DOUBT:#}"));
    }
    screen.line("");
    for file in FILES {
        screen.line(&format!("  {}", folder.join(file).display()));
    }
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
}

/// A column: its heading and its content; omitted if always empty.
type Column = (&'static str, fn(&Cell) -> Option<String>);

const COLUMNS: [Column; 8] = [
    ("ok/s", |cell| Some(number(cell.median.throughput_per_s, 0))),
    ("rounds", |cell| {
        let (min, max) = cell.throughput_min.zip(cell.throughput_max)?;
        (cell.rounds > 1).then(|| format!("{min:.0} – {max:.0}"))
    }),
    ("times", Cell::multiple),
    ("p50 ms", |cell| Some(number(cell.median.p50_ms, 2))),
    ("p99 ms", |cell| Some(number(cell.median.p99_ms, 2))),
    ("CPU µs", |cell| cell.median.cpu_us.map(|us| format!("{us:.1}"))),
    ("preempted/s", |cell| {
        cell.median.preemptions_per_s.filter(|rate| *rate > 0.0).map(|rate| format!("{rate:.1}"))
    }),
    ("not ok", |cell| (cell.failed > 0).then(|| cell.failed.to_string())),
];

fn table(report: &SweepReport) -> Figures<'_> {
    let there = |(_, text): &&Column| report.cells.iter().any(|cell| text(cell).is_some());
    let columns: Vec<_> = COLUMNS.iter().filter(there).collect();
    let headings = columns.iter().map(|(heading, _)| *heading);
    let header = [report.plan.over.as_str(), "variant"].into_iter().chain(headings).collect();
    let mut rows = Vec::new();
    let mut before = None;
    for cell in &report.cells {
        let value = if before == Some(&cell.value) { String::new() } else { cell.value.clone() };
        before = Some(&cell.value);
        let figures = columns.iter().map(|(_, text)| text(cell).unwrap_or_else(|| "–".to_owned()));
        rows.push([value, cell.variant.clone()].into_iter().chain(figures).collect());
    }
    Figures { header, rows, words: 2, names: 2 }
}
