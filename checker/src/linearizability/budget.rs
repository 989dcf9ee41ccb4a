//! Keeps a check within its limits.

use super::Limits;
use std::fmt;

/// Why a check stopped before it knew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The caller said that time is up.
    Time,
    /// More configurations at once than allowed.
    Configurations(usize),
    /// More operations open at once than the search can hold.
    Concurrency(usize),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time => f.write_str("time was up"),
            Self::Configurations(cap) => {
                write!(f, "the search needed more than {cap} configurations at once")
            }
            Self::Concurrency(open) => {
                write!(f, "{open} operations were open at once, more than the search can hold")
            }
        }
    }
}

/// How often a search looks at the deadline, in steps.
const STEPS_BETWEEN_LOOKS: u32 = 1024;

/// Comparisons of configurations that take as long as a step.
const COMPARISONS_PER_STEP: usize = 64;

/// Counts the steps of one search.
#[derive(Debug)]
pub(super) struct Budget<'a> {
    limits: &'a Limits<'a>,
    steps: u32,
}

impl<'a> Budget<'a> {
    pub(super) fn new(limits: &'a Limits<'a>) -> Self {
        // The first step looks at once, so that nothing starts after the deadline.
        Self { limits, steps: STEPS_BETWEEN_LOOKS - 1 }
    }

    /// Counts a step of a search that holds `held` configurations, and compares with `compared` of them.
    pub(super) fn step(&mut self, held: usize, compared: usize) -> Result<(), Stop> {
        let comparisons = u32::try_from(compared / COMPARISONS_PER_STEP).unwrap_or(STEPS_BETWEEN_LOOKS);
        self.steps = self.steps.saturating_add(1).saturating_add(comparisons);
        if self.steps >= STEPS_BETWEEN_LOOKS {
            self.steps = 0;
            if (self.limits.stop)() {
                return Err(Stop::Time);
            }
        }
        if held > self.limits.configurations {
            return Err(Stop::Configurations(self.limits.configurations));
        }
        Ok(())
    }
}
