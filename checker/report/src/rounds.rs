//! Variants that ran several times: the median of each figure over the rounds, and its range.

use super::statistics::{Quantiles, Summary};
use super::verdict::{Answer, VariantVerdict};
use serde::Serialize;

/// A figure over rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// The middle one; of an even number the mean of the two in the middle.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

impl Spread {
    /// Of these values; none if there are none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_unstable_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self { median, min, max })
    }
}

/// A variant over all its rounds; where there is one round, all three values of a figure are the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VariantMedians {
    /// Its name in the spec.
    pub variant: String,
    /// How competing leaders wait, in words, where the plan says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff: Option<String>,
    /// The names of its rounds, which are those of their folders.
    pub rounds: Vec<String>,
    /// The round with the median throughput (the lower of two in the middle), which the pictures show.
    pub shown: String,
    /// The combined answer of all rounds.
    pub answer: Answer,
    /// In how many rounds its leaders were in a livelock.
    pub livelocks: usize,
    /// Each figure that was measured, by its name: a column of `summary.csv`, or `answered_share` (of what was due) or
    /// `standstill_share` (of the time, in standstills).
    pub figures: Vec<Figure>,
}

/// A figure of a variant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// Its name.
    pub name: &'static str,
    /// Its values over the rounds that have it.
    #[serde(flatten)]
    pub spread: Spread,
}

impl VariantMedians {
    /// A figure by its name; none if no round has it.
    pub fn figure(&self, name: &str) -> Option<Spread> {
        self.figures.iter().find(|figure| figure.name == name).map(|figure| figure.spread)
    }
}

/// Picks one figure of a round.
type Pick = fn(&Summary) -> Option<f64>;

#[allow(clippy::unnecessary_wraps, reason = "it stands in a list of picks that may find nothing")]
fn count(value: u64) -> Option<f64> {
    Some(value as f64)
}

fn latency(summary: &Summary, pick: fn(&Quantiles) -> f64) -> Option<f64> {
    summary.latency.as_ref().map(pick)
}

/// The figures, by the names of their columns.
const FIGURES: [(&str, Pick); 20] = [
    ("operations", |it| count(it.counts.all())),
    ("ok", |it| count(it.counts.ok)),
    ("refused", |it| count(it.counts.refused)),
    ("fail", |it| count(it.counts.fail)),
    ("info", |it| count(it.counts.info)),
    ("unsent", |it| count(it.unsent)),
    ("throughput_per_s", |it| it.throughput_per_s),
    ("answered_share", |it| {
        let due = it.counts.all() + it.unsent;
        (due > 0).then(|| it.answered as f64 / due as f64)
    }),
    ("p50_ms", |it| latency(it, |quantiles| quantiles.p50_ms)),
    ("p90_ms", |it| latency(it, |quantiles| quantiles.p90_ms)),
    ("p99_ms", |it| latency(it, |quantiles| quantiles.p99_ms)),
    ("p999_ms", |it| latency(it, |quantiles| quantiles.p999_ms)),
    ("max_ms", |it| latency(it, |quantiles| quantiles.max_ms)),
    ("decided_per_s", |it| it.protocol.map(|figures| figures.decided_per_s)),
    ("preemptions_per_s", |it| it.protocol?.ballots.map(|ballots| ballots.preemptions_per_s)),
    ("adoptions_per_s", |it| it.protocol?.ballots.map(|ballots| ballots.adoptions_per_s)),
    ("longest_without_decision_s", |it| it.protocol.map(|figures| figures.longest_without_decision_s)),
    ("standstill_share", |it| it.protocol.map(|figures| figures.standstill_share)),
    ("longest_outage_s", |it| it.longest_outage_s),
    ("time_to_recover_s", |it| it.time_to_recover_s),
];

/// The names of all figures.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    FIGURES.iter().map(|(name, _)| *name)
}

/// Every variant of the spec over its rounds, in the order of the first round.
pub(crate) fn medians(rounds: &[VariantVerdict]) -> Vec<VariantMedians> {
    let mut names: Vec<&str> = Vec::new();
    for round in rounds {
        if !names.contains(&round.of()) {
            names.push(round.of());
        }
    }
    names.into_iter().map(|name| of_variant(name, rounds.iter().filter(|round| round.of() == name))).collect()
}

fn of_variant<'a>(name: &str, rounds: impl Iterator<Item = &'a VariantVerdict>) -> VariantMedians {
    let rounds: Vec<&VariantVerdict> = rounds.collect();
    // A round that was never begun has no figures.
    let ran = || rounds.iter().filter(|round| round.summary.seconds > 0.0);
    let figure = |&(name, pick): &(&'static str, Pick)| {
        let spread = Spread::of(ran().filter_map(|round| pick(&round.summary)))?;
        Some(Figure { name, spread })
    };
    let mut by_throughput: Vec<&&VariantVerdict> = ran().collect();
    let rate = |round: &VariantVerdict| round.summary.throughput_per_s.unwrap_or(0.0);
    by_throughput.sort_by(|one, other| rate(one).total_cmp(&rate(other)));
    let middle = by_throughput.get(by_throughput.len().saturating_sub(1) / 2);
    let shown = middle.copied().or(rounds.first()).map(|round| round.variant.clone());
    VariantMedians {
        variant: name.to_owned(),
        backoff: rounds.first().and_then(|round| round.backoff.clone()),
        rounds: rounds.iter().map(|round| round.variant.clone()).collect(),
        shown: shown.unwrap_or_default(),
        answer: Answer::combined(rounds.iter().map(|round| round.answer)),
        livelocks: rounds.iter().filter(|round| round.summary.is_livelock()).count(),
        figures: FIGURES.iter().filter_map(figure).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn a_spread_is_a_median_with_its_range() {
        let spread = |median, min, max| Some(Spread { median, min, max });
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([3.0]), spread(3.0, 3.0, 3.0));
        assert_eq!(Spread::of([5.0, 1.0, 2.0]), spread(2.0, 1.0, 5.0));
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 9.0]), spread(3.0, 1.0, 9.0));
    }
}
