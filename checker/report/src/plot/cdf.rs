//! `latency-cdf.png`: which share of the operations was answered within which time, variants over one another.

use super::canvas::{Canvas, Ink, Rect, right_of};
use super::frame::{self, Area, Head, Sign};
use super::scale::Scale;
use super::style::{PLOT_LEFT, WHITE, variant};
use super::{narrowed, origin, pixels, variant_name};
use crate::observed::Observed;
use crate::plan::Plan;
use crate::sentences::{seconds, share};
use crate::statistics::latencies;

/// One variant: its latencies in order, and how many operations were due.
struct Curve {
    /// Seconds, with the number of answers until then.
    steps: Vec<(f64, u64)>,
    due: u64,
}

impl Curve {
    /// The share of a number of answers in all. Half an answer less, so that the slowest one is drawn too.
    fn height(&self, answers: u64) -> f64 {
        (answers as f64 - 0.5).max(0.0) / self.due.max(1) as f64
    }

    fn missing(&self) -> u64 {
        self.due.saturating_sub(self.steps.last().map_or(0, |step| step.1))
    }

    /// How many nines its end has.
    fn nines(&self) -> f64 {
        let end = self.steps.last().map_or(0.0, |step| self.height(step.1));
        -(1.0 - end).log10()
    }
}

pub(super) fn picture(plan: &Plan, variants: &[Observed], width: u32) -> Canvas {
    let curves: Vec<Curve> = variants.iter().map(curve).collect();
    let legend: Vec<_> = variants
        .iter()
        .zip(&curves)
        .enumerate()
        .map(|(index, (observed, curve))| {
            (Sign::Line(variant(index)), format!("{}: {}", variant_name(plan, observed), figures(curve)))
        })
        .collect();
    let sentence = "The share of all operations due that were answered within a time. A ring marks where a curve ends short of all.";
    let origin = origin(plan);
    let head = Head::new(width, "Latency, from the fastest to the slowest", &origin, sentence, &legend);
    let (top, height) = (head.height() + 52.0, 760.0 * narrowed(width));
    let rect = Rect { left: PLOT_LEFT, top, width: right_of(width) - PLOT_LEFT, height };
    let mut canvas = Canvas::new(width, pixels(rect.bottom() + 110.0));
    head.draw(&mut canvas);
    let all = curves.iter().flat_map(|curve| &curve.steps);
    let (min, max) = all.fold((f64::MAX, 0.0_f64), |(min, max), step| (min.min(step.0), max.max(step.0)));
    let nines = curves.iter().map(Curve::nines).fold(1.0, f64::max) + 0.12;
    let area = Area { rect, x: Scale::durations(min.max(1e-6), max), y: Scale::Nines(nines) };
    frame::axes(&mut canvas, &area, 6.0);
    frame::x_labels(&mut canvas, &area);
    frame::y_title(&mut canvas, &area, "answered");
    for (index, curve) in curves.iter().enumerate() {
        draw(&mut canvas, &area, curve, variant(index));
    }
    if curves.iter().all(|curve| curve.steps.is_empty()) {
        frame::nothing(&mut canvas, &area, "no operation was answered");
    }
    frame::x_title(&mut canvas, rect.bottom() + 86.0, "latency");
    canvas
}

fn curve(observed: &Observed) -> Curve {
    let latencies = latencies(observed);
    let steps = latencies.steps().map(|(ns, until)| ((ns as f64 / 1e9).max(1e-6), until)).collect();
    Curve { steps, due: observed.measured_operations().count() as u64 + observed.unsent() }
}

fn figures(curve: &Curve) -> String {
    if curve.steps.is_empty() {
        return "no answer".to_owned();
    }
    let at = |share: f64| {
        let wanted = curve.due as f64 * share;
        let step = curve.steps.iter().find(|step| step.1 as f64 >= wanted);
        step.map_or_else(|| "never".to_owned(), |step| format!("within {}", seconds(step.0)))
    };
    let missing = curve.missing();
    let median = format!("half {}, 99 % {}", at(0.5), at(0.99));
    if missing == 0 { median } else { format!("{median}, {} without an answer", share(missing, curve.due)) }
}

/// Draws a curve; a ring marks its end where some operations were never answered.
fn draw(canvas: &mut Canvas, area: &Area, curve: &Curve, ink: Ink) {
    let mut line: Vec<(f64, f64)> = Vec::new();
    for (latency, until) in &curve.steps {
        let point = area.point(*latency, curve.height(*until));
        let before = line.last().copied().unwrap_or((point.0, area.rect.bottom()));
        if (point.0 - before.0).abs() < 1.0 && (point.1 - before.1).abs() < 1.0 {
            continue;
        }
        line.extend([(point.0, before.1), point]);
    }
    canvas.path(&line, 8.0, WHITE);
    canvas.path(&line, 5.0, ink);
    let Some(end) = line.last() else { return };
    canvas.dot(*end, 12.0, WHITE);
    canvas.dot(*end, 10.0, ink);
    if curve.missing() > 0 {
        canvas.dot(*end, 5.5, WHITE);
    }
}
