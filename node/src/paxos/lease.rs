//! Leases (section 4.5): for a while a majority of acceptors supports no other leader.
//!
//! No decision can then be unknown to the holder, and the replica on its node may answer reads alone.
//!
//! The holder counts from its request, an acceptor from the later arrival of the request. Clocks need not agree
//! on the time; only their speed matters, which may deviate from true time by at most the fraction `drift`. The
//! holder counts `time`, which takes at most `time / (1 - drift)`. An acceptor counts
//! `time · (1 + drift) / (1 - drift)`, which takes at least as long. A paused process finds its lease expired. A
//! restarted acceptor waits for the longest lease that its log says it ever granted.
//!
//! An acceptor under a lease delays the scouts of other leaders until it ends, and renews no lease while one
//! waits. It need not refuse their pvalues: a majority supported those leaders, so that no lease was in force
//! any more.

use super::message::{Ballot, Message, NodeId, NodeSet, Slot};
use super::step::Step;
use crate::config::Lease as Options;
use std::collections::VecDeque;
use std::time::Duration;

/// Number of its own durations for which a lease is renewed after the last read.
const KEPT: u32 = 10;

/// Number of renewals of a lease within its duration.
const RENEWALS: u32 = 3;

/// A request for a lease: its time, and the acceptors that granted it.
#[derive(Debug)]
struct Question {
    number: u64,
    sent_at: Duration,
    granted: NodeSet,
}

/// The state of a leader's own lease.
#[derive(Debug, Default)]
pub(super) struct Lease {
    number: u64,
    /// Requests that may still be granted, oldest first.
    questions: VecDeque<Question>,
    until: Duration,
    /// The time until which it is renewed: a lease without reads expires.
    wanted: Duration,
    next: Duration,
    /// Every slot below must be applied before a read is answered, because it may be decided.
    from: Slot,
}

impl Lease {
    /// Records that slots below this one may be decided.
    pub(super) fn reaches(&mut self, from: Slot) {
        self.from = self.from.max(from);
    }

    /// Every slot below must be applied before a read is answered.
    pub(super) fn from(&self) -> Slot {
        self.from
    }

    /// Drops the lease and its pending requests.
    pub(super) fn give_up(&mut self) {
        self.questions.clear();
        (self.until, self.next) = (Duration::ZERO, Duration::ZERO);
    }

    /// Records a read by lease; returns whether the lease is held.
    pub(super) fn want(&mut self, now: Duration, options: Options) -> bool {
        self.wanted = now + options.time * KEPT;
        now < self.until
    }

    /// Whether it was held since it was last dropped.
    pub(super) fn was_held(&self) -> bool {
        !self.until.is_zero()
    }

    /// The time of the next request.
    pub(super) fn wake(&self) -> Duration {
        if self.next < self.wanted { self.next } else { Duration::MAX }
    }

    /// Requests the lease or its renewal.
    pub(super) fn ask(
        &mut self,
        now: Duration,
        ballot: Ballot,
        options: Options,
        acceptors: &[NodeId],
        step: &mut Step,
    ) {
        self.number += 1;
        self.next = now + options.time / RENEWALS;
        while self.questions.front().is_some_and(|question| question.sent_at + options.time <= now) {
            self.questions.pop_front();
        }
        let number = self.number;
        self.questions.push_back(Question { number, sent_at: now, granted: NodeSet::default() });
        step.broadcast(acceptors, &Message::Lease { ballot, number, time: options.granted() });
    }

    /// Handles a grant of this request. The lease is held once the granting acceptors are `enough`.
    pub(super) fn granted(
        &mut self,
        from: NodeId,
        number: u64,
        options: Options,
        enough: impl Fn(&NodeSet) -> bool,
    ) {
        let Some(index) = self.questions.iter().position(|question| question.number == number) else {
            return;
        };
        let question = &mut self.questions[index];
        question.granted.insert(from);
        if enough(&question.granted) {
            self.until = self.until.max(question.sent_at + options.time);
            self.questions.drain(..=index);
        }
    }
}

/// A delayed scout.
pub(super) type Scouting = (NodeId, Ballot, Slot);

/// The grants of an acceptor to the leader whose ballot it has promised.
#[derive(Debug, Default)]
pub(super) struct Grant {
    until: Duration,
    /// The longest grant ever, as recorded in the log.
    longest: Duration,
    /// The delayed scout with the highest ballot.
    waiting: Option<Scouting>,
}

impl Grant {
    /// Restores that leases of this length may have been granted before the process started.
    pub(super) fn recover(&mut self, longest: Duration) {
        self.longest = self.longest.max(longest);
        self.until = self.longest;
    }

    /// The longest that it ever granted.
    pub(super) fn longest(&self) -> Duration {
        self.longest
    }

    /// Whether a lease is in force.
    pub(super) fn is_in_force(&self, now: Duration) -> bool {
        now < self.until
    }

    /// Whether a scout is delayed.
    pub(super) fn keeps_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Grants a lease; true if it is longer than any before, so that the log must record it first.
    pub(super) fn grant(&mut self, now: Duration, time: Duration) -> bool {
        self.until = self.until.max(now + time);
        let longer = time > self.longest;
        self.longest = self.longest.max(time);
        longer
    }

    /// Delays a scout.
    pub(super) fn put_off(&mut self, scouting: Scouting) {
        if self.waiting.is_none_or(|(_, ballot, _)| ballot <= scouting.1) {
            self.waiting = Some(scouting);
        }
    }

    /// The time at which a delayed scout can be answered.
    pub(super) fn wake(&self) -> Duration {
        self.waiting.map_or(Duration::MAX, |_| self.until)
    }

    /// The scout that can be answered now.
    pub(super) fn ready(&mut self, now: Duration) -> Option<Scouting> {
        if self.is_in_force(now) { None } else { self.waiting.take() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// True seconds that a clock with this rate needs for this duration.
    fn truly(counted: Duration, rate: f64) -> f64 {
        counted.as_secs_f64() / rate
    }

    proptest! {
        #[test]
        fn holder_expires_first_within_drift_bound(
            milliseconds in 1_u64..10_000, drift in 0.0..0.5_f64, holder in -1.0..=1.0_f64, acceptor in -1.0..=1.0_f64,
        ) {
            let options = Options { time: Duration::from_millis(milliseconds), drift };
            let held = truly(options.time, 1.0 + drift * holder);
            let granted = truly(options.granted(), 1.0 + drift * acceptor);
            prop_assert!(held <= granted, "{held} s held, {granted} s granted");
        }
    }

    #[test]
    fn lease_starts_at_its_request() {
        let ms = Duration::from_millis;
        let options = Options { time: ms(100), drift: 0.0 };
        let (mut lease, mut step) = (Lease::default(), Step::default());
        let ballot = Ballot { round: 1, leader: NodeId(0) };
        assert!(!lease.want(ms(10), options));
        assert_eq!(lease.wake(), Duration::ZERO);
        lease.ask(ms(10), ballot, options, &[NodeId(0)], &mut step);
        lease.granted(NodeId(0), 1, options, |_| true);
        assert!(lease.want(ms(109), options) && !lease.want(ms(110), options));
        assert!(lease.was_held());
        lease.give_up();
        lease.granted(NodeId(0), 1, options, |_| true);
        assert!(!lease.want(ms(20), options), "a dropped request is not granted any more");
    }
}
