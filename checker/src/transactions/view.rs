//! Decides the models that say which writes a transaction must see: monotonic atomic view, read atomic, causal, and the
//! session guarantees.
//!
//! *Problem*: a transaction reads a key from one writer although it must see another writer of that key. Is that right
//! for some order of the versions?
//!
//! *Idea*: it is only if the other writer's version came before the one that was read. That is an edge between the two.
//! The model holds if these edges, together with reads of writes and the order beside the data, have no cycle.
//!
//! *Why it is right*: a cycle leaves no order of the versions; without one, a topological order of all transactions is
//! such an order.
//!
//! *Cost*: near-linear for what a transaction itself has read; for what comes before it, times the number of processes,
//! since of each process only the last writer of a key counts.
//!
//! *Source*: Biswas and Enea, "On the complexity of checking transactional consistency" (OOPSLA 2019); Møldrup and
//! Pavlogiannis, "AWDIT" (PLDI 2025).

use super::anomaly::{Order, View};
use super::causes::Causes;
use super::observed::{Observed, Seen};
use super::parse::{Access, Fate, NONE, small};
use super::writers::Writers;
use crate::limits::Limits;
use rustc_hash::{FxHashMap, FxHashSet};
use std::ops::Range;

/// The most edges and clock entries for each configuration that the limits allow.
const PER_CONFIGURATION: usize = 25;

/// A writer whose version must have come before the one that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Missed {
    /// The writer that had to be seen.
    pub(super) writer: u32,
    /// The writer whose version was read instead, or [`NONE`] for what was there at first.
    pub(super) instead: u32,
    /// The read, by its index; [`NONE`] where a session guarantee orders two writes.
    pub(super) read: u32,
}

/// Which pairs are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Without those whose order follows from reads of writes and the order of processes, where that is known. A cycle
    /// with one of them has another pair, as that order has no cycle: if these show no cycle, no others do.
    News,
    /// All of them, so that the shortest cycle is found.
    All,
}

/// Whether a view has pairs whose order is known without it.
pub(super) fn has_known_pairs(view: View) -> bool {
    view == View::Causes
}

/// The pairs that a view orders; none if the limits ended it.
pub(super) fn missed(
    observed: &Observed<'_, '_>,
    view: View,
    extent: Extent,
    limits: &Limits<'_>,
) -> Option<Vec<Missed>> {
    let mut search = Search::new(observed, limits);
    match view {
        View::Monotonic => search.within(true),
        View::Atomic => search.within(false),
        View::AtomicOfSession => {
            search.within(false);
            search.own_writes(true);
        }
        View::OwnWrites => search.own_writes(false),
        View::OwnReads => search.own_reads(),
        View::WritesOfWriter => search.writes_of_writer(),
        View::ReadsOfWriter => search.reads_of_writer(),
        View::Causes => search.causes(extent),
    }
    (!search.full).then_some(search.found)
}

/// Which order beside the data belongs to the cycles of a view.
pub(super) fn is_ordered(view: View, order: Order) -> bool {
    order != Order::Data || matches!(view, View::AtomicOfSession | View::Causes)
}

struct Search<'o, 't, 'a> {
    observed: &'o Observed<'t, 'a>,
    limits: &'o Limits<'o>,
    /// By transaction: its reads.
    reads: Vec<Range<usize>>,
    /// By transaction: the keys it wrote, sorted.
    written: Vec<Range<usize>>,
    keys: Vec<u32>,
    /// By transaction: its session, and its index there.
    session: Vec<(u32, u32)>,
    /// By session: its transactions in their order.
    sessions: Vec<Vec<u32>>,
    /// By transaction: the session of its process, and how many of that precede it.
    issued: Vec<(u32, u32)>,
    found: Vec<Missed>,
    known: FxHashSet<(u32, u32)>,
    full: bool,
}

impl<'o, 't, 'a> Search<'o, 't, 'a> {
    fn new(observed: &'o Observed<'t, 'a>, limits: &'o Limits<'o>) -> Self {
        let count = observed.live.len();
        let mut this = Self {
            observed,
            limits,
            reads: vec![0..0; count],
            written: vec![0..0; count],
            keys: Vec::new(),
            session: vec![(NONE, 0); count],
            sessions: Vec::new(),
            issued: vec![(NONE, 0); count],
            found: Vec::new(),
            known: FxHashSet::default(),
            full: false,
        };
        for (index, read) in observed.reads.iter().enumerate() {
            let range = &mut this.reads[read.txn as usize];
            if range.start == range.end {
                *range = index..index;
            }
            range.end = index + 1;
        }
        for txn in (0..small(count)).filter(|txn| observed.live[*txn as usize]) {
            let start = this.keys.len();
            for step in observed.transactions.steps_of(txn) {
                if matches!(step.access(), Access::Write(_)) {
                    this.keys.push(step.key());
                }
            }
            this.keys[start..].sort_unstable();
            this.written[txn as usize] = start..this.keys.len();
        }
        this.add_sessions();
        this
    }

    /// Each process is a session. A transaction of unknown outcome may take effect later than those its process issued
    /// afterwards, so it has a session of its own.
    fn add_sessions(&mut self) {
        let transactions = self.observed.transactions;
        let mut all: Vec<u32> =
            (0..small(self.session.len())).filter(|txn| self.observed.live[*txn as usize]).collect();
        all.sort_by_key(|txn| transactions.invoked(*txn));
        let mut numbers: FxHashMap<(u64, u32), u32> = FxHashMap::default();
        for txn in all {
            let number = *numbers.entry(transactions.session(txn)).or_insert_with(|| {
                self.sessions.push(Vec::new());
                small(self.sessions.len() - 1)
            });
            let before = small(self.sessions[number as usize].len());
            self.issued[txn as usize] = (number, before);
            if transactions.fate(txn) == Fate::Committed {
                self.session[txn as usize] = (number, before);
                self.sessions[number as usize].push(txn);
            } else {
                self.session[txn as usize] = (small(self.sessions.len()), 0);
                self.sessions.push(vec![txn]);
            }
        }
    }

    /// The session of its process, and up to where that has read before it wrote.
    fn read_before(&self, txn: u32) -> (u32, u32) {
        let (session, before) = self.issued[txn as usize];
        let committed = self.observed.transactions.fate(txn) == Fate::Committed;
        (session, before + u32::from(committed))
    }

    fn writer(&self, read: &Seen) -> u32 {
        if read.version == NONE { NONE } else { self.observed.transactions.writer(read.version) }
    }

    fn is_live(&self, txn: u32) -> bool {
        txn != NONE && self.observed.live[txn as usize]
    }

    fn live(&self) -> Vec<u32> {
        (0..small(self.session.len())).filter(|txn| self.is_live(*txn)).collect()
    }

    fn written(&self, txn: u32) -> &[u32] {
        &self.keys[self.written[txn as usize].clone()]
    }

    fn reads_of(&self, txn: u32) -> &'o [Seen] {
        &self.observed.reads[self.reads[txn as usize].clone()]
    }

    fn committed(&self) -> impl Iterator<Item = u32> + use<'t, 'a> {
        self.observed.transactions.committed()
    }

    /// A read from one writer that must see another.
    fn miss(&mut self, writer: u32, read: usize) {
        let instead = self.writer(&self.observed.reads[read]);
        // What nobody wrote, or somebody who failed, is reported by itself.
        let odd = instead != NONE && !self.is_live(instead);
        let unwritten = instead == NONE && self.observed.reads[read].version != NONE;
        if writer == self.observed.reads[read].txn || odd || unwritten {
            return;
        }
        self.order(Missed { writer, instead, read: small(read) });
    }

    fn order(&mut self, missed: Missed) {
        if missed.writer != missed.instead && self.known.insert((missed.writer, missed.instead)) {
            self.found.push(missed);
            self.full |= self.found.len() / PER_CONFIGURATION > self.limits.configurations;
        }
    }

    fn stopped(&mut self, txn: u32) -> bool {
        self.full |= txn.is_multiple_of(1024) && self.limits.stopped();
        self.full
    }

    /// All whom a transaction reads from, for all its reads or for those that come later.
    fn within(&mut self, later: bool) {
        // By key: the last transaction that read it, and its last read. By read: the one before it in its transaction.
        let mut last: Vec<(u32, u32)> = vec![(NONE, 0); self.observed.transactions.keys.len()];
        let mut before: Vec<u32> = vec![NONE; self.observed.reads.len()];
        let mut sources: Vec<(u32, usize)> = Vec::new();
        for txn in self.committed() {
            if self.stopped(txn) {
                return;
            }
            sources.clear();
            for index in self.reads[txn as usize].clone() {
                let read = self.observed.reads[index];
                let of_key = &mut last[read.key() as usize];
                if of_key.0 == txn {
                    before[index] = of_key.1;
                }
                *of_key = (txn, small(index));
                let writer = self.writer(&read);
                if self.is_live(writer) {
                    sources.push((writer, index));
                }
            }
            // Of each writer, the first read.
            sources.sort_unstable();
            sources.dedup_by_key(|(writer, _)| *writer);
            for (writer, first) in sources.iter().copied() {
                if self.written(writer).len() > 4 * self.reads[txn as usize].len() {
                    for index in self.reads[txn as usize].clone() {
                        let key = self.observed.reads[index].key();
                        if (!later || index > first) && self.written(writer).binary_search(&key).is_ok() {
                            self.miss(writer, index);
                        }
                    }
                    continue;
                }
                for at in self.written[writer as usize].clone() {
                    let (owner, mut index) = last[self.keys[at] as usize];
                    while owner == txn && index != NONE && (!later || index as usize > first) {
                        self.miss(writer, index as usize);
                        index = before[index as usize];
                    }
                }
            }
        }
    }

    /// The writers of each key, session by session.
    fn writers(&self) -> Writers {
        // The keys of a transaction are sorted.
        let keys_of = |txn: &u32| {
            let keys = self.written(*txn);
            (0..keys.len()).filter(move |at| *at == 0 || keys[at - 1] != keys[*at]).map(move |at| keys[at])
        };
        let keys = self.observed.transactions.keys.len();
        let all = (0..).zip(&self.sessions).flat_map(|(session, txns)| {
            let by_index = (0..).zip(txns);
            by_index.flat_map(move |(index, txn)| keys_of(txn).map(move |key| (key, session, index)))
        });
        Writers::new(keys, all)
    }

    /// What its process wrote before; only the last of each key, where the others precede that one anyway.
    fn own_writes(&mut self, only_last: bool) {
        let writers = self.writers();
        for txn in self.committed() {
            if self.stopped(txn) {
                return;
            }
            let (session, own) = self.issued[txn as usize];
            for index in self.reads[txn as usize].clone() {
                let key = self.observed.reads[index].key();
                let writers = writers.of(key, session);
                let end = writers.partition_point(|at| *at < own);
                let start = if only_last { end.saturating_sub(1) } else { 0 };
                for at in &writers[start..end] {
                    self.miss(self.sessions[session as usize][*at as usize], index);
                }
            }
        }
    }

    /// What its process read from before: each writer once, with the index of the first reader.
    fn sources(&self) -> FxHashMap<(u32, u32), Vec<(u32, u32)>> {
        let mut sources: FxHashMap<(u32, u32), Vec<(u32, u32)>> = FxHashMap::default();
        for (number, session) in (0..).zip(&self.sessions) {
            let mut met = FxHashSet::default();
            for (index, txn) in (0..).zip(session) {
                for read in self.reads_of(*txn) {
                    let writer = self.writer(read);
                    if !self.is_live(writer) || !met.insert(writer) {
                        continue;
                    }
                    let mut keys = self.written(writer).to_vec();
                    keys.dedup();
                    for key in keys {
                        sources.entry((number, key)).or_default().push((index, writer));
                    }
                }
            }
        }
        sources
    }

    fn own_reads(&mut self) {
        let sources = self.sources();
        for txn in self.committed() {
            if self.stopped(txn) {
                return;
            }
            let (session, own) = self.issued[txn as usize];
            for index in self.reads[txn as usize].clone() {
                let key = self.observed.reads[index].key();
                let Some(sources) = sources.get(&(session, key)) else { continue };
                for (_, writer) in sources.iter().take_while(|(at, _)| *at < own) {
                    self.miss(*writer, index);
                }
            }
        }
    }

    /// What the process of a writer it reads from had written before.
    fn writes_of_writer(&mut self) {
        let writers = self.writers();
        // A process's writes to a key stay in their order.
        for txn in self.live() {
            let (session, own) = self.issued[txn as usize];
            for at in self.written[txn as usize].clone() {
                let of_key = writers.of(self.keys[at], session);
                let end = of_key.partition_point(|at| *at < own);
                for at in &of_key[end.saturating_sub(1)..end] {
                    let writer = self.sessions[session as usize][*at as usize];
                    self.order(Missed { writer, instead: txn, read: NONE });
                }
            }
        }
        for txn in self.committed() {
            if self.stopped(txn) {
                return;
            }
            for from in self.writers_read(txn) {
                let (session, own) = self.issued[from as usize];
                for index in self.reads[txn as usize].clone() {
                    let key = self.observed.reads[index].key();
                    let writers = writers.of(key, session);
                    let end = writers.partition_point(|at| *at < own);
                    // The earlier ones precede the last; the reader need not see itself.
                    let before = writers[..end].iter().rev();
                    let mut others = before.map(|at| self.sessions[session as usize][*at as usize]);
                    if let Some(last) = others.find(|writer| *writer != txn) {
                        self.miss(last, index);
                    }
                }
            }
        }
    }

    /// What the process of a writer it reads from had read.
    fn reads_of_writer(&mut self) {
        let sources = self.sources();
        for txn in self.live() {
            let (session, end) = self.read_before(txn);
            for at in self.written[txn as usize].clone() {
                let Some(sources) = sources.get(&(session, self.keys[at])) else { continue };
                for (_, writer) in sources.iter().take_while(|(at, _)| *at < end) {
                    self.order(Missed { writer: *writer, instead: txn, read: NONE });
                }
            }
        }
        for txn in self.committed() {
            if self.stopped(txn) {
                return;
            }
            for from in self.writers_read(txn) {
                let (session, end) = self.read_before(from);
                for index in self.reads[txn as usize].clone() {
                    let key = self.observed.reads[index].key();
                    let Some(sources) = sources.get(&(session, key)) else { continue };
                    for (_, writer) in sources.iter().take_while(|(at, _)| *at < end) {
                        self.miss(*writer, index);
                    }
                }
            }
        }
    }

    fn writers_read(&self, txn: u32) -> Vec<u32> {
        let mut writers: Vec<u32> = self
            .reads_of(txn)
            .iter()
            .map(|read| self.writer(read))
            .filter(|writer| self.is_live(*writer))
            .collect();
        writers.sort_unstable();
        writers.dedup();
        writers
    }

    /// All that comes before it in the orders of processes and over reads of writes.
    fn causes(&mut self, extent: Extent) {
        let count = self.sessions.len();
        if count * self.session.len() / PER_CONFIGURATION > self.limits.configurations {
            self.full = true;
            return;
        }
        let writers = self.writers();
        let causes = self.direct_causes();
        // By transaction and process: how many of the process's come before it, or are it.
        let mut clocks: Vec<u32> = vec![0; count * self.session.len()];
        let mut clock = vec![0; count];
        for txn in causes.first(&self.live()) {
            if self.stopped(txn) {
                return;
            }
            clock.fill(0);
            for from in causes.of(txn) {
                let of_from = &clocks[*from as usize * count..][..count];
                clock.iter_mut().zip(of_from).for_each(|(own, from)| *own = (*own).max(*from));
            }
            for index in self.reads[txn as usize].clone() {
                let read = self.observed.reads[index];
                let instead = self.writer(&read);
                let known = (extent == Extent::News && self.is_live(instead))
                    .then(|| &clocks[instead as usize * count..][..count]);
                for (session, of_key) in writers.by_session(read.key()) {
                    let session = session as usize;
                    let known = known.map_or(0, |known| known[session]);
                    if known >= clock[session] {
                        continue;
                    }
                    let end = of_key.partition_point(|at| *at < clock[session]);
                    let Some(last) = end.checked_sub(1).map(|last| of_key[last]) else { continue };
                    if known <= last {
                        self.miss(self.sessions[session][last as usize], index);
                    }
                }
            }
            let (session, own) = self.session[txn as usize];
            clock[session as usize] = own + 1;
            clocks[txn as usize * count..][..count].copy_from_slice(&clock);
        }
    }

    /// The one that its process issued before, if it is known to have ended.
    fn before_in_process(&self, txn: u32) -> Option<u32> {
        let (session, before) = self.issued[txn as usize];
        before.checked_sub(1).map(|before| self.sessions[session as usize][before as usize])
    }

    /// What each transaction follows directly: those it reads from, and the one before it in its process.
    fn direct_causes(&self) -> Causes {
        let mut causes = Causes::default();
        for txn in 0..small(self.session.len()) {
            let live = self.is_live(txn).then_some(txn).into_iter();
            let before = live.clone().filter_map(|txn| self.before_in_process(txn));
            let all = live.flat_map(|txn| self.writers_read(txn)).chain(before);
            causes.push(all.filter(|cause| *cause != txn));
        }
        causes
    }
}
