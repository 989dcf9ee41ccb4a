//! `backoff.png`: what competing leaders do to each other and what gets decided, variants over one another.
//!
//! Three panels share the time axis: decisions, preemptions and adoptions a second as far as there were any, with
//! the mean of each variant beside them, and its range over the rounds. Below, one bar per variant shows standstills.

use super::canvas::{Anchor, Canvas, Pen, Rect, fitted, right_of, text_width};
use super::frame::{self, Area, Head, Sign};
use super::scale::{Scale, duration};
use super::style::{ASIDE, AXIS, DARK, FIGURE, GRID, HEADING, LABEL, MARGIN, PROSE, fault, variant};
use super::{bin_ns, detail, origin, pixels, time_axis, variant_name};
use crate::observed::{Observed, Window};
use crate::plan::Plan;
use crate::rounds::{Spread, VariantMedians};
use crate::samples::{Growth, Protocol, STANDSTILL_NS, rates, total};
use crate::sentences::{rate, seconds, share};
use history::Phase;

const LEFT: f64 = 190.0;
/// Room for the bars, from the right edge of the panels to that of the picture.
const BARS: f64 = 492.0;
/// The width of the bars, at the right edge of the picture.
const BARS_WIDTH: f64 = 422.0;
/// Pixels that are left light where one standstill ends and the next begins, or two would look like one.
const BETWEEN: f64 = 3.0;

/// One panel: its title, which counter it shows, and the figure that is its mean.
type Counter = (&'static str, fn(&Protocol) -> &Vec<Growth>, &'static str);

const COUNTERS: [Counter; 3] = [
    ("Decisions per second", |protocol| &protocol.decisions, "decided_per_s"),
    ("Preemptions per second", |protocol| &protocol.preemptions, "preemptions_per_s"),
    ("Adoptions per second", |protocol| &protocol.adoptions, "adoptions_per_s"),
];

pub(super) fn picture(plan: &Plan, variants: &[Observed], medians: &[VariantMedians], width: u32) -> Canvas {
    let legend: Vec<_> = variants
        .iter()
        .enumerate()
        .map(|(index, observed)| (Sign::Line(variant(index)), named(plan, observed)))
        .collect();
    let counters = counters(variants);
    let (title, sentence) = if counters.len() > 1 {
        (
            "Competing leaders",
            "What the leaders did to each other, and what was decided meanwhile. On the right: the mean of load and recovery",
        )
    } else {
        (
            "Decisions",
            "What was decided when; no leader was ever preempted or adopted. On the right: the mean of load and recovery",
        )
    };
    let sentence = match plan.rounds() {
        1 => format!("{sentence}."),
        rounds => format!("{sentence}, median and range of {rounds} rounds."),
    };
    let origin = origin(plan);
    let head = Head::new(width, title, &origin, &sentence, &legend);
    let (top, right) = (head.height(), right_of(width) - BARS);
    let (height, gap) = (300.0, 128.0);
    let row = 52.0;
    let bars_top = top + counters.len() as f64 * (height + gap) + 76.0;
    let bottom = bars_top + row * variants.len().max(1) as f64;
    let mut canvas = Canvas::new(width, pixels(bottom + 104.0));
    head.draw(&mut canvas);
    let x = time_axis(variants);
    for (index, counter) in counters.iter().enumerate() {
        let panel_top = top + 88.0 + index as f64 * (height + gap);
        let rect = Rect { left: LEFT, top: panel_top, width: right - LEFT, height };
        panel(&mut canvas, rect, x, variants, counter);
        means(&mut canvas, rect, plan, (variants, medians), counter.2);
    }
    let rect = Rect { left: LEFT, top: bars_top, width: right - LEFT, height: bottom - bars_top };
    standstills(&mut canvas, rect, x, row, plan, variants);
    canvas.text(f64::midpoint(LEFT, right), bottom + 80.0, Anchor::Middle, PROSE, frame::TIME);
    canvas
}

/// The counters that say anything: other systems have no ballots to be preempted.
fn counters(variants: &[Observed]) -> Vec<Counter> {
    let counted = |counter: &Counter| {
        variants.iter().any(|observed| total(counter.1(&observed.protocol), run(observed)) > 0.0)
    };
    let [decisions, others @ ..] = COUNTERS;
    std::iter::once(decisions).chain(others.into_iter().filter(counted)).collect()
}

fn panel(canvas: &mut Canvas, rect: Rect, x: Scale, variants: &[Observed], (title, growths, _): &Counter) {
    let Scale::Linear(from, to) = x else { return };
    let bin = bin_ns(to - from, 60.0).max(200_000_000);
    let lines: Vec<Vec<f64>> = variants
        .iter()
        .map(|observed| rates(growths(&observed.protocol), whole_bins(run(observed), bin), bin))
        .collect();
    let in_warmup =
        |observed: &Observed| observed.measured().start.saturating_sub(run(observed).start).div_ceil(bin);
    let highest = variants.iter().zip(&lines).flat_map(|(observed, line)| {
        line.iter().skip(usize::try_from(in_warmup(observed)).unwrap_or(0)).copied()
    });
    let area = Area { rect, x, y: Scale::from_zero(highest.fold(0.0, f64::max) * 1.02) };
    canvas.text(MARGIN, rect.top - 44.0, Anchor::Left, HEADING, title);
    frame::axes(canvas, &area, 4.0);
    surroundings(canvas, &area, variants);
    frame::x_labels(canvas, &area);
    for (index, (observed, line)) in variants.iter().zip(&lines).enumerate() {
        let start = run(observed).start;
        let middle = |bin_number: usize| observed.axis_seconds(start + bin_number as u64 * bin + bin / 2);
        let points: Vec<_> =
            line.iter().enumerate().map(|(number, rate)| area.point(middle(number), *rate)).collect();
        canvas.path(&points, 4.5, variant(index));
    }
    if !variants.iter().any(|observed| observed.protocol.any) {
        frame::nothing(canvas, &area, "no node said anything of this");
    }
}

/// The name of a variant with what sets it apart; that stands in the legend alone.
fn named(plan: &Plan, observed: &Observed) -> String {
    let name = variant_name(plan, observed);
    detail(plan, observed).map_or_else(|| name.to_owned(), |detail| format!("{name} ({detail})"))
}

/// The time without a last bin that would be less than half as wide as the others: its rate would be chance.
fn whole_bins(time: Window, bin: u64) -> Window {
    let rest = time.length() % bin;
    if rest < bin / 2 { Window { end: time.end - rest, ..time } } else { time }
}

/// The whole time of a variant that is shown.
fn run(observed: &Observed) -> Window {
    let start = observed.shown_phases().map(|span| span.start).min().unwrap_or(0);
    Window { start, end: observed.shown_phases().map(|span| span.end).max().unwrap_or(0) }
}

/// Phases and faults behind the lines. Variants share the plan, so those of the first that ran stand for all.
fn surroundings(canvas: &mut Canvas, area: &Area, variants: &[Observed]) {
    let Some(observed) = variants.iter().find(|observed| !observed.phases.is_empty()) else { return };
    for span in observed.shown_phases().filter(|span| span.phase != Phase::Load) {
        let (from, to) =
            (area.px(observed.axis_seconds(span.start)), area.px(observed.axis_seconds(span.end)));
        canvas.fill(Rect { left: from, width: to - from, ..area.rect }, ASIDE);
        let name = match span.phase {
            Phase::Warmup => "warm-up",
            Phase::Load => "load",
            Phase::Recovery => "recovery",
            Phase::Final => "final",
        };
        if text_width(LABEL, name) + 8.0 < to - from {
            canvas.text(f64::midpoint(from, to), area.rect.top - 8.0, Anchor::Middle, LABEL, name);
        }
    }
    let mut free_from = f64::MIN;
    for record in &observed.faults {
        let Some(start) = record.start_ns else { continue };
        let from = area.px(observed.axis_seconds(start));
        let to = area.px(observed.axis_seconds(record.end_ns.unwrap_or_else(|| run(observed).end)));
        let width = (to - from).max(3.0);
        canvas.fill(Rect { left: from, width, ..area.rect }, fault(&record.kind).faded(0.16));
        let pen = Pen { ink: DARK, ..LABEL };
        let half = text_width(pen, &record.kind) / 2.0;
        let middle = f64::midpoint(from, to);
        if middle - half > free_from && middle + half < area.rect.right() {
            canvas.text(middle, area.rect.top - 8.0, Anchor::Middle, pen, &record.kind);
            free_from = middle + half + 16.0;
        }
    }
}

/// The mean of each variant as a bar with its figure, on one scale; a line shows its range over the rounds.
fn means(
    canvas: &mut Canvas,
    rect: Rect,
    plan: &Plan,
    (variants, medians): (&[Observed], &[VariantMedians]),
    figure: &str,
) {
    let spread = |observed: &Observed| {
        let of = medians.iter().find(|medians| medians.variant == observed.plan.in_spec());
        of.and_then(|medians| medians.figure(figure))
    };
    let means: Vec<Option<Spread>> = variants.iter().map(spread).collect();
    let highest = means.iter().flatten().map(|mean| mean.max).fold(0.0, f64::max).max(1e-9);
    let row = (rect.height / variants.len().max(1) as f64).min(100.0);
    let bars_left = canvas.right() - BARS_WIDTH;
    let room = BARS_WIDTH - 140.0;
    let first = rect.top + (rect.height - row * variants.len() as f64) / 2.0;
    canvas.line((bars_left, rect.top), (bars_left, rect.bottom()), 2.0, AXIS);
    for (index, (observed, mean)) in variants.iter().zip(&means).enumerate() {
        let top = first + index as f64 * row;
        let tall = row >= 70.0;
        if tall {
            let name = fitted(LABEL, variant_name(plan, observed), BARS_WIDTH - 12.0);
            canvas.text(bars_left + 10.0, top + 24.0, Anchor::Left, LABEL, &name);
        }
        let bar_top = if tall { top + 32.0 } else { top + row * 0.2 };
        let height = if tall { row - 42.0 } else { row * 0.6 };
        let middle = bar_top + height / 2.0;
        let Some(mean) = mean else {
            canvas.text(bars_left + 12.0, middle + 9.0, Anchor::Left, FIGURE, "–");
            continue;
        };
        let at = |value: f64| bars_left + value / highest * room;
        let width = (at(mean.median) - bars_left).max(if mean.median > 0.0 { 3.0 } else { 0.0 });
        canvas.fill(Rect { left: bars_left, top: bar_top, width, height }, variant(index));
        if plan.rounds() > 1 && mean.max > mean.min {
            canvas.line((at(mean.min), middle), (at(mean.max), middle), 3.0, DARK);
            for end in [mean.min, mean.max] {
                canvas.line((at(end), middle - 8.0), (at(end), middle + 8.0), 3.0, DARK);
            }
        }
        let end = at(mean.max.max(mean.median)).max(bars_left + width);
        canvas.text(end + 12.0, middle + 9.0, Anchor::Left, FIGURE, &rate(mean.median));
    }
}

/// One bar per variant along the time axis, dark in its standstills, with the longest of them.
fn standstills(canvas: &mut Canvas, rect: Rect, x: Scale, row: f64, plan: &Plan, variants: &[Observed]) {
    let least = duration(STANDSTILL_NS as f64 / 1e9);
    let title = format!("Standstills (dark): nothing was decided for {least} or longer");
    let title = fitted(HEADING, &title, canvas.right() - BARS_WIDTH - MARGIN - 20.0);
    canvas.text(MARGIN, rect.top - 24.0, Anchor::Left, HEADING, &title);
    let bars_left = canvas.right() - BARS_WIDTH;
    canvas.text(bars_left, rect.top - 24.0, Anchor::Left, PROSE, "longest · share of the time");
    let area = Area { rect, x, y: Scale::Linear(0.0, 1.0) };
    for (index, observed) in variants.iter().enumerate() {
        let top = rect.top + index as f64 * row + 5.0;
        let height = row - 10.0;
        canvas.fill(Rect { left: MARGIN - 20.0, top, width: 12.0, height }, variant(index));
        let measured = observed.measured();
        let sampled = observed.protocol.any && !measured.is_empty();
        let px = |ns: u64| area.px(observed.axis_seconds(ns));
        // The name may reach into the warm-up, of which no standstill is drawn.
        let left = if sampled { px(measured.start) } else { LEFT };
        let name = fitted(LABEL, variant_name(plan, observed), left - MARGIN - 8.0);
        canvas.text(MARGIN, top + 29.0, Anchor::Left, LABEL, &name);
        if !sampled {
            canvas.text(LEFT + 8.0, top + 30.0, Anchor::Left, LABEL, "not sampled");
            continue;
        }
        let right = px(measured.end);
        canvas.fill(Rect { left, top, width: right - left, height }, variant(index).faded(0.22));
        for (from, to) in observed.protocol.standstills(measured) {
            let (from, to) = (px(from), px(to));
            canvas.fill(Rect { left: from, top, width: (to - from - BETWEEN).max(2.0), height }, DARK);
        }
        let longest = observed.protocol.longest_without_decision(measured).unwrap_or(0);
        let still = observed.protocol.standstill_ns(measured);
        let figure = format!("{} · {}", seconds(longest as f64 / 1e9), share(still, measured.length()));
        canvas.text(bars_left, top + 31.0, Anchor::Left, FIGURE, &figure);
    }
    canvas.line((rect.left, rect.bottom()), (rect.right(), rect.bottom()), 1.5, GRID);
    frame::x_labels(canvas, &area);
}
