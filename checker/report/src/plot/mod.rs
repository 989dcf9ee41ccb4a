//! The pictures of a run, drawn from what was observed.

mod backoff;
pub(crate) mod canvas;
mod cdf;
pub(crate) mod frame;
mod latency;
mod outcome_strip;
mod palette;
mod raster;
mod recovery;
pub(crate) mod scale;
mod size;
pub(crate) mod style;
mod svg;
mod throughput;

use super::ResultsError;
use super::files;
use super::observed::Observed;
use super::plan::Plan;
use super::sentences;
use super::verdict::RunVerdict;
use canvas::{Canvas, Rect, right_of};
use frame::{Sign, Strip};
use history::OutcomeClass;
use scale::Scale;
pub use size::{PictureOptions, PictureWidth};
use std::path::Path;
pub use style::fault_colour;
use style::{NARROWEST, NARROWEST_WITH_BARS, PLOT_LEFT, WIDTH};

/// The pictures there may be, by the names of their files: `backoff.png` only where leaders compete, and `recovery.png`
/// only where a node came back.
pub const PICTURES: [&str; 5] =
    ["backoff.png", "recovery.png", "latency.png", "throughput.png", "latency-cdf.png"];

/// The picture that `bench cause` puts beside those of a run: the probability of the violation over time.
pub(crate) const CAUSE: &str = "cause.png";

/// Draws the pictures of a run, in the order in which a page shows them: the name of each file and what is in it.
pub(crate) fn pictures(
    plan: &Plan,
    variants: &[Observed],
    verdict: &RunVerdict,
    options: &PictureOptions,
) -> Vec<(&'static str, Canvas)> {
    let [backoff, recovery, latency, throughput, cdf] = PICTURES;
    let (width, with_bars) = (options.units(NARROWEST), options.units(NARROWEST_WITH_BARS));
    let mut pictures = Vec::new();
    if verdict.leaders_compete() {
        pictures.push((backoff, backoff::picture(plan, variants, &verdict.medians, with_bars)));
    }
    if let Some(drawn) = recovery::picture(plan, variants, &verdict.variants, with_bars) {
        pictures.push((recovery, drawn));
    }
    pictures.extend([
        (latency, latency::picture(plan, variants, width)),
        (throughput, throughput::picture(plan, variants, width)),
        (cdf, cdf::picture(plan, variants, width)),
    ]);
    pictures
}

/// Writes a picture as PNG, and as SVG if requested.
pub(crate) fn write(png: &Path, canvas: &Canvas, options: &PictureOptions) -> Result<(), ResultsError> {
    write_files(png, Some((canvas, &canvas.png(options))), options)
}

/// Writes the pictures of a run, and removes those of an earlier report that this one does not have. Returns the PNG files.
pub(crate) fn write_all(
    dir: &Path,
    drawn: &[(&'static str, Canvas)],
    options: &PictureOptions,
) -> Result<Vec<(&'static str, Vec<u8>)>, ResultsError> {
    let files = encode(drawn, options);
    for name in PICTURES {
        let picture = drawn.iter().zip(&files).find(|((drawn, _), _)| *drawn == name);
        let picture = picture.map(|((_, canvas), (_, png))| (canvas, png.as_slice()));
        write_files(&dir.join(name), picture, options)?;
    }
    Ok(files)
}

/// The PNG files of pictures. A thread encodes each, because this takes most of the time of a report.
pub(crate) fn encode(
    drawn: &[(&'static str, Canvas)],
    options: &PictureOptions,
) -> Vec<(&'static str, Vec<u8>)> {
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            drawn.iter().map(|(name, canvas)| (*name, scope.spawn(|| canvas.png(options)))).collect();
        let png = |thread: std::thread::ScopedJoinHandle<'_, Vec<u8>>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(|(name, thread)| (name, png(thread))).collect()
    })
}

/// A picture inside a page.
pub(crate) enum Embedded {
    /// An element of the page: sharp at every size, and its words can be searched.
    Svg(String),
    /// A PNG file.
    Png(Vec<u8>),
}

/// Approximate size of the smallest element of an SVG, in bytes.
const SVG_ELEMENT: usize = 24;

/// The picture in the smaller of both formats: as SVG, or as this PNG file where many shapes make the SVG larger.
pub(crate) fn embedded(canvas: &Canvas, label: &str, png: Vec<u8>) -> Embedded {
    let room = png.len().div_ceil(3) * 4;
    if canvas.shapes.len() * SVG_ELEMENT > room {
        return Embedded::Png(png);
    }
    let svg = canvas.inline_svg(label);
    if svg.len() > room { Embedded::Png(png) } else { Embedded::Svg(svg) }
}

fn write_files(
    png: &Path,
    picture: Option<(&Canvas, &[u8])>,
    options: &PictureOptions,
) -> Result<(), ResultsError> {
    let svg = png.with_extension("svg");
    match picture {
        Some((_, bytes)) => files::write_whole(png, bytes)?,
        None => files::remove(png)?,
    }
    match picture.filter(|_| options.svg) {
        Some((canvas, _)) => files::write_whole(&svg, &canvas.svg(options)),
        None => files::remove(&svg),
    }
}

/// Which run a picture is of, for its upper right corner.
fn origin(plan: &Plan) -> String {
    format!("{} · seed {} · {}", plan.spec, plan.seed, plan.started.replace('T', " "))
}

/// The name of a variant; the only variant of a run goes by the name of its spec.
fn variant_name<'a>(plan: &'a Plan, observed: &'a Observed) -> &'a str {
    if plan.variants_in_spec() == 1 { &plan.spec } else { observed.plan.in_spec() }
}

/// Which of several rounds is shown of a variant, and what sets the variant apart.
fn detail(plan: &Plan, observed: &Observed) -> Option<String> {
    let round = observed.plan.round.map(|round| format!("round {round} of {}", plan.rounds()));
    let parts: Vec<String> = sentences::detail(plan, &observed.plan).into_iter().chain(round).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// The classes of operations in the order of legends and figures, each with its word.
const CLASSES: [(OutcomeClass, &str); 4] = [
    (OutcomeClass::Ok, "ok"),
    (OutcomeClass::Refused, "refused"),
    (OutcomeClass::Info, "info"),
    (OutcomeClass::Fail, "fail"),
];

/// The entries of a legend for the classes of operations that there are.
fn outcomes(variants: &[Observed], sign: fn(OutcomeClass) -> Sign) -> Vec<frame::Entry> {
    let there = |wanted: OutcomeClass| {
        let mut all = variants.iter().flat_map(Observed::shown_operations);
        all.any(|operation| OutcomeClass::of(operation.outcome) == wanted)
    };
    CLASSES
        .into_iter()
        .filter(|(class, _)| *class == OutcomeClass::Ok || there(*class))
        .map(|(class, word)| {
            let meaning = match class {
                OutcomeClass::Ok => "",
                OutcomeClass::Refused => " (compare-and-set found another value)",
                OutcomeClass::Info => " (outcome unknown)",
                OutcomeClass::Fail => " (did not happen)",
            };
            (sign(class), format!("{word}{meaning}"))
        })
        .collect()
}

/// One time axis for all variants, in seconds since the load of each began. The final reads are not on it.
fn time_axis(variants: &[Observed]) -> Scale {
    let ran = variants.iter().filter(|observed| !observed.phases.is_empty());
    let (mut from, mut to) = (0.0_f64, 0.0_f64);
    for observed in ran {
        for span in observed.shown_phases() {
            from = from.min(observed.axis_seconds(span.start));
            to = to.max(observed.axis_seconds(span.end));
        }
    }
    if to <= from { Scale::Linear(0.0, 1.0) } else { Scale::Linear(from, to) }
}

/// The height of a panel, by the number of panels and the width of the picture.
fn panel_height(count: usize, width: u32) -> f64 {
    let usual = match count {
        0 | 1 => 620.0,
        2 => 460.0,
        3 => 390.0,
        4 => 340.0,
        _ => 300.0,
    };
    usual * narrowed(width)
}

/// How much lower panels are on a narrow picture.
fn narrowed(width: u32) -> f64 {
    (f64::from(width) / f64::from(WIDTH)).clamp(0.55, 1.0)
}

/// The room of one panel against time, from top to bottom: heading, rows of phases and faults, data, labels.
struct Slot<'a> {
    observed: &'a Observed,
    strip: Strip<'a>,
    heading: f64,
    rect: Rect,
}

/// Gives each variant its room below `top`. Returns the rooms and where they end.
fn slots(variants: &[Observed], x: Scale, top: f64, width: u32) -> (Vec<Slot<'_>>, f64) {
    let height = panel_height(variants.len(), width);
    let right = right_of(width);
    let mut y = top;
    let mut slots = Vec::new();
    for observed in variants {
        let strip = Strip::new(observed, x, right);
        let heading = y + 44.0;
        let plot = heading + 22.0 + frame::heading_room(width) + strip.height();
        let rect = Rect { left: PLOT_LEFT, top: plot, width: right - PLOT_LEFT, height };
        slots.push(Slot { observed, strip, heading, rect });
        y = plot + height + 58.0;
    }
    (slots, y)
}

/// A height in whole pixels.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a height is positive and small")]
pub(crate) fn pixels(height: f64) -> u32 {
    height.ceil() as u32
}

/// A round width of bins, in nanoseconds, that cuts a time into about `bins` bins.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at least a millisecond, at most days"
)]
fn bin_ns(seconds: f64, bins: f64) -> u64 {
    (scale::nice_step((seconds / bins).max(0.001)) * 1e9).round() as u64
}
