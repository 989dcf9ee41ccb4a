//! `throughput.png`: completions a second by outcome, against time.

use super::canvas::{Canvas, Ink, Rect};
use super::frame::{self, Area, Head, Sign};
use super::outcome_strip::{self, ABOVE, HEIGHT};
use super::scale::{Scale, duration};
use super::style::{DARK, FAIL, INFO, OK, REFUSED};
use super::{CLASSES, bin_ns, detail, origin, outcomes, pixels, slots, time_axis, variant_name};
use crate::observed::Observed;
use crate::plan::Plan;
use crate::sentences::rate;
use history::OutcomeClass;

/// Completions a second of one variant in bins along the axis, by outcome.
#[derive(Default)]
struct Rates {
    ok: Vec<f64>,
    /// Answers: what was ok and what was refused, together.
    answered: Vec<f64>,
    info: Vec<f64>,
    fail: Vec<f64>,
    /// Where the shown time of the variant ends on the axis.
    end: f64,
}

pub(super) fn picture(plan: &Plan, variants: &[Observed], width: u32) -> Canvas {
    let x = time_axis(variants);
    let bin = width_of_bins(variants, x);
    let sentence = format!(
        "Operations that came back a second, in windows of {}. Below: what became of those sent at each time, as shares.",
        duration(bin)
    );
    let mut legend = outcomes(variants, |class| match class {
        OutcomeClass::Ok => Sign::Field(OK.faded(0.55)),
        OutcomeClass::Refused => Sign::Field(REFUSED.faded(0.3)),
        OutcomeClass::Info => Sign::Line(INFO),
        OutcomeClass::Fail => Sign::Line(FAIL),
    });
    if variants.iter().any(|observed| observed.plan.rate.is_some()) {
        legend.push((Sign::Dashes(DARK), "asked for".to_owned()));
    }
    let all: Vec<Rates> = variants.iter().map(|observed| rates(observed, x, bin)).collect();
    let asked = variants.iter().filter_map(|observed| observed.plan.rate);
    let highest = variants.iter().zip(&all).map(|(observed, rates)| rates.highest(observed, x, bin));
    let y = Scale::from_zero(highest.chain(asked).fold(0.0, f64::max) * 1.02);
    let origin = origin(plan);
    let head = Head::new(width, "Throughput", &origin, &sentence, &legend);
    let (slots, end) = slots(variants, x, head.height(), width);
    let mut canvas = Canvas::new(width, pixels(end + 66.0));
    head.draw(&mut canvas);
    for (slot, rates) in slots.iter().zip(&all) {
        let strip = HEIGHT + ABOVE;
        let area = Area { rect: Rect { height: slot.rect.height - strip, ..slot.rect }, x, y };
        let (name, detail) = (variant_name(plan, slot.observed), detail(plan, slot.observed));
        frame::heading(&mut canvas, slot.heading, name, detail.as_deref(), &figures(slot.observed));
        frame::axes(&mut canvas, &area, 5.0);
        frame::y_title(&mut canvas, &area, "per second");
        slot.strip.draw(&mut canvas, &area);
        draw(&mut canvas, &area, slot.observed, rates, bin);
        let sent = Rect { top: slot.rect.bottom() - HEIGHT, height: HEIGHT, ..slot.rect };
        outcome_strip::draw(&mut canvas, &area, sent, slot.observed);
        frame::x_labels(&mut canvas, &Area { rect: slot.rect, ..area });
        if slot.observed.operations.is_empty() {
            frame::nothing(&mut canvas, &area, "no operation was recorded");
        }
    }
    frame::x_title(&mut canvas, end + 32.0, frame::TIME);
    canvas
}

impl Rates {
    /// The highest rate in a window of load or recovery. The warm-up does not set the scale.
    fn highest(&self, observed: &Observed, x: Scale, bin: f64) -> f64 {
        let Scale::Linear(from, _) = x else { return 0.0 };
        let load = observed.axis_seconds(observed.measured().start);
        let first = pixels(((load - from) / bin).max(0.0)) as usize;
        let lines = [&self.answered, &self.info, &self.fail];
        lines.into_iter().flat_map(|line| line.iter().skip(first)).copied().fold(0.0, f64::max)
    }
}

/// The mean rate of each class that there is.
fn figures(observed: &Observed) -> String {
    let measured = observed.measured().seconds();
    if measured <= 0.0 {
        return String::new();
    }
    let figure = |(class, word): (OutcomeClass, &str)| {
        let of =
            observed.measured_operations().filter(|operation| OutcomeClass::of(operation.outcome) == class);
        let count = of.count();
        let shown = class == OutcomeClass::Ok || count > 0;
        shown.then(|| format!("{} {word}/s", rate(count as f64 / measured)))
    };
    let figures: Vec<String> = CLASSES.into_iter().filter_map(figure).collect();
    format!("on average {}", figures.join(" · "))
}

/// Windows wide enough for about ten operations, but at least twenty of them on the axis, at most a hundred.
fn width_of_bins(variants: &[Observed], x: Scale) -> f64 {
    let Scale::Linear(from, to) = x else { return 1.0 };
    let most = variants.iter().map(|observed| observed.operations.len()).max().unwrap_or(0);
    let bins = (most as f64 / 10.0).clamp(20.0, 100.0);
    bin_ns(to - from, bins) as f64 / 1e9
}

/// Counts completions. A last window of less than half the width is left out: its rate would be chance.
fn rates(observed: &Observed, x: Scale, bin: f64) -> Rates {
    let Scale::Linear(from, to) = x else { return Rates::default() };
    let end =
        observed.shown_phases().map(|span| observed.axis_seconds(span.end)).fold(from, f64::max).min(to);
    let none = vec![0.0; pixels((end - from) / bin - 0.5) as usize];
    let mut rates = Rates { ok: none.clone(), answered: none.clone(), info: none.clone(), fail: none, end };
    for operation in observed.shown_operations() {
        let Some(completed) = operation.completed_ns else { continue };
        let completed = observed.axis_seconds(completed);
        if completed < from || completed >= end {
            continue;
        }
        let index = ((completed - from) / bin).floor();
        let share = 1.0 / (end - (from + index * bin)).min(bin);
        let count = |line: &mut Vec<f64>| {
            if let Some(rate) = line.get_mut(pixels(index) as usize) {
                *rate += share;
            }
        };
        match OutcomeClass::of(operation.outcome) {
            OutcomeClass::Ok => {
                count(&mut rates.ok);
                count(&mut rates.answered);
            }
            OutcomeClass::Refused => count(&mut rates.answered),
            OutcomeClass::Info => count(&mut rates.info),
            OutcomeClass::Fail => count(&mut rates.fail),
        }
    }
    rates
}

fn draw(canvas: &mut Canvas, area: &Area, observed: &Observed, rates: &Rates, bin: f64) {
    let ground = area.rect.bottom();
    let line = |heights: &[f64]| steps(area, heights, bin, rates.end);
    let (ok, answered) = (line(&rates.ok), line(&rates.answered));
    for bar in ok.chunks_exact(2) {
        let ((left, top), (right, _)) = (bar[0], bar[1]);
        canvas.fill(Rect { left, top, width: right - left, height: ground - top }, OK.faded(0.28));
    }
    for (ok, bar) in ok.chunks_exact(2).zip(answered.chunks_exact(2)) {
        let ((left, top), (right, _)) = (bar[0], bar[1]);
        canvas.fill(Rect { left, top, width: right - left, height: ok[0].1 - top }, REFUSED.faded(0.22));
    }
    if rates.ok != rates.answered {
        canvas.path(&answered, 1.5, REFUSED);
    }
    draw_line(canvas, &ok, ground, OK);
    for (heights, ink) in [(&rates.info, INFO), (&rates.fail, FAIL)] {
        draw_line(canvas, &line(heights), ground, ink);
    }
    draw_asked(canvas, area, observed, DARK);
}

/// Draws the line, but not where it lies on the ground: nothing is said by showing nothing.
fn draw_line(canvas: &mut Canvas, line: &[(f64, f64)], ground: f64, ink: Ink) {
    let parts = line.chunk_by(|from, to| from.1 < ground || to.1 < ground);
    for part in parts.filter(|part| part.len() > 1) {
        canvas.path(part, 3.5, ink);
    }
}

fn draw_asked(canvas: &mut Canvas, area: &Area, observed: &Observed, ink: Ink) {
    let Some(rate) = observed.plan.rate else { return };
    let measured = observed.measured();
    if !measured.is_empty() {
        let from = area.point(observed.axis_seconds(measured.start), rate);
        let to = area.point(observed.axis_seconds(measured.end), rate);
        canvas.dashes(from, to, 2.5, ink);
    }
}

/// The corners of a line that stays level within each bin, up to the end of what is shown of the variant.
fn steps(area: &Area, rates: &[f64], bin: f64, end: f64) -> Vec<(f64, f64)> {
    let Scale::Linear(from, _) = area.x else { return Vec::new() };
    let corner = |index: usize, rate: f64| area.point((from + index as f64 * bin).min(end), rate);
    rates
        .iter()
        .enumerate()
        .flat_map(|(index, rate)| [corner(index, *rate), corner(index + 1, *rate)])
        .collect()
}
