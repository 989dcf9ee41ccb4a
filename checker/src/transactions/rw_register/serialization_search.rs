//! Looks for a serial order of transactions in which every read is right: depth-first search with backtracking.
//!
//! *Idea*: append transactions to the order one by one. A version may be overwritten only when every transaction that
//! read it is in the order, so few choices are left. A transaction that only reads is appended as soon as it fits,
//! which never hurts. Among writers, the one that completed first is tried first. A state that failed once is
//! remembered (memoization), by a 128-bit Zobrist hash.
//!
//! *Why it is right*: `Found` comes with an order, `Impossible` only after every choice was tried; with a budget the
//! answer is `GaveUp`. For snapshot isolation a transaction reads at one point and writes at a later one, and no
//! other transaction writes its keys between the two.
//!
//! *Cost*: exponential in the worst case (view serializability is NP-complete; Papadimitriou, JACM 1979), near-linear
//! where versions are nearly ordered.

use super::super::anomaly::Order;
use super::super::parse::{Access, Fate, NONE, small};
use super::super::time;
use super::Registers;
use crate::limits::Limits;
use rustc_hash::FxHashSet;
use std::ops::Range;

/// What is looked for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// The order beside the data that must be respected.
    pub(super) order: Order,
    /// Whether reads and writes of a transaction may be apart, as under snapshot isolation.
    pub(super) snapshots: bool,
    /// Which transactions count. With a reader goes its writer; one whose writes no transaction reads may be left out
    /// without making an order impossible.
    pub(super) among: &'a dyn Fn(u32) -> bool,
    /// Pairs of transactions of which the first must come before the second.
    pub(super) pairs: &'a [(u32, u32)],
    /// Each attempt tries the writers in another order; the first one in that of their completions.
    pub(super) attempt: u32,
    /// Transactions looked at before the search gives up.
    pub(super) looks: u64,
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// There is such an order.
    Found,
    /// There is none.
    Impossible,
    /// It took too long.
    GaveUp,
}

/// Looks for an order.
pub(super) fn search(registers: &Registers<'_>, wanted: &Wanted<'_>, limits: &Limits<'_>) -> Outcome {
    Search::new(registers, wanted).run(wanted.looks, limits)
}

#[derive(Debug)]
struct Entry {
    /// What it read before it wrote: indexes in `Search::reads`.
    reads: Range<usize>,
    /// What it left behind: indexes in `Search::writes`.
    writes: Range<usize>,
    invoked: usize,
    /// `usize::MAX` if its outcome is unknown.
    completed: usize,
    /// The indexes of those that must come after it.
    after: Vec<u32>,
    /// Of how many that must come before it the writes are still to be applied.
    waits: u32,
}

/// A doubly linked list of indexes, from which indexes are taken out and put back in reverse order.
#[derive(Debug)]
struct List {
    next: Vec<u32>,
    last: Vec<u32>,
}

impl List {
    /// The end, and the start, is the index after all others.
    fn new(sorted: &[u32], count: usize) -> Self {
        let end = small(count);
        let mut list = Self { next: vec![end; count + 1], last: vec![end; count + 1] };
        let mut before = end;
        for index in sorted {
            list.next[before as usize] = *index;
            list.last[*index as usize] = before;
            before = *index;
        }
        list.next[before as usize] = end;
        list.last[end as usize] = before;
        list
    }

    fn take(&mut self, index: u32) {
        let (last, next) = (self.last[index as usize], self.next[index as usize]);
        self.next[last as usize] = next;
        self.last[next as usize] = last;
    }

    fn put_back(&mut self, index: u32) {
        let (last, next) = (self.last[index as usize], self.next[index as usize]);
        self.next[last as usize] = index;
        self.last[next as usize] = index;
    }
}

/// What was done with a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Read,
    Write,
}

/// A choice that was made: the writer, and the length of the trail before it.
#[derive(Debug)]
struct Choice {
    index: u32,
    trail: usize,
    invoked: usize,
}

#[derive(Debug)]
struct Search {
    order: Order,
    snapshots: bool,
    entries: Vec<Entry>,
    /// Keys and versions. An element is a version, and so is what each key held at first.
    reads: Vec<(u32, u32)>,
    writes: Vec<(u32, u32)>,
    /// By version: those that only read, among them it.
    readers: Vec<Vec<u32>>,
    /// By version: how many have yet to read it.
    unread: Vec<u32>,
    /// By key: its version now.
    current: Vec<u32>,
    /// By key: who has read and not yet written it, or [`NONE`].
    held: Vec<u32>,
    /// By index: whether its reads were applied.
    begun: Vec<bool>,
    /// How many have been applied.
    done: usize,
    /// All that are left, by completion: none may go before its predecessors in real time.
    left: List,
    /// The writers that are left, in the order in which they are tried.
    writers: List,
    /// All, by invocation, and how many of these real time has let in.
    by_invocation: Vec<u32>,
    invoked: usize,
    trail: Vec<(u32, Part)>,
    replaced: Vec<u32>,
    to_look_at: Vec<u32>,
    state: u128,
    looks: u64,
}

impl Search {
    fn new(registers: &Registers<'_>, wanted: &Wanted<'_>) -> Self {
        let transactions = &registers.transactions;
        let keys = transactions.keys.len();
        let first = transactions.elements.len();
        let mut this = Self {
            order: wanted.order,
            snapshots: wanted.snapshots,
            entries: Vec::new(),
            reads: Vec::new(),
            writes: Vec::new(),
            readers: vec![Vec::new(); first + keys],
            unread: vec![0; first + keys],
            current: (small(first)..small(first + keys)).collect(),
            held: vec![NONE; keys],
            begun: Vec::new(),
            done: 0,
            left: List::new(&[], 0),
            writers: List::new(&[], 0),
            by_invocation: Vec::new(),
            invoked: 0,
            trail: Vec::new(),
            replaced: Vec::new(),
            to_look_at: Vec::new(),
            state: 0,
            looks: 0,
        };
        let mut index_of = vec![NONE; transactions.txns.len()];
        let mut seen = registers.seen.iter().peekable();
        for txn in (0..small(transactions.txns.len())).filter(|txn| registers.is_live(*txn)) {
            let reads = this.reads.len();
            while let Some(read) = seen.next_if(|seen| seen.txn <= txn) {
                let version = if read.version == NONE { small(first) + read.key } else { read.version };
                this.reads.push((read.key, version));
            }
            if (wanted.among)(txn) {
                index_of[txn as usize] = small(this.entries.len());
                this.enter(registers, txn, reads);
            } else {
                this.reads.truncate(reads);
            }
        }
        this.arrange(registers, &index_of, wanted);
        this
    }

    /// Enters a transaction whose reads begin at an index.
    fn enter(&mut self, registers: &Registers<'_>, txn: u32, reads: usize) {
        let transactions = &registers.transactions;
        let writes = self.writes.len();
        for step in transactions.steps_of(txn) {
            if let Access::Write(element) = step.access
                && transactions.elements[element as usize].last
            {
                self.writes.push((step.key, element));
            }
        }
        let index = small(self.entries.len());
        for (_, version) in &self.reads[reads..] {
            self.unread[*version as usize] += 1;
            if writes == self.writes.len() {
                self.readers[*version as usize].push(index);
            }
        }
        let about = &transactions.txns[txn as usize];
        self.entries.push(Entry {
            reads: reads..self.reads.len(),
            writes: writes..self.writes.len(),
            invoked: about.invoked,
            completed: if about.fate == Fate::Committed { about.completed } else { usize::MAX },
            after: Vec::new(),
            waits: 0,
        });
    }

    fn arrange(&mut self, registers: &Registers<'_>, index_of: &[u32], wanted: &Wanted<'_>) {
        let count = self.entries.len();
        self.begun = vec![false; count];
        let mut all: Vec<u32> = (0..small(count)).collect();
        all.sort_by_key(|index| self.entries[*index as usize].completed);
        self.left = List::new(&all, count);
        let due = self.due();
        all.sort_by_key(|index| self.entries[*index as usize].invoked);
        let mut writers: Vec<u32> =
            all.iter().copied().filter(|index| !self.entries[*index as usize].writes.is_empty()).collect();
        // Under real time the search ends at the first that was not invoked in time.
        if self.order != Order::RealTime {
            writers.sort_by_cached_key(|index| {
                due[*index as usize].saturating_add(delay(*index, wanted.attempt))
            });
        }
        self.writers = List::new(&writers, count);
        self.by_invocation = all;
        let index = |txn: u32| index_of[txn as usize];
        let issued = if self.order == Order::Process {
            time::processes(&registers.transactions, &|txn| index(txn) != NONE)
        } else {
            Vec::new()
        };
        for (before, after) in issued.iter().chain(wanted.pairs) {
            let (before, after) = (index(*before), index(*after));
            debug_assert!(before != NONE && after != NONE, "a pair names what is left out");
            self.entries[before as usize].after.push(after);
            self.entries[after as usize].waits += 1;
        }
        self.to_look_at = (0..small(count)).collect();
    }

    /// By index: by when its writes had certainly taken effect.
    fn due(&self) -> Vec<usize> {
        let mut read_by = vec![usize::MAX; self.unread.len()];
        for entry in &self.entries {
            for (_, version) in &self.reads[entry.reads.clone()] {
                let read_by = &mut read_by[*version as usize];
                *read_by = entry.completed.min(*read_by);
            }
        }
        let of = |entry: &Entry| {
            let read =
                self.writes[entry.writes.clone()].iter().map(|(_, version)| read_by[*version as usize]);
            read.min().unwrap_or(usize::MAX).min(entry.completed)
        };
        self.entries.iter().map(of).collect()
    }

    fn run(mut self, limit: u64, limits: &Limits<'_>) -> Outcome {
        let end = small(self.entries.len());
        let mut choices: Vec<Choice> = Vec::new();
        let mut met = FxHashSet::default();
        let mut asked = 0;
        let mut from = end;
        self.let_in();
        loop {
            if self.looks - asked > 100_000 {
                asked = self.looks;
                if self.looks > limit || limits.stopped() {
                    return Outcome::GaveUp;
                }
            }
            self.settle();
            if self.done == self.entries.len() {
                return Outcome::Found;
            }
            if let Some(index) = self.next_writer(from) {
                choices.push(Choice { index, trail: self.trail.len(), invoked: self.invoked });
                self.begin(index);
                if met.insert(self.state) {
                    from = end;
                    if met.len() >= limits.configurations {
                        return Outcome::GaveUp;
                    }
                    continue;
                }
            }
            // Every continuation from here was tried, or there is none: backtrack.
            let Some(choice) = choices.pop() else { return Outcome::Impossible };
            self.undo(&choice);
            from = choice.index;
        }
    }

    /// Applies every transaction that is safe to apply first: those that only read, and writes of snapshots.
    fn settle(&mut self) {
        while let Some(index) = self.to_look_at.pop() {
            if self.begun[index as usize] {
                if self.holds(index) && self.may_write(index, 0) {
                    self.write(index);
                }
            } else if self.entries[index as usize].writes.is_empty() && self.fits(index) {
                self.begin(index);
            }
        }
    }

    fn next_writer(&mut self, from: u32) -> Option<u32> {
        let end = small(self.entries.len());
        let mut index = self.writers.next[from as usize];
        while index != end {
            if self.order == Order::RealTime && !self.in_time(index) {
                return None;
            }
            if self.fits(index) {
                return Some(index);
            }
            index = self.writers.next[index as usize];
        }
        None
    }

    fn in_time(&self, index: u32) -> bool {
        self.entries[index as usize].invoked <= self.soonest()
    }

    /// The first completion of those that are left.
    fn soonest(&self) -> usize {
        let first = self.left.next[self.entries.len()];
        self.entries.get(first as usize).map_or(usize::MAX, |entry| entry.completed)
    }

    fn fits(&mut self, index: u32) -> bool {
        self.looks += 1;
        let entry = &self.entries[index as usize];
        entry.waits == 0
            && (self.order != Order::RealTime || self.in_time(index))
            && self.reads[entry.reads.clone()]
                .iter()
                .all(|(key, version)| self.current[*key as usize] == *version)
            && if self.snapshots {
                self.writes[entry.writes.clone()].iter().all(|(key, _)| self.held[*key as usize] == NONE)
            } else {
                self.may_write(index, 1)
            }
    }

    /// Whether no transaction has yet to read what this one replaces, other than itself.
    fn may_write(&self, index: u32, own: u32) -> bool {
        let entry = &self.entries[index as usize];
        self.writes[entry.writes.clone()].iter().all(|(key, _)| {
            let reads = &self.reads[entry.reads.clone()];
            let own = if reads.iter().any(|(read, _)| read == key) { own } else { 0 };
            self.unread[self.current[*key as usize] as usize] == own
        })
    }

    /// Whether it has read and not yet written.
    fn holds(&self, index: u32) -> bool {
        let mut writes = self.writes[self.entries[index as usize].writes.clone()].iter();
        writes.next().is_some_and(|(key, _)| self.held[*key as usize] == index)
    }

    fn begin(&mut self, index: u32) {
        self.begun[index as usize] = true;
        self.state ^= mark(index, NONE);
        self.trail.push((index, Part::Read));
        for at in self.entries[index as usize].reads.clone() {
            let (key, version) = self.reads[at];
            self.unread[version as usize] -= 1;
            if self.held[key as usize] != NONE {
                self.to_look_at.push(self.held[key as usize]);
            }
        }
        let writes = self.entries[index as usize].writes.clone();
        if !writes.is_empty() {
            self.writers.take(index);
        }
        if !self.snapshots || writes.is_empty() {
            self.write(index);
            return;
        }
        for at in writes {
            self.held[self.writes[at].0 as usize] = index;
        }
        self.to_look_at.push(index);
    }

    fn write(&mut self, index: u32) {
        self.state ^= mark(index, NONE - 1);
        self.trail.push((index, Part::Write));
        self.done += 1;
        self.left.take(index);
        for at in self.entries[index as usize].writes.clone() {
            let (key, version) = self.writes[at];
            let before = std::mem::replace(&mut self.current[key as usize], version);
            self.held[key as usize] = NONE;
            self.replaced.push(before);
            self.state ^= mark(key, before) ^ mark(key, version);
            self.to_look_at.extend(&self.readers[version as usize]);
        }
        for nth in 0..self.entries[index as usize].after.len() {
            let after = self.entries[index as usize].after[nth];
            self.entries[after as usize].waits -= 1;
            self.to_look_at.push(after);
        }
        self.let_in();
    }

    /// Looks at those that real time no longer keeps out.
    fn let_in(&mut self) {
        if self.order == Order::RealTime {
            let soonest = self.soonest();
            while let Some(index) = self.by_invocation.get(self.invoked)
                && self.entries[*index as usize].invoked <= soonest
            {
                self.to_look_at.push(*index);
                self.invoked += 1;
            }
        }
    }

    /// Takes a choice back, and all that followed from it.
    fn undo(&mut self, choice: &Choice) {
        self.to_look_at.clear();
        self.invoked = choice.invoked;
        while self.trail.len() > choice.trail {
            let (index, part) = self.trail.pop().expect("the trail is longer than it was at the choice");
            match part {
                Part::Read => self.undo_read(index),
                Part::Write => self.undo_write(index),
            }
        }
    }

    fn undo_read(&mut self, index: u32) {
        let writes = self.entries[index as usize].writes.clone();
        if !writes.is_empty() {
            self.writers.put_back(index);
        }
        for at in writes {
            self.held[self.writes[at].0 as usize] = NONE;
        }
        for at in self.entries[index as usize].reads.clone() {
            self.unread[self.reads[at].1 as usize] += 1;
        }
        self.state ^= mark(index, NONE);
        self.begun[index as usize] = false;
    }

    fn undo_write(&mut self, index: u32) {
        for nth in 0..self.entries[index as usize].after.len() {
            let after = self.entries[index as usize].after[nth];
            self.entries[after as usize].waits += 1;
        }
        for at in self.entries[index as usize].writes.clone().rev() {
            let (key, version) = self.writes[at];
            let before = self.replaced.pop().expect("each write replaced a version");
            self.current[key as usize] = before;
            if self.snapshots {
                self.held[key as usize] = index;
            }
            self.state ^= mark(key, before) ^ mark(key, version);
        }
        self.left.put_back(index);
        self.state ^= mark(index, NONE - 1);
        self.done -= 1;
    }
}

/// How much later than it was due a writer is tried, in events: up to a few at first, up to many later on.
fn delay(index: u32, attempt: u32) -> usize {
    let most = if attempt == 0 { 1 } else { 4usize << (attempt % 8) };
    (mark(index, attempt) as usize) % most
}

/// A fixed random number for a pair, so that the sum of the parts of a state identifies it.
fn mark(one: u32, other: u32) -> u128 {
    let mix = |seed: u64| {
        let mut bits = (u64::from(one) << 32 | u64::from(other)).wrapping_add(seed);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    };
    u128::from(mix(0x9e37_79b9_7f4a_7c15)) << 64 | u128::from(mix(0x3c6e_f372_fe94_f82a))
}
