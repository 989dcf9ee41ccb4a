//! The combined shift of all faults on one clock. Pure.

use crate::claim::Claim;
use std::collections::BTreeMap;
use std::time::Duration;

/// The unit of speed: a difference of 1 is counted in this number of parts.
const WHOLE: i64 = 1 << 32;

/// A fault of a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockFault {
    /// Its offset; negative means behind.
    Jump {
        /// In nanoseconds.
        by: i64,
    },
    /// Its additional speed; negative means slower.
    Drift {
        /// In parts of 2^32.
        faster: i64,
    },
    /// It is ahead for half of each period, and true for the other half.
    Strobe {
        /// In nanoseconds.
        by: i64,
        /// The time from one jump ahead to the next.
        period: Duration,
    },
    /// It stands still.
    Freeze,
}

impl ClockFault {
    /// The drift of a clock that runs at this speed; a true one has speed 1.
    pub fn drift(speed: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "a plan refuses speeds that would not fit")]
        let faster = ((speed - 1.0) * WHOLE as f64).round() as i64;
        Self::Drift { faster }
    }

    /// The speed of the clock; a true clock has speed 1.
    pub fn speed(self) -> f64 {
        match self {
            Self::Jump { .. } | Self::Strobe { .. } => 1.0,
            Self::Drift { faster } => 1.0 + faster as f64 / WHOLE as f64,
            Self::Freeze => 0.0,
        }
    }
}

/// The faults of one clock.
///
/// Each has the true time of its start and, for a strobe, whether it is ahead now.
#[derive(Debug, Default)]
pub(crate) struct Faults(BTreeMap<Claim, (ClockFault, i64, bool)>);

impl Faults {
    pub(super) fn apply(&mut self, claim: Claim, fault: ClockFault, now: i64) {
        self.0.insert(claim, (fault, now, true));
    }

    pub(super) fn release(&mut self, claim: Option<Claim>) {
        match claim {
            Some(claim) => drop(self.0.remove(&claim)),
            None => self.0.clear(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Toggles a strobe; false if it has ended.
    pub(super) fn turn(&mut self, claim: Claim) -> bool {
        let fault = self.0.get_mut(&claim);
        fault.is_some_and(|(_, _, ahead)| {
            *ahead = !*ahead;
            true
        })
    }

    /// The content of the clock file. Jumps add up, and so do drifts; a frozen clock does not drift.
    pub(super) fn shift(&self) -> Shift {
        let (mut ahead, mut faster, mut frozen) = (0_i64, 0_i64, None);
        let since = self.0.values().map(|(_, since, _)| *since).max().unwrap_or(0);
        let mut drifted = 0_i64;
        for (fault, began, is_ahead) in self.0.values() {
            match fault {
                ClockFault::Jump { by } => ahead = ahead.saturating_add(*by),
                ClockFault::Strobe { by, .. } if *is_ahead => ahead = ahead.saturating_add(*by),
                ClockFault::Strobe { .. } => {}
                ClockFault::Drift { faster: by } => {
                    faster = faster.saturating_add(*by);
                    drifted = drifted.saturating_add(gained(since - began, *by));
                }
                ClockFault::Freeze => frozen = Some(frozen.map_or(*began, |first: i64| first.min(*began))),
            }
        }
        match frozen {
            Some(since) => Shift { ahead, faster: -WHOLE, since },
            None => Shift { ahead: ahead.saturating_add(drifted), faster, since },
        }
    }
}

/// The content of a clock file.
///
/// From the true nanoseconds since 1970, `t`, the clock shows `t + ahead + (t - since) * faster / 2^32`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Shift {
    pub(super) ahead: i64,
    pub(super) faster: i64,
    pub(super) since: i64,
}

/// The gain of a clock over this time.
fn gained(time: i64, faster: i64) -> i64 {
    i64::try_from((i128::from(time) * i128::from(faster)) >> 32).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000_000_000;
    const SECOND: i64 = 1_000_000_000;

    /// The time that the clock shows at a true time.
    fn says(faults: &Faults, time: i64) -> i64 {
        let Shift { ahead, faster, since } = faults.shift();
        time + ahead + gained(time - since, faster)
    }

    #[test]
    fn jumps_add_up_until_released() {
        let mut faults = Faults::default();
        faults.apply(1, ClockFault::Jump { by: 3_600 * SECOND }, NOW);
        faults.apply(2, ClockFault::Jump { by: -SECOND }, NOW);
        assert_eq!(says(&faults, NOW) - NOW, 3_599 * SECOND);
        faults.release(Some(1));
        assert_eq!(says(&faults, NOW) - NOW, -SECOND);
        faults.release(None);
        assert_eq!(faults.shift(), Shift::default());
    }

    #[test]
    fn a_drifting_clock_begins_true_and_gains() {
        let mut faults = Faults::default();
        faults.apply(1, ClockFault::drift(1.25), NOW);
        assert!((says(&faults, NOW) - NOW).abs() <= 1);
        assert!((says(&faults, NOW + 8 * SECOND) - NOW - 10 * SECOND).abs() <= 1);
        faults.apply(2, ClockFault::drift(900.75), NOW + 8 * SECOND);
        assert!((says(&faults, NOW + 9 * SECOND) - NOW - 911 * SECOND).abs() <= 2, "two drifts add up");
        assert!((ClockFault::drift(0.5).speed() - 0.5).abs() < 1e-9);
    }

    #[test]
    fn frozen_clock_ignores_drift() {
        let mut faults = Faults::default();
        faults.apply(1, ClockFault::Freeze, NOW);
        faults.apply(2, ClockFault::drift(2.0), NOW);
        faults.apply(3, ClockFault::Freeze, NOW + SECOND);
        for later in [0, SECOND, 3_600 * SECOND] {
            assert_eq!(says(&faults, NOW + later), NOW);
        }
        faults.apply(4, ClockFault::Jump { by: SECOND }, NOW);
        assert_eq!(says(&faults, NOW + 7), NOW + SECOND);
    }
}
