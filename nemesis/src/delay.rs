//! Delays of a link: the mean, the jitter, and the distribution. Pure.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use schemars::JsonSchema;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// The longest tail a draw of [`Distribution::Pareto`] can have, in jitters.
const TAIL: u32 = 20;

/// The distribution of draws around the mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Distribution {
    /// Evenly over mean ± jitter.
    #[default]
    Uniform,
    /// In a bell over mean ± jitter: the mean of four even draws.
    Normal,
    /// Mostly a little below the mean, with a tail of up to twenty jitters above it.
    Pareto,
}

/// The values of a delay, for messages and for the reference of keys.
pub(crate) const DELAY: &str = "a delay such as \"50ms\" or { mean = \"50ms\", jitter = \"10ms\" }";

/// An additional time. In specs also just the mean, `"50ms"`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Delay {
    /// The mean.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub mean: Duration,
    /// The largest deviation from the mean, but for the tail of `pareto`; at most the mean.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub jitter: Duration,
    /// The distribution of draws.
    pub distribution: Distribution,
}

impl Delay {
    /// The shortest delay it can draw.
    pub fn shortest(self) -> Duration {
        self.mean.saturating_sub(self.jitter)
    }

    /// The longest delay it can draw.
    pub fn longest(self) -> Duration {
        match self.distribution {
            Distribution::Uniform | Distribution::Normal => self.mean + self.jitter,
            Distribution::Pareto => self.mean + self.jitter * (TAIL - 1),
        }
    }

    /// Whether it adds no delay.
    pub fn is_zero(self) -> bool {
        self.mean.is_zero() && self.jitter.is_zero()
    }

    /// Draws a delay.
    pub fn draw(self, rng: &mut ChaCha8Rng) -> Duration {
        if self.jitter.is_zero() {
            return self.mean;
        }
        let even = |rng: &mut ChaCha8Rng| rng.random_range(0.0..=1.0);
        let jitters: f64 = match self.distribution {
            Distribution::Uniform => 2.0 * even(rng),
            Distribution::Normal => (0..4).map(|_| even(rng)).sum::<f64>() / 2.0,
            // The mean of this distribution is 1.5 times its minimum, so dividing by 1.5 makes the mean 1.
            Distribution::Pareto => (even(rng).powf(-1.0 / 3.0) / 1.5).min(f64::from(TAIL)),
        };
        self.shortest() + self.jitter.mul_f64(jitters)
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.mean)?;
        if !self.jitter.is_zero() {
            write!(f, " ± {:?}", self.jitter)?;
        }
        match self.distribution {
            Distribution::Uniform => Ok(()),
            Distribution::Normal => f.write_str(" (normal)"),
            Distribution::Pareto => f.write_str(" (pareto)"),
        }
    }
}

impl<'de> Deserialize<'de> for Delay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
            mean: Duration,
            #[serde(default)]
            #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
            jitter: Duration,
            #[serde(default)]
            distribution: Distribution,
        }
        struct MeanOrTable;
        impl<'de> Visitor<'de> for MeanOrTable {
            type Value = Delay;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(DELAY)
            }

            fn visit_str<E: de::Error>(self, mean: &str) -> Result<Delay, E> {
                let mean: jiff::SignedDuration = mean.parse().map_err(E::custom)?;
                let mean = Duration::try_from(mean).map_err(E::custom)?;
                Ok(Delay { mean, ..Delay::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Delay, A::Error> {
                let Table { mean, jitter, distribution } =
                    Table::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Delay { mean, jitter, distribution })
            }
        }
        deserializer.deserialize_any(MeanOrTable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn distributions_keep_bounds_and_mean() {
        let (mean, jitter) = (Duration::from_millis(50), Duration::from_millis(20));
        for distribution in [Distribution::Uniform, Distribution::Normal, Distribution::Pareto] {
            let delay = Delay { mean, jitter, distribution };
            let mut rng = ChaCha8Rng::seed_from_u64(7);
            let draws: Vec<Duration> = (0..20_000).map(|_| delay.draw(&mut rng)).collect();
            assert!(draws.iter().all(|draw| (delay.shortest()..=delay.longest()).contains(draw)));
            let found = draws.iter().sum::<Duration>() / 20_000;
            assert!(found.abs_diff(mean) < Duration::from_millis(1), "{distribution:?}: {found:?}");
        }
    }
}
