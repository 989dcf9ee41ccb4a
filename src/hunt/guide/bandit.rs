//! Which choices led to new behaviour: Thompson sampling over arms whose worth changes.
//!
//! *Problem*: some faults, targets and moments lead to new behaviour and others do not, and a hunt does not know which.
//!
//! *Idea*: each choice is an arm with a success rate. A draw takes a sample of each rate from its Beta distribution and prefers the
//! highest (Thompson 1933). Mallory (CCS 2023) learns in the same way what leads to new states. What is new wears off, so old results
//! lose weight at every result.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use std::collections::BTreeMap;

/// The weight that a result keeps at the next one.
const KEEPS: f64 = 0.97;

/// Successes and failures of each arm, by its name.
#[derive(Debug, Clone, Default)]
pub(super) struct Bandit {
    arms: BTreeMap<String, (f64, f64)>,
}

impl Bandit {
    /// A sample of the success rate of an arm.
    pub(super) fn sample(&self, arm: &str, rng: &mut ChaCha8Rng) -> f64 {
        let (successes, failures) = self.arms.get(arm).copied().unwrap_or_default();
        let (alpha, beta) = (1.0 + successes, 1.0 + failures);
        // A bell of the mean and the variance of the Beta distribution, which is close enough and needs no gamma function.
        let mean = alpha / (alpha + beta);
        let deviation = (mean * (1.0 - mean) / (alpha + beta + 1.0)).sqrt();
        let bell: f64 = (0..12).map(|_| rng.random_range(0.0..1.0)).sum::<f64>() - 6.0;
        (mean + deviation * bell).clamp(0.0, 1.0)
    }

    /// The arm with the highest sample, by its index.
    pub(super) fn choose(&self, arms: &[String], rng: &mut ChaCha8Rng) -> usize {
        let samples = arms.iter().map(|arm| self.sample(arm, rng));
        samples.enumerate().max_by(|one, other| one.1.total_cmp(&other.1)).map_or(0, |(index, _)| index)
    }

    /// Adds the result of a run to the arms that it had.
    pub(super) fn learn<'a>(&mut self, arms: impl Iterator<Item = &'a String>, success: bool) {
        for (successes, failures) in self.arms.values_mut() {
            (*successes, *failures) = (*successes * KEEPS, *failures * KEEPS);
        }
        for arm in arms {
            let (successes, failures) = self.arms.entry(arm.clone()).or_default();
            *(if success { successes } else { failures }) += 1.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Bandit;
    use rand::SeedableRng;
    use rand::rngs::ChaCha8Rng;

    #[test]
    fn better_arms_are_chosen_more_often() {
        let (mut bandit, mut rng) = (Bandit::default(), ChaCha8Rng::seed_from_u64(3));
        let arms = ["one".to_owned(), "two".to_owned()];
        for _ in 0..20 {
            bandit.learn([&arms[0]].into_iter(), false);
            bandit.learn([&arms[1]].into_iter(), true);
        }
        let second = (0..100).filter(|_| bandit.choose(&arms, &mut rng) == 1).count();
        assert!(second > 80, "{second}");
    }
}
