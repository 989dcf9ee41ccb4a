//! The condition of a link: any number of simultaneous faults, and their combination. Pure.

use crate::claim::Claim;
use crate::delay::Delay;
use crate::flaky::Flaky;
use std::collections::BTreeMap;

/// A fault of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkFault {
    /// Cuts the link. A proxy accepts connections and holds their data; a switch drops the frames.
    Stall,
    /// Cuts the link: resets open connections and refuses new ones.
    Refuse,
    /// Delays each chunk or frame, in addition to the link's own delay.
    Delay(Delay),
    /// Limits the bytes per second, in each direction.
    Rate(u64),
    /// Loses, duplicates, reorders or corrupts frames; only in mode `lab`, which has frames.
    Flaky(Flaky),
}

/// The combined effect of all faults of a link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) stalled: bool,
    pub(crate) refused: bool,
    pub(crate) delay: Delay,
    pub(crate) rate: Option<u64>,
    pub(crate) flaky: Flaky,
    /// Whether a fault delays or slows it, beyond the link's own delay.
    pub(crate) slowed: bool,
    /// Rises with each reset of the open connections.
    pub(crate) resets: u64,
}

/// The faults of a link, by claim.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    base: Delay,
    held: BTreeMap<Claim, LinkFault>,
    resets: u64,
}

impl Faults {
    pub(crate) fn new(base: Delay) -> Self {
        Self { base, held: BTreeMap::new(), resets: 0 }
    }

    pub(crate) fn apply(&mut self, claim: Claim, fault: LinkFault) {
        self.held.insert(claim, fault);
        if fault == LinkFault::Refuse {
            self.reset();
        }
    }

    pub(crate) fn release(&mut self, claim: Claim) -> bool {
        self.held.remove(&claim).is_some()
    }

    pub(crate) fn release_all(&mut self) -> bool {
        let any = !self.held.is_empty();
        self.held.clear();
        any
    }

    pub(crate) fn claims(&self) -> impl Iterator<Item = Claim> + '_ {
        self.held.keys().copied()
    }

    pub(crate) fn count(&self) -> usize {
        self.held.len()
    }

    pub(crate) fn reset(&mut self) {
        self.resets += 1;
    }

    /// Combines the faults: any cut cuts, delays add up, and the lowest rate applies.
    pub(crate) fn condition(&self) -> Condition {
        let mut condition = Condition { delay: self.base, resets: self.resets, ..Condition::default() };
        for fault in self.held.values() {
            match *fault {
                LinkFault::Stall => condition.stalled = true,
                LinkFault::Refuse => condition.refused = true,
                LinkFault::Delay(delay) => {
                    condition.slowed = true;
                    condition.delay.mean += delay.mean;
                    condition.delay.jitter += delay.jitter;
                    condition.delay.distribution = delay.distribution;
                }
                LinkFault::Rate(rate) => {
                    condition.slowed = true;
                    condition.rate = Some(condition.rate.map_or(rate, |other| other.min(rate)).max(1));
                }
                LinkFault::Flaky(flaky) => condition.flaky = condition.flaky.and(flaky),
            }
        }
        condition
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn delay(ms: u64) -> LinkFault {
        LinkFault::Delay(Delay { mean: Duration::from_millis(ms), ..Delay::default() })
    }

    #[test]
    fn link_stays_cut_until_last_heal() {
        let mut faults = Faults::default();
        faults.apply(1, LinkFault::Stall);
        faults.apply(2, LinkFault::Stall);
        assert!(faults.release(1));
        assert!(faults.condition().stalled);
        assert!(faults.release(2));
        assert_eq!(faults.condition(), Condition::default());
        assert!(!faults.release(2));
    }

    #[test]
    fn delays_add_up_and_the_lowest_rate_wins() {
        let base =
            Delay { mean: Duration::from_millis(5), jitter: Duration::from_millis(1), ..Delay::default() };
        let mut faults = Faults::new(base);
        for (claim, fault) in
            [delay(10), delay(20), LinkFault::Rate(900), LinkFault::Rate(100)].into_iter().enumerate()
        {
            faults.apply(u32::try_from(claim).unwrap(), fault);
        }
        let condition = faults.condition();
        assert_eq!(condition.delay.mean, Duration::from_millis(35));
        assert_eq!((condition.delay.jitter, condition.rate), (base.jitter, Some(100)));
    }
}
