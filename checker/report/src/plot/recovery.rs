//! `recovery.png`: how far each replica was around a fault, and where the one that came back got its decisions from.

use super::canvas::{Anchor, Canvas, Ink, Pen, Rect, right_of, text_width};
use super::frame::{self, Area, Head, Sign};
use super::scale::Scale;
use super::style::{AXIS, DARK, FIGURE, GREY, HEADING, LABEL, MARGIN, PROSE, fault};
use super::{origin, pixels, variant_name};
use crate::observed::Observed;
use crate::plan::Plan;
use crate::recovery::{Level, Recovery, levels};
use crate::sentences::seconds;
use crate::verdict::{VariantVerdict, grouped};

const LEFT: f64 = 190.0;
/// Room for the bars, from the right edge of the panels to that of the picture, and from there to the first bar.
const BARS: f64 = 512.0;
const BEFORE_BARS: f64 = 50.0;
const BAR_WIDTH: f64 = 90.0;
const HEIGHT: f64 = 420.0;
const GAP: f64 = 190.0;
/// As many recoveries are drawn; all of them are in `recoveries.csv`.
const DRAWN: usize = 6;
/// Shown before the fault and after the recovery, at least.
const MARGIN_S: f64 = 1.0;

/// The node that came back.
const BACK: Ink = Ink(213, 94, 0, 1.0);
/// The others.
const OTHERS: Ink = Ink(140, 150, 160, 1.0);
/// Decisions from its own log.
const OWN: Ink = Ink(0, 114, 178, 1.0);
/// Decisions from its peers.
const PEERS: Ink = Ink(0, 158, 115, 1.0);

/// A recovery with the variant it happened in.
type Shown<'a> = (&'a Observed, &'a Recovery);

/// The picture; none where no node came back from anything.
pub(super) fn picture(
    plan: &Plan,
    variants: &[Observed],
    verdicts: &[VariantVerdict],
    width: u32,
) -> Option<Canvas> {
    let all: Vec<Shown<'_>> = variants
        .iter()
        .filter_map(|observed| {
            let verdict = verdicts.iter().find(|verdict| verdict.variant == observed.plan.name)?;
            Some((observed, verdict))
        })
        .flat_map(|(observed, verdict)| verdict.recoveries.iter().map(move |recovery| (observed, recovery)))
        .filter(|(_, recovery)| recovery.slots_after.is_some())
        .collect();
    let shown = &all[..all.len().min(DRAWN)];
    if shown.is_empty() {
        return None;
    }
    let legend = legend(shown);
    let sentence = if all.len() > shown.len() {
        format!("The first {} of {} recoveries; the others are in recoveries.csv.", shown.len(), all.len())
    } else {
        "Slots applied by each replica around a fault, and where the one that came back got them from."
            .to_owned()
    };
    let origin = origin(plan);
    let head = Head::new(width, "Recovery", &origin, &sentence, &legend);
    let (top, right) = (head.height(), right_of(width) - BARS);
    let bottom = top + shown.len() as f64 * (HEIGHT + GAP);
    let mut canvas = Canvas::new(width, pixels(bottom + 60.0));
    head.draw(&mut canvas);
    for (index, (observed, recovery)) in shown.iter().enumerate() {
        let panel_top = top + 110.0 + index as f64 * (HEIGHT + GAP);
        let rect = Rect { left: LEFT, top: panel_top, width: right - LEFT, height: HEIGHT };
        panel(&mut canvas, rect, plan, observed, recovery);
    }
    canvas.text(f64::midpoint(LEFT, right), bottom + 30.0, Anchor::Middle, PROSE, frame::TIME);
    Some(canvas)
}

fn legend(shown: &[Shown<'_>]) -> Vec<frame::Entry> {
    let mut legend = vec![
        (Sign::Line(BACK), "the node that came back".to_owned()),
        (Sign::Line(OTHERS), "the others".to_owned()),
    ];
    if shown.iter().any(|(_, recovery)| recovery.from_own_log.is_some()) {
        legend.push((Sign::Field(OWN), "from its own log".to_owned()));
        legend.push((Sign::Field(PEERS), "from its peers".to_owned()));
    }
    legend
}

/// The time that a panel shows, in nanoseconds since the run's start.
fn window(observed: &Observed, recovery: &Recovery) -> Option<(u64, u64, u64)> {
    let record = observed.faults.iter().find(|fault| fault.fault == recovery.fault)?;
    let start = record.start_ns?;
    let last = observed.samples.last().map_or(start, |sample| sample.time_ns);
    let healed = record.end_ns.unwrap_or(last);
    let level = recovery.level_ns.unwrap_or(last).max(healed);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a second in nanoseconds")]
    let margin = ((MARGIN_S * 1e9) as u64).max((level - start) / 4);
    Some((start.saturating_sub(margin), healed, (level + margin).min(last.max(level))))
}

fn panel(canvas: &mut Canvas, rect: Rect, plan: &Plan, observed: &Observed, recovery: &Recovery) {
    let Some((from, healed, to)) = window(observed, recovery) else { return };
    let lines: Vec<(&String, Vec<Level>)> = observed
        .plan
        .nodes
        .iter()
        .map(|node| {
            let inside = |level: &Level| (from..=to).contains(&level.time_ns);
            (node, levels(&observed.samples, node).filter(inside).collect())
        })
        .collect();
    let slots = lines.iter().flat_map(|(_, levels)| levels).filter_map(|level| level.slots);
    let bars = [
        recovery.slots_before,
        recovery.from_own_log.zip(recovery.from_peers).map(|(own, peers)| own + peers),
    ];
    let most = slots.chain(bars.into_iter().flatten()).max().unwrap_or(1);
    let x = Scale::Linear(observed.axis_seconds(from), observed.axis_seconds(to));
    let area = Area { rect, x, y: Scale::from_zero(most as f64) };
    let variant = if plan.variants_in_spec() > 1 {
        format!("{}: ", variant_name(plan, observed))
    } else {
        String::new()
    };
    let title = format!("{variant}{}, fault {}: {}", recovery.node, recovery.fault, recovery.label);
    canvas.text(MARGIN, rect.top - 74.0, Anchor::Left, HEADING, &title);
    let (took, beside) = (took(recovery), MARGIN + text_width(HEADING, &title) + 24.0);
    let fits = beside + text_width(PROSE, &took) <= canvas.right();
    let (left, baseline) = if fits { (beside, rect.top - 74.0) } else { (LEFT, rect.top - 42.0) };
    canvas.text(left, baseline, Anchor::Left, PROSE, &took);
    frame::axes(canvas, &area, 5.0);
    frame::y_title(canvas, &area, "slots applied");
    shade(canvas, &area, observed, recovery, healed);
    frame::x_labels(canvas, &area);
    let (own, others): (Vec<_>, Vec<_>) = lines.iter().partition(|(node, _)| **node == recovery.node);
    for (_, levels) in others {
        draw(canvas, &area, observed, levels, 3.0, OTHERS);
    }
    for (_, levels) in own {
        draw(canvas, &area, observed, levels, 5.0, BACK);
    }
    sources(canvas, &area, recovery);
}

/// The fault, and when the node was level.
fn shade(canvas: &mut Canvas, area: &Area, observed: &Observed, recovery: &Recovery, healed: u64) {
    let Some(record) = observed.faults.iter().find(|fault| fault.fault == recovery.fault) else { return };
    let x_of = |ns: u64| area.px(observed.axis_seconds(ns));
    let (left, right) = (x_of(record.start_ns.unwrap_or(healed)), x_of(healed));
    let shade = Rect { left, width: (right - left).max(3.0), ..area.rect };
    canvas.fill(shade, fault(&record.kind).faded(0.14));
    let pen = Pen { ink: DARK, ..LABEL };
    if text_width(pen, &record.kind) < shade.width {
        canvas.text(f64::midpoint(left, right), area.rect.top - 10.0, Anchor::Middle, pen, &record.kind);
    }
    if let Some(level) = recovery.level_ns {
        let level = x_of(level);
        canvas.dashes((level, area.rect.top), (level, area.rect.bottom()), 2.5, GREY);
        canvas.text(level + 6.0, area.rect.top - 10.0, Anchor::Left, LABEL, "level");
    }
}

/// A line of what the node had applied, broken where it did not answer.
fn draw(canvas: &mut Canvas, area: &Area, observed: &Observed, levels: &[Level], width: f64, ink: Ink) {
    for answered in levels.split(|level| level.slots.is_none()) {
        let points: Vec<(f64, f64)> = answered
            .iter()
            .filter_map(|level| Some(area.point(observed.axis_seconds(level.time_ns), level.slots? as f64)))
            .collect();
        if let [only] = points[..] {
            canvas.dot(only, width, ink);
        }
        canvas.path(&points, width, ink);
    }
}

/// What the node had before, and where it got from what it has now, as two bars on the axis of slots beside them.
fn sources(canvas: &mut Canvas, area: &Area, recovery: &Recovery) {
    let (own, peers) = (recovery.from_own_log.unwrap_or(0), recovery.from_peers.unwrap_or(0));
    let after = if recovery.from_own_log.is_some() { own + peers } else { recovery.slots_after.unwrap_or(0) };
    let rect = area.rect;
    let ground = rect.bottom();
    let y = |slots: u64| area.py(slots as f64).max(rect.top);
    let bar_left = rect.right() + BEFORE_BARS;
    canvas.line((rect.right(), ground), (bar_left + 400.0, ground), 2.0, AXIS);
    let mut bar = |left: f64, below: u64, slots: u64, ink: Ink, word: &str| {
        let (foot, top) = (y(below), y(below + slots));
        canvas.fill(Rect { left, top, width: BAR_WIDTH, height: foot - top }, ink);
        if slots > 0 {
            let middle = (f64::midpoint(foot, top) + 9.0).min(ground - 8.0);
            let text = format!("{}{word}", grouped(slots));
            canvas.text(left + BAR_WIDTH + 10.0, middle, Anchor::Left, FIGURE, &text);
        }
    };
    if let Some(before) = recovery.slots_before {
        bar(bar_left, 0, before, OTHERS, "");
    }
    if recovery.from_own_log.is_some() {
        bar(bar_left + 210.0, 0, own, OWN, " own");
        bar(bar_left + 210.0, own, peers, PEERS, " peers");
    } else {
        bar(bar_left + 210.0, 0, after, BACK, "");
    }
    let under = |canvas: &mut Canvas, left: f64, text: &str| {
        canvas.text(left + BAR_WIDTH / 2.0, ground + 36.0, Anchor::Middle, LABEL, text);
    };
    under(canvas, bar_left, "before");
    let last = if recovery.level_after_s.is_some() { "when level" } else { "at last" };
    under(canvas, bar_left + 210.0, last);
}

/// How long it took to be level, for the heading.
fn took(recovery: &Recovery) -> String {
    match (recovery.level_after_s, recovery.hit_again_by) {
        (Some(after), _) => {
            format!(
                "level {} after its {}",
                seconds(after),
                if recovery.restarted { "start" } else { "heal" }
            )
        }
        (None, Some(fault)) => format!("not level when fault {fault} came"),
        (None, None) => "not level by the end".to_owned(),
    }
}
