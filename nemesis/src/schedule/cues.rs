//! The points of a run at which its faults began and ended, and when a replay has reached them. Pure.
//!
//! *Problem*: a fault that strikes at the same time strikes another state of the system, for milliseconds decide what is on
//! its way and what is on a disk.
//!
//! *Idea*: the point of a fault is a number of invocations, and a number of messages on each link since the last of
//! them. Counts since an invocation stay small, so that heartbeats and the like cannot add up. Once
//! that invocation is made, each link is closed when its count is reached, and clients wait. The fault strikes when every
//! count is reached and as much time is over since the last of these events as was recorded, less the time that the bench itself
//! takes to strike.
//!
//! *Why nothing hangs*: a point that is not reached in full strikes one limit after its time; one whose invocation is never
//! made strikes one grace after its time. Both are divergences.

use super::order::Nanos;
use serde::{Deserialize, Serialize};

/// How long a fault waits for its invocation beyond its time, besides half of that time.
const GRACE: Nanos = 1_000_000_000;
/// How long links stay closed after a fault is due, at most.
const FREEZE: Nanos = 20_000_000;
/// How long the bench takes from a point to the strike, before it has measured it.
const LEAD: Nanos = 200_000;
/// The longest such time that is taken into account.
const LEAD_MAX: Nanos = 1_000_000;
/// How long after a fault has begun to act the links open again.
const ACTS: Nanos = 1_000_000;

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
}

impl Cues {
    pub(crate) fn new(all: Vec<Cue>, limit: Nanos) -> Self {
        let anchors = vec![None; all.len()];
        Self { all, anchors, next: 0, stage: Stage::Waits, limit, lead: LEAD, missed: Vec::new() }
    }

    /// Whether it decides when this fault begins or ends.
    pub(crate) fn has(&self, fault: u32, moment: Moment) -> bool {
        self.all.iter().any(|cue| (cue.fault, cue.moment) == (fault, moment))
    }

    /// This number of operations was invoked, with these counts of the links.
    pub(crate) fn invoked(&mut self, count: u64, counts: &[u64], now: Nanos) {
        for (cue, anchor) in self.all.iter().zip(&mut self.anchors).skip(self.next) {
            if cue.invoked == count {
                *anchor = Some((now, counts.to_vec()));
            }
        }
    }

    /// Whether clients must wait before the next invocation.
    pub(crate) fn holds_clients(&self, now: Nanos) -> bool {
        self.armed().is_some() && self.is_closed(now)
    }

    /// Whether a link must wait with its next message, given the messages on it so far.
    pub(crate) fn holds_link(&self, link: usize, count: u64, now: Nanos) -> bool {
        self.armed().is_some_and(|(cue, (_, before))| count - before[link] >= cue.messages[link])
            && self.is_closed(now)
    }

    /// The next fault, if it must begin or end now; `last` is when the last message passed.
    pub(crate) fn due(&mut self, counts: &[u64], last: Nanos, now: Nanos) -> Option<(u32, Moment)> {
        if self.stage != Stage::Waits {
            return None;
        }
        let cue = self.all.get(self.next)?;
        let (fault, moment) = (cue.fault, cue.moment);
        let missed = |link| Missed { fault, moment, at: now, link };
        let missed = match &self.anchors[self.next] {
            None if now >= Self::given_up(cue) => Some(missed(None)),
            None => return None,
            Some((anchor, before)) => match short(cue, before, counts) {
                None if now >= self.strikes(cue, *anchor, last) => None,
                Some(link) if now >= anchor + cue.since + self.limit => {
                    Some(missed(Some((link, counts[link] - before[link], cue.messages[link]))))
                }
                None | Some(_) => return None,
            },
        };
        self.missed.extend(missed);
        self.stage = Stage::Given { at: now, open: now + FREEZE };
        Some((fault, moment))
    }

    /// A fault has begun to act: links open a moment later.
    pub(crate) fn acts(&mut self, fault: u32, moment: Moment, now: Nanos) {
        if let Stage::Given { at, open } = &mut self.stage
            && self.all.get(self.next).is_some_and(|cue| (cue.fault, cue.moment) == (fault, moment))
        {
            *open = (*open).min(now + ACTS);
            self.lead = self.lead.midpoint((now - *at).min(LEAD_MAX));
        }
    }

    /// Opens the links, and goes on to the next cue, when a fault had its time.
    pub(crate) fn proceed(&mut self, now: Nanos) -> bool {
        let over = matches!(self.stage, Stage::Given { open, .. } if now >= open);
        if over {
            (self.stage, self.next) = (Stage::Waits, self.next + 1);
        }
        over
    }

    /// When it must be looked at again; none if only an event can change it.
    pub(crate) fn wakes(&self, counts: &[u64], last: Nanos) -> Option<Nanos> {
        let cue = self.all.get(self.next)?;
        Some(match (self.stage, &self.anchors[self.next]) {
            (Stage::Given { open, .. }, _) => open,
            (Stage::Waits, None) => Self::given_up(cue),
            (Stage::Waits, Some((anchor, before))) if short(cue, before, counts).is_none() => {
                self.strikes(cue, *anchor, last)
            }
            (Stage::Waits, Some((anchor, _))) => anchor + cue.since + self.limit,
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

    fn given_up(cue: &Cue) -> Nanos {
        cue.at + cue.at / 2 + GRACE
    }

    /// The next cue once its invocation was made.
    fn armed(&self) -> Option<(&Cue, &(Nanos, Vec<u64>))> {
        Some((self.all.get(self.next)?, self.anchors.get(self.next)?.as_ref()?))
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
        };
        Cues::new(vec![cue(1, Moment::Start, 3), cue(1, Moment::End, 4)], 1_000)
    }

    #[test]
    fn fault_strikes_at_its_counts() {
        let mut cues = cues();
        assert!(!cues.holds_clients(0) && !cues.holds_link(0, 90, 0));
        cues.invoked(3, &[5, 7], 9_000);
        assert!(cues.holds_clients(9_001) && !cues.holds_link(0, 5, 9_001) && cues.holds_link(0, 6, 9_001));
        assert_eq!(cues.due(&[6, 8], 9_100, 9_600), None, "link 1 has one to go");
        assert_eq!(cues.wakes(&[6, 9], 9_200), Some(9_500));
        assert_eq!(cues.due(&[6, 9], 9_200, 9_499), None, "it is too early");
        assert_eq!(cues.due(&[6, 9], 9_200, 9_500), Some((1, Moment::Start)));
        assert_eq!(cues.due(&[6, 9], 9_200, 9_501), None, "it is given once");
        assert!(cues.holds_clients(9_502) && cues.missed().is_empty());
        cues.acts(1, Moment::Start, 9_600);
        assert!(!cues.proceed(9_601) && cues.proceed(9_600 + ACTS));
        assert!(!cues.holds_clients(9_600 + ACTS) && cues.given() == 1);
    }

    #[test]
    fn count_out_of_reach_ends_at_the_limit() {
        let mut cues = cues();
        cues.invoked(3, &[5, 7], 9_000);
        assert_eq!(cues.wakes(&[6, 8], 9_100), Some(10_500));
        assert_eq!(cues.due(&[6, 8], 9_100, 10_499), None);
        assert_eq!(cues.due(&[6, 8], 9_100, 10_500), Some((1, Moment::Start)));
        assert_eq!(cues.missed()[0].link, Some((1, 1, 2)));
    }

    #[test]
    fn missing_invocation_ends_at_the_grace() {
        let mut cues = cues();
        assert_eq!(cues.wakes(&[0, 0], 0), Some(15_000 + GRACE));
        assert_eq!(cues.due(&[0, 0], 0, 14_999 + GRACE), None);
        assert_eq!(cues.due(&[0, 0], 0, 15_000 + GRACE), Some((1, Moment::Start)));
        assert_eq!(cues.missed()[0].link, None);
    }

    #[test]
    fn cues_without_an_action_open_again() {
        let mut cues = cues();
        cues.invoked(3, &[0, 0], 9_000);
        assert!(cues.due(&[1, 2], 9_200, 9_500).is_some());
        assert!(cues.holds_link(0, 1, 9_500) && !cues.holds_link(0, 1, 9_500 + FREEZE));
        assert!(cues.proceed(9_500 + FREEZE));
    }
}
