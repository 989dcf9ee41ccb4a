//! The points of a run at which its faults began and ended, and when a replay has reached them. Pure.
//!
//! *Problem*: a fault that strikes at the same time strikes another state of the system, for milliseconds decide what is on
//! its way and what is on a disk.
//!
//! *Idea*: the point of a fault is a number of invocations, and a number of messages on each link since the last of
//! them. Counts since an invocation stay small, so that heartbeats and the like cannot add up. Once
//! that invocation is made, each link is closed when its count is reached, and clients wait. The fault strikes when every
//! count is reached, what had completed has completed, and as much time is over since the last of these events as was recorded, less the time that the bench itself
//! takes to strike.
//!
//! A fault with a window of operations does not count messages: its requests are held until everything else has completed
//! (`approach.rs`), and what its `Holding` names is held until it has struck.
//!
//! *Why nothing hangs*: a point that is not reached in full strikes one limit after its time; one whose invocation is never
//! made strikes one grace after its time. Both are divergences.

use super::approach::{Approach, Step};
use super::order::Nanos;
use super::window::{Holding, Op, Window};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// How long a fault waits for its invocation beyond its time, besides half of that time.
const GRACE: Nanos = 1_000_000_000;
/// How long links stay closed after a fault is due, at most.
const FREEZE: Nanos = 20_000_000;
/// How long the bench takes from a point to the strike, before it has measured it.
const LEAD: Nanos = 200_000;
/// The longest such time that is taken into account.
const LEAD_MAX: Nanos = 1_000_000;
/// How long after a fault has begun to act without a window the links open again.
const ACTS: Nanos = 1_000_000;
/// How many limits longer than planned syncs are held for invocations that do not come.
const SYNCS_LIMITS: Nanos = 4;
/// How long everything stays held after a fault with a window is due, at most.
const HELD: Nanos = 200_000_000;

/// The beginning or the end of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Moment {
    /// It strikes.
    Start,
    /// It is healed.
    End,
}

/// The point of a run at which a fault began or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cue {
    pub(crate) fault: u32,
    pub(crate) moment: Moment,
    /// Since the start of the load.
    pub(crate) at: Nanos,
    /// Invocations before it.
    pub(crate) invoked: u64,
    /// Time since the last of them.
    pub(crate) since: Nanos,
    /// Time since the last of that invocation and all messages.
    pub(crate) gap: Nanos,
    /// Messages on each link since the last of them.
    pub(crate) messages: Vec<u64>,
    /// The nodes that it hit.
    pub(crate) nodes: Vec<usize>,
    /// The operations around it; those to hold, if any.
    pub(crate) window: Window,
}

/// What the testbed must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Given {
    /// Begin or end a fault.
    Strike(u32, Moment),
    /// Hold the syncs of all disks.
    HoldSyncs,
    /// Answer the syncs that are held.
    FreeSyncs,
    /// Nothing, but requests may leave.
    Release,
}

/// Why a fault did not strike at its point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missed {
    pub(crate) fault: u32,
    pub(crate) moment: Moment,
    pub(crate) at: Nanos,
    /// The link whose count was not reached, with the count and what was recorded; none if the invocation was not made.
    pub(crate) link: Option<(usize, u64, u64)>,
}

/// The state of the next cue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waits,
    /// It was given at this time; the links open at this time again.
    Given {
        at: Nanos,
        open: Nanos,
    },
}

/// All points of a run in their order, and how far a replay is.
#[derive(Debug)]
pub(crate) struct Cues {
    all: Vec<Cue>,
    /// When the invocation before each cue was made, and the counts of the links then.
    anchors: Vec<Option<(Nanos, Vec<u64>)>>,
    next: usize,
    stage: Stage,
    limit: Nanos,
    /// How long the bench takes to strike.
    lead: Nanos,
    missed: Vec<Missed>,
    holding: Holding,
    /// Of the next cue, if it has a window.
    approach: Approach,
    /// When the approach must be looked at again.
    until: Nanos,
    /// How many operations were invoked, and when the last was.
    count: (u64, Nanos),
    /// The open operations.
    open: BTreeSet<Op>,
}

impl Cues {
    pub(crate) fn new(all: Vec<Cue>, limit: Nanos, holding: Holding) -> Self {
        let anchors = vec![None; all.len()];
        Self {
            all,
            anchors,
            next: 0,
            stage: Stage::Waits,
            limit,
            lead: LEAD,
            missed: Vec::new(),
            holding,
            approach: Approach::default(),
            until: 0,
            count: (0, 0),
            open: BTreeSet::new(),
        }
    }

    /// Whether it decides when this fault begins or ends.
    pub(crate) fn has(&self, fault: u32, moment: Moment) -> bool {
        self.all.iter().any(|cue| (cue.fault, cue.moment) == (fault, moment))
    }

    /// This operation was invoked.
    pub(crate) fn opened(&mut self, op: Op) {
        self.open.insert(op);
    }

    /// This operation got its answer, which its client has not seen yet.
    pub(crate) fn answered(&mut self, op: Op) {
        self.approach.answered(op);
    }

    /// This operation completed.
    pub(crate) fn completed(&mut self, op: Op) {
        self.open.remove(&op);
    }

    /// The disks hold all syncs.
    pub(crate) fn armed(&mut self) {
        self.approach.armed();
    }

    /// Until when the request of an operation must wait; none if it may leave.
    pub(crate) fn holds_request(&self, op: Op, now: Nanos) -> Option<Nanos> {
        let windowed = self.all.get(self.next)?.window.ops.get(&op).filter(|_| self.is_closed(now))?;
        let Some((at, _)) = self.approach.released() else { return Some(now + FREEZE) };
        let leaves = if self.holding == Holding::Times { at + windowed.after } else { at };
        (now < leaves).then_some(leaves)
    }

    /// Whether the answer of an operation must wait.
    pub(crate) fn holds_answer(&self, op: Op, now: Nanos) -> bool {
        let windowed = self.all.get(self.next).and_then(|cue| cue.window.ops.get(&op));
        self.holding.holds_answers() && windowed.is_some_and(|windowed| windowed.open) && self.is_closed(now)
    }

    /// Whether messages that a fallen node has sent are lost with it.
    pub(crate) fn loses_messages(&self) -> bool {
        self.holding.needs_messages()
    }

    /// This number of operations was invoked, with these counts of the links.
    pub(crate) fn invoked(&mut self, count: u64, counts: &[u64], now: Nanos) {
        self.count = (count, now);
        for (cue, anchor) in self.all.iter().zip(&mut self.anchors).skip(self.next) {
            if cue.invoked == count {
                *anchor = Some((now, counts.to_vec()));
            }
        }
    }

    /// Whether clients must wait before the next invocation.
    pub(crate) fn holds_clients(&self, now: Nanos) -> bool {
        self.armed_cue().is_some() && self.is_closed(now)
    }

    /// Whether a link must wait with its next message, given the messages on it so far and the number of nodes.
    pub(crate) fn holds_link(&self, link: usize, count: u64, nodes: usize, now: Nanos) -> bool {
        let Some((cue, (_, before))) = self.armed_cue().filter(|_| self.is_closed(now)) else { return false };
        if cue.window.ops.is_empty() {
            return count - before[link] >= cue.messages[link];
        }
        let Some((_, before)) = self.approach.released() else { return false };
        let most = self.holding.most_messages((link / nodes, link % nodes), &cue.nodes);
        most.is_some_and(|most| count - before[link] >= most)
    }

    /// What must be done now; `last` is when the last message passed.
    pub(crate) fn due(&mut self, counts: &[u64], last: Nanos, now: Nanos) -> Option<Given> {
        if self.stage != Stage::Waits {
            return None;
        }
        let cue = self.all.get(self.next)?;
        let (fault, moment) = (cue.fault, cue.moment);
        let missed = |link| Missed { fault, moment, at: now, link };
        let missed = match &self.anchors[self.next] {
            None if self.syncs_held_from(cue).is_some_and(|from| now >= from) => {
                self.approach.ask(now);
                return Some(Given::HoldSyncs);
            }
            None if now >= self.given_up(cue) => Some(missed(None)),
            None => return None,
            Some((anchor, _)) if !cue.window.ops.is_empty() => {
                let window = (self.holding, &cue.window);
                match self.approach.next(window, *anchor, &self.open, counts, (now, self.limit)) {
                    Step::Until(time) => {
                        self.until = time;
                        return None;
                    }
                    Step::HoldSyncs => return Some(Given::HoldSyncs),
                    Step::Release => return Some(Given::Release),
                    Step::Strike => None,
                }
            }
            Some((anchor, before)) => {
                let late = now >= anchor + cue.since + self.limit;
                match short(cue, before, counts) {
                    None if late || now >= self.strikes(cue, *anchor, last) && self.is_calm(cue) => None,
                    Some(link) if late => {
                        Some(missed(Some((link, counts[link] - before[link], cue.messages[link]))))
                    }
                    None | Some(_) => return None,
                }
            }
        };
        self.missed.extend(missed);
        let freeze = if cue.window.ops.is_empty() { FREEZE } else { HELD };
        self.stage = Stage::Given { at: now, open: now + freeze };
        Some(Given::Strike(fault, moment))
    }

    /// A fault has begun to act: without a window, links open a moment later.
    pub(crate) fn acts(&mut self, fault: u32, moment: Moment, now: Nanos) {
        let Some(cue) = self.current(fault, moment) else { return };
        let is_plain = cue.window.ops.is_empty();
        if let Stage::Given { at, open } = &mut self.stage {
            if is_plain {
                *open = (*open).min(now + ACTS);
            }
            self.lead = self.lead.midpoint((now - *at).min(LEAD_MAX));
        }
    }

    /// A fault has acted: everything opens again.
    pub(crate) fn acted(&mut self, fault: u32, moment: Moment, now: Nanos) {
        if self.current(fault, moment).is_some()
            && let Stage::Given { open, .. } = &mut self.stage
        {
            *open = (*open).min(now);
        }
    }

    /// Opens the links, and goes on to the next cue, when a fault had its time. Returns what else must end.
    pub(crate) fn proceed(&mut self, now: Nanos) -> Option<Given> {
        if !matches!(self.stage, Stage::Given { open, .. } if now >= open) {
            return None;
        }
        (self.stage, self.next) = (Stage::Waits, self.next + 1);
        let over = std::mem::take(&mut self.approach);
        Some(if over.asked().is_some() { Given::FreeSyncs } else { Given::Release })
    }

    /// When it must be looked at again after nothing was due; none if only an event can change it.
    pub(crate) fn wakes(&self, counts: &[u64], last: Nanos) -> Option<Nanos> {
        let cue = self.all.get(self.next)?;
        Some(match (self.stage, &self.anchors[self.next]) {
            (Stage::Given { open, .. }, _) => open,
            (Stage::Waits, None) => {
                let given_up = self.given_up(cue);
                self.syncs_held_from(cue).map_or(given_up, |from| given_up.min(from))
            }
            (Stage::Waits, Some(_)) if !cue.window.ops.is_empty() => self.until,
            (Stage::Waits, Some((anchor, before))) => {
                let late = anchor + cue.since + self.limit;
                let is_near = short(cue, before, counts).is_none() && self.is_calm(cue);
                if is_near { late.min(self.strikes(cue, *anchor, last)) } else { late }
            }
        })
    }

    /// The faults that did not strike at their points so far.
    pub(crate) fn missed(&self) -> &[Missed] {
        &self.missed
    }

    /// How many were given.
    pub(crate) fn given(&self) -> usize {
        self.next + usize::from(self.stage != Stage::Waits)
    }

    /// When a fault strikes whose counts are reached.
    fn strikes(&self, cue: &Cue, anchor: Nanos, last: Nanos) -> Nanos {
        anchor.max(last) + cue.gap.saturating_sub(self.lead)
    }

    /// Whether what had completed before a point has completed.
    fn is_calm(&self, cue: &Cue) -> bool {
        cue.window.is_calm(&self.open)
    }

    /// When syncs must be held before the last invocation; none if they are, or need not be.
    fn syncs_held_from(&self, cue: &Cue) -> Option<Nanos> {
        let (count, after) = cue.window.syncs_from.filter(|_| self.approach.asked().is_none())?;
        let (reached, at) = self.count;
        match reached.cmp(&count) {
            Ordering::Less => None,
            Ordering::Equal => Some(at + after),
            Ordering::Greater => Some(at),
        }
    }

    /// When a fault strikes whose invocation is never made: soon, if held syncs keep clients from it.
    fn given_up(&self, cue: &Cue) -> Nanos {
        match (self.approach.asked(), self.holding) {
            (Some(asked), Holding::Syncs(before)) => asked + before * 1_000_000 + SYNCS_LIMITS * self.limit,
            _ => cue.at + cue.at / 2 + GRACE,
        }
    }

    /// The next cue once its invocation was made.
    fn armed_cue(&self) -> Option<(&Cue, &(Nanos, Vec<u64>))> {
        Some((self.all.get(self.next)?, self.anchors.get(self.next)?.as_ref()?))
    }

    /// The next cue, if it is this one.
    fn current(&self, fault: u32, moment: Moment) -> Option<&Cue> {
        self.all.get(self.next).filter(|cue| (cue.fault, cue.moment) == (fault, moment))
    }

    fn is_closed(&self, now: Nanos) -> bool {
        match self.stage {
            Stage::Waits => true,
            Stage::Given { open, .. } => now < open,
        }
    }
}

/// A link on which messages of a cue are missing.
fn short(cue: &Cue, before: &[u64], counts: &[u64]) -> Option<usize> {
    (0..counts.len()).find(|link| counts[*link] - before[*link] < cue.messages[*link])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::window::Windowed;

    const STRIKE: Given = Given::Strike(1, Moment::Start);

    /// A fault behind 3 invocations, one message on link 0 and two on link 1, and 300 after the last of them.
    fn cues() -> Cues {
        let cue = |fault, moment, invoked| Cue {
            fault,
            moment,
            at: 10_000,
            invoked,
            since: 500,
            gap: LEAD + 300,
            messages: vec![1, 2],
            nodes: vec![0],
            window: Window::default(),
        };
        Cues::new(vec![cue(1, Moment::Start, 3), cue(1, Moment::End, 4)], 1_000, Holding::Point)
    }

    #[test]
    fn fault_strikes_at_its_counts() {
        let mut cues = cues();
        assert!(!cues.holds_clients(0) && !cues.holds_link(0, 90, 2, 0));
        cues.invoked(3, &[5, 7], 9_000);
        assert!(
            cues.holds_clients(9_001) && !cues.holds_link(0, 5, 2, 9_001) && cues.holds_link(0, 6, 2, 9_001)
        );
        assert_eq!(cues.due(&[6, 8], 9_100, 9_600), None, "link 1 has one to go");
        assert_eq!(cues.wakes(&[6, 9], 9_200), Some(9_500));
        assert_eq!(cues.due(&[6, 9], 9_200, 9_499), None, "it is too early");
        assert_eq!(cues.due(&[6, 9], 9_200, 9_500), Some(STRIKE));
        assert_eq!(cues.due(&[6, 9], 9_200, 9_501), None, "it is given once");
        assert!(cues.holds_clients(9_502) && cues.missed().is_empty());
        cues.acts(1, Moment::Start, 9_600);
        assert!(cues.proceed(9_601).is_none() && cues.proceed(9_600 + ACTS).is_some());
        assert!(!cues.holds_clients(9_600 + ACTS) && cues.given() == 1);
    }

    #[test]
    fn count_out_of_reach_ends_at_the_limit() {
        let mut cues = cues();
        cues.invoked(3, &[5, 7], 9_000);
        assert_eq!(cues.wakes(&[6, 8], 9_100), Some(10_500));
        assert_eq!(cues.due(&[6, 8], 9_100, 10_499), None);
        assert_eq!(cues.due(&[6, 8], 9_100, 10_500), Some(STRIKE));
        assert_eq!(cues.missed()[0].link, Some((1, 1, 2)));
    }

    #[test]
    fn missing_invocation_ends_at_the_grace() {
        let mut cues = cues();
        assert_eq!(cues.wakes(&[0, 0], 0), Some(15_000 + GRACE));
        assert_eq!(cues.due(&[0, 0], 0, 14_999 + GRACE), None);
        assert_eq!(cues.due(&[0, 0], 0, 15_000 + GRACE), Some(STRIKE));
        assert_eq!(cues.missed()[0].link, None);
    }

    #[test]
    fn cues_without_an_action_open_again() {
        let mut cues = cues();
        cues.invoked(3, &[0, 0], 9_000);
        assert!(cues.due(&[1, 2], 9_200, 9_500).is_some());
        assert!(cues.holds_link(0, 1, 2, 9_500) && !cues.holds_link(0, 1, 2, 9_500 + FREEZE));
        assert!(cues.proceed(9_500 + FREEZE).is_some());
    }

    #[test]
    fn operation_that_had_completed_is_waited_for() {
        let mut cues = cues();
        cues.opened((7, 1));
        cues.invoked(3, &[5, 7], 9_000);
        assert_eq!(cues.due(&[6, 9], 9_200, 9_500), None, "it is open");
        assert_eq!(cues.wakes(&[6, 9], 9_200), Some(10_500));
        cues.completed((7, 1));
        assert_eq!(cues.wakes(&[6, 9], 9_200), Some(9_500));
        assert_eq!(cues.due(&[6, 9], 9_200, 9_500), Some(STRIKE));
    }

    /// A fault on node 1 of two, with an operation that was open and one that had completed.
    fn windowed(holding: Holding) -> Cues {
        let ops = [((1, 1), Windowed { open: true, after: 0 }), ((2, 1), Windowed { open: false, after: 0 })];
        let window = Window { ops: ops.into(), open: [(1, 1)].into(), span: 900, syncs_from: None };
        let mut cue = cues().all.remove(0);
        (cue.window, cue.nodes, cue.messages) = (window, vec![1], vec![0; 4]);
        let mut cues = Cues::new(vec![cue], 1_000, holding);
        cues.opened((1, 1));
        cues.opened((2, 1));
        cues.invoked(3, &[4; 4], 9_000);
        cues
    }

    #[test]
    fn window_is_held_until_the_strike() {
        let mut cues = windowed(Holding::Sent(1));
        assert!(cues.holds_request((1, 1), 9_001).is_some() && cues.holds_request((3, 1), 9_001).is_none());
        assert_eq!(cues.due(&[4; 4], 0, 9_001), None);
        let ready = cues.wakes(&[4; 4], 0).unwrap();
        assert_eq!(cues.due(&[4; 4], 0, ready), Some(Given::Release));
        assert_eq!((cues.holds_request((1, 1), ready), cues.due(&[4; 4], 0, ready)), (None, None));
        assert!(!cues.holds_link(2, 4, 2, ready) && cues.holds_link(2, 5, 2, ready), "node 1 has sent one");
        assert!(!cues.holds_link(1, 9, 2, ready), "node 0 is free");
        assert!(cues.holds_answer((1, 1), ready) && !cues.holds_answer((2, 1), ready));
        cues.answered((2, 1));
        cues.completed((2, 1));
        assert_eq!(cues.due(&[4, 5, 5, 4], ready, ready + 999), None, "one answer is missing");
        cues.answered((1, 1));
        assert_eq!(cues.due(&[4, 5, 5, 4], ready, ready + 999), Some(STRIKE));
        cues.acts(1, Moment::Start, ready + 1_000);
        assert!(cues.holds_answer((1, 1), ready + ACTS * 2) && cues.holds_link(2, 5, 2, ready + ACTS * 2));
        cues.acted(1, Moment::Start, ready + ACTS * 2);
        assert!(!cues.holds_answer((1, 1), ready + ACTS * 2) && !cues.holds_link(2, 5, 2, ready + ACTS * 2));
        assert_eq!(cues.proceed(ready + ACTS * 2), Some(Given::Release));
    }

    #[test]
    fn requests_are_held_beyond_the_strike() {
        let mut cues = windowed(Holding::Requests);
        let strike = std::iter::successors(Some(9_000), |now| Some(now + LEAD))
            .find(|now| cues.due(&[4; 4], 0, *now) == Some(STRIKE))
            .unwrap();
        assert!(cues.holds_request((1, 1), strike).is_some() && !cues.holds_answer((1, 1), strike));
        cues.acted(1, Moment::Start, strike + 5);
        assert_eq!(cues.holds_request((1, 1), strike + 5), None);
    }

    #[test]
    fn syncs_are_held_from_an_earlier_invocation() {
        let mut cues = windowed(Holding::Syncs(1));
        (cues.all[0].window.syncs_from, cues.anchors[0]) = (Some((2, 700)), None);
        cues.invoked(1, &[4; 4], 5_000);
        assert_eq!(cues.due(&[4; 4], 0, 5_000), None);
        cues.invoked(2, &[4; 4], 6_000);
        assert_eq!((cues.due(&[4; 4], 0, 6_699), cues.wakes(&[4; 4], 0)), (None, Some(6_700)));
        assert_eq!(cues.due(&[4; 4], 0, 6_700), Some(Given::HoldSyncs));
        let late = 6_700 + 1_000_000 + SYNCS_LIMITS * 1_000;
        assert_eq!((cues.due(&[4; 4], 0, 6_700), cues.wakes(&[4; 4], 0)), (None, Some(late)));
        assert_eq!(cues.due(&[4; 4], 0, late), Some(STRIKE), "the syncs keep clients from the point");
        assert_eq!(cues.proceed(late + HELD), Some(Given::FreeSyncs));
    }
}
