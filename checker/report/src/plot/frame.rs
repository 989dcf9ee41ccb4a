//! What surrounds the data: the head of a picture, legends, grids, phases and fault windows.

use super::canvas::{Anchor, Canvas, Ink, Pen, Rect, fitted, right_of, text_width, wrapped};
use super::scale::Scale;
use super::style::{
    ASIDE, AXIS, DARK, FINE_GRID, GREY, GRID, HEADING, LABEL, MARGIN, NARROW, PLOT_LEFT, PROSE, TITLE, WHITE,
    fault,
};
use crate::faults::FaultRecord;
use crate::observed::Observed;
use history::Phase;

/// The area of the data and its two axes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Area {
    /// Where it is in the picture.
    pub rect: Rect,
    /// From left to right.
    pub x: Scale,
    /// From bottom to top.
    pub y: Scale,
}

impl Area {
    /// Where a value of the x axis stands.
    pub(crate) fn px(&self, x: f64) -> f64 {
        self.rect.left + self.x.position(x) * self.rect.width
    }

    /// Where a value of the y axis stands.
    pub(crate) fn py(&self, y: f64) -> f64 {
        self.rect.bottom() - self.y.position(y) * self.rect.height
    }

    /// Where a pair of values stands.
    pub(crate) fn point(&self, x: f64, y: f64) -> (f64, f64) {
        (self.px(x), self.py(y))
    }
}

/// The sign of a legend entry.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sign {
    /// A point.
    Dot(Ink),
    /// A hollow point.
    Ring(Ink),
    /// A triangle.
    Triangle(Ink),
    /// A cross.
    Cross(Ink),
    /// A line.
    Line(Ink),
    /// A dashed line.
    Dashes(Ink),
    /// A filled field.
    Field(Ink),
}

/// One entry of a legend.
pub(crate) type Entry = (Sign, String);

/// What stands at the top of a picture: its title, which run it is of, a sentence and the legend.
pub(crate) struct Head<'a> {
    right: f64,
    title: Vec<String>,
    origin: &'a str,
    sentence: Vec<String>,
    legend: &'a [Entry],
}

/// From one line of a title or of a sentence to the next.
const TITLE_LINE: f64 = 48.0;
const LINE: f64 = 36.0;
/// Lines that the figures of a heading may take on a narrow picture.
const FIGURES: usize = 2;

impl<'a> Head<'a> {
    /// Lays it out for a picture of this width: a long sentence takes several lines, and so does a long legend.
    pub(crate) fn new(width: u32, title: &str, origin: &'a str, sentence: &str, legend: &'a [Entry]) -> Self {
        let right = right_of(width);
        let room = right - MARGIN;
        let (title, sentence) = (wrapped(TITLE, title, room), wrapped(PROSE, sentence, room));
        Self { right, title, origin, sentence, legend }
    }

    /// Where its last line stands, and where the legend begins.
    fn sentence_end(&self) -> f64 {
        let lines = self.title.len().saturating_sub(1) as f64 * TITLE_LINE;
        112.0 + lines + self.sentence.len().saturating_sub(1) as f64 * LINE
    }

    /// How much room it takes.
    pub(crate) fn height(&self) -> f64 {
        let last = self.positions().pop();
        let end = |(_, y, (_, text)): (f64, f64, &Entry)| {
            y + self.lines(text).len().saturating_sub(1) as f64 * LINE
        };
        last.map_or(self.sentence_end(), end) + 28.0
    }

    /// Draws it.
    pub(crate) fn draw(&self, canvas: &mut Canvas) {
        let mut y = 68.0;
        for line in &self.title {
            canvas.text(MARGIN, y, Anchor::Left, TITLE, line);
            y += TITLE_LINE;
        }
        let used = self.title.first().map_or(0.0, |line| text_width(TITLE, line));
        let origin = fitted(LABEL, self.origin, self.right - MARGIN - used - 40.0);
        canvas.text(self.right, 66.0, Anchor::Right, LABEL, &origin);
        let mut y = y - TITLE_LINE + 44.0;
        for line in &self.sentence {
            canvas.text(MARGIN, y, Anchor::Left, PROSE, line);
            y += LINE;
        }
        for (x, y, (sign, text)) in self.positions() {
            draw_sign(canvas, x + 18.0, y - 9.0, *sign);
            for (line, text) in self.lines(text).iter().enumerate() {
                let y = y + line as f64 * LINE;
                canvas.text(x + 46.0, y, Anchor::Left, Pen { ink: DARK, ..PROSE }, text);
            }
        }
    }

    /// The lines of an entry of the legend: one, unless it is longer than the picture is wide.
    fn lines(&self, text: &str) -> Vec<String> {
        wrapped(PROSE, text, self.right - MARGIN - 46.0)
    }

    fn positions(&self) -> Vec<(f64, f64, &'a Entry)> {
        let (mut x, mut y) = (MARGIN, self.sentence_end() + 48.0);
        let mut positions = Vec::new();
        for entry in self.legend {
            let width = 46.0 + text_width(PROSE, &entry.1);
            if x > MARGIN && x + width > self.right {
                (x, y) = (MARGIN, y + 42.0);
            }
            positions.push((x, y, entry));
            x += width + 44.0;
            y += self.lines(&entry.1).len().saturating_sub(1) as f64 * LINE;
        }
        positions
    }
}

fn draw_sign(canvas: &mut Canvas, x: f64, y: f64, sign: Sign) {
    match sign {
        Sign::Dot(ink) => canvas.dot((x, y), 8.0, ink),
        Sign::Ring(ink) => canvas.ring((x, y), 8.0, 3.0, ink),
        Sign::Triangle(ink) => triangle(canvas, (x, y), 9.0, ink),
        Sign::Cross(ink) => cross(canvas, (x, y), 8.0, ink),
        Sign::Line(ink) => canvas.line((x - 18.0, y), (x + 18.0, y), 6.0, ink),
        Sign::Dashes(ink) => canvas.dashes((x - 18.0, y), (x + 18.0, y), 4.0, ink),
        Sign::Field(ink) => {
            canvas.fill(Rect { left: x - 16.0, top: y - 12.0, width: 32.0, height: 24.0 }, ink);
        }
    }
}

/// A triangle that stands on its base.
pub(crate) fn triangle(canvas: &mut Canvas, (x, y): (f64, f64), radius: f64, ink: Ink) {
    let (wide, low) = (radius * 0.95, radius * 0.75);
    canvas.polygon(&[(x, y - radius), (x + wide, y + low), (x - wide, y + low)], ink);
}

/// A diagonal cross.
pub(crate) fn cross(canvas: &mut Canvas, (x, y): (f64, f64), radius: f64, ink: Ink) {
    let arm = radius * 0.85;
    canvas.line((x - arm, y - arm), (x + arm, y + arm), radius * 0.5, ink);
    canvas.line((x - arm, y + arm), (x + arm, y - arm), radius * 0.5, ink);
}

/// Draws grid, axes and tick labels of an area.
pub(crate) fn axes(canvas: &mut Canvas, area: &Area, y_ticks: f64) {
    let rect = area.rect;
    for tick in area.y.ticks(y_ticks) {
        let y = area.py(tick.value);
        let ink = if tick.label.is_some() { GRID } else { FINE_GRID };
        canvas.line((rect.left, y), (rect.right(), y), 1.5, ink);
        if let Some(label) = tick.label {
            canvas.text(rect.left - 14.0, y + 9.0, Anchor::Right, LABEL, &label);
        }
    }
    for tick in area.x.ticks(12.0) {
        let x = area.px(tick.value);
        let ink = if tick.label.is_some() { GRID } else { FINE_GRID };
        canvas.line((x, rect.top), (x, rect.bottom()), 1.5, ink);
    }
}

/// Draws the labels of the x axis below an area, and the axis itself.
pub(crate) fn x_labels(canvas: &mut Canvas, area: &Area) {
    let rect = area.rect;
    canvas.line((rect.left, rect.bottom()), (rect.right(), rect.bottom()), 2.0, AXIS);
    let mut free_from = f64::MIN;
    for tick in area.x.ticks(12.0) {
        let Some(label) = tick.label else { continue };
        let x = area.px(tick.value);
        canvas.line((x, rect.bottom()), (x, rect.bottom() + 8.0), 2.0, AXIS);
        let half = text_width(LABEL, &label) / 2.0;
        if x - half >= free_from {
            canvas.text(x, rect.bottom() + 36.0, Anchor::Middle, LABEL, &label);
            free_from = x + half + 16.0;
        }
    }
}

/// The title of an x axis of time.
pub(crate) const TIME: &str = "seconds since the load began";

/// The title of the y axis, above its labels.
pub(crate) fn y_title(canvas: &mut Canvas, area: &Area, text: &str) {
    canvas.text(area.rect.left - 14.0, area.rect.top - 24.0, Anchor::Right, LABEL, text);
}

/// The title of the x axis, below everything.
pub(crate) fn x_title(canvas: &mut Canvas, y: f64, text: &str) {
    canvas.text(f64::midpoint(PLOT_LEFT, canvas.right()), y, Anchor::Middle, PROSE, text);
}

/// How much more room a heading takes on a narrow picture.
pub(crate) fn heading_room(width: u32) -> f64 {
    if right_of(width) < NARROW { FIGURES as f64 * LINE } else { 0.0 }
}

/// The title of a panel on the left, in lighter letters what sets it apart if that fits, its figures on the right, or below
/// it on a narrow picture.
pub(crate) fn heading(canvas: &mut Canvas, baseline: f64, title: &str, detail: Option<&str>, figures: &str) {
    let right = canvas.right();
    let narrow = right < NARROW;
    let beside = if narrow { 0.0 } else { text_width(PROSE, figures) + 40.0 };
    let room = right - MARGIN - beside;
    let title = fitted(HEADING, title, room);
    canvas.text(MARGIN, baseline, Anchor::Left, HEADING, &title);
    if narrow {
        for (index, line) in wrapped(PROSE, figures, right - MARGIN).iter().take(FIGURES).enumerate() {
            canvas.text(MARGIN, baseline + LINE * (index + 1) as f64, Anchor::Left, PROSE, line);
        }
    } else {
        canvas.text(right, baseline, Anchor::Right, PROSE, figures);
    }
    let used = text_width(HEADING, &title) + 18.0;
    if let Some(detail) = detail.filter(|detail| used + text_width(LABEL, detail) <= room) {
        canvas.text(MARGIN + used, baseline, Anchor::Left, LABEL, detail);
    }
}

/// Hatches an area without data, and gives the reason if there is room for it.
pub(crate) fn hatched(canvas: &mut Canvas, rect: Rect, reason: &str) {
    let ink = GREY.faded(0.2);
    let mut foot = rect.left - rect.height;
    while foot < rect.right() {
        let along = |share: f64| (foot + rect.height * share, rect.bottom() - rect.height * share);
        let from = ((rect.left - foot) / rect.height).max(0.0);
        let to = ((rect.right() - foot) / rect.height).min(1.0);
        if from < to {
            canvas.line(along(from), along(to), 2.0, ink);
        }
        foot += 22.0;
    }
    let width = text_width(LABEL, reason) + 24.0;
    if width <= rect.width {
        let (x, y) = (rect.left + rect.width / 2.0, rect.top + rect.height / 2.0);
        canvas.fill(Rect { left: x - width / 2.0, top: y - 20.0, width, height: 40.0 }, WHITE);
        canvas.text(x, y + 9.0, Anchor::Middle, LABEL, reason);
    }
}

/// A sentence in the middle of an area that has no data.
pub(crate) fn nothing(canvas: &mut Canvas, area: &Area, text: &str) {
    let (x, y) = (area.rect.left + area.rect.width / 2.0, area.rect.top + area.rect.height / 2.0);
    canvas.text(x, y + 9.0, Anchor::Middle, PROSE, text);
}

/// Height of a row of phases or faults.
pub(crate) const ROW: f64 = 38.0;
/// Lanes of faults that leave a picture as it is, and that it may grow to where many overlap.
const FEW: usize = 3;
const MANY: usize = 8;

/// A fault on the time axis: where its bar is, what is written and where.
struct Bar<'a> {
    fault: &'a FaultRecord,
    from: f64,
    to: f64,
    lane: usize,
    text: String,
    text_left: f64,
}

/// The rows above a panel against time: its phases, and the faults in as many lanes as they need.
pub(crate) struct Strip<'a> {
    observed: &'a Observed,
    bars: Vec<Bar<'a>>,
}

impl<'a> Strip<'a> {
    /// Lays out the faults of a variant along the x axis of the panels: with their labels if these fit, else
    /// with their kinds, in more lanes, with their numbers, or without words.
    pub(crate) fn new(observed: &'a Observed, x: Scale, right: f64) -> Self {
        let mut faults: Vec<&FaultRecord> =
            observed.faults.iter().filter(|fault| fault.start_ns.is_some()).collect();
        faults.sort_by_key(|fault| fault.start_ns);
        let position = |time: u64| PLOT_LEFT + x.position(observed.axis_seconds(time)) * (right - PLOT_LEFT);
        let end_of_time = observed.shown_phases().last().map_or(0, |span| span.end);
        let spans: Vec<_> = faults
            .into_iter()
            .map(|fault| {
                let start = fault.start_ns.unwrap_or_default();
                let from = position(start);
                let to = position(fault.end_ns.unwrap_or(end_of_time).max(start)).max(from + 4.0);
                (fault, from, to)
            })
            .collect();
        let wordings: [fn(&FaultRecord) -> String; 3] =
            [full_label, |fault| fault.kind.clone(), |fault| fault.fault.to_string()];
        let attempts = [(0, FEW), (1, FEW), (0, MANY), (1, MANY), (2, MANY)];
        let bars = attempts
            .into_iter()
            .find_map(|(wording, lanes)| lay_out(&spans, wordings[wording], lanes, right));
        let bars = bars.unwrap_or_else(|| {
            spans
                .iter()
                .map(|&(fault, from, to)| Bar {
                    fault,
                    from,
                    to,
                    lane: 0,
                    text: String::new(),
                    text_left: from,
                })
                .collect()
        });
        Self { observed, bars }
    }

    /// How high the rows are together.
    pub(crate) fn height(&self) -> f64 {
        let lanes = self.bars.iter().map(|bar| bar.lane + 1).max().unwrap_or(0);
        ROW * (1.0 + lanes as f64)
    }

    /// Draws the rows so that they end where the area begins, and shades the area below them.
    pub(crate) fn draw(&self, canvas: &mut Canvas, area: &Area) {
        let top = area.rect.top - self.height();
        for bar in &self.bars {
            let ink = fault(&bar.fault.kind);
            let width = bar.to - bar.from;
            let shade = Rect { left: bar.from, width, ..area.rect };
            canvas.fill(shade, ink.faded(0.13));
            for x in [bar.from, bar.to] {
                canvas.line((x, area.rect.top), (x, area.rect.bottom()), 1.5, ink.faded(0.55));
            }
            let row = top + ROW * (1.0 + bar.lane as f64);
            canvas.fill(Rect { left: bar.from, top: row + 2.0, width, height: ROW - 4.0 }, ink.faded(0.34));
            canvas.text(bar.text_left, row + 27.0, Anchor::Left, Pen { ink: DARK, ..LABEL }, &bar.text);
        }
        self.draw_phases(canvas, area, top);
    }

    fn draw_phases(&self, canvas: &mut Canvas, area: &Area, top: f64) {
        for span in self.observed.shown_phases() {
            let from = area.px(self.observed.axis_seconds(span.start));
            let to = area.px(self.observed.axis_seconds(span.end));
            if to - from < 1.0 {
                continue;
            }
            let whole = Rect { left: from, top, width: to - from, height: area.rect.bottom() - top };
            if span.phase != Phase::Load {
                canvas.fill(whole, ASIDE);
            }
            canvas.dashes((from, top), (from, area.rect.bottom()), 2.0, AXIS);
            let name = match span.phase {
                Phase::Warmup => "warm-up",
                Phase::Load => "load",
                Phase::Recovery => "recovery",
                Phase::Final => "final reads",
            };
            let pen = Pen { ink: GREY, ..LABEL };
            if text_width(pen, name) + 12.0 <= to - from {
                canvas.text(f64::midpoint(from, to), top + 26.0, Anchor::Middle, pen, name);
            }
        }
    }
}

fn full_label(fault: &FaultRecord) -> String {
    if fault.took_effect() { fault.label.clone() } else { format!("{} (no evidence)", fault.label) }
}

/// Puts the bars with their texts into at most `lanes` lanes; none if they do not fit.
fn lay_out<'a>(
    spans: &[(&'a FaultRecord, f64, f64)],
    wording: fn(&FaultRecord) -> String,
    lanes: usize,
    edge: f64,
) -> Option<Vec<Bar<'a>>> {
    let mut ends = vec![f64::MIN; lanes];
    let mut bars = Vec::with_capacity(spans.len());
    for &(fault, from, to) in spans {
        let text = wording(fault);
        let (left, right, text_left) = extent(from, to, &text, edge);
        let lane = ends.iter().position(|end| *end + 16.0 <= left)?;
        ends[lane] = right;
        bars.push(Bar { fault, from, to, lane, text, text_left });
    }
    Some(bars)
}

/// Where a bar with its text begins and ends, and where the text begins: inside the bar if it fits, else
/// behind it, else before it.
fn extent(from: f64, to: f64, text: &str, edge: f64) -> (f64, f64, f64) {
    const GAP: f64 = 8.0;
    let width = text_width(LABEL, text);
    if text.is_empty() || width + 2.0 * GAP <= to - from {
        (from, to, from + GAP)
    } else if to + GAP + width <= edge {
        (from, to + GAP + width, to + GAP)
    } else {
        (from - GAP - width, to, from - GAP - width)
    }
}
