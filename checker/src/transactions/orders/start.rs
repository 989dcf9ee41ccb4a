//! A first order of the transactions: known edges are respected, and reads as far as a greedy choice does.
//!
//! *Idea*: execute the transactions. Each is executed when all that must precede it was, preferably the one that took
//! effect first by the clock, and one whose writes would replace what others have yet to read waits for those. Where
//! all wait, the first goes on nevertheless. A history of a sound database seldom needs that.
//!
//! Logs of sessions have no common clock. Sessions of a benchmark advance at about the same rate, so how far a session
//! has come stands for the time.
//!
//! A read of a value that several have written waits until any of them has just written it. Who would replace such a
//! value waits for its readers only if it has no writers left.

use super::super::observed::Observed;
use super::super::parse::{Access, Fate, NONE, Transactions, small};
use super::encode::Problem;
use rustc_hash::{FxHashMap, FxHashSet};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The nodes in an order that respects the known edges. If these have a cycle, the entries on it.
pub(super) fn order(problem: &Problem, observed: &Observed<'_, '_>) -> Result<Vec<u32>, Vec<u32>> {
    let mut start = Start::new(problem, due(problem, observed));
    start.run();
    if start.order.len() == problem.nodes { Ok(start.order) } else { Err(start.cycle()) }
}

/// By entry: by when its writes had certainly taken effect.
fn due(problem: &Problem, observed: &Observed<'_, '_>) -> Vec<u32> {
    let transactions = observed.transactions;
    let clock = clock(transactions);
    let mut read_by = vec![NONE; transactions.elements.len()];
    for read in observed.reads.iter().filter(|read| read.version != NONE) {
        let completed = clock[read.txn as usize];
        let read_by = &mut read_by[read.version as usize];
        *read_by = completed.min(*read_by);
    }
    let of = |txn: &u32| {
        let own = if transactions.fate(*txn) == Fate::Committed { clock[*txn as usize] } else { NONE };
        transactions.steps_of(*txn).iter().fold(own, |due, step| match step.access() {
            Access::Write(element) => due.min(read_by[element as usize]),
            Access::Read(_) => due,
        })
    };
    problem.txns.iter().map(of).collect()
}

/// By transaction: when it completed. Where the history has one session behind the other, how far its session has come.
fn clock(transactions: &Transactions<'_>) -> Vec<u32> {
    let count = transactions.len();
    let mut lengths: FxHashMap<u64, usize> = FxHashMap::default();
    let mut runs = 0;
    let mut before = None;
    for txn in transactions.all() {
        let process = transactions.process(txn);
        *lengths.entry(process).or_default() += 1;
        runs += usize::from(before != Some(process));
        before = Some(process);
    }
    if runs != lengths.len() || 2 * runs > count {
        return transactions.all().map(|txn| transactions.completed(txn)).collect();
    }
    let mut ranks: FxHashMap<u64, usize> = FxHashMap::default();
    let progress = |txn: u32| {
        let process = transactions.process(txn);
        let rank = ranks.entry(process).or_default();
        *rank += 1;
        small(*rank * count / lengths[&process])
    };
    transactions.all().map(progress).collect()
}

type Queue = BinaryHeap<Reverse<(u32, u32)>>;

/// How many entries have yet to read a version, and the exclusive or of their numbers: of one, the number.
#[derive(Debug, Clone, Copy, Default)]
struct Unread {
    count: u32,
    entries: u32,
}

impl Unread {
    fn add(&mut self, entry: u32) {
        self.count += 1;
        self.entries ^= entry;
    }

    fn remove(&mut self, entry: u32) {
        self.count -= 1;
        self.entries ^= entry;
    }

    fn with(self, other: Self) -> Self {
        Self { count: self.count + other.count, entries: self.entries ^ other.entries }
    }
}

/// A value that several have written: who has yet to read it, how many have yet to write it, and who waits for that.
#[derive(Debug, Default)]
struct Repeated {
    readers: Unread,
    writers: u32,
    waiting: Vec<u32>,
}

/// The values that were written more than once, as far as they were read.
#[derive(Debug)]
struct Values {
    all: Vec<Repeated>,
    /// By key and index of a writer: its value, or [`NONE`].
    written: Vec<Vec<u32>>,
    /// By entry: the keys it read such a value of, and the values. Empty if there are none at all.
    read: Vec<Vec<(u32, u32)>>,
}

impl Values {
    fn new(problem: &Problem) -> Self {
        let mut this = Self {
            all: Vec::new(),
            written: problem.writers.iter().map(|writers| vec![NONE; writers.len()]).collect(),
            read: vec![Vec::new(); if problem.open.is_empty() { 0 } else { problem.txns.len() }],
        };
        for open in &problem.open {
            let written = &mut this.written[open.key as usize];
            let known =
                open.candidates.iter().map(|index| written[*index as usize]).find(|value| *value != NONE);
            let value = known.unwrap_or_else(|| {
                this.all.push(Repeated::default());
                small(this.all.len() - 1)
            });
            let about = &mut this.all[value as usize];
            for index in &open.candidates {
                let writes = &mut written[*index as usize];
                if *writes == NONE {
                    *writes = value;
                    about.writers += 1;
                }
            }
            about.readers.add(open.reader);
            this.read[open.reader as usize].push((open.key, value));
        }
        this
    }

    /// The value that a writer gave a key; [`NONE`] before any write and for values written once.
    fn of(&self, key: u32, index: u32) -> u32 {
        if index == NONE { NONE } else { self.written[key as usize][index as usize] }
    }

    /// The keys that an entry has yet to read such a value of, and the values.
    fn read(&self, entry: u32) -> &[(u32, u32)] {
        self.read.get(entry as usize).map_or(&[], Vec::as_slice)
    }

    /// Who must read the present value of a key before it is replaced.
    fn unread(&self, key: u32, index: u32) -> Unread {
        match self.of(key, index) {
            NONE => Unread::default(),
            value => {
                let about = &self.all[value as usize];
                if about.writers == 0 { about.readers } else { Unread::default() }
            }
        }
    }
}

struct Start<'p> {
    problem: &'p Problem,
    values: Values,
    due: Vec<u32>,
    /// By node: how many known edges lead into it from nodes without a position.
    waits: Vec<u32>,
    placed: Vec<bool>,
    order: Vec<u32>,
    ready: Queue,
    parked: Queue,
    /// By key: the index of the writer whose version is there, or [`NONE`].
    current: Vec<u32>,
    /// By key: who have yet to read its versions; the first is the initial one.
    unread: Vec<Vec<Unread>>,
    /// By key: who wait until its version may be replaced. One at a time is woken.
    blocked: Vec<Queue>,
    /// By key: who has read and not yet written, where only one may.
    held: Vec<u32>,
}

impl<'p> Start<'p> {
    fn new(problem: &'p Problem, due: Vec<u32>) -> Self {
        let mut waits = vec![0; problem.nodes];
        for (_, to) in problem.edges.iter() {
            waits[to as usize] += 1;
        }
        let keys = problem.writers.len();
        let mut unread: Vec<Vec<Unread>> =
            problem.writers.iter().map(|writers| vec![Unread::default(); writers.len() + 1]).collect();
        for (entry, (key, index)) in problem.all_reads() {
            unread[key as usize][index.wrapping_add(1) as usize].add(entry);
        }
        Self {
            values: Values::new(problem),
            due,
            waits,
            placed: vec![false; problem.nodes],
            order: Vec::with_capacity(problem.nodes),
            ready: Queue::new(),
            parked: Queue::new(),
            current: vec![NONE; keys],
            unread,
            blocked: (0..keys).map(|_| Queue::new()).collect(),
            held: vec![NONE; keys],
            problem,
        }
    }

    fn run(&mut self) {
        for node in 0..small(self.problem.nodes) {
            if self.waits[node as usize] == 0 {
                self.now_ready(node);
            }
        }
        loop {
            if let Some(Reverse((_, node))) = self.ready.pop() {
                if !self.placed[node as usize] && !self.attempt(node) {
                    self.parked.push(Reverse((self.due_of(node), node)));
                }
            } else if let Some(Reverse((_, node))) = self.parked.pop() {
                if !self.placed[node as usize] {
                    self.place(node);
                }
            } else {
                return;
            }
        }
    }

    /// The entries on a cycle: each node without a position has one such before it.
    fn cycle(&self) -> Vec<u32> {
        let mut before = vec![NONE; self.problem.nodes];
        for (from, to) in self.problem.edges.iter() {
            if !self.placed[from as usize] {
                before[to as usize] = from;
            }
        }
        let first = (0..small(self.problem.nodes)).find(|node| !self.placed[*node as usize]);
        let mut node = first.expect("a node has no position");
        for _ in 0..self.problem.nodes {
            node = before[node as usize];
        }
        let mut entries = FxHashSet::default();
        let end = node;
        loop {
            entries.extend(self.problem.entry(node));
            node = before[node as usize];
            if node == end {
                return self.problem.with_sources(entries);
            }
        }
    }

    fn due_of(&self, node: u32) -> u32 {
        self.problem.entry(node).map_or(0, |entry| self.due[entry as usize])
    }

    fn now_ready(&mut self, node: u32) {
        self.ready.push(Reverse((self.due_of(node), node)));
    }

    /// Executes it unless that would replace what others have yet to read.
    fn attempt(&mut self, node: u32) -> bool {
        let Some(entry) = self.problem.entry(node) else {
            self.place(node);
            return true;
        };
        let commit = entry + self.problem.commit;
        if node == commit {
            let may = self.may_write(entry, self.problem.commit == 0);
            if may {
                self.place(node);
            }
            return may;
        }
        if let Some(value) = self.awaits(entry) {
            self.values.all[value as usize].waiting.push(node);
            return false;
        }
        let problem = self.problem;
        let writes = problem.writes(entry);
        if writes.is_empty() {
            self.place(node);
            return true;
        }
        if self.problem.means.apart()
            && let Some((key, _)) = writes.iter().find(|(key, _)| self.held[*key as usize] != NONE)
        {
            self.block(*key, node, entry);
            return false;
        }
        let may = self.waits[commit as usize] == 1 && self.may_write(entry, true);
        if may {
            self.place(node);
            self.place(commit);
        }
        may
    }

    /// A value that an entry read and that is not there.
    fn awaits(&self, entry: u32) -> Option<u32> {
        let read = self.values.read(entry).iter();
        let mut missing =
            read.filter(|(key, value)| self.values.of(*key, self.current[*key as usize]) != *value);
        missing.next().map(|(_, value)| *value)
    }

    /// Whether all have read what it replaces; it may itself be about to.
    fn may_write(&mut self, entry: u32, reads_too: bool) -> bool {
        let problem = self.problem;
        for (key, _) in problem.writes(entry) {
            let current = self.current[*key as usize];
            let value = self.values.of(*key, current);
            let repeated = value != NONE && self.values.read(entry).contains(&(*key, value));
            let own = reads_too && (repeated || problem.reads(entry).contains(&(*key, current)));
            if self.unread_of(*key).count > u32::from(own) {
                let node = if reads_too { entry } else { entry + self.problem.commit };
                self.block(*key, node, entry);
                return false;
            }
        }
        true
    }

    /// Lets a node wait for a key, and another of the node's other keys go on in its place.
    fn block(&mut self, key: u32, node: u32, entry: u32) {
        let due = self.due_of(node);
        self.blocked[key as usize].push(Reverse((due, node)));
        let problem = self.problem;
        for (other, _) in problem.writes(entry) {
            if *other != key && self.unread_of(*other).count == 0 && self.held[*other as usize] == NONE {
                self.wake(*other);
            }
        }
    }

    fn place(&mut self, node: u32) {
        if std::mem::replace(&mut self.placed[node as usize], true) {
            return;
        }
        self.order.push(node);
        if let Some(entry) = self.problem.entry(node) {
            self.execute(entry, node);
        }
        let problem = self.problem;
        for to in problem.edges.of(node).iter().copied() {
            self.waits[to as usize] -= 1;
            if self.waits[to as usize] == 0 {
                self.now_ready(to);
            } else if self.problem.commit > 0
                && self.waits[to as usize] == 1
                && let Some(entry) = self.problem.entry(to)
                && to != entry
                && self.waits[entry as usize] == 0
                && !self.placed[entry as usize]
            {
                // Only its own reads hold its writes back.
                self.now_ready(entry);
            }
        }
    }

    fn execute(&mut self, entry: u32, node: u32) {
        let problem = self.problem;
        if node == entry {
            for (key, index) in problem.reads(entry) {
                self.unread[*key as usize][index.wrapping_add(1) as usize].remove(entry);
                self.wake(*key);
            }
            for (key, value) in
                self.values.read.get_mut(entry as usize).map(std::mem::take).unwrap_or_default()
            {
                self.values.all[value as usize].readers.remove(entry);
                self.wake(key);
            }
            if problem.means.apart() {
                for (key, _) in problem.writes(entry) {
                    self.held[*key as usize] = entry;
                }
            }
        }
        if node == entry + problem.commit {
            for (key, index) in problem.writes(entry) {
                self.current[*key as usize] = *index;
                self.held[*key as usize] = NONE;
                self.wake_readers(*key, *index);
                self.wake(*key);
            }
        }
    }

    /// Lets those go on, before all others, who wait for the value that was just written.
    fn wake_readers(&mut self, key: u32, index: u32) {
        let value = self.values.of(key, index);
        if value == NONE {
            return;
        }
        let about = &mut self.values.all[value as usize];
        about.writers -= 1;
        for node in std::mem::take(&mut about.waiting) {
            if !self.placed[node as usize] {
                self.ready.push(Reverse((0, node)));
            }
        }
    }

    /// Who must read what a key holds now before it is replaced.
    fn unread_of(&self, key: u32) -> Unread {
        let current = self.current[key as usize];
        let unread = self.unread[key as usize][current.wrapping_add(1) as usize];
        unread.with(self.values.unread(key, current))
    }

    /// Makes the first that waits for the key ready, or the only one that has yet to read it, which may replace it.
    fn wake(&mut self, key: u32) {
        let unread = self.unread_of(key);
        let holder = self.held[key as usize];
        let only = match (unread.count, holder) {
            (0, NONE) => None,
            (0, holder) => Some(holder + self.problem.commit),
            (1, NONE) => Some(unread.entries),
            (_, _) => return,
        };
        if let Some(node) = only {
            if self.waits[node as usize] == 0 && !self.placed[node as usize] {
                self.now_ready(node);
            }
            return;
        }
        while let Some(Reverse((due, node))) = self.blocked[key as usize].pop() {
            if !self.placed[node as usize] {
                self.ready.push(Reverse((due, node)));
                return;
            }
        }
    }
}
