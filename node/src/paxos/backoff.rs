//! Backoff: the wait of a preempted leader before it tries again (section 3).

use crate::config::{Backoff as Options, BackoffKind};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use std::time::Duration;

/// A backoff policy with its state.
#[derive(Debug)]
pub struct Backoff {
    options: Options,
    failed_attempts: u32,
    /// The current timeout of the multiplying policies.
    timeout: Duration,
    rng: ChaCha8Rng,
}

impl Backoff {
    /// The policy in its initial state; its jitter derives from `seed`.
    pub fn new(options: Options, seed: u64) -> Self {
        Self { options, failed_attempts: 0, timeout: options.base, rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// The current wait of the policy, without jitter.
    pub fn wait(&self) -> Duration {
        match self.options.kind {
            BackoffKind::None => Duration::ZERO,
            BackoffKind::Exponential => {
                let factor = 1_u32.checked_shl(self.failed_attempts).unwrap_or(u32::MAX);
                self.options.base.saturating_mul(factor).min(self.options.max)
            }
            BackoffKind::Aimd | BackoffKind::Paxosmmc => self.timeout,
        }
    }

    /// Handles a preemption by a leader with a higher identity or not; returns the wait.
    pub fn preempted(&mut self, by_higher: bool) -> Duration {
        let wait = match self.options.kind {
            BackoffKind::None => Duration::ZERO,
            BackoffKind::Exponential => {
                let wait = self.wait();
                self.failed_attempts = self.failed_attempts.saturating_add(1);
                wait
            }
            BackoffKind::Aimd => self.lengthen(),
            BackoffKind::Paxosmmc if by_higher => self.lengthen(),
            BackoffKind::Paxosmmc => self.timeout,
        };
        if self.options.jitter { wait.mul_f64(self.rng.random_range(0.5..=1.0)) } else { wait }
    }

    /// Handles an adoption.
    pub fn adopted(&mut self) {
        self.failed_attempts = 0;
        let shorter = self.timeout.saturating_sub(self.options.step);
        self.timeout = match self.options.kind {
            // As in paxosmmc: it subtracts only while the result is above zero.
            BackoffKind::Paxosmmc if shorter.is_zero() => self.timeout,
            BackoffKind::Paxosmmc => shorter,
            BackoffKind::None | BackoffKind::Exponential | BackoffKind::Aimd => {
                shorter.max(self.options.base)
            }
        };
    }

    fn lengthen(&mut self) -> Duration {
        let longer = self.timeout.as_secs_f64() * self.options.factor;
        self.timeout = Duration::from_secs_f64(longer.min(self.options.max.as_secs_f64()));
        self.timeout
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
        (0..times).map(|_| policy.preempted(true).as_millis()).collect()
    }

    #[test]
    fn exponential_backoff_doubles_and_resets() {
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
    fn aimd_multiplies_on_preemption_subtracts_on_adoption() {
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
    fn paxosmmc_multiplies_only_after_higher_leader() {
        let mut policy = policy(BackoffKind::Paxosmmc);
        assert_eq!(policy.preempted(false).as_millis(), 10);
        assert_eq!(preempt(&mut policy, 3), [20, 40, 80]);
        assert_eq!(policy.preempted(false).as_millis(), 80);
        let shorter: Vec<_> = (0..6)
            .map(|_| {
                policy.adopted();
                policy.wait().as_millis()
            })
            .collect();
        assert_eq!(shorter, [65, 50, 35, 20, 5, 5], "below the base, but never zero");
    }

    #[test]
    fn without_backoff_there_is_no_wait() {
        assert_eq!(preempt(&mut policy(BackoffKind::None), 3), [0, 0, 0]);
    }

    #[test]
    fn jitter_is_bounded_and_seeded() {
        let options = Options { jitter: true, ..policy(BackoffKind::Exponential).options };
        let draw = |seed| {
            let mut policy = Backoff::new(options, seed);
            (0..50).map(|_| policy.preempted(true)).collect::<Vec<_>>()
        };
        assert!(draw(1)[10..].iter().all(|wait| (50..=100).contains(&wait.as_millis())));
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
