//! `sweep.png`: what the variants do at each value of the axis, one panel for each figure.

use super::axis::Axis;
use super::cells::{Cell, short};
use super::{Figures, SweepPlan};
use crate::plot::canvas::{Anchor, Canvas, Ink, Pen, Rect, fitted, text_width};
use crate::plot::frame::{self, Area, Head, Sign};
use crate::plot::pixels;
use crate::plot::scale::Scale;
use crate::plot::style::{
    AXIS, DARK, FIGURE, GRID, HEADING, LABEL, MARGIN, PLOT_LEFT, PROSE, WHITE, variant,
};

const HEIGHT: f64 = 440.0;
/// From the top of a panel's title to its data, and from there to the next title.
const TITLE_ROOM: f64 = 84.0;
const FOOT_ROOM: f64 = 74.0;
/// The ratio of largest to smallest value from which a figure is drawn by powers of ten.
const POWERS_FROM: f64 = 20.0;

/// One panel: its title, what it shows, and what else belongs to it as a dashed line.
struct Panel {
    title: &'static str,
    figure: fn(&Figures) -> Option<f64>,
    dashed: Option<fn(&Figures) -> Option<f64>>,
    is_time: bool,
    /// Left out where it is 0 everywhere.
    optional: bool,
}

const PANELS: [Panel; 4] = [
    Panel {
        title: "Operations per second",
        figure: |it| it.throughput_per_s,
        dashed: None,
        is_time: false,
        optional: false,
    },
    Panel {
        title: "Latency: 99 % of the operations took no longer (dashed: half of them)",
        figure: |it| it.p99_ms.map(|ms| ms / 1e3),
        dashed: Some(|it| it.p50_ms.map(|ms| ms / 1e3)),
        is_time: true,
        optional: false,
    },
    Panel {
        title: "Leaders preempted per second",
        figure: |it| it.preemptions_per_s,
        dashed: None,
        is_time: false,
        optional: true,
    },
    Panel {
        title: "Longest time without a success around a fault",
        figure: |it| it.longest_outage_s,
        dashed: None,
        is_time: true,
        optional: true,
    },
];

pub(super) fn draw(plan: &SweepPlan, cells: &[Cell], width: u32) -> Canvas {
    let shown = |panel: &&Panel| {
        !panel.optional
            || cells.iter().filter_map(|cell| (panel.figure)(&cell.median)).any(|value| value > 0.0)
    };
    let panels: Vec<&Panel> = PANELS.iter().filter(shown).collect();
    let entry = |(index, name): (usize, &String)| (Sign::Line(variant(index)), name.clone());
    let legend: Vec<_> = plan.variants.iter().enumerate().map(entry).collect();
    let title = format!("{} over {}", plan.spec, short(&plan.over));
    let origin = format!("seed {} · {}", plan.seed, plan.started.replace('T', " "));
    let head = Head::new(width, &title, &origin, &sentence(plan), &legend);
    let top = head.height();
    let height = top + panels.len() as f64 * (TITLE_ROOM + HEIGHT + FOOT_ROOM) + 40.0;
    let mut canvas = Canvas::new(width, pixels(height));
    head.draw(&mut canvas);
    let axis = Axis::new(&plan.values);
    for (index, panel) in panels.into_iter().enumerate() {
        let title = top + index as f64 * (TITLE_ROOM + HEIGHT + FOOT_ROOM) + 52.0;
        let rect =
            Rect { left: PLOT_LEFT, top: title + 32.0, width: canvas.right() - PLOT_LEFT, height: HEIGHT };
        let name = fitted(HEADING, panel.title, canvas.right() - MARGIN);
        canvas.text(MARGIN, title, Anchor::Left, HEADING, &name);
        draw_panel(&mut canvas, rect, panel, plan, cells, &axis);
    }
    frame::x_title(&mut canvas, height - 24.0, &plan.over);
    canvas
}

fn sentence(plan: &SweepPlan) -> String {
    let what = match plan.rounds {
        1 => "One measurement each".to_owned(),
        rounds => format!("Medians of {rounds} alternating rounds; bars go from the slowest to the fastest"),
    };
    let mut sentence = format!("{what}. {}", plan.conditions.join(", "));
    if sentence.ends_with(". ") {
        sentence.truncate(sentence.len() - 1);
    }
    sentence
}

/// The y axis for these values.
fn scale(values: &[f64], is_time: bool) -> Scale {
    let (min, max) = values.iter().fold((f64::MAX, 0.0_f64), |(min, max), v| (min.min(*v), max.max(*v)));
    let powers = min > 0.0 && max / min >= POWERS_FROM;
    match (is_time, powers) {
        (true, _) if min > 0.0 => Scale::durations(min, max),
        (false, true) => Scale::logarithmic(min, max),
        (true | false, _) => Scale::from_zero(max),
    }
}

fn draw_panel(canvas: &mut Canvas, rect: Rect, panel: &Panel, plan: &SweepPlan, cells: &[Cell], axis: &Axis) {
    let range = |cell: &Cell| [cell.throughput_min, cell.throughput_max];
    let is_first = panel.dashed.is_none() && !panel.optional;
    let both = cells.iter().flat_map(|cell| {
        let dashed = panel.dashed.and_then(|figure| figure(&cell.median));
        let ends = if is_first { range(cell) } else { [None, None] };
        [(panel.figure)(&cell.median), dashed, ends[0], ends[1]]
    });
    let values: Vec<f64> = both.flatten().collect();
    let area = Area { rect, x: Scale::Linear(0.0, 1.0), y: scale(&values, panel.is_time) };
    grid(canvas, &area, plan, axis);
    if values.is_empty() {
        frame::nothing(canvas, &area, "nothing was measured");
    }
    if is_first {
        compared(canvas, &area, plan, cells, axis);
    }
    for (index, name) in plan.variants.iter().enumerate() {
        let of = |figure: fn(&Figures) -> Option<f64>| line(&area, plan, cells, axis, name, figure);
        if let Some(dashed) = panel.dashed {
            for pair in of(dashed).windows(2) {
                canvas.dashes(pair[0], pair[1], 3.0, variant(index));
            }
        }
        if is_first {
            whiskers(canvas, &area, plan, cells, axis, (name, variant(index)));
        }
        let points = of(panel.figure);
        canvas.path(&points, 5.0, variant(index));
        for point in points {
            canvas.dot(point, 11.0, WHITE);
            canvas.dot(point, 9.0, variant(index));
        }
    }
}

/// Grid and labels: the values of the axis stand below, evenly or by their size.
fn grid(canvas: &mut Canvas, area: &Area, plan: &SweepPlan, axis: &Axis) {
    let rect = area.rect;
    for tick in area.y.ticks(5.0).into_iter().filter(|tick| tick.label.is_some()) {
        let y = area.py(tick.value);
        canvas.line((rect.left, y), (rect.right(), y), 1.5, GRID);
        canvas.text(rect.left - 14.0, y + 9.0, Anchor::Right, LABEL, &tick.label.unwrap_or_default());
    }
    canvas.line((rect.left, rect.bottom()), (rect.right(), rect.bottom()), 2.0, AXIS);
    let mut free_from = f64::MIN;
    for (value, position) in plan.values.iter().zip(&axis.positions) {
        let x = area.px(*position);
        canvas.line((x, rect.top), (x, rect.bottom() + 8.0), 1.5, GRID);
        let half = text_width(PROSE, value) / 2.0;
        if x - half >= free_from {
            canvas.text(x, rect.bottom() + 38.0, Anchor::Middle, Pen { ink: DARK, ..PROSE }, value);
            free_from = x + half + 12.0;
        }
    }
}

/// Where a figure of a variant stands at each value that was measured.
fn line(
    area: &Area,
    plan: &SweepPlan,
    cells: &[Cell],
    axis: &Axis,
    name: &str,
    figure: fn(&Figures) -> Option<f64>,
) -> Vec<(f64, f64)> {
    let at = |(value, position): (&String, &f64)| {
        let cell = cells.iter().find(|cell| cell.value == *value && cell.variant == name)?;
        Some(area.point(*position, figure(&cell.median)?))
    };
    plan.values.iter().zip(&axis.positions).filter_map(at).collect()
}

fn whiskers(
    canvas: &mut Canvas,
    area: &Area,
    plan: &SweepPlan,
    cells: &[Cell],
    axis: &Axis,
    (name, ink): (&str, Ink),
) {
    for (value, position) in plan.values.iter().zip(&axis.positions) {
        let cell = cells.iter().find(|cell| cell.value == *value && cell.variant == name && cell.rounds > 1);
        let Some((min, max)) = cell.and_then(|cell| cell.throughput_min.zip(cell.throughput_max)) else {
            continue;
        };
        let (low, high) = (area.point(*position, min), area.point(*position, max));
        canvas.line(low, high, 3.0, ink.faded(0.7));
        for (x, y) in [low, high] {
            canvas.line((x - 10.0, y), (x + 10.0, y), 3.0, ink.faded(0.7));
        }
    }
}

/// How many times as much a variant does as the one it is compared with, between the two.
fn compared(canvas: &mut Canvas, area: &Area, plan: &SweepPlan, cells: &[Cell], axis: &Axis) {
    for (pair, (name, with)) in plan.compared().enumerate() {
        for (value, position) in plan.values.iter().zip(&axis.positions) {
            let of = |name: &str| cells.iter().find(|cell| cell.value == *value && cell.variant == name);
            let Some((cell, other)) = of(name).zip(of(with)) else { continue };
            let (Some(times), Some(own), Some(its)) =
                (cell.multiple(), cell.median.throughput_per_s, other.median.throughput_per_s)
            else {
                continue;
            };
            // One pair to the right of its points, the next to the left, so that two do not cover each other.
            let side = if pair % 2 == 0 { 30.0 } else { -30.0 } * (1.0 + (pair / 2) as f64);
            let ink = variant(plan.variants.iter().position(|one| one == name).unwrap_or(0));
            let (x, from, to) = (area.px(*position) + side, area.py(own), area.py(its));
            canvas.line((x, from), (x, to), 2.0, ink.faded(0.8));
            let anchor = if side > 0.0 { Anchor::Left } else { Anchor::Right };
            let text = format!("×{times}");
            let beside = x + if side > 0.0 { 8.0 } else { -8.0 };
            canvas.text(beside, f64::midpoint(from, to) + 9.0, anchor, Pen { ink, ..FIGURE }, &text);
        }
    }
}
