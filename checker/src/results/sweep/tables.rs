//! The tables on the page of a sweep.

use super::cells::Cell;
use super::{Measurement, SweepPlan};
use crate::results::html::escape;
use crate::results::sentences::{rate, seconds};
use crate::results::verdict::grouped;
use std::fmt::Write;

/// A column of the table of medians: its heading, and what stands in it; left out where it is always empty.
type Column = (&'static str, fn(&Cell) -> Option<String>);

const COLUMNS: [Column; 11] = [
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
    let mut html = "<div class=\"wide\"><table><thead><tr>".to_owned();
    // A `String` takes every write, here and below.
    let _ = write!(html, "<th class=\"left\">{}</th><th class=\"left\">variant</th>", escape(&plan.over));
    for (heading, _) in &columns {
        let _ = write!(html, "<th>{heading}</th>");
    }
    html.push_str(if failed { "<th>not ok</th></tr></thead><tbody>" } else { "</tr></thead><tbody>" });
    let mut before = None;
    for cell in cells {
        let value = if before == Some(&cell.value) { "" } else { &cell.value };
        before = Some(&cell.value);
        let _ = write!(html, "<tr><td class=\"left\">{}</td>", escape(value));
        let _ = write!(html, "<td class=\"left\">{}</td>", escape(&cell.variant));
        for (_, text) in &columns {
            let _ =
                write!(html, "<td>{}</td>", text(cell).map_or_else(|| "–".to_owned(), |text| escape(&text)));
        }
        if failed {
            let _ = write!(html, "<td>{}</td>", grouped(cell.failed));
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table></div>");
    html
}

/// Every measurement, folded away; judged ones with a link to their own page.
pub(super) fn all(plan: &SweepPlan, measurements: &[Measurement]) -> String {
    let mut html = format!(
        "<details><summary>All {} measurements</summary><div class=\"wide\"><table><thead><tr>\
         <th class=\"left\">round</th><th>{}</th><th class=\"left\">variant</th><th>operations/s</th><th>ok</th>\
         <th>not ok</th><th>p50</th><th>p99</th><th>max</th><th class=\"left\">run</th></tr></thead><tbody>",
        measurements.len(),
        escape(&plan.over)
    );
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    for row in measurements {
        let run = match (&row.run, row.answer) {
            (Some(run), Some(answer)) => {
                format!("<a href=\"{}/report.html\">{}</a>", escape(run), answer.word())
            }
            (Some(_), None) | (None, _) => "not recorded".to_owned(),
        };
        let _ = write!(
            html,
            "<tr><td class=\"left\">{}</td><td>{}</td><td class=\"left\">{}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td>{}</td><td>{}</td><td>{}</td><td class=\"left\">{run}</td></tr>",
            row.round,
            escape(&row.value),
            escape(&row.variant),
            or_dash(row.throughput_per_s.map(rate)),
            grouped(row.ok),
            grouped(row.failed),
            or_dash(time(row.p50_ms)),
            or_dash(time(row.p99_ms)),
            or_dash(time(row.max_ms)),
        );
    }
    html.push_str("</tbody></table></div></details>");
    html
}
