//! Chooses how a run is replayed: tries each way, and the promising ones more often. Pure.
//!
//! *Problem*: which hold brings a violation back depends on its cause, which is not known. Neither is whether the recorded order of the
//! operations helps, or only keeps clients back.
//!
//! *Idea*: a bandit with upper confidence bounds (Auer, Cesa-Bianchi and Fischer 2002), with the bounds of Wilson's interval. The
//! next replay goes to the way with the highest upper bound. It ends when one was violated in each of its replays,
//! [`SURE`] of them, or when the replays are over; the way with the highest lower bound is chosen.
//!
//! *Why the rate is honest*: replays of the choice do not count, the rate is that of replays after it.

use crate::hunt::Share;
use nemesis::Holding;
use report::curves::wilson;
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt;

/// Replays of one way, all violated again, that end the choice.
const SURE: u32 = 8;

/// A way to replay a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    /// What is held when a fault is about to strike.
    pub holding: Holding,
    /// Whether clients keep the recorded order of their operations.
    pub ordered: bool,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = if self.ordered { "" } else { " without the order of operations" };
        write!(f, "{}{order}", self.holding)
    }
}

/// One way, and what came of it.
#[derive(Debug, Clone, Copy)]
struct Arm {
    way: Way,
    share: Share,
}

/// The ways that are tried.
#[derive(Debug)]
pub(crate) struct Tuning {
    arms: Vec<Arm>,
}

/// A rate in `replay.json`.
#[derive(Debug, Serialize)]
struct Tried {
    hold: String,
    ordered: bool,
    again: u32,
    of: u32,
}

impl Tuning {
    /// Nothing tried so far; earlier ways are preferred.
    ///
    /// # Panics
    /// If there is no way.
    pub(crate) fn new(ways: Vec<Way>) -> Self {
        assert!(!ways.is_empty(), "there is a way");
        Self { arms: ways.into_iter().map(|way| Arm { way, share: Share::default() }).collect() }
    }

    /// The way of the next replay; none if the choice is sure.
    pub(crate) fn next(&self) -> Option<Way> {
        let sure = |arm: &Arm| arm.share.of >= SURE && arm.share.seen == arm.share.of;
        if self.arms.len() == 1 || self.arms.iter().any(sure) {
            return None;
        }
        self.best(|(low, high)| (high, low))
    }

    /// Counts a replay.
    pub(crate) fn add(&mut self, way: Way, again: bool) {
        if let Some(arm) = self.arms.iter_mut().find(|arm| arm.way == way) {
            arm.share.of += 1;
            arm.share.seen += u32::from(again);
        }
    }

    /// What brought the violation back most surely.
    pub(crate) fn chosen(&self) -> Way {
        self.best(|(low, high)| (low, high)).expect("there is a way")
    }

    /// The first way with the highest rank, by the interval of its rate.
    fn best(&self, rank: impl Fn((f64, f64)) -> (f64, f64)) -> Option<Way> {
        let mut best: Option<(Way, (f64, f64))> = None;
        for arm in &self.arms {
            let interval = if arm.share.of == 0 {
                (0.0, 1.0)
            } else {
                wilson(arm.share.seen.into(), arm.share.of.into())
            };
            let own = rank(interval);
            if best.is_none_or(|(_, best)| own > best) {
                best = Some((arm.way, own));
            }
        }
        best.map(|(way, _)| way)
    }

    /// How many replays were made.
    pub(crate) fn made(&self) -> u32 {
        self.arms.iter().map(|arm| arm.share.of).sum()
    }

    /// What was chosen, in words.
    pub(crate) fn line(&self) -> String {
        let chosen = self.chosen();
        let share = self.arms.iter().find(|arm| arm.way == chosen).map(|arm| arm.share).unwrap_or_default();
        format!("holds {chosen}, chosen from {} replays: violated {share} of its own", self.made())
    }

    /// For `replay.json`.
    pub(crate) fn json(&self) -> Value {
        let tried = |arm: &Arm| Tried {
            hold: arm.way.holding.to_string(),
            ordered: arm.way.ordered,
            again: arm.share.seen,
            of: arm.share.of,
        };
        let tried: Vec<_> = self.arms.iter().filter(|arm| arm.share.of > 0).map(tried).collect();
        json!({"of": self.made(), "tried": tried})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(holding: Holding) -> Way {
        Way { holding, ordered: true }
    }

    const FREE: Way = Way { holding: Holding::Point, ordered: false };

    fn tuning() -> Tuning {
        Tuning::new(vec![holds(Holding::Point), FREE, holds(Holding::Requests), holds(Holding::Sent(1))])
    }

    /// Makes replays until the choice is sure or `most` are made, each violated if `again` says so.
    fn tuned(most: u32, mut again: impl FnMut(Way, u32) -> bool) -> Tuning {
        let mut tuning = tuning();
        while let Some(way) = tuning.next().filter(|_| tuning.made() < most) {
            let outcome = again(way, tuning.made());
            tuning.add(way, outcome);
        }
        tuning
    }

    #[test]
    fn sure_way_ends_the_choice_early() {
        let tuning = tuned(100, |_, _| true);
        assert_eq!((tuning.chosen(), tuning.made()), (holds(Holding::Point), SURE));
        let tuning = tuned(100, |way, _| way == holds(Holding::Sent(1)));
        assert_eq!((tuning.chosen(), tuning.made()), (holds(Holding::Sent(1)), SURE + 3));
        assert_eq!(tuning.line(), "holds sent=1, chosen from 11 replays: violated in 8 of 8 of its own");
        let tuning = tuned(100, |way, _| !way.ordered);
        let line = "holds point without the order of operations, chosen from 9 replays: violated in 8 of 8 of its own";
        assert_eq!((tuning.chosen(), tuning.line()), (FREE, line.to_owned()));
        assert_eq!(
            tuning.json(),
            json!({"of": 9, "tried": [
                {"hold": "point", "ordered": true, "again": 0, "of": 1},
                {"hold": "point", "ordered": false, "again": 8, "of": 8},
            ]})
        );
    }

    #[test]
    fn better_way_gets_most_replays() {
        let tuning = tuned(80, |way, made| match way.holding {
            Holding::Requests => made % 3 != 0,
            _ => made % 7 == 0,
        });
        assert_eq!(tuning.chosen(), holds(Holding::Requests));
        let own = tuning.arms[2].share;
        assert!(own.of > 40, "{tuning:?}");
    }

    #[test]
    fn way_without_an_alternative_is_not_tried() {
        assert_eq!(Tuning::new(vec![holds(Holding::Answers)]).next(), None);
        assert_eq!(Tuning::new(vec![holds(Holding::Answers)]).chosen(), holds(Holding::Answers));
    }
}
