//! A comparison as a picture: one row for each figure, with the interval of its ratio beside the threshold.

use super::{Change, Comparison, Outcome, Pair, Row, percent};
use crate::plot::canvas::{Anchor, Canvas, Ink, Pen, Rect, fitted, text_width};
use crate::plot::frame::{Head, Sign};
use crate::plot::pixels;
use crate::plot::style::{
    ASIDE, AXIS, DARK, FAIL, FIGURE, GREY, GRID, HEADING, INFO, LABEL, MARGIN, OK, PROSE, WIDTH,
};

const ROW: f64 = 46.0;
const HEAD: f64 = 64.0;
/// Where the names of figures, the values and the ratios stand.
const NAMES: f64 = MARGIN + 20.0;
const VALUES: f64 = 550.0;
const LEFT: f64 = 590.0;
const RIGHT: f64 = 1480.0;
/// No axis shows less than this on both sides of 1, as a factor.
const NARROWEST: f64 = 1.2;
/// Nor more: what lies beyond has its figure beside it.
const WIDEST: f64 = 10.0;

/// The ratios from left to right, by their logarithm.
struct Axis {
    reach: f64,
}

impl Axis {
    fn new(comparison: &Comparison) -> Self {
        let rows = comparison.pairs.iter().flat_map(|pair| &pair.rows);
        let ends = rows.flat_map(|row| [row.interval.map(|it| it.0), row.interval.map(|it| it.1), row.ratio]);
        let most = ends.flatten().filter(|ratio| *ratio > 0.0).map(|ratio| ratio.max(1.0 / ratio));
        let threshold = 1.0 + comparison.threshold;
        let most = most.fold(threshold * threshold, f64::max);
        Self { reach: (most * 1.05).clamp(NARROWEST, WIDEST) }
    }

    fn px(&self, ratio: f64) -> f64 {
        let position = ratio.max(1e-9).ln() / self.reach.ln();
        f64::midpoint(LEFT, RIGHT) + position.clamp(-1.0, 1.0) * (RIGHT - LEFT) / 2.0
    }

    fn ticks(&self) -> Vec<f64> {
        let near = [1.0, 1.05, 1.1, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0];
        let shown: Vec<f64> = near.into_iter().filter(|tick| *tick <= self.reach).collect();
        // Room for four labels on each side.
        let least = self.reach.powf(0.18);
        let mut ticks = vec![1.0];
        for tick in shown {
            if tick / ticks.last().copied().unwrap_or(1.0) >= least {
                ticks.push(tick);
            }
        }
        let below: Vec<f64> = ticks.iter().skip(1).map(|tick| 1.0 / tick).collect();
        ticks.into_iter().chain(below).collect()
    }
}

pub(super) fn draw(comparison: &Comparison) -> Canvas {
    let legend = vec![
        (Sign::Line(FAIL), "worse".to_owned()),
        (Sign::Line(OK), "same, better or not worse".to_owned()),
        (Sign::Line(INFO), "unclear".to_owned()),
        (Sign::Field(ASIDE), format!("within {:.0} %", comparison.threshold * 100.0)),
    ];
    let rows: f64 = comparison.pairs.iter().map(|pair| HEAD + ROW * pair.rows.len() as f64).sum();
    let title = match comparison.outcome {
        Outcome::NoRegression => "No regression",
        Outcome::Regression => "Regression",
        Outcome::TooLittleData => "Too little data to tell",
    };
    let sentence = format!(
        "B over A: the bars are intervals that are {:.0} % sure, the dots what was measured.",
        comparison.confidence * 100.0
    );
    let origin = format!("seed {}", comparison.seed);
    let head = Head::new(WIDTH, title, &origin, &sentence, &legend);
    let top = head.height();
    let mut canvas = Canvas::new(WIDTH, pixels(top + rows + 130.0));
    head.draw(&mut canvas);
    let axis = Axis::new(comparison);
    let area = Rect { left: LEFT, top: top + 20.0, width: RIGHT - LEFT, height: rows };
    ground(&mut canvas, area, &axis, comparison.threshold);
    let mut y = area.top;
    for pair in &comparison.pairs {
        draw_pair(&mut canvas, &axis, pair, y);
        y += HEAD + ROW * pair.rows.len() as f64;
    }
    canvas.text(f64::midpoint(LEFT, RIGHT), area.bottom() + 84.0, Anchor::Middle, PROSE, "B over A");
    canvas
}

fn ground(canvas: &mut Canvas, area: Rect, axis: &Axis, threshold: f64) {
    let (from, to) = (axis.px(1.0 - threshold), axis.px(1.0 + threshold));
    canvas.fill(Rect { left: from, width: to - from, ..area }, ASIDE);
    for tick in axis.ticks() {
        let x = axis.px(tick);
        let one = (tick - 1.0).abs() < 1e-9;
        canvas.line(
            (x, area.top),
            (x, area.bottom()),
            if one { 2.5 } else { 1.5 },
            if one { AXIS } else { GRID },
        );
        canvas.text(x, area.bottom() + 40.0, Anchor::Middle, LABEL, &percent(tick));
    }
    canvas.line((area.left, area.bottom()), (area.right(), area.bottom()), 2.0, AXIS);
}

fn draw_pair(canvas: &mut Canvas, axis: &Axis, pair: &Pair, top: f64) {
    let (a, b) = (pair.a.name(), pair.b.name());
    let name = if a == b { b } else { format!("{a} → {b}") };
    let name = fitted(HEADING, &name, canvas.right() - MARGIN);
    // The lines of the grid would cross the letters.
    let width = text_width(HEADING, &name) + 12.0;
    canvas.fill(Rect { left: MARGIN - 4.0, top: top + 8.0, width, height: 44.0 }, Ink(255, 255, 255, 1.0));
    canvas.text(MARGIN, top + 42.0, Anchor::Left, HEADING, &name);
    for (index, row) in pair.rows.iter().enumerate() {
        draw_row(canvas, axis, row, top + HEAD + ROW * index as f64);
    }
}

fn draw_row(canvas: &mut Canvas, axis: &Axis, row: &Row, top: f64) {
    let middle = top + ROW / 2.0;
    let baseline = middle + 9.0;
    let pen = Pen { ink: DARK, ..LABEL };
    canvas.text(NAMES, baseline, Anchor::Left, pen, row.figure.name());
    let values = format!("{} → {}", row.figure.written(row.a), row.figure.written(row.b));
    // The longest name of a figure takes 130 pixels.
    let values = fitted(LABEL, &values, VALUES - NAMES - 150.0);
    canvas.text(VALUES, baseline, Anchor::Right, LABEL, &values);
    let ink = match row.change {
        Change::Worse => FAIL,
        Change::Better | Change::Same | Change::NotWorse => OK,
        Change::Unclear => INFO,
    };
    if let Some((low, high)) = row.interval {
        let (from, to) = (axis.px(low), axis.px(high).max(axis.px(low) + 3.0));
        canvas.fill(Rect { left: from, top: middle - 6.0, width: to - from, height: 12.0 }, ink.faded(0.55));
    }
    let dot = row.ratio.map(|ratio| (axis.px(ratio), middle));
    if let Some(dot) = dot {
        canvas.dot(dot, 9.0, if row.interval.is_some() { ink } else { GREY });
    }
    let said = match (&row.reason, row.ratio) {
        (Some(_), _) | (None, None) => row.change.word().to_owned(),
        (None, Some(ratio)) => format!("{} {}", percent(ratio), row.change.word()),
    };
    let right = canvas.right();
    canvas.text(RIGHT + 24.0, baseline, Anchor::Left, FIGURE, &fitted(FIGURE, &said, right - RIGHT - 24.0));
}
