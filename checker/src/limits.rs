//! Limits on the time and the memory of a check.
//!
//! [`Limits`] are for a whole check. A search counts its steps in a `Budget`; work that only makes a known
//! verdict more precise gets a `Share` of the limits; a witness is made smaller in a number of `Trials`.

use crate::parallel::{Sequential, Workers};
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

/// How long and how large a check may grow. Beyond it the verdict is unknown.
#[derive(Clone, Copy)]
pub struct Limits<'a> {
    /// Says that time is up. Asked often, from several threads; this crate reads no clock.
    pub stop: &'a (dyn Fn() -> bool + Sync),
    /// The most configurations a search may hold at once; one takes about 100 bytes.
    pub configurations: usize,
    /// Run the checks of several keys at the same time.
    pub workers: &'a dyn Workers,
}

impl Limits<'static> {
    /// No deadline, about half a gigabyte a thread, one thread.
    pub const DEFAULT: Self = Self { stop: &|| false, configurations: 4_000_000, workers: &Sequential };
}

impl Limits<'_> {
    /// Whether time is up.
    pub(crate) fn stopped(&self) -> bool {
        (self.stop)()
    }

    /// Does the work with a share of these limits.
    pub(crate) fn share<T>(&self, share: Share, work: impl FnOnce(&Limits<'_>) -> T) -> T {
        let looks = AtomicU32::new(0);
        let stop = || looks.fetch_add(1, Ordering::Relaxed) >= share.looks || self.stopped();
        let configurations = share.configurations.min(self.configurations);
        work(&Limits { stop: &stop, configurations, workers: self.workers })
    }
}

impl fmt::Debug for Limits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits")
            .field("configurations", &self.configurations)
            .field("workers", &self.workers.count())
            .finish_non_exhaustive()
    }
}

/// What work may take that makes an answer more precise and cannot change it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    /// Looks at the deadline, one every thousand steps or so.
    looks: u32,
    /// Configurations held at once.
    configurations: usize,
}

impl Share {
    /// The search for the operation to blame, on one value.
    pub(crate) const BLAME_OF_VALUE: Self = Self { looks: 200, configurations: 5_000 };
    /// The search for the call to blame, on any object.
    pub(crate) const BLAME_OF_OBJECT: Self = Self { looks: 2_000, configurations: 300_000 };
    /// The witness of one value: a few seconds. A part that needs more is not worth its smallness.
    pub(crate) const WITNESS_OF_VALUE: Self = Self { looks: 2_000, configurations: 5_000 };
    /// The witness of any object.
    pub(crate) const WITNESS_OF_OBJECT: Self = Self { looks: 2_000, configurations: 300_000 };
    /// Whether a weaker model still holds, where the one that was asked for does not.
    pub(crate) const WEAKER_MODEL: Self = Self { looks: 5_000, configurations: 1_000_000 };
}

/// The checks of smaller histories that make a witness small, and the operations in all of them together.
#[derive(Debug)]
pub(crate) struct Trials {
    checks: usize,
    operations: usize,
}

impl Trials {
    /// All that one witness may take.
    pub(crate) fn new() -> Self {
        Self { checks: 2_000, operations: 8_000_000 }
    }

    /// Whether nothing is left.
    pub(crate) fn spent(&self) -> bool {
        self.checks == 0 || self.operations == 0
    }

    /// Counts a check of this many operations; false if nothing was left for it.
    pub(crate) fn take(&mut self, operations: usize) -> bool {
        if self.spent() {
            return false;
        }
        self.checks -= 1;
        self.operations = self.operations.saturating_sub(operations);
        true
    }
}

/// Why a check stopped before it knew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
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

/// Steps between two looks at the deadline.
const STEPS_BETWEEN_LOOKS: u32 = 1024;

/// Comparisons of configurations that take as long as a step.
const COMPARISONS_PER_STEP: usize = 64;

/// Counts the steps of one search.
#[derive(Debug)]
pub(crate) struct Budget<'a> {
    limits: &'a Limits<'a>,
    steps: u32,
}

impl<'a> Budget<'a> {
    pub(crate) fn new(limits: &'a Limits<'a>) -> Self {
        // The first step looks at once, so that nothing starts after the deadline.
        Self { limits, steps: STEPS_BETWEEN_LOOKS - 1 }
    }

    /// Counts a step of a search that holds `held` configurations, and compares with `compared` of them.
    pub(crate) fn step(&mut self, held: usize, compared: usize) -> Result<(), Stop> {
        let comparisons = u32::try_from(compared / COMPARISONS_PER_STEP).unwrap_or(STEPS_BETWEEN_LOOKS);
        self.steps = self.steps.saturating_add(1).saturating_add(comparisons);
        if self.steps >= STEPS_BETWEEN_LOOKS {
            self.steps = 0;
            if self.limits.stopped() {
                return Err(Stop::Time);
            }
        }
        if held > self.limits.configurations {
            return Err(Stop::Configurations(self.limits.configurations));
        }
        Ok(())
    }
}
