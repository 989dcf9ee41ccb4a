//! `latency.png`: each operation against the time it was due, with the quantiles of each window.

use super::canvas::{Canvas, Ink, Rect};
use super::frame::{self, Area, Head, Sign};
use super::scale::Scale;
use super::style::{FAIL, INFO, MEDIAN, OK, REFUSED, TAIL, WHITE};
use super::{bin_ns, detail, origin, outcomes, pixels, slots, time_axis, variant_name};
use crate::observed::{Observed, answered, due_ns, latency_ns};
use crate::plan::Plan;
use crate::sentences::seconds;
use crate::statistics::latencies;
use crate::verdict::grouped;
use history::{OperationRef, OutcomeClass};
use rustc_hash::FxHashMap;

/// Points closer than this many pixels become one darker point.
const CELL: f64 = 3.0;
/// Fewer answers than this in a window make no quantile.
const ENOUGH: usize = 5;

pub(super) fn picture(plan: &Plan, variants: &[Observed], width: u32) -> Canvas {
    let open_loop = variants.iter().any(|observed| observed.plan.rate.is_some());
    let since = if open_loop { "when it was due" } else { "when it was sent" };
    let sentence =
        format!("One point per operation: {since}, and how long it took from then until it came back.");
    let mut legend = outcomes(variants, |class| match class {
        OutcomeClass::Ok => Sign::Dot(OK),
        OutcomeClass::Refused => Sign::Ring(REFUSED),
        OutcomeClass::Info => Sign::Triangle(INFO),
        OutcomeClass::Fail => Sign::Cross(FAIL),
    });
    legend.push((Sign::Line(MEDIAN), "p50 of each window".to_owned()));
    legend.push((Sign::Line(TAIL), "p99".to_owned()));
    let x = time_axis(variants);
    let y = latency_axis(variants);
    let origin = origin(plan);
    let head = Head::new(width, "Latency", &origin, &sentence, &legend);
    let (slots, end) = slots(variants, x, head.height(), width);
    let mut canvas = Canvas::new(width, pixels(end + 66.0));
    head.draw(&mut canvas);
    for slot in slots {
        let area = Area { rect: slot.rect, x, y };
        let (name, detail) = (variant_name(plan, slot.observed), detail(plan, slot.observed));
        frame::heading(&mut canvas, slot.heading, name, detail.as_deref(), &figures(slot.observed));
        frame::axes(&mut canvas, &area, 6.0);
        frame::y_title(&mut canvas, &area, "latency");
        slot.strip.draw(&mut canvas, &area);
        draw_unsent(&mut canvas, &area, slot.observed);
        draw_points(&mut canvas, &area, slot.observed);
        frame::x_labels(&mut canvas, &area);
        if slot.observed.operations.is_empty() {
            frame::nothing(&mut canvas, &area, "no operation was recorded");
        }
    }
    frame::x_title(&mut canvas, end + 32.0, frame::TIME);
    canvas
}

fn figures(observed: &Observed) -> String {
    let latencies = latencies(observed);
    if latencies.count() == 0 {
        return "no operation was answered".to_owned();
    }
    let at = |quantile| seconds(latencies.quantile_ns(quantile) as f64 / 1e9);
    let answers = grouped(latencies.count());
    let unsent = match observed.unsent() {
        0 => String::new(),
        unsent => format!(" · {} never sent", grouped(unsent)),
    };
    format!(
        "{answers} answers · p50 {} · p99 {} · max {}{unsent}",
        at(0.5),
        at(0.99),
        seconds(latencies.max_ns() as f64 / 1e9)
    )
}

/// From the fastest to the slowest operation of load and recovery: a slow warm-up does not squeeze the rest.
fn latency_axis(variants: &[Observed]) -> Scale {
    let (mut min, mut max) = (f64::MAX, 0.0_f64);
    for observed in variants {
        let open_loop = observed.plan.rate.is_some();
        for operation in observed.measured_operations() {
            if let Some(latency) = latency_ns(&operation, open_loop) {
                let latency = (latency as f64 / 1e9).max(1e-6);
                (min, max) = (min.min(latency), max.max(latency));
            }
        }
    }
    Scale::durations(min, max)
}

fn position(observed: &Observed, operation: &OperationRef<'_>) -> Option<(f64, f64)> {
    let open_loop = observed.plan.rate.is_some();
    let latency = latency_ns(operation, open_loop)? as f64 / 1e9;
    Some((observed.axis_seconds(due_ns(operation, open_loop)), latency))
}

/// The middle of a cell, and how many operations are in it.
type Cell = ((f64, f64), u32);

/// The operations by class, those of one cell as one: however many there are, the picture stays as fast and as
/// legible. What lies beyond the axis is left out.
fn cells(area: &Area, observed: &Observed) -> [Vec<Cell>; 4] {
    let mut cells: [FxHashMap<(u32, u32), u32>; 4] = Default::default();
    for operation in observed.shown_operations() {
        let Some((due, latency)) = position(observed, &operation) else { continue };
        if !area.y.holds(latency) {
            continue;
        }
        let class = match OutcomeClass::of(operation.outcome) {
            OutcomeClass::Ok => 0,
            OutcomeClass::Refused => 1,
            OutcomeClass::Info => 2,
            OutcomeClass::Fail => 3,
        };
        let (x, y) = area.point(due, latency);
        *cells[class].entry((pixels(x / CELL), pixels(y / CELL))).or_insert(0) += 1;
    }
    cells.map(|cells| {
        let mut cells: Vec<_> = cells.into_iter().collect();
        cells.sort_unstable();
        let middle = |cell: u32| (f64::from(cell) - 0.5) * CELL;
        cells.into_iter().map(|((column, row), count)| ((middle(column), middle(row)), count)).collect()
    })
}

/// Hatches the times after the last operation that was sent of what was due in a phase.
fn draw_unsent(canvas: &mut Canvas, area: &Area, observed: &Observed) {
    for span in observed.shown_phases().filter(|span| span.unsent > 0) {
        let sent = observed.operations.iter().filter(|operation| operation.phase == Some(span.phase));
        let last = sent.filter_map(|operation| operation.intended_ns).max().unwrap_or(span.start);
        let left = area.px(observed.axis_seconds(last));
        let width = area.px(observed.axis_seconds(span.end)) - left;
        if width >= 12.0 {
            let reason = format!("due, but never sent: {}", grouped(span.unsent));
            frame::hatched(canvas, Rect { left, width, ..area.rect }, &reason);
        }
    }
}

/// Draws points and quantiles. The rare outcomes come last, so that nothing hides them.
fn draw_points(canvas: &mut Canvas, area: &Area, observed: &Observed) {
    let [ok, refused, info, fail] = cells(area, observed);
    draw_ok(canvas, &ok);
    for (point, _) in &refused {
        // Rings beside rings would be a grey wall.
        if refused.len() > 1500 {
            canvas.dot(*point, 1.9, REFUSED.faded(0.4));
        } else {
            canvas.ring(*point, 5.0, 1.6, REFUSED.faded(0.75));
        }
    }
    for (quantile, ink) in [(0.5, MEDIAN), (0.99, TAIL)] {
        draw_quantile(canvas, area, observed, quantile, ink);
    }
    for (point, _) in &info {
        frame::triangle(canvas, *point, radius(&info), INFO.faded(0.85));
    }
    for (point, _) in &fail {
        frame::cross(canvas, *point, radius(&fail), FAIL.faded(0.85));
    }
}

/// Signs get smaller where there are very many of them.
fn radius(cells: &[Cell]) -> f64 {
    if cells.len() > 1500 { 4.0 } else { 6.2 }
}

/// Draws the ok operations, darker where there are more of them, and smaller where cells lie close together.
fn draw_ok(canvas: &mut Canvas, cells: &[Cell]) {
    let most = cells.iter().map(|(_, count)| *count).max().unwrap_or(1);
    let crowded = cells.len() > 15_000;
    let (radius, faintest) = if crowded { (1.9, 0.12) } else { (3.4, 0.28) };
    for (point, count) in cells {
        let weight = f64::from(*count).ln() / f64::from(most.max(8)).ln();
        canvas.dot(*point, radius, OK.faded(faintest + (0.8 - faintest) * weight));
    }
}

/// Draws one quantile of the answers that were due in each window. A window with few answers breaks the line.
fn draw_quantile(canvas: &mut Canvas, area: &Area, observed: &Observed, quantile: f64, ink: Ink) {
    let Scale::Linear(from, to) = area.x else { return };
    let bin = bin_ns(to - from, 60.0) as f64 / 1e9;
    let mut windows: FxHashMap<u32, Vec<f64>> = FxHashMap::default();
    for operation in observed.shown_operations().filter(|operation| answered(operation.outcome)) {
        if let Some((due, latency)) = position(observed, &operation) {
            windows.entry(pixels((due - from) / bin)).or_default().push(latency);
        }
    }
    let mut windows: Vec<_> = windows.into_iter().filter(|(_, answers)| answers.len() >= ENOUGH).collect();
    windows.sort_unstable_by_key(|(window, _)| *window);
    let mut line: Vec<(f64, f64)> = Vec::new();
    let mut last = None;
    for (window, mut answers) in windows {
        answers.sort_unstable_by(f64::total_cmp);
        if last.is_some_and(|last| window > last + 1) {
            draw_line(canvas, &line, ink);
            line.clear();
        }
        last = Some(window);
        let rank = (pixels(answers.len() as f64 * quantile) as usize).clamp(1, answers.len());
        let middle = from + (f64::from(window) - 0.5) * bin;
        line.push(area.point(middle, answers[rank - 1]));
    }
    draw_line(canvas, &line, ink);
}

fn draw_line(canvas: &mut Canvas, line: &[(f64, f64)], ink: Ink) {
    if let [only] = line {
        canvas.dot(*only, 6.0, WHITE);
        canvas.dot(*only, 4.5, ink);
    }
    canvas.path(line, 7.0, WHITE);
    canvas.path(line, 4.0, ink);
}
