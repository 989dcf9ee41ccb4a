//! Holds events back until their recorded predecessors have passed, or a limit is over. Pure.
//!
//! *Problem*: a replay should see the events of several lanes (links, clients) in one recorded order, although some of them
//! do not come again, others are new, and none may wait for ever.
//!
//! *Idea*: the recorded events stand in one list. An arriving event takes the next entry of its lane with the same hash, at
//! most [`WINDOW`] entries ahead; the entries of the lane that it skips will not come. It passes once every earlier entry
//! has passed, was skipped or was given up. When its limit is over, all earlier entries are given up: the replay diverged.
//!
//! *Why it is right*: the events of one lane never overtake each other, because a lane takes entries in ascending order.
//! Whatever holds an event ends at its limit at the latest.
//!
//! *Cost*: constant time per event, apart from the window. Each divergence in a row halves the limit of the next, so that a
//! replay that has lost the thread is not slowed down for long.

use std::collections::VecDeque;

/// How far ahead an event looks for its entry, in entries of its lane.
const WINDOW: usize = 32;
/// How often the limit is halved at most.
const HALVINGS: u32 = 6;
/// Events in a row that pass in order before the limit doubles again.
const REGAINED: u32 = 16;

/// Nanoseconds on the clock of a run.
pub(super) type Nanos = u64;

/// A recorded event: where it passed, and what does not vary between runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The link or client.
    pub(crate) lane: usize,
    /// The masked content.
    pub(crate) hash: u64,
}

/// What happens to an event that arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It passes.
    Pass,
    /// It waits for the entries before this position, at most until this time.
    Hold { position: usize, until: Nanos },
}

/// The first event that did not follow the recorded order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Divergence {
    /// When.
    pub(crate) at: Nanos,
    /// The position of the earliest entry that had not come.
    pub(crate) position: usize,
    /// That entry.
    pub(crate) expected: Entry,
    /// What came instead.
    pub(crate) came: Entry,
}

/// How much of the order was followed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Followed {
    /// Events that took an entry and passed after all entries before it.
    pub(crate) in_order: u64,
    /// Events that had to wait for that.
    pub(crate) held: u64,
    /// Events that passed at their limit.
    pub(crate) late: u64,
    /// Events without an entry.
    pub(crate) unexpected: u64,
    /// Entries that were skipped in their lane.
    pub(crate) skipped: u64,
}

/// A recorded order and the position in it.
#[derive(Debug)]
pub(crate) struct Order {
    entries: Vec<Entry>,
    /// Whether nothing waits for an entry any more.
    settled: Vec<bool>,
    /// The positions of each lane that no event has taken.
    lanes: Vec<VecDeque<usize>>,
    /// The first entry that is not settled.
    base: usize,
    limit: Nanos,
    halvings: u32,
    row: u32,
    followed: Followed,
    first: Option<Divergence>,
}

impl Order {
    /// This order; an event waits at most `limit`.
    pub(crate) fn new(entries: Vec<Entry>, limit: Nanos) -> Self {
        let count = entries.iter().map(|entry| entry.lane + 1).max().unwrap_or(0);
        let mut lanes = vec![VecDeque::new(); count];
        for (position, entry) in entries.iter().enumerate() {
            lanes[entry.lane].push_back(position);
        }
        let settled = vec![false; entries.len()];
        let followed = Followed::default();
        Self { entries, settled, lanes, base: 0, limit, halvings: 0, row: 0, followed, first: None }
    }

    /// An event that can be held arrives.
    pub(crate) fn arrive(&mut self, lane: usize, hash: u64, now: Nanos) -> Arrival {
        let Some(position) = self.take(lane, hash) else { return Arrival::Pass };
        if self.is_open(position) {
            self.pass(position);
            return Arrival::Pass;
        }
        self.followed.held += 1;
        Arrival::Hold { position, until: now.saturating_add(self.limit >> self.halvings) }
    }

    /// An event that cannot be held has happened.
    pub(crate) fn happened(&mut self, lane: usize, hash: u64) {
        if let Some(position) = self.take(lane, hash) {
            self.settle(position);
        }
    }

    /// Whether a held event passes now; it must not be asked again after that.
    pub(crate) fn releases(&mut self, position: usize, until: Nanos, now: Nanos) -> bool {
        if self.is_open(position) {
            self.pass(position);
            return true;
        }
        if now < until {
            return false;
        }
        let came = self.entries[position];
        let diverged = Divergence { at: now, position: self.base, expected: self.entries[self.base], came };
        self.first.get_or_insert(diverged);
        self.followed.late += 1;
        self.row = 0;
        self.halvings = (self.halvings + 1).min(HALVINGS);
        for before in self.base..=position {
            self.settled[before] = true;
        }
        self.advance();
        true
    }

    /// How much of it was followed so far.
    pub(crate) fn followed(&self) -> Followed {
        self.followed
    }

    /// The first event that passed before a recorded predecessor.
    pub(crate) fn divergence(&self) -> Option<Divergence> {
        self.first
    }

    fn is_open(&self, position: usize) -> bool {
        self.base >= position
    }

    /// The entry of an event: the next of its lane with this hash.
    fn take(&mut self, lane: usize, hash: u64) -> Option<usize> {
        let entries = &self.entries;
        let waiting = self.lanes.get_mut(lane);
        let found = waiting.and_then(|waiting| {
            let ahead = waiting.iter().take(WINDOW).position(|position| entries[*position].hash == hash)?;
            Some(waiting.drain(..=ahead).collect::<Vec<_>>())
        });
        let Some(mut taken) = found else {
            // Behind the last recorded event everything is new.
            self.followed.unexpected += u64::from(self.base < self.entries.len());
            return None;
        };
        let own = taken.pop();
        for skipped in taken {
            self.followed.skipped += 1;
            self.settle(skipped);
        }
        own
    }

    fn pass(&mut self, position: usize) {
        self.followed.in_order += 1;
        self.row += 1;
        if self.row.is_multiple_of(REGAINED) {
            self.halvings = self.halvings.saturating_sub(1);
        }
        self.settle(position);
    }

    fn settle(&mut self, position: usize) {
        self.settled[position] = true;
        self.advance();
    }

    fn advance(&mut self) {
        while self.settled.get(self.base) == Some(&true) {
            self.base += 1;
        }
    }
}

#[cfg(test)]
mod tests;
