//! Failure detection (section 3): the silence after which the active leader is suspected to be dead.
//!
//! The limit is at least `patience`. Slow or uneven answers extend it by the estimator of TCP's retransmission
//! timeout (RFC 6298). It doubles after each suspicion that turned out wrong, and a calm time takes each
//! doubling back. On an overloaded machine, a late leader is not dead.

use super::message::NodeId;
use crate::config::PaxosOptions;
use std::time::Duration;

/// Largest multiple of `patience`, so that a dead leader is replaced in any case.
const AT_MOST: u32 = 4;

/// Time of regular answers after which one doubling is taken back.
const CALM: Duration = Duration::from_secs(10);

/// Measurements of the watched leader's answers.
#[derive(Debug, Default)]
pub(super) struct Detector {
    /// Mean and mean deviation of the response time; none before the first answer.
    answers: Option<(Duration, Duration)>,
    /// The time of the first unanswered ping.
    pinged: Option<Duration>,
    /// Whether the connection from it broke, without an answer since.
    broke: bool,
    /// Number of doublings, and the time of its last change.
    doublings: u32,
    calm_since: Duration,
    given_up: Option<GivenUp>,
}

/// The leader that was suspected last.
#[derive(Debug)]
struct GivenUp {
    leader: NodeId,
    when: Duration,
    /// Whether its process has ended, according to a broken connection.
    ended: bool,
    /// Whether its ballot has preempted this leader since.
    met: bool,
}

impl Detector {
    /// The current limit of silence.
    pub(super) fn patience(&self, options: &PaxosOptions) -> Duration {
        let slow =
            self.answers.map_or(Duration::ZERO, |(mean, deviation)| options.ping + mean + 4 * deviation);
        (slow.max(options.patience) * (1 << self.doublings)).min(AT_MOST * options.patience)
    }

    /// Records a ping to the watched leader.
    pub(super) fn pinged(&mut self, now: Duration) {
        self.pinged.get_or_insert(now);
    }

    /// Records its answer.
    pub(super) fn answered(&mut self, now: Duration) {
        self.broke = false;
        let Some(pinged) = self.pinged.take() else { return };
        let took = now.saturating_sub(pinged);
        self.answers = Some(self.answers.map_or((took, took / 2), |(mean, deviation)| {
            ((7 * mean + took) / 8, (3 * deviation + mean.abs_diff(took)) / 4)
        }));
        if self.doublings > 0 && now >= self.calm_since + CALM {
            self.doublings -= 1;
            self.calm_since = now;
        }
    }

    /// Records that the connection from it broke. It may return soon, as another process.
    pub(super) fn lost(&mut self) {
        self.broke = true;
    }

    /// Records that this leader was silent for too long.
    pub(super) fn give_up(&mut self, now: Duration, leader: Option<NodeId>) {
        self.given_up = leader.map(|leader| GivenUp { leader, when: now, ended: self.broke, met: false });
        self.turn();
    }

    /// Handles a sign of life of a leader; a sign of a suspected leader means that the suspicion was wrong.
    pub(super) fn heard(&mut self, now: Duration, from: NodeId, options: &PaxosOptions) {
        if let Some(given_up) = self.given_up.take_if(|given_up| given_up.leader == from)
            && !given_up.ended
            && now < given_up.when + self.patience(options)
        {
            self.doublings = (self.doublings + 1).min(AT_MOST.ilog2());
            self.calm_since = now;
        }
    }

    /// Whether a ballot of this leader is left over from its ended process, and no sign of life.
    ///
    /// True at most once.
    pub(super) fn outlives(&mut self, leader: NodeId) -> bool {
        let given_up = self.given_up.as_mut().filter(|given_up| given_up.leader == leader && given_up.ended);
        given_up.is_some_and(|given_up| !std::mem::replace(&mut given_up.met, true))
    }

    /// Switches to another watched leader, or none: pings to the former no longer count.
    pub(super) fn turn(&mut self) {
        self.pinged = None;
        self.broke = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// A detector that got answers after these times in milliseconds.
    fn answered_after(took: &[u64]) -> Detector {
        let mut detector = Detector::default();
        for (second, took) in (1..).zip(took) {
            detector.pinged(ms(1_000 * second));
            detector.answered(ms(1_000 * second + took));
        }
        detector
    }

    fn patience(detector: &Detector) -> u128 {
        detector
            .patience(&PaxosOptions { ping: ms(30), patience: ms(150), ..PaxosOptions::default() })
            .as_millis()
    }

    #[test]
    fn slow_answers_lengthen_the_patience() {
        assert_eq!(patience(&Detector::default()), 150);
        assert_eq!(patience(&answered_after(&[1; 20])), 150);
        assert!((430..500).contains(&patience(&answered_after(&[400; 40]))));
        assert_eq!(patience(&answered_after(&[4_000; 40])), 600, "a dead leader is always replaced");
        assert!(patience(&answered_after(&[1, 100, 1, 100, 1, 100])) > 200);
    }

    #[test]
    fn question_age_counts_from_first_unanswered() {
        let mut detector = answered_after(&[0; 20]);
        for time in [100_000, 100_300, 100_600] {
            detector.pinged(ms(time));
        }
        detector.answered(ms(100_900));
        assert!(patience(&detector) > 500);
    }

    #[test]
    fn early_suspicion_doubles_patience_until_calm() {
        let options = PaxosOptions { patience: ms(150), ..PaxosOptions::default() };
        let mut detector = Detector::default();
        let mut doubled = Vec::new();
        for second in 0..4 {
            detector.give_up(ms(1_000 * second), Some(NodeId(1)));
            detector.heard(ms(1_000 * second + 10), NodeId(1), &options);
            doubled.push(patience(&detector));
        }
        assert_eq!(doubled, [300, 600, 600, 600]);
        for second in 4..40 {
            detector.pinged(ms(1_000 * second));
            detector.answered(ms(1_000 * second));
        }
        assert_eq!(patience(&detector), 150);
    }

    #[test]
    fn late_or_restarted_leader_adds_no_patience() {
        let options = PaxosOptions { patience: ms(150), ..PaxosOptions::default() };
        let mut detector = Detector::default();
        detector.give_up(ms(0), Some(NodeId(1)));
        detector.heard(ms(200), NodeId(1), &options);
        detector.give_up(ms(1_000), Some(NodeId(1)));
        detector.heard(ms(1_010), NodeId(2), &options);
        detector.lost();
        detector.give_up(ms(2_000), Some(NodeId(1)));
        detector.heard(ms(2_010), NodeId(1), &options);
        assert_eq!(patience(&detector), 150);
    }

    #[test]
    fn broken_connection_lets_ballot_be_outbid_once() {
        let mut detector = Detector::default();
        detector.give_up(ms(0), Some(NodeId(1)));
        assert!(!detector.outlives(NodeId(1)), "it may only be slow");
        detector.lost();
        detector.give_up(ms(1_000), Some(NodeId(1)));
        assert!(!detector.outlives(NodeId(2)));
        assert!(detector.outlives(NodeId(1)));
        assert!(!detector.outlives(NodeId(1)), "a live leader preempts with a newer ballot");
    }
}
