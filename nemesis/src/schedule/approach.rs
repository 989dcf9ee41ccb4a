//! From the last invocation before a fault to its strike, with the window of the fault held. Pure.
//!
//! It waits until nothing is open but the window, and a moment more for messages on their way. Then the requests of the window leave
//! together, and the fault strikes when each has its answer, or one limit later.

use super::order::Nanos;
use super::window::{Holding, Op, Window};
use std::collections::BTreeSet;

/// How long messages of operations that have completed are given to arrive.
const SETTLE: Nanos = 10_000_000;

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing before this time, unless something happens.
    Until(Nanos),
    /// The disks must hold all syncs.
    HoldSyncs,
    /// Requests of the window may leave.
    Release,
    /// The fault strikes.
    Strike,
}

/// How far a fault with a window is.
#[derive(Debug, Default)]
pub(super) struct Approach {
    /// Since when nothing else is open.
    calm: Option<Nanos>,
    /// When the disks were asked to hold syncs.
    asked: Option<Nanos>,
    /// Whether they do.
    armed: bool,
    /// When the requests left, and the counts of the links then.
    released: Option<(Nanos, Vec<u64>)>,
    /// Operations of the window with an answer.
    answered: BTreeSet<Op>,
}

impl Approach {
    /// The next step of a fault whose last invocation was made at `anchor`.
    pub(super) fn next(
        &mut self,
        (holding, window): (Holding, &Window),
        anchor: Nanos,
        open: &BTreeSet<Op>,
        counts: &[u64],
        (now, limit): (Nanos, Nanos),
    ) -> Step {
        if let Some((at, _)) = &self.released {
            let all = window.ops.keys().all(|op| self.answered.contains(op));
            let strikes = match holding {
                Holding::Times => at + window.span,
                _ if all => now,
                _ => at + limit,
            };
            return if now >= strikes { Step::Strike } else { Step::Until(strikes) };
        }
        self.calm = window.is_calm(open).then(|| self.calm.unwrap_or(now));
        let ready = anchor + limit + SETTLE;
        let ready = self.calm.map_or(ready, |calm| ready.min(calm + SETTLE));
        if now < ready {
            return Step::Until(ready);
        }
        match (holding, self.asked) {
            (Holding::Requests, _) => return Step::Strike,
            (Holding::Syncs(_), None) => return self.ask(now),
            (Holding::Syncs(_), Some(asked)) if !self.armed && now < asked + limit => {
                return Step::Until(asked + limit);
            }
            _ => {}
        }
        self.released = Some((now, counts.to_vec()));
        Step::Release
    }

    /// Has the disks hold all syncs.
    pub(super) fn ask(&mut self, now: Nanos) -> Step {
        self.asked = Some(now);
        Step::HoldSyncs
    }

    /// When the disks were asked to hold syncs.
    pub(super) fn asked(&self) -> Option<Nanos> {
        self.asked
    }

    /// The disks hold all syncs.
    pub(super) fn armed(&mut self) {
        self.armed = true;
    }

    /// An operation got its answer.
    pub(super) fn answered(&mut self, op: Op) {
        self.answered.insert(op);
    }

    /// When the requests left, and the counts of the links then.
    pub(super) fn released(&self) -> Option<(Nanos, &[u64])> {
        self.released.as_ref().map(|(at, counts)| (*at, &counts[..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::window::Windowed;

    const LIMIT: Nanos = 50_000_000;

    fn window() -> Window {
        let op = |open, after| Windowed { open, after };
        Window {
            ops: [((1, 4), op(true, 0)), ((2, 6), op(false, 3_000_000))].into(),
            open: [(1, 4), (9, 1)].into(),
            span: 8_000_000,
            syncs_from: None,
        }
    }

    fn next(approach: &mut Approach, holding: Holding, open: &[Op], now: Nanos) -> Step {
        let open = open.iter().copied().collect();
        approach.next((holding, &window()), 1_000, &open, &[3, 5], (now, LIMIT))
    }

    #[test]
    fn requests_leave_once_all_else_has_completed() {
        let (mut approach, holding) = (Approach::default(), Holding::Answers);
        let open = [(1, 4), (2, 6), (3, 1), (9, 1)];
        assert_eq!(next(&mut approach, holding, &open, 2_000), Step::Until(1_000 + LIMIT + SETTLE));
        let calm = [(1, 4), (2, 6), (9, 1)];
        assert_eq!(next(&mut approach, holding, &calm, 5_000), Step::Until(5_000 + SETTLE));
        assert_eq!(next(&mut approach, holding, &calm, 5_000 + SETTLE), Step::Release);
        assert_eq!(approach.released(), Some((5_000 + SETTLE, &[3, 5][..])));
        approach.answered((1, 4));
        let late = 5_000 + SETTLE + LIMIT;
        assert_eq!(next(&mut approach, holding, &calm, 6_000 + SETTLE), Step::Until(late));
        approach.answered((2, 6));
        assert_eq!(next(&mut approach, holding, &calm, 7_000 + SETTLE), Step::Strike);
    }

    #[test]
    fn missing_answer_ends_at_the_limit() {
        let (mut approach, holding) = (Approach::default(), Holding::Messages(1));
        assert_eq!(next(&mut approach, holding, &[(3, 1)], 1_000 + LIMIT + SETTLE), Step::Release);
        assert_eq!(next(&mut approach, holding, &[], 1_000 + LIMIT + SETTLE + LIMIT), Step::Strike);
    }

    #[test]
    fn syncs_are_held_before_requests_leave() {
        let (mut approach, holding) = (Approach::default(), Holding::Syncs(0));
        next(&mut approach, holding, &[], 0);
        assert_eq!(next(&mut approach, holding, &[], SETTLE), Step::HoldSyncs);
        assert_eq!(next(&mut approach, holding, &[], SETTLE), Step::Until(SETTLE + LIMIT));
        approach.armed();
        assert_eq!(next(&mut approach, holding, &[], SETTLE + 1), Step::Release);
        assert_eq!(approach.asked(), Some(SETTLE));
    }

    #[test]
    fn held_requests_and_recorded_times_strike_alone() {
        let mut held = Approach::default();
        next(&mut held, Holding::Requests, &[], 0);
        assert_eq!(next(&mut held, Holding::Requests, &[], SETTLE), Step::Strike);
        let mut timed = Approach::default();
        next(&mut timed, Holding::Times, &[], 0);
        assert_eq!(next(&mut timed, Holding::Times, &[], SETTLE), Step::Release);
        assert_eq!(next(&mut timed, Holding::Times, &[], SETTLE), Step::Until(SETTLE + 8_000_000));
        assert_eq!(next(&mut timed, Holding::Times, &[], SETTLE + 8_000_000), Step::Strike);
    }
}
