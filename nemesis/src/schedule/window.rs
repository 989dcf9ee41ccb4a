//! The operations around a fault, and what a replay holds of them until the fault strikes. Pure.
//!
//! *Problem*: a violation depends on what was open when the fault struck: requests, answers, messages and syncs. The recorded
//! point alone does not bring that back, because the programs are faster or slower in each run.
//!
//! *Idea*: the window of a fault has the last operation of each client that was open at the fault, or completed just before it.
//! A replay holds their requests until all other operations have completed. Then it lets them go together, holds what
//! its [`Holding`] names, and strikes. An operation that was open in the recording gets its answer only after the strike.
//!
//! *Why it is right*: a request, an answer, a message or a sync that takes longer is no mistake of any system, so a
//! sound one stays valid.

use super::line::{Turn, TurnLine};
use super::order::Nanos;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// An operation: its client, and its number among those of this client, from 1.
pub(crate) type Op = (u32, u64);

/// How long before a fault an operation of its window completed at most.
const RECENT: Nanos = 10_000_000;
/// How long before a fault an operation of its window was invoked at most.
const YOUNG: Nanos = 100_000_000;
/// For how long before a fault syncs are held, in the ways of [`Holding::candidates`], in milliseconds.
const SYNCS_TRIED: [u64; 3] = [50, 200, 1_000];

/// What a replay holds when a fault is about to strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Holding {
    /// Nothing: the fault strikes at its recorded point.
    #[default]
    Point,
    /// The requests of the operations that were open, until it has struck.
    Requests,
    /// Requests that leave as long before the strike as recorded.
    Times,
    /// The answers of the operations that were open; it strikes when all are there.
    Answers,
    /// The same, and on each link all messages but this many.
    Messages(u64),
    /// The same, on the links from the nodes that the fault hits.
    Sent(u64),
    /// The same, on the links to these nodes.
    Received(u64),
    /// The same as [`Holding::Answers`], and all syncs of the disks, from this many milliseconds before the fault on.
    Syncs(u64),
}

impl Holding {
    /// What can be tried, given whether the bench controls messages and disks.
    pub fn candidates(messages: bool, disks: bool) -> Vec<Self> {
        let mut all = vec![Self::Point, Self::Requests, Self::Answers];
        if disks {
            all.extend(SYNCS_TRIED.map(Self::Syncs));
        }
        if messages {
            all.extend([Self::Received(0), Self::Sent(1), Self::Messages(1)]);
            all.extend([Self::Received(1), Self::Sent(0), Self::Messages(0), Self::Messages(2)]);
        }
        all.push(Self::Times);
        all
    }

    /// Whether it needs a network whose messages the bench controls.
    pub fn needs_messages(self) -> bool {
        matches!(self, Self::Messages(_) | Self::Sent(_) | Self::Received(_))
    }

    /// How many messages pass a link once the requests have left; none if all do.
    pub(super) fn most_messages(self, (from, to): (usize, usize), hit: &[usize]) -> Option<u64> {
        match self {
            Self::Messages(most) => Some(most),
            Self::Sent(most) => hit.contains(&from).then_some(most),
            Self::Received(most) => hit.contains(&to).then_some(most),
            Self::Point | Self::Requests | Self::Times | Self::Answers | Self::Syncs(_) => None,
        }
    }

    /// Whether the answers of operations that were open wait for the strike.
    pub(super) fn holds_answers(self) -> bool {
        !matches!(self, Self::Point | Self::Requests)
    }
}

impl fmt::Display for Holding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Point => f.write_str("point"),
            Self::Requests => f.write_str("requests"),
            Self::Times => f.write_str("times"),
            Self::Answers => f.write_str("answers"),
            Self::Messages(most) => write!(f, "messages={most}"),
            Self::Sent(most) => write!(f, "sent={most}"),
            Self::Received(most) => write!(f, "received={most}"),
            Self::Syncs(before) => write!(f, "syncs={before}"),
        }
    }
}

impl FromStr for Holding {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (word, most) = match text.split_once('=') {
            Some((word, most)) => (word, Some(most.parse().map_err(|_| format!("`{most}` is no number"))?)),
            None => (text, None),
        };
        Ok(match (word, most) {
            ("point", None) => Self::Point,
            ("requests", None) => Self::Requests,
            ("times", None) => Self::Times,
            ("answers", None) => Self::Answers,
            ("syncs", before) => Self::Syncs(before.unwrap_or(0)),
            ("messages", Some(most)) => Self::Messages(most),
            ("sent", Some(most)) => Self::Sent(most),
            ("received", Some(most)) => Self::Received(most),
            _ => {
                let known = "point, requests, times, answers, syncs=MS, messages=N, sent=N or received=N";
                return Err(format!("`{text}` cannot be held; write {known}"));
            }
        })
    }
}

/// An operation of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Windowed {
    /// Whether it was open when the fault struck.
    pub(crate) open: bool,
    /// Time from the first invocation of the window to its own.
    pub(crate) after: Nanos,
}

/// The operations around one point of a fault.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Window {
    /// Those whose requests are held.
    pub(crate) ops: BTreeMap<Op, Windowed>,
    /// All that were open.
    pub(crate) open: BTreeSet<Op>,
    /// Time from the first invocation of the window to the point.
    pub(crate) span: Nanos,
    /// From when on syncs are held, if that is before the window: so long after this number of invocations.
    pub(crate) syncs_from: Option<(u64, Nanos)>,
}

/// The last operation of a client before a point.
#[derive(Debug, Clone, Copy)]
struct Last {
    number: u64,
    invoked: Nanos,
    completed: Option<Nanos>,
}

impl Window {
    /// The window of a point, from the recorded turns in the order of time.
    pub(super) fn at(turns: &[TurnLine], at: Nanos) -> Self {
        let mut clients: BTreeMap<u32, Last> = BTreeMap::new();
        for turn in turns.iter().take_while(|turn| turn.at <= at) {
            let last =
                clients.entry(turn.client).or_insert(Last { number: 0, invoked: 0, completed: Some(0) });
            match turn.turn {
                Turn::Invoked => {
                    *last = Last { number: last.number + 1, invoked: turn.at, completed: None };
                }
                Turn::Completed => last.completed = Some(turn.at),
            }
        }
        clients.retain(|_, last| last.number > 0);
        let open = |last: &Last| last.completed.is_none();
        let in_window = |last: &Last| {
            last.invoked + YOUNG >= at && last.completed.is_none_or(|completed| completed + RECENT >= at)
        };
        let mut chosen: Vec<(u32, Last)> = clients
            .iter()
            .filter(|(_, last)| in_window(last))
            .map(|(client, last)| (*client, *last))
            .collect();
        if chosen.is_empty() {
            let latest = clients.iter().max_by_key(|(_, last)| last.invoked);
            chosen.extend(latest.filter(|(_, last)| !open(last)).map(|(client, last)| (*client, *last)));
        }
        let first = chosen.iter().map(|(_, last)| last.invoked).min().unwrap_or(at);
        let windowed = |(client, last): &(u32, Last)| {
            ((*client, last.number), Windowed { open: open(last), after: last.invoked - first })
        };
        Self {
            ops: chosen.iter().map(windowed).collect(),
            open: clients
                .iter()
                .filter(|(_, last)| open(last))
                .map(|(client, last)| (*client, last.number))
                .collect(),
            span: at - first,
            syncs_from: None,
        }
    }

    /// The part of it that a holding holds.
    pub(super) fn under(mut self, holding: Holding, turns: &[TurnLine], at: Nanos) -> Self {
        match holding {
            Holding::Syncs(before) if before > 0 => {
                let from = at.saturating_sub(before.saturating_mul(1_000_000));
                let earlier = turns.iter().filter(|turn| turn.turn == Turn::Invoked && turn.at <= from);
                let (count, last) = earlier.fold((0, 0), |(count, _), turn| (count + 1, turn.at));
                self.syncs_from = Some((count, from - last));
            }
            Holding::Point => self.ops.clear(),
            Holding::Requests => self.ops.retain(|_, op| op.open),
            Holding::Times
            | Holding::Answers
            | Holding::Messages(_)
            | Holding::Sent(_)
            | Holding::Received(_)
            | Holding::Syncs(_) => {}
        }
        self
    }

    /// Whether no other operations are open than those of the window or the recording.
    pub(super) fn is_calm(&self, open: &BTreeSet<Op>) -> bool {
        open.iter().all(|op| self.ops.contains_key(op) || self.open.contains(op))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Nanos = 1_000_000;

    fn turns(lines: &[(Nanos, u32, Turn)]) -> Vec<TurnLine> {
        lines
            .iter()
            .map(|(at, client, turn)| TurnLine { at: at * MS, client: *client, turn: *turn })
            .collect()
    }

    #[test]
    fn window_has_open_and_recent_operations() {
        use Turn::{Completed, Invoked};
        let turns = turns(&[
            (100, 0, Invoked),
            (102, 0, Completed),
            (110, 1, Invoked),
            (220, 2, Invoked),
            (222, 0, Invoked),
            (225, 2, Completed),
            (240, 2, Invoked),
        ]);
        let window = Window::at(&turns, 230 * MS);
        let ops: Vec<_> =
            window.ops.iter().map(|(op, windowed)| (*op, windowed.open, windowed.after / MS)).collect();
        assert_eq!(ops, [((0, 2), true, 2), ((2, 1), false, 0)], "client 1 is open for too long");
        assert_eq!(window.open.iter().copied().collect::<Vec<_>>(), [(0, 2), (1, 1)]);
        assert_eq!(window.span, 10 * MS);
        let early = window.clone().under(Holding::Syncs(10), &turns, 230 * MS);
        assert_eq!((early.syncs_from, early.ops.len()), (Some((3, 0)), 2), "the third is 10 ms before");
        assert!(window.is_calm(&[(1, 1), (2, 1)].into()) && !window.is_calm(&[(2, 2)].into()));
        let held = window.under(Holding::Requests, &turns, 0).ops.into_keys().collect::<Vec<_>>();
        assert_eq!(held, [(0, 2)], "what had completed is not held");
    }

    #[test]
    fn quiet_fault_gets_the_last_operation() {
        let turns = turns(&[(10, 3, Turn::Invoked), (11, 3, Turn::Completed)]);
        let window = Window::at(&turns, 900 * MS);
        assert_eq!(window.ops.into_keys().collect::<Vec<_>>(), [(3, 1)]);
        assert!(window.open.is_empty());
    }

    #[test]
    fn holdings_round_trip_as_text() {
        for holding in Holding::candidates(true, true) {
            assert_eq!(holding.to_string().parse(), Ok(holding));
        }
        for wrong in ["", "messages", "sent=x", "answers=1", "clients"] {
            assert!(wrong.parse::<Holding>().is_err(), "{wrong}");
        }
        assert!(!Holding::candidates(false, false).iter().any(|holding| holding.needs_messages()));
    }
}
