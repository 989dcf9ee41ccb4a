//! Bootstrap intervals: how far a figure would move if the same experiment were measured again.
//!
//! The problem: two measurements of one system differ. A difference counts only if measuring again would hardly give it.
//!
//! The idea (Efron 1979): the measured units stand for all that could have been measured. Units are drawn from them with
//! replacement, as many as there are, and the figure is computed again, thousands of times. The middle part of these
//! figures is the interval. Units must be independent, so they are whole rounds, or else blocks of time within a run
//! (Carlstein 1986), because operations close to each other in time share their fate.
//!
//! With few units the plain interval is too narrow: it knows neither that a spread is underestimated by the factor
//! sqrt((n-1)/n), nor that the spread itself is a guess. Its ends are moved outwards by both (the expanded percentile
//! interval of Hesterberg 2015, section 4.5).

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// Times that units are drawn.
pub(super) const DRAWS: usize = 6_000;
/// Steps of numeric integration; even, as Simpson's rule asks.
const STEPS: u32 = 2_000;
/// Beyond this many standard deviations a normal distribution has nothing that counts here.
const FAR: f64 = 9.0;

/// The seeded source of draws.
pub(super) fn draws(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Draws as many indices below `count` as there are.
pub(super) fn draw(rng: &mut ChaCha8Rng, count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |_| rng.random_range(0..count))
}

/// The interval of the figures of all draws, which stem from `units` units (of the side with fewer of them).
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a count is a count, and never negative"
)]
pub(super) fn of(mut figures: Vec<f64>, confidence: f64, units: usize) -> Option<(f64, f64)> {
    figures.sort_unstable_by(f64::total_cmp);
    let last = figures.len().checked_sub(1)?;
    let tail = expanded_tail(confidence, units)? * figures.len() as f64;
    let cut = (tail.floor() as usize).min(last / 2);
    Some((figures[cut], figures[last - cut]))
}

/// The share of the draws to cut off at each end.
fn expanded_tail(confidence: f64, units: usize) -> Option<f64> {
    let freedom = units.checked_sub(1).filter(|freedom| *freedom > 0)? as f64;
    let wide = student_quantile(f64::midpoint(1.0, confidence), freedom);
    Some(normal_tail(wide * (units as f64 / freedom).sqrt()))
}

/// Whether so many rounds on two sides can tell anything at this confidence: if both sides are the same, all rounds of
/// one are above all of the other with the probability 2 / C(a + b, a), and nothing that rounds show is rarer than that.
pub(super) fn enough_rounds(a: usize, b: usize, confidence: f64) -> bool {
    let orders = (1..=a).fold(1.0, |orders, n| orders * (b + n) as f64 / n as f64);
    2.0 / orders <= 1.0 - confidence + 1e-9
}

/// The fewest rounds on each side that can tell anything.
pub(super) fn fewest_rounds(confidence: f64) -> usize {
    (1..64).find(|rounds| enough_rounds(*rounds, *rounds, confidence)).unwrap_or(64)
}

/// The share of a normal distribution beyond `from` standard deviations.
fn normal_tail(from: f64) -> f64 {
    let density = |x: f64| (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt();
    if from >= FAR { 0.0 } else { integral(density, from, FAR) }
}

/// The point below which this share of Student's distribution lies. With x = sqrt(freedom) tan(angle), its density is a
/// power of the cosine, and its ends come within reach.
fn student_quantile(share: f64, freedom: f64) -> f64 {
    let right = std::f64::consts::FRAC_PI_2;
    let density = |angle: f64| angle.cos().max(0.0).powf(freedom - 1.0);
    let half = integral(density, 0.0, right);
    let (mut low, mut high) = (0.0, right);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        let below = 0.5 + integral(density, 0.0, middle) / half / 2.0;
        if below < share { low = middle } else { high = middle }
    }
    freedom.sqrt() * low.tan()
}

/// Simpson's rule.
fn integral(function: impl Fn(f64) -> f64, from: f64, to: f64) -> f64 {
    let step = (to - from) / f64::from(STEPS);
    let inner = (1..STEPS).map(|index| {
        let weight = if index % 2 == 1 { 4.0 } else { 2.0 };
        weight * function(from + step * f64::from(index))
    });
    (function(from) + inner.sum::<f64>() + function(to)) * step / 3.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_match_printed_tables() {
        for (freedom, expected) in [(1.0, 12.706), (4.0, 2.776), (9.0, 2.262), (30.0, 2.042)] {
            let found = student_quantile(0.975, freedom);
            assert!((found - expected).abs() < 0.002, "{freedom}: {found}");
        }
        assert!((student_quantile(0.995, 4.0) - 4.604).abs() < 0.002);
        for (from, expected) in [(0.0, 0.5), (1.96, 0.025), (2.576, 0.005)] {
            assert!((normal_tail(from) - expected).abs() < 1e-4, "{from}: {}", normal_tail(from));
        }
    }

    #[test]
    fn few_rounds_tell_nothing() {
        assert_eq!((fewest_rounds(0.95), fewest_rounds(0.99)), (4, 5));
        assert!(!enough_rounds(1, 5, 0.95) && enough_rounds(3, 12, 0.99));
    }

    #[test]
    fn interval_of_one_unit_is_none() {
        assert_eq!(of(vec![1.0, 2.0], 0.95, 1), None);
        assert_eq!(of(Vec::new(), 0.95, 9), None);
    }
}
