//! Failure detection (section 3): how long the active leader may be silent before it is taken for dead.
//!
//! At least `patience`, and longer where its answers come slowly or unevenly, by the estimate with which TCP (RFC 6298)
//! knows when to send again; and twice as long after each time that it was given up and turned out to be alive, until calm
//! has taken that back. On a machine that is too busy, a leader which is late is not dead.

use super::message::NodeId;
use crate::config::PaxosOptions;
use std::time::Duration;

/// How many times `patience` is waited at most, so that whatever was slow once, a dead leader is replaced.
const AT_MOST: u32 = 4;

/// How long answers must come until one doubling is taken back.
const CALM: Duration = Duration::from_secs(10);

/// What a leader knows of how the one it watches answers.
#[derive(Debug, Default)]
pub(super) struct Detector {
    /// How long an answer takes, and how much that differs, on average; none before the first.
    answers: Option<(Duration, Duration)>,
    /// The first question that is not answered yet.
    asked: Option<Duration>,
    /// The connection from it broke, and it has not answered since.
    broke: bool,
    /// How often the silence that is borne was doubled, and when that changed last.
    doublings: u32,
    calm_since: Duration,
    given_up: Option<GivenUp>,
}

/// The leader that was given up last.
#[derive(Debug)]
struct GivenUp {
    leader: NodeId,
    when: Duration,
    /// Its process has ended, as far as a broken connection tells.
    ended: bool,
    /// Its ballot was met in the way of the own one.
    met: bool,
}

impl Detector {
    /// How long silence is borne now.
    pub(super) fn patience(&self, options: &PaxosOptions) -> Duration {
        let slow =
            self.answers.map_or(Duration::ZERO, |(mean, deviation)| options.ping + mean + 4 * deviation);
        (slow.max(options.patience) * (1 << self.doublings)).min(AT_MOST * options.patience)
    }

    /// The leader that is watched was asked for a sign of life.
    pub(super) fn asked(&mut self, now: Duration) {
        self.asked.get_or_insert(now);
    }

    /// It has answered.
    pub(super) fn answered(&mut self, now: Duration) {
        self.broke = false;
        let Some(asked) = self.asked.take() else { return };
        let took = now.saturating_sub(asked);
        self.answers = Some(self.answers.map_or((took, took / 2), |(mean, deviation)| {
            ((7 * mean + took) / 8, (3 * deviation + mean.abs_diff(took)) / 4)
        }));
        if self.doublings > 0 && now >= self.calm_since + CALM {
            self.doublings -= 1;
            self.calm_since = now;
        }
    }

    /// The connection from it broke. It may be back soon, as another process.
    pub(super) fn lost(&mut self) {
        self.broke = true;
    }

    /// This leader was silent for too long.
    pub(super) fn give_up(&mut self, now: Duration, leader: Option<NodeId>) {
        self.given_up = leader.map(|leader| GivenUp { leader, when: now, ended: self.broke, met: false });
        self.turn();
    }

    /// A leader gave a sign of life; if it had just been given up, that was too early.
    pub(super) fn heard(&mut self, now: Duration, from: NodeId, options: &PaxosOptions) {
        if let Some(given_up) = self.given_up.take_if(|given_up| given_up.leader == from)
            && !given_up.ended
            && now < given_up.when + self.patience(options)
        {
            self.doublings = (self.doublings + 1).min(AT_MOST.ilog2());
            self.calm_since = now;
        }
    }

    /// Whether a ballot of this leader is only what is left of one whose process has ended, which is no sign of life; it
    /// is once.
    pub(super) fn outlives(&mut self, leader: NodeId) -> bool {
        let given_up = self.given_up.as_mut().filter(|given_up| given_up.leader == leader && given_up.ended);
        given_up.is_some_and(|given_up| !std::mem::replace(&mut given_up.met, true))
    }

    /// Another leader is watched from now on, or none: what was asked of the former does not count.
    pub(super) fn turn(&mut self) {
        self.asked = None;
        self.broke = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// A detector that got each answer after this many milliseconds.
    fn answered_after(took: &[u64]) -> Detector {
        let mut detector = Detector::default();
        for (second, took) in (1..).zip(took) {
            detector.asked(ms(1_000 * second));
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
        assert_eq!(patience(&answered_after(&[4_000; 40])), 600, "a dead leader is replaced in the end");
        assert!(patience(&answered_after(&[1, 100, 1, 100, 1, 100])) > 200);
    }

    #[test]
    fn question_age_counts_from_first_unanswered() {
        let mut detector = answered_after(&[0; 20]);
        for time in [100_000, 100_300, 100_600] {
            detector.asked(ms(time));
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
            detector.asked(ms(1_000 * second));
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
        assert!(!detector.outlives(NodeId(1)), "it may only be slow, or far away");
        detector.lost();
        detector.give_up(ms(1_000), Some(NodeId(1)));
        assert!(!detector.outlives(NodeId(2)));
        assert!(detector.outlives(NodeId(1)));
        assert!(!detector.outlives(NodeId(1)), "a leader that goes on is in the way with a newer one");
    }
}
