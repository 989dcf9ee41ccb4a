//! What the pictures of competing variants show, in two sentences made of measured figures only.

use super::statistics::ProtocolFigures;
use super::verdict::{RunVerdict, VariantVerdict, grouped};
use super::{plan::Plan, plan::VariantPlan, statistics::Quantiles};

/// Two sentences on what a reader sees when the variants of a run differ in backoff: the first compares
/// preemptions with decisions, the second what the clients got. None if there are fewer than two variants
/// with samples, or if no leader was ever preempted. They say what was measured, and claim no more.
pub fn two_sentences(verdict: &RunVerdict) -> Option<String> {
    two_sentences_of(&verdict.variants)
}

/// Whether the plan says that its variants differ in backoff; where it says nothing, they may.
pub(crate) fn differ_in_backoff(plan: &Plan) -> bool {
    let mut backoffs = plan.variants.iter().map(|variant| &variant.backoff);
    let first = backoffs.next();
    plan.variants.iter().all(|variant| variant.backoff.is_none())
        || backoffs.any(|backoff| Some(backoff) != first)
}

pub(crate) fn two_sentences_of(variants: &[VariantVerdict]) -> Option<String> {
    let measured: Vec<(&VariantVerdict, &ProtocolFigures)> =
        variants.iter().filter_map(|variant| Some((variant, variant.summary.protocol.as_ref()?))).collect();
    if measured.len() < 2 || measured.iter().all(|(_, figures)| figures.preemptions() == 0) {
        return None;
    }
    let most = measured.iter().copied().max_by(|a, b| per_decision(a.1).total_cmp(&per_decision(b.1)))?;
    let least = measured.iter().copied().min_by(|a, b| per_decision(a.1).total_cmp(&per_decision(b.1)))?;
    Some(format!("{} {}", first(most, least), second(&measured)))
}

fn per_decision(figures: &ProtocolFigures) -> f64 {
    figures.preemptions() as f64 / (figures.decided as f64).max(0.5)
}

fn first(
    (most, high): (&VariantVerdict, &ProtocolFigures),
    (least, low): (&VariantVerdict, &ProtocolFigures),
) -> String {
    let say = |figures: &ProtocolFigures| {
        format!(
            "{} preemptions and {} decisions a second, at longest {} without a decision",
            rate(figures.ballots.map_or(0.0, |ballots| ballots.preemptions_per_s)),
            rate(figures.decided_per_s),
            seconds(figures.longest_without_decision_s),
        )
    };
    let (worse, better) = (per_decision(high), per_decision(low));
    if worse < better * 1.1 + 0.01 {
        return format!(
            "In preemptions per decision the variants hardly differ: {} with {}, {} with {}.",
            say(high),
            most.variant,
            say(low),
            least.variant
        );
    }
    let opening = if high.decided == 0 {
        format!("Nothing at all was decided with {} ({}); preemption", most.variant, say(high))
    } else if high.preemptions() > high.decided {
        format!("Preemptions outnumber decisions with {} ({}); preemption", most.variant, say(high))
    } else {
        format!("Preemption costs most with {} ({}) and", most.variant, say(high))
    };
    format!("{opening} costs least with {} ({}).", least.variant, say(low))
}

fn second(measured: &[(&VariantVerdict, &ProtocolFigures)]) -> String {
    let parts: Vec<String> = measured
        .iter()
        .map(|(variant, _)| {
            let summary = &variant.summary;
            let due = summary.counts.all() + summary.unsent;
            let share = share(summary.answered, due);
            let p99 = summary.latency.as_ref().map_or_else(
                || "no latency to speak of".to_owned(),
                |Quantiles { p99_ms, .. }| format!("99 % of the answers within {}", seconds(p99_ms / 1e3)),
            );
            let throughput = rate(summary.throughput_per_s.unwrap_or(0.0));
            format!(
                "{throughput} ok operations a second with {} ({share} of what was due was answered, {p99})",
                variant.variant
            )
        })
        .collect();
    format!("The clients got {}.", listed(&parts))
}

fn listed(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [firsts @ .., last] => format!("{} and {last}", firsts.join(", ")),
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
    let backoff = variant.backoff.as_ref().filter(|_| plan.variants.len() > 1 && differ_in_backoff(plan))?;
    match backoff.strip_prefix(variant.name.as_str()) {
        Some("") => None,
        Some(rest) if rest.starts_with(", ") => Some(rest[2..].to_owned()),
        Some(_) | None => Some(format!("backoff {backoff}")),
    }
}
