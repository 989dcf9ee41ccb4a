//! `throughput.png`: completions a second by outcome, against time.

use super::canvas::{Canvas, Ink, Rect};
use super::frame::{self, Area, Sign};
use super::scale::{Scale, duration};
use super::style::{DARK, FAIL, INFO, OK, WIDTH};
use super::{bin_ns, origin, pixels, slots, time_axis, variant_title};
use crate::history::Kind;
use crate::results::observed::Observed;
use crate::results::plan::Plan;
use crate::results::sentences::rate;

/// Completions a second of one variant in bins along the axis, by outcome.
struct Rates {
    ok: Vec<f64>,
    info: Vec<f64>,
    fail: Vec<f64>,
}

pub(super) fn picture(plan: &Plan, variants: &[Observed]) -> Vec<u8> {
    let x = time_axis(variants);
    let bin = width_of_bins(variants, x);
    let sentence = format!("Operations that came back a second, in windows of {}.", duration(bin));
    let mut legend = vec![
        (Sign::Field(OK.faded(0.55)), "ok".to_owned()),
        (Sign::Line(INFO), "info (outcome unknown)".to_owned()),
        (Sign::Line(FAIL), "fail (did not happen)".to_owned()),
    ];
    if variants.iter().any(|observed| observed.plan.rate.is_some()) {
        legend.push((Sign::Dashes(DARK), "asked for".to_owned()));
    }
    let all: Vec<Rates> = variants.iter().map(|observed| rates(observed, x, bin)).collect();
    let asked = variants.iter().filter_map(|observed| observed.plan.rate);
    let highest = all.iter().flat_map(|rates| rates.ok.iter().chain(&rates.info).chain(&rates.fail)).copied();
    let y = Scale::from_zero(highest.chain(asked).fold(0.0, f64::max) * 1.02);
    let (slots, end) = slots(variants, x, frame::head_height(&legend));
    let mut canvas = Canvas::new(WIDTH, pixels(end + 66.0));
    frame::head(&mut canvas, "Throughput", &origin(plan), &sentence, &legend);
    for (slot, rates) in slots.iter().zip(&all) {
        let area = Area { rect: slot.rect, x, y };
        frame::heading(
            &mut canvas,
            slot.heading,
            &variant_title(plan, slot.observed),
            &figures(slot.observed),
        );
        frame::axes(&mut canvas, &area, 5.0);
        frame::y_title(&mut canvas, &area, "per second");
        slot.strip.draw(&mut canvas, &area);
        draw(&mut canvas, &area, slot.observed, rates, bin);
        frame::x_labels(&mut canvas, &area);
        if slot.observed.operations.is_empty() {
            frame::nothing(&mut canvas, &area, "no operation was recorded");
        }
    }
    frame::x_title(&mut canvas, end + 32.0, frame::TIME);
    canvas.png()
}

fn figures(observed: &Observed) -> String {
    let (mut ok, mut others) = (0_u32, 0_u32);
    for operation in observed.measured_operations() {
        let counter = if operation.outcome.kind() == Kind::Ok { &mut ok } else { &mut others };
        *counter += 1;
    }
    let measured = observed.measured().seconds();
    if measured <= 0.0 {
        return String::new();
    }
    format!(
        "{} ok/s on average · {} not ok/s",
        rate(f64::from(ok) / measured),
        rate(f64::from(others) / measured)
    )
}

/// Windows wide enough for about ten operations, but at least twenty of them on the axis, at most a hundred.
fn width_of_bins(variants: &[Observed], x: Scale) -> f64 {
    let Scale::Linear(from, to) = x else { return 1.0 };
    let most = variants.iter().map(|observed| observed.operations.len()).max().unwrap_or(0);
    let bins = (most as f64 / 10.0).clamp(20.0, 100.0);
    bin_ns(to - from, bins) as f64 / 1e9
}

fn rates(observed: &Observed, x: Scale, bin: f64) -> Rates {
    let Scale::Linear(from, to) = x else { return Rates { ok: vec![], info: vec![], fail: vec![] } };
    let bins = pixels((to - from) / bin) as usize;
    let mut rates = Rates { ok: vec![0.0; bins], info: vec![0.0; bins], fail: vec![0.0; bins] };
    for operation in &observed.operations {
        let Some(completed) = operation.completed_ns else { continue };
        let place = ((observed.axis_seconds(completed) - from) / bin).floor();
        let counts = match operation.outcome.kind() {
            Kind::Ok => &mut rates.ok,
            Kind::Info | Kind::Invoke => &mut rates.info,
            Kind::Fail => &mut rates.fail,
        };
        if let Some(count) = counts.get_mut(pixels(place.max(0.0)) as usize) {
            let start = from + place * bin;
            *count += 1.0 / (to - start).min(bin).max(bin * 0.2);
        }
    }
    rates
}

fn draw(canvas: &mut Canvas, area: &Area, observed: &Observed, rates: &Rates, bin: f64) {
    let ground = area.rect.bottom();
    for pair in steps(area, &rates.ok, bin).chunks_exact(2) {
        let ((left, top), (right, _)) = (pair[0], pair[1]);
        canvas.fill(Rect { left, top, width: right - left, height: ground - top }, OK.faded(0.28));
    }
    for (rates, ink) in [(&rates.ok, OK), (&rates.info, INFO), (&rates.fail, FAIL)] {
        draw_line(canvas, &steps(area, rates, bin), ground, ink);
    }
    draw_asked(canvas, area, observed, DARK);
}

/// Draws the line, but not where it lies on the ground: nothing is said by showing nothing.
fn draw_line(canvas: &mut Canvas, line: &[(f64, f64)], ground: f64, ink: Ink) {
    for pair in line.windows(2).filter(|pair| pair[0].1 < ground || pair[1].1 < ground) {
        canvas.path(pair, 3.5, ink);
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

/// The corners of a line that stays level within each bin.
fn steps(area: &Area, rates: &[f64], bin: f64) -> Vec<(f64, f64)> {
    let Scale::Linear(from, to) = area.x else { return Vec::new() };
    let corner = |place: usize, rate: f64| area.point((from + place as f64 * bin).min(to), rate);
    rates
        .iter()
        .enumerate()
        .flat_map(|(place, rate)| [corner(place, *rate), corner(place + 1, *rate)])
        .collect()
}
