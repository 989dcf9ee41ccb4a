//! Chooses what replays hold: tries each way, and the promising ones more often. Pure.
//!
//! *Problem*: which hold brings a violation back depends on its cause, which is not known.
//!
//! *Idea*: a bandit with upper confidence bounds (Auer, Cesa-Bianchi and Fischer 2002), with the bounds of Wilson's interval. The
//! next replay goes to the hold with the highest upper bound. It ends when one was violated in each of its replays,
//! [`SURE`] of them, or when the replays are over; the hold with the highest lower bound is chosen.
//!
//! *Why the rate is honest*: replays of the choice do not count, the rate is that of replays after it.

use crate::hunt::Share;
use nemesis::Holding;
use report::curves::wilson;
use serde::Serialize;
use serde_json::{Value, json};

/// Replays of one hold, all violated again, that end the choice.
const SURE: u32 = 8;

/// One way to hold, and what came of it.
#[derive(Debug, Clone, Copy)]
struct Arm {
    holding: Holding,
    share: Share,
}

/// The ways to hold that are tried.
#[derive(Debug)]
pub(crate) struct Tuning {
    arms: Vec<Arm>,
}

/// A rate in `replay.json`.
#[derive(Debug, Serialize)]
struct Tried {
    hold: String,
    again: u32,
    of: u32,
}

impl Tuning {
    /// Nothing tried so far; earlier ways are preferred.
    ///
    /// # Panics
    /// If there is no way.
    pub(crate) fn new(holdings: Vec<Holding>) -> Self {
        assert!(!holdings.is_empty(), "there is a way to hold");
        Self { arms: holdings.into_iter().map(|holding| Arm { holding, share: Share::default() }).collect() }
    }

    /// What the next replay holds; none if the choice is sure.
    pub(crate) fn next(&self) -> Option<Holding> {
        let sure = |arm: &Arm| arm.share.of >= SURE && arm.share.seen == arm.share.of;
        if self.arms.len() == 1 || self.arms.iter().any(sure) {
            return None;
        }
        self.best(|(low, high)| (high, low))
    }

    /// Counts a replay.
    pub(crate) fn add(&mut self, holding: Holding, again: bool) {
        if let Some(arm) = self.arms.iter_mut().find(|arm| arm.holding == holding) {
            arm.share.of += 1;
            arm.share.seen += u32::from(again);
        }
    }

    /// What brought the violation back most surely.
    pub(crate) fn chosen(&self) -> Holding {
        self.best(|(low, high)| (low, high)).expect("there is a way to hold")
    }

    /// The first way with the highest rank, by the interval of its rate.
    fn best(&self, rank: impl Fn((f64, f64)) -> (f64, f64)) -> Option<Holding> {
        let mut best: Option<(Holding, (f64, f64))> = None;
        for arm in &self.arms {
            let interval = if arm.share.of == 0 {
                (0.0, 1.0)
            } else {
                wilson(arm.share.seen.into(), arm.share.of.into())
            };
            let own = rank(interval);
            if best.is_none_or(|(_, best)| own > best) {
                best = Some((arm.holding, own));
            }
        }
        best.map(|(holding, _)| holding)
    }

    /// How many replays were made.
    pub(crate) fn made(&self) -> u32 {
        self.arms.iter().map(|arm| arm.share.of).sum()
    }

    /// What was chosen, in words.
    pub(crate) fn line(&self) -> String {
        let chosen = self.chosen();
        let share =
            self.arms.iter().find(|arm| arm.holding == chosen).map(|arm| arm.share).unwrap_or_default();
        format!("holds {chosen}, chosen from {} replays: violated {share} of its own", self.made())
    }

    /// For `replay.json`.
    pub(crate) fn json(&self) -> Value {
        let tried =
            |arm: &Arm| Tried { hold: arm.holding.to_string(), again: arm.share.seen, of: arm.share.of };
        let tried: Vec<_> = self.arms.iter().filter(|arm| arm.share.of > 0).map(tried).collect();
        json!({"of": self.made(), "tried": tried})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuning() -> Tuning {
        Tuning::new(vec![Holding::Point, Holding::Requests, Holding::Sent(1)])
    }

    /// Makes replays until the choice is sure or `most` are made, each violated if `again` says so.
    fn tuned(most: u32, mut again: impl FnMut(Holding, u32) -> bool) -> Tuning {
        let mut tuning = tuning();
        while let Some(holding) = tuning.next().filter(|_| tuning.made() < most) {
            let outcome = again(holding, tuning.made());
            tuning.add(holding, outcome);
        }
        tuning
    }

    #[test]
    fn sure_hold_ends_the_choice_early() {
        let tuning = tuned(100, |_, _| true);
        assert_eq!((tuning.chosen(), tuning.made()), (Holding::Point, SURE));
        let tuning = tuned(100, |holding, _| holding == Holding::Sent(1));
        assert_eq!((tuning.chosen(), tuning.made()), (Holding::Sent(1), SURE + 2));
        assert_eq!(tuning.line(), "holds sent=1, chosen from 10 replays: violated in 8 of 8 of its own");
    }

    #[test]
    fn better_hold_gets_most_replays() {
        let tuning = tuned(60, |holding, made| match holding {
            Holding::Requests => made % 3 != 0,
            _ => made % 7 == 0,
        });
        assert_eq!(tuning.chosen(), Holding::Requests);
        let own = tuning.arms[1].share;
        assert!(own.of > 30, "{tuning:?}");
    }

    #[test]
    fn hold_without_an_alternative_is_not_tried() {
        assert_eq!(Tuning::new(vec![Holding::Answers]).next(), None);
        assert_eq!(Tuning::new(vec![Holding::Answers]).chosen(), Holding::Answers);
    }
}
