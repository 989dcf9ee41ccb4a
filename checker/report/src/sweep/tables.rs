//! The tables on the page of a sweep.

use super::cells::Cell;
use super::{Measurement, SweepPlan};
use crate::html::escape;
use crate::html::table::{Column, Table};
use crate::sentences::{rate, seconds};
use crate::verdict::grouped;

/// A column of the table of medians: its heading, and what stands in it; left out where it is always empty.
type Figure = (&'static str, fn(&Cell) -> Option<String>);

const COLUMNS: [Figure; 11] = [
    ("operations/s", |cell| cell.median.throughput_per_s.map(rate)),
    ("slowest to fastest round", |cell| {
        let (min, max) = cell.throughput_min.zip(cell.throughput_max)?;
        (cell.rounds > 1).then(|| format!("{} – {}", rate(min), rate(max)))
    }),
    ("times", Cell::multiple),
    ("p50", |cell| time(cell.median.p50_ms)),
    ("p99", |cell| time(cell.median.p99_ms)),
    ("p99.9", |cell| time(cell.median.p999_ms)),
    ("max", |cell| time(cell.median.max_ms)),
    ("nodes' CPU for one", |cell| cell.median.cpu_us.map(|us| seconds(us / 1e6))),
    ("memory of a node", |cell| cell.median.memory_bytes.map(|bytes| format!("{:.0} MB", bytes / 1e6))),
    ("preempted/s", |cell| cell.median.preemptions_per_s.map(rate)),
    ("longest outage", |cell| cell.median.longest_outage_s.map(seconds)),
];

fn time(ms: Option<f64>) -> Option<String> {
    ms.map(|ms| seconds(ms / 1e3))
}

/// The medians, a row for each value and variant.
pub(super) fn medians(plan: &SweepPlan, cells: &[Cell]) -> String {
    let failed = cells.iter().any(|cell| cell.failed > 0);
    let columns: Vec<_> =
        COLUMNS.into_iter().filter(|(_, text)| cells.iter().any(|cell| text(cell).is_some())).collect();
    let words = [(plan.over.as_str(), Column::Left), ("variant", Column::Left)];
    let figures = columns.iter().map(|(heading, _)| (*heading, Column::Right));
    let not_ok = failed.then_some(("not ok", Column::Right));
    let mut table = Table::new(words.into_iter().chain(figures).chain(not_ok));
    for cell in cells {
        let words = [escape(&cell.value), escape(&cell.variant)];
        let figures =
            columns.iter().map(|(_, text)| text(cell).map_or_else(|| "–".to_owned(), |text| escape(&text)));
        table.row(words.into_iter().chain(figures).chain(failed.then(|| grouped(cell.failed))));
    }
    table.finish()
}

/// Every measurement, folded away; judged ones with a link to their own page.
pub(super) fn all(plan: &SweepPlan, measurements: &[Measurement]) -> String {
    let mut table = Table::new([
        ("round", Column::Left),
        (plan.over.as_str(), Column::Right),
        ("variant", Column::Left),
        ("operations/s", Column::Right),
        ("ok", Column::Right),
        ("not ok", Column::Right),
        ("p50", Column::Right),
        ("p99", Column::Right),
        ("max", Column::Right),
        ("run", Column::Left),
    ]);
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    for row in measurements {
        let run = match (&row.run, row.answer) {
            (Some(run), Some(answer)) => {
                format!("<a href=\"{}/report.html\">{}</a>", escape(run), answer.word())
            }
            (Some(_), None) | (None, _) => "not recorded".to_owned(),
        };
        table.row([
            row.round.to_string(),
            escape(&row.value),
            escape(&row.variant),
            or_dash(row.throughput_per_s.map(rate)),
            grouped(row.ok),
            grouped(row.failed),
            or_dash(time(row.p50_ms)),
            or_dash(time(row.p99_ms)),
            or_dash(time(row.max_ms)),
            run,
        ]);
    }
    let summary = format!("<details><summary>All {} measurements</summary>", measurements.len());
    format!("{summary}{}</details>", table.finish())
}
