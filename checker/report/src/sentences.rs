//! What a run of competing variants shows, in sentences made of measured figures only, and figures as people read them.

use super::plan::{Plan, VariantPlan};
use super::rounds::VariantMedians;
use super::verdict::grouped;
use std::borrow::Borrow;

/// Whether the plan says that its variants differ in backoff; where it says nothing, they may.
pub(crate) fn differ_in_backoff(plan: &Plan) -> bool {
    let mut backoffs = plan.variants.iter().map(|variant| &variant.backoff);
    let first = backoffs.next();
    plan.variants.iter().all(|variant| variant.backoff.is_none())
        || backoffs.any(|backoff| Some(backoff) != first)
}

/// What a reader should know first of a run whose variants differ in backoff: whether there was a livelock, how the
/// variant without backoff compares with one that has it, and what the clients got with the others. None if there are
/// fewer than two variants with samples, or if no leader was ever preempted. All of it was measured.
pub(crate) fn reading(medians: &[VariantMedians]) -> Option<String> {
    let preempted = |it: &VariantMedians| it.figure("preemptions_per_s").map(|figure| figure.max);
    let measured: Vec<&VariantMedians> = medians.iter().filter(|it| preempted(it).is_some()).collect();
    if measured.len() < 2 || measured.iter().all(|it| preempted(it) == Some(0.0)) {
        return None;
    }
    let without = measured.iter().copied().find(|it| it.backoff.as_deref() == Some("none"));
    let most = measured.iter().copied().max_by(|a, b| per_decision(a).total_cmp(&per_decision(b)))?;
    let from = without.unwrap_or(most);
    let backs_off =
        |it: &VariantMedians| !it.backoff.as_deref().is_some_and(|how| how.starts_with("monitor"));
    let others = || measured.iter().copied().filter(|it| it.variant != from.variant);
    let to = others().find(|it| backs_off(it)).or_else(|| others().next())?;
    let rest: Vec<&VariantMedians> = others().filter(|it| it.variant != to.variant).collect();
    let mut text = vec![livelock(&measured), compared(from, to)];
    if !rest.is_empty() {
        text.push(clients(&rest));
    }
    let rounds = measured.iter().map(|it| it.rounds.len()).max().unwrap_or(1);
    if rounds > 1 {
        text.push(format!("Figures are medians of {rounds} rounds."));
    }
    Some(text.join(" "))
}

fn median(it: &VariantMedians, figure: &str) -> f64 {
    it.figure(figure).map_or(0.0, |figure| figure.median)
}

fn per_decision(it: &VariantMedians) -> f64 {
    median(it, "preemptions_per_s") / median(it, "decided_per_s").max(0.01)
}

/// Where there was a livelock, and what that means in figures.
fn livelock(all: &[&VariantMedians]) -> String {
    let locked: Vec<String> = all
        .iter()
        .filter(|it| it.livelocks > 0)
        .map(|it| {
            let rounds = match (it.livelocks, it.rounds.len()) {
                (_, 1) => String::new(),
                (locked, rounds) => format!(" in {locked} of {rounds} rounds"),
            };
            format!(
                "with {}{rounds}: leaders were preempted {} times a second while {} slots a second were decided, \
                 and the longest standstill took {}",
                it.variant,
                rate(median(it, "preemptions_per_s")),
                rate(median(it, "decided_per_s")),
                seconds(median(it, "longest_without_decision_s")),
            )
        })
        .collect();
    if locked.is_empty() {
        return "No livelock: with each variant more was decided than leaders were preempted.".to_owned();
    }
    format!("Livelock {}.", locked.join("; livelock "))
}

/// One variant beside another, figure by figure.
fn compared(from: &VariantMedians, to: &VariantMedians) -> String {
    let pair = |figure: &str, say: fn(f64) -> String| {
        format!("{} → {}", say(median(from, figure)), say(median(to, figure)))
    };
    let parts = [
        format!("decisions {} a second", pair("decided_per_s", rate)),
        format!("preemptions {} a second", pair("preemptions_per_s", rate)),
        format!("ok operations {} a second", pair("throughput_per_s", rate)),
        format!("half of the answers within {}", pair("p50_ms", |ms| seconds(ms / 1e3))),
        format!("answered of what was due {}", pair("answered_share", percent)),
    ];
    let overlap = from.figure("decided_per_s").zip(to.figure("decided_per_s"));
    let overlap = overlap.is_some_and(|(one, other)| one.min <= other.max && other.min <= one.max);
    let doubt = if overlap && from.rounds.len() > 1 { " (their ranges overlap)" } else { "" };
    format!("From {} to {}: {}{doubt}.", from.variant, to.variant, parts.join(", "))
}

/// What the clients got with each of these.
fn clients(all: &[&VariantMedians]) -> String {
    let parts: Vec<String> = all
        .iter()
        .map(|it| {
            format!(
                "{} ok operations a second with {} (half of the answers within {})",
                rate(median(it, "throughput_per_s")),
                it.variant,
                seconds(median(it, "p50_ms") / 1e3),
            )
        })
        .collect();
    format!("The clients got {}.", listed(&parts))
}

/// A share from 0 to 1 as people read it.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share lies between 0 and 1")]
pub(crate) fn percent(of_one: f64) -> String {
    const WHOLE: f64 = 1e12;
    share((of_one * WHOLE) as u64, WHOLE as u64)
}

pub(crate) fn listed(parts: &[impl Borrow<str>]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.borrow().to_owned(),
        [firsts @ .., last] => format!("{} and {}", firsts.join(", "), last.borrow()),
    }
}

/// A rate as people read it: no decimals from 10 on.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates are small and never negative"
)]
pub(crate) fn rate(per_second: f64) -> String {
    if per_second >= 9.95 {
        grouped(per_second.round() as u64)
    } else if per_second >= 0.95 {
        format!("{per_second:.1}")
    } else if per_second > 0.0 {
        format!("{per_second:.2}")
    } else {
        "0".to_owned()
    }
}

/// A share as people read it: `0.31 %`, `4.2 %`, `87 %`. All of it is `100 %` and none of it `0 %`, and nothing else is.
pub(crate) fn share(part: u64, whole: u64) -> String {
    if part == 0 || whole == 0 {
        return "0 %".to_owned();
    }
    if part >= whole {
        return "100 %".to_owned();
    }
    let percent = 100.0 * part as f64 / whole as f64;
    let fewest = if percent >= 9.95 { 0 } else { usize::from(percent < 0.095) + 1 };
    let texts = (fewest..9).map(|digits| format!("{percent:.digits$}"));
    let honest = |text: &String| text.parse().is_ok_and(|shown: f64| shown > 0.0 && shown < 100.0);
    let shown = texts.into_iter().find(honest);
    shown.map_or_else(|| "almost 100 %".to_owned(), |text| format!("{text} %"))
}

/// A time of the run in words, counted from the start of the load where there was one.
pub(crate) fn when(time_ns: u64, load_start: Option<u64>) -> String {
    let seconds = (time_ns as f64 - load_start.unwrap_or(0) as f64) / 1e9;
    match load_start {
        Some(_) if seconds < 0.0 => format!("{:.3} s before the load began", -seconds),
        Some(_) => format!("{seconds:.3} s after the load began"),
        None => format!("{seconds:.3} s after the run's start"),
    }
}

/// A moment on the axes of the pictures: seconds since the load began.
pub(crate) fn since_load(time_ns: u64, load_start: u64) -> String {
    let seconds = (time_ns as f64 - load_start as f64) / 1e9;
    format!("{seconds:.3} s").replace('-', "−")
}

/// A time as people read it: `850 µs`, `4.2 ms`, `1.35 s`.
pub(crate) fn seconds(seconds: f64) -> String {
    let digits = |value: f64| usize::from(value < 9.95);
    if seconds <= 0.0 {
        "0 s".to_owned()
    } else if seconds < 0.000_999_5 {
        format!("{:.0} µs", seconds * 1e6)
    } else if seconds < 0.999_5 {
        let ms = seconds * 1e3;
        format!("{ms:.*} ms", digits(ms))
    } else if seconds < 99.95 {
        format!("{seconds:.*} s", if seconds < 9.995 { 2 } else { 1 })
    } else {
        format!("{seconds:.0} s")
    }
}

/// What sets a variant apart, beside its name: how its leaders wait, where the variants differ in that.
pub(crate) fn detail(plan: &Plan, variant: &VariantPlan) -> Option<String> {
    let backoff =
        variant.backoff.as_ref().filter(|_| plan.variants_in_spec() > 1 && differ_in_backoff(plan))?;
    match backoff.strip_prefix(variant.in_spec()) {
        Some("") => None,
        Some(rest) if rest.starts_with(", ") => Some(rest[2..].to_owned()),
        Some(_) | None => Some(format!("backoff {backoff}")),
    }
}
