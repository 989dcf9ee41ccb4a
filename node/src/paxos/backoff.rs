//! How long a preempted leader waits before it tries again (section 3).

use crate::config::{Backoff as Options, BackoffKind};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use std::time::Duration;

/// A backoff policy with its state.
#[derive(Debug)]
pub struct Backoff {
    options: Options,
    failed_attempts: u32,
    aimd: Duration,
    chance: ChaCha8Rng,
}

impl Backoff {
    /// The policy at its start; its jitter comes from `seed`.
    pub fn new(options: Options, seed: u64) -> Self {
        Self { options, failed_attempts: 0, aimd: options.base, chance: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// The wait the policy stands at now, without jitter.
    pub fn wait(&self) -> Duration {
        match self.options.kind {
            BackoffKind::None => Duration::ZERO,
            BackoffKind::Exponential => {
                let factor = 1_u32.checked_shl(self.failed_attempts).unwrap_or(u32::MAX);
                self.options.base.saturating_mul(factor).min(self.options.max)
            }
            BackoffKind::Aimd => self.aimd,
        }
    }

    /// The leader was preempted: how long it must wait now.
    pub fn preempted(&mut self) -> Duration {
        let wait = match self.options.kind {
            BackoffKind::None => Duration::ZERO,
            BackoffKind::Exponential => {
                let wait = self.wait();
                self.failed_attempts = self.failed_attempts.saturating_add(1);
                wait
            }
            BackoffKind::Aimd => {
                let longer = self.aimd.as_secs_f64() * self.options.factor;
                self.aimd = Duration::from_secs_f64(longer.min(self.options.max.as_secs_f64()));
                self.aimd
            }
        };
        if self.options.jitter { wait.mul_f64(self.chance.random_range(0.5..=1.0)) } else { wait }
    }

    /// The leader was adopted.
    pub fn adopted(&mut self) {
        self.failed_attempts = 0;
        self.aimd = self.aimd.saturating_sub(self.options.step).max(self.options.base);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(kind: BackoffKind) -> Backoff {
        let ms = Duration::from_millis;
        Backoff::new(
            Options { kind, base: ms(10), max: ms(100), jitter: false, factor: 2.0, step: ms(15) },
            1,
        )
    }

    fn preempt(policy: &mut Backoff, times: usize) -> Vec<u128> {
        (0..times).map(|_| policy.preempted().as_millis()).collect()
    }

    #[test]
    fn exponential_doubles_up_to_its_cap_and_starts_again_when_adopted() {
        let mut policy = policy(BackoffKind::Exponential);
        assert_eq!(preempt(&mut policy, 6), [10, 20, 40, 80, 100, 100]);
        policy.adopted();
        assert_eq!(preempt(&mut policy, 2), [10, 20]);
    }

    #[test]
    fn a_thousand_failures_do_not_overflow() {
        let mut policy = policy(BackoffKind::Exponential);
        assert_eq!(preempt(&mut policy, 1000).last(), Some(&100));
    }

    #[test]
    fn aimd_multiplies_when_preempted_and_subtracts_when_adopted() {
        let mut policy = policy(BackoffKind::Aimd);
        assert_eq!(preempt(&mut policy, 4), [20, 40, 80, 100]);
        policy.adopted();
        assert_eq!(policy.wait().as_millis(), 85);
        for _ in 0..10 {
            policy.adopted();
        }
        assert_eq!(policy.wait().as_millis(), 10, "never below the base");
    }

    #[test]
    fn without_backoff_there_is_no_wait() {
        assert_eq!(preempt(&mut policy(BackoffKind::None), 3), [0, 0, 0]);
    }

    #[test]
    fn jitter_stays_between_half_and_all_of_the_wait_and_comes_from_the_seed() {
        let options = Options { jitter: true, ..policy(BackoffKind::Exponential).options };
        let draw = |seed| {
            let mut policy = Backoff::new(options, seed);
            (0..50).map(|_| policy.preempted()).collect::<Vec<_>>()
        };
        assert!(draw(1)[10..].iter().all(|wait| (50..=100).contains(&wait.as_millis())));
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
