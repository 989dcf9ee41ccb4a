//! Drawings of a violation as SVG within the page: bars in the order of events, or a cycle of transactions.

use super::story::Moment;
use crate::faults::FaultRecord;
use crate::observed::Observed;
use crate::violation::Violation;
use checker::words;
use history::{OperationRef, OutcomeRef};
use maud::{Markup, html};
use std::f64::consts::TAU;

const WIDTH: f64 = 620.0;
/// Room for who asks whom, on the left.
const LEFT: f64 = 118.0;
const ROW: f64 = 38.0;
const TOP: f64 = 26.0;
/// From the name of one fault to that of the next.
const LINE: f64 = 15.0;
/// The width of a letter, about.
const LETTER: f64 = 6.8;

/// The class of an operation's bar.
fn class(operation: &OperationRef<'_>) -> &'static str {
    match operation.outcome {
        OutcomeRef::Ok(_) => "ok",
        OutcomeRef::Fail { .. } => "fail",
        OutcomeRef::Info { .. } => "info",
    }
}

/// Each fault with where it begins and ends in the picture.
fn spans<'a>(
    moments: &[Moment<'a>],
    events: &[u64],
    column: &dyn Fn(u64) -> f64,
) -> Vec<(&'a FaultRecord, f64, f64)> {
    let span = |moment: &Moment<'a>| match moment {
        Moment::Began(fault) => {
            let to = fault.end_ns.filter(|end| events.binary_search(end).is_ok());
            Some((*fault, column(fault.start_ns.unwrap_or(0)), to.map_or(WIDTH - 4.0, column)))
        }
        Moment::Operation(..) | Moment::Healed(_) => None,
    };
    moments.iter().filter_map(span).collect()
}

/// Each operation as a bar in a row of its own, faults shaded.
pub(super) fn bars(moments: &[Moment<'_>], violation: &Violation) -> Markup {
    let mut events: Vec<u64> = moments
        .iter()
        .flat_map(|moment| match moment {
            Moment::Operation(_, operation) => [Some(operation.invoked_ns), operation.completed_ns],
            Moment::Began(fault) => [fault.start_ns, None],
            Moment::Healed(fault) => [fault.end_ns, None],
        })
        .flatten()
        .collect();
    events.sort_unstable();
    events.dedup();
    let step = (WIDTH - LEFT - 16.0) / events.len().max(1) as f64;
    let column = |ns: u64| LEFT + 8.0 + events.partition_point(|event| *event < ns) as f64 * step;
    let operations: Vec<(usize, OperationRef<'_>)> = moments
        .iter()
        .filter_map(|moment| match moment {
            Moment::Operation(index, operation) => Some((*index, *operation)),
            Moment::Began(_) | Moment::Healed(_) => None,
        })
        .collect();
    let faults = spans(moments, &events, &column);
    let top = TOP + LINE * faults.len().saturating_sub(1) as f64;
    let height = top + ROW * operations.len() as f64 + 8.0;
    html! {
        svg.violation viewBox={ "0 0 " (WIDTH) " " (height) } role="img" aria-label=(spoken(&operations, violation)) {
            @for (line, (fault, from, to)) in faults.iter().enumerate() {
                rect.shade x=(from) y="0" width=(to - from) height=(height) {}
                (name(fault, *from, 14.0 + LINE * line as f64))
            }
            @for (row, (index, operation)) in operations.iter().enumerate() {
                @let y = top + ROW * row as f64;
                @let from = column(operation.invoked_ns);
                @let to = operation.completed_ns.map_or(WIDTH - 8.0, column).max(from + 6.0);
                @let what = cut(&words::in_short(*operation), WIDTH - LEFT);
                @let (x, anchor) = place(&what, from, to);
                text.who x="0" y=(y + 21.0) { (who(operation)) }
                line.lane x1=(LEFT) x2=(WIDTH) y1=(y + ROW - 4.0) y2=(y + ROW - 4.0) {}
                rect.bar.(class(operation)).odd[violation.odd == Some(*index)] x=(from) y=(y + 18.0) width=(to - from) height="10" rx="3" {}
                text.what.odd[violation.odd == Some(*index)] x=(x) y=(y + 12.0) text-anchor=(anchor) { (what) }
            }
        }
    }
}

fn who(operation: &OperationRef<'_>) -> String {
    let client = words::who(operation);
    operation.node.map_or(client.clone(), |node| format!("{client} → {node}"))
}

/// What the picture shows, for those who do not see it.
fn spoken(operations: &[(usize, OperationRef<'_>)], violation: &Violation) -> String {
    let parts = operations.iter().map(|(index, operation)| {
        let odd = if violation.odd == Some(*index) { ", which nothing explains" } else { "" };
        format!("{}: {}{odd}", who(operation), words::in_short(*operation))
    });
    format!("Operations in the order of time. {}.", parts.collect::<Vec<_>>().join("; "))
}

/// The name of a fault at its beginning, or at the right edge where there is too little room. It has a line of its own.
fn name(fault: &FaultRecord, from: f64, y: f64) -> Markup {
    let label = cut(&fault.label, WIDTH);
    let (x, anchor) = place(&label, from + 4.0, WIDTH - 4.0);
    html! { text.shade-name x=(x) y=(y) text-anchor=(anchor) { (label) } }
}

/// Where a text stands that belongs to a bar: from its beginning on, up to its end, or else at the right edge.
fn place(text: &str, from: f64, to: f64) -> (f64, &'static str) {
    let width = text.chars().count() as f64 * LETTER;
    if from + width <= WIDTH - 4.0 {
        (from, "start")
    } else if to - width >= LEFT {
        (to, "end")
    } else {
        (WIDTH - 4.0, "end")
    }
}

/// A text that is no longer than a width.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a width of a picture is small and not negative"
)]
fn cut(text: &str, width: f64) -> String {
    let most = (width / LETTER) as usize;
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Transactions on a circle, with an arrow from each to the next.
pub(super) fn cycle(observed: &Observed, violation: &Violation) -> Markup {
    const HEIGHT: f64 = 320.0;
    let count = violation.edges.len();
    let angle = |index: f64| TAU / 2.0 + TAU * index / count.max(1) as f64;
    // From the left, clockwise; `out` is 1 on the circle itself.
    let place = |index: f64, out: f64| {
        (WIDTH / 2.0 + 150.0 * out * angle(index).cos(), HEIGHT / 2.0 + 104.0 * out * angle(index).sin())
    };
    let edge = |index: usize| {
        let (from, to) = (place(index as f64, 1.0), place((index + 1) as f64, 1.0));
        let through = place(index as f64 + 0.5, if count == 2 { 0.9 } else { 1.05 });
        // A quadratic curve through that point, which ends before the circles.
        let bend =
            (2.0 * through.0 - f64::midpoint(from.0, to.0), 2.0 * through.1 - f64::midpoint(from.1, to.1));
        let ((x1, y1), (x2, y2)) = (towards(from, bend, 26.0), towards(to, bend, 26.0));
        format!("M{x1:.1} {y1:.1}Q{:.1} {:.1} {x2:.1} {y2:.1}", bend.0, bend.1)
    };
    let spoken = format!("A cycle of {count} transactions. The list beside it has the reason of each edge.");
    html! {
        svg.violation viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(spoken) {
            defs {
                marker #arrow viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto" {
                    path.arrow d="M0 0L10 5L0 10z" {}
                }
            }
            @for (index, (kind, _)) in violation.edges.iter().enumerate() {
                @let (x, y) = place(index as f64 + 0.5, if count == 2 { 1.08 } else { 1.22 });
                path.edge.(kind.replace(' ', "-")) d=(edge(index)) marker-end="url(#arrow)" {}
                text.kind x=(x) y=(y + 4.0) text-anchor="middle" { (kind) }
            }
            @for (index, operation) in violation.operations.iter().enumerate().take(count) {
                @let ((x, y), (far_x, far_y)) = (place(index as f64, 1.0), place(index as f64, 1.36));
                circle.node cx=(x) cy=(y) r="22" {}
                text.name x=(x) y=(y + 5.0) text-anchor="middle" { "T" (index + 1) }
                @if let Some(operation) = observed.operations.get(*operation) {
                    text.who x=(far_x) y=(far_y + 4.0) text-anchor=(anchor(angle(index as f64).cos())) { (who(&operation)) }
                }
            }
        }
    }
}

/// On which side of a point its name stands, so that it leads away from the middle.
fn anchor(cosine: f64) -> &'static str {
    if cosine > 0.4 {
        "start"
    } else if cosine < -0.4 {
        "end"
    } else {
        "middle"
    }
}

/// The point at a distance from one point towards another.
fn towards(from: (f64, f64), to: (f64, f64), distance: f64) -> (f64, f64) {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx.hypot(dy).max(1.0);
    (from.0 + dx / length * distance, from.1 + dy / length * distance)
}
