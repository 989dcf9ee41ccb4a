//! The tables on the page of a sweep.

use super::cells::Cell;
use super::{Measurement, SweepPlan};
use crate::html::table::{Column, Table};
use crate::sentences::{rate, seconds};
use crate::verdict::grouped;
use maud::{Markup, Render, html};

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

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "–".to_owned())
}

/// The medians, a row for each value and variant.
pub(super) fn medians(plan: &SweepPlan, cells: &[Cell]) -> Markup {
    let failed = cells.iter().any(|cell| cell.failed > 0);
    let columns: Vec<_> =
        COLUMNS.into_iter().filter(|(_, text)| cells.iter().any(|cell| text(cell).is_some())).collect();
    let words = [(plan.over.as_str(), Column::Left), ("variant", Column::Left)];
    let figures = columns.iter().map(|(heading, _)| (*heading, Column::Right));
    let not_ok = failed.then_some(("not ok", Column::Right));
    let mut table = Table::new(words.into_iter().chain(figures).chain(not_ok));
    for cell in cells {
        let words = [cell.value.clone(), cell.variant.clone()];
        let figures = columns.iter().map(|(_, text)| or_dash(text(cell)));
        table.row(words.into_iter().chain(figures).chain(failed.then(|| grouped(cell.failed))));
    }
    table.render()
}

/// Every measurement, folded away; judged ones with a link to their own page.
pub(super) fn all(plan: &SweepPlan, measurements: &[Measurement]) -> Markup {
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
    for row in measurements {
        table.row([
            row.round.render(),
            row.value.render(),
            row.variant.render(),
            or_dash(row.throughput_per_s.map(rate)).render(),
            grouped(row.ok).render(),
            grouped(row.failed).render(),
            or_dash(time(row.p50_ms)).render(),
            or_dash(time(row.p99_ms)).render(),
            or_dash(time(row.max_ms)).render(),
            link(row),
        ]);
    }
    html! {
        details {
            summary { "All " (measurements.len()) " measurements" }
            (table)
        }
    }
}

/// The answer of a run that was recorded and judged, with the way to its page.
fn link(row: &Measurement) -> Markup {
    html! {
        @if let (Some(run), Some(answer)) = (&row.run, row.answer) {
            a href={ (run) "/report.html" } { (answer.word()) }
        } @else {
            "not recorded"
        }
    }
}
