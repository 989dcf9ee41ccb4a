//! Curves over one axis in panels one above the other, for figures that do not come from the folder of a run.

use super::ResultsError;
use super::plot::canvas::{Anchor, Canvas, Rect};
use super::plot::frame::{self, Area, Head, Sign};
use super::plot::scale::Scale;
use super::plot::style::{ASIDE, HEADING, LABEL, MARGIN, PLOT_LEFT, WHITE, WIDTH, variant};
use super::plot::{PictureOptions, pixels, write};
use std::path::Path;

const HEIGHT: f64 = 440.0;
/// From the top of a panel's title to its data, and from there to the next title.
const TITLE_ROOM: f64 = 84.0;
const FOOT_ROOM: f64 = 74.0;

/// A picture of curves.
#[derive(Debug, Clone, Default)]
pub struct Curves {
    /// What stands above it.
    pub title: String,
    /// Where its figures come from, on the right of the title.
    pub origin: String,
    /// What it shows, in a sentence.
    pub sentence: String,
    /// The title of the x axis.
    pub x_title: String,
    /// Whether the x axis goes by powers of ten.
    pub x_by_powers: bool,
    /// Spans of the x axis that are shaded, each with its label.
    pub spans: Vec<(String, f64, f64)>,
    /// The names of the curves; the curves of every panel have the same ones in the same order.
    pub names: Vec<String>,
    /// The panels from top to bottom.
    pub panels: Vec<Panel>,
}

/// One panel.
#[derive(Debug, Clone, Default)]
pub struct Panel {
    /// Its title.
    pub title: String,
    /// Whether its y axis goes by powers of ten; values of 0 are then left out.
    pub by_powers: bool,
    /// The curves: each a list of points with the interval around each, where that is known.
    pub curves: Vec<Vec<Point>>,
}

/// A point of a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Its place on the x axis.
    pub x: f64,
    /// Its value.
    pub y: f64,
    /// The interval around the value.
    pub interval: Option<(f64, f64)>,
}

/// The interval in which a share lies with a probability of 95 %, of which `seen` of `all` are known (Wilson 1927).
pub fn wilson(seen: u64, all: u64) -> (f64, f64) {
    const Z: f64 = 1.959_964;
    if all == 0 {
        return (0.0, 1.0);
    }
    let (n, share) = (all as f64, seen as f64 / all as f64);
    let middle = share + Z * Z / (2.0 * n);
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + Z * Z / n;
    // Where nothing or everything was seen, rounding must not exclude it.
    let low = if seen == 0 { 0.0 } else { ((middle - half) / whole).max(0.0) };
    let high = if seen == all { 1.0 } else { ((middle + half) / whole).min(1.0) };
    (low, high)
}

/// Draws curves into a PNG file.
///
/// # Errors
/// When it cannot be written.
pub fn draw(curves: &Curves, path: &Path) -> Result<(), ResultsError> {
    let canvas = picture(curves);
    write(path, Some(&canvas), &PictureOptions::default())
}

fn picture(curves: &Curves) -> Canvas {
    let entry = |(index, name): (usize, &String)| (Sign::Line(variant(index)), name.clone());
    let legend: Vec<_> = curves.names.iter().enumerate().map(entry).collect();
    let head = Head::new(WIDTH, &curves.title, &curves.origin, &curves.sentence, &legend);
    let top = head.height();
    let height = top + curves.panels.len() as f64 * (TITLE_ROOM + HEIGHT + FOOT_ROOM) + 40.0;
    let mut canvas = Canvas::new(WIDTH, pixels(height));
    head.draw(&mut canvas);
    let x = x_axis(curves);
    for (index, panel) in curves.panels.iter().enumerate() {
        let title = top + index as f64 * (TITLE_ROOM + HEIGHT + FOOT_ROOM) + 52.0;
        let rect =
            Rect { left: PLOT_LEFT, top: title + 32.0, width: canvas.right() - PLOT_LEFT, height: HEIGHT };
        canvas.text(MARGIN, title, Anchor::Left, HEADING, &panel.title);
        let area = Area { rect, x, y: y_axis(panel) };
        draw_panel(&mut canvas, &area, panel, &curves.spans);
    }
    frame::x_title(&mut canvas, height - 24.0, &curves.x_title);
    canvas
}

fn x_axis(curves: &Curves) -> Scale {
    let xs = curves.panels.iter().flat_map(|panel| panel.curves.iter().flatten()).map(|point| point.x);
    let (min, max) = range(xs);
    if curves.x_by_powers { Scale::logarithmic(min, max) } else { Scale::Linear(min, max.max(min + 1e-9)) }
}

fn y_axis(panel: &Panel) -> Scale {
    let points = panel.curves.iter().flatten();
    let values = points.flat_map(|point| {
        let (low, high) = point.interval.unwrap_or((point.y, point.y));
        [low, point.y, high]
    });
    if panel.by_powers {
        let (min, max) = range(values.filter(|value| *value > 0.0));
        return Scale::logarithmic(min, max);
    }
    Scale::from_zero(range(values).1)
}

fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (min, max) = values.fold((f64::MAX, f64::MIN), |(min, max), value| (min.min(value), max.max(value)));
    if min > max { (0.0, 1.0) } else { (min, max) }
}

fn draw_panel(canvas: &mut Canvas, area: &Area, panel: &Panel, spans: &[(String, f64, f64)]) {
    for (row, (label, from, to)) in spans.iter().enumerate() {
        let (left, right) = (area.px(*from), area.px(*to).max(area.px(*from) + 3.0));
        let rect = Rect { left, width: right - left, ..area.rect };
        canvas.fill(rect, ASIDE);
        let baseline = area.rect.top + 28.0 + 30.0 * (row % 4) as f64;
        canvas.text(left + 8.0, baseline, Anchor::Left, LABEL, label);
    }
    frame::axes(canvas, area, 5.0);
    frame::x_labels(canvas, area);
    if panel.curves.iter().all(Vec::is_empty) {
        frame::nothing(canvas, area, "nothing was measured");
    }
    for (index, curve) in panel.curves.iter().enumerate() {
        let shown = || curve.iter().filter(|point| !panel.by_powers || point.y > 0.0);
        for point in shown() {
            if let Some((low, high)) = point.interval {
                canvas.line(
                    area.point(point.x, low),
                    area.point(point.x, high),
                    3.0,
                    variant(index).faded(0.5),
                );
            }
        }
        let points: Vec<_> = shown().map(|point| area.point(point.x, point.y)).collect();
        canvas.path(&points, 5.0, variant(index));
        for point in points {
            canvas.dot(point, 9.0, WHITE);
            canvas.dot(point, 7.0, variant(index));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Curves, Panel, Point, picture, wilson};

    #[test]
    fn wilson_intervals_are_those_of_tables() {
        let near =
            |(low, high): (f64, f64), (a, b): (f64, f64)| (low - a).abs() < 5e-4 && (high - b).abs() < 5e-4;
        assert!(near(wilson(0, 10), (0.0, 0.2775)), "{:?}", wilson(0, 10));
        assert!(near(wilson(5, 10), (0.2366, 0.7634)), "{:?}", wilson(5, 10));
        assert!(near(wilson(10, 10), (0.7225, 1.0)), "{:?}", wilson(10, 10));
        assert_eq!(wilson(0, 0), (0.0, 1.0));
    }

    #[test]
    fn panels_grow_the_picture() {
        let point = |x, y| Point { x, y, interval: Some((y / 2.0, y)) };
        let panel = Panel { curves: vec![vec![point(1.0, 2.0), point(3.0, 0.0)]], ..Panel::default() };
        let height = |panels| {
            let curves = Curves { names: vec!["one".to_owned()], panels, ..Curves::default() };
            picture(&curves).height
        };
        assert!(height(vec![panel.clone(), panel.clone()]) > height(vec![panel]));
    }
}
