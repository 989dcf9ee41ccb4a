//! Which order is looked for, as a graph: what is known of it, and what each choice would add.
//!
//! A transaction is one node, or two where it reads at one moment and writes at a later one. A known edge leads from
//! each writer to its readers. Open is which of two writers of a key comes first. If the first does, then so does every
//! reader of its version: an anti-dependency.
//!
//! Where several transactions read a version, a helper node (a *gate*) stands between them and those that must come
//! later, so that the number of edges stays linear.

use super::super::anomaly::{Means, Order};
use super::super::lists::Lists;
use super::super::observed::Observed;
use super::super::parse::{Access, NONE, small};
use super::super::time;
use super::prune::Known;
use rustc_hash::FxHashSet;

/// Who read one version of a key, by the nodes of their reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Version<'p> {
    /// The one node that comes after all readers, or [`NONE`]: those that write later must come after it.
    pub(super) gate: u32,
    /// Readers that also wrote the key, where reads and writes are one node.
    pub(super) updaters: &'p [u32],
    /// Readers that may miss a later write, as long as nothing leads from that write to them.
    pub(super) guards: &'p [u32],
}

/// The versions of all keys.
#[derive(Debug)]
struct Versions {
    /// By key: the number of what it held before any write; the versions of its writers follow.
    first: Vec<u32>,
    /// By version: what [`Version`] says.
    gates: Vec<u32>,
    updaters: Lists<u32>,
    guards: Lists<u32>,
}

impl Versions {
    fn new(writers: &[Vec<u32>]) -> Self {
        let mut count = 0;
        let mut first = Vec::with_capacity(writers.len());
        for of_key in writers {
            first.push(count);
            count += 1 + small(of_key.len());
        }
        let none = Lists::new(count as usize, std::iter::empty());
        Self { first, gates: vec![NONE; count as usize], updaters: none.clone(), guards: none }
    }

    /// The number of a version: what a writer wrote, or [`NONE`] for what was there before.
    fn number(&self, key: u32, index: u32) -> u32 {
        self.first[key as usize] + index.wrapping_add(1)
    }
}

/// A read of one of several versions.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) reader: u32,
    pub(super) key: u32,
    /// By candidate: its index among the writers of the key.
    pub(super) candidates: Vec<u32>,
}

/// What is looked for.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) means: Means,
    /// By entry: the transaction.
    pub(super) txns: Vec<u32>,
    /// By entry: the keys it wrote, each with its index among the key's writers.
    writes: Lists<(u32, u32)>,
    /// By entry: the keys it read first, each with the index of the writer among the key's writers, or [`NONE`].
    reads: Lists<(u32, u32)>,
    /// By node of reads or writes: its entry. Helper nodes follow.
    pub(super) nodes: usize,
    /// What is added to an entry to have the node of its writes.
    pub(super) commit: u32,
    /// The known edges: by node, the nodes that must come after it, sorted.
    pub(super) edges: Lists<u32>,
    /// Edges that are yet to be put among these.
    new_edges: Vec<(u32, u32)>,
    /// By key: the entries that wrote it.
    pub(super) writers: Vec<Vec<u32>>,
    versions: Versions,
    /// Reads of values that were written more than once.
    pub(super) open: Vec<Open>,
}

/// How a reader counts that missed a later write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// It comes before the writer.
    Precedes,
    /// Nothing may lead from the writer to it.
    Unreached,
    /// It says nothing.
    Allowed,
}

impl Means {
    /// Whether a transaction reads at one moment and writes at a later one.
    pub(super) fn two_moments(self) -> bool {
        matches!(self, Self::Snapshots | Self::Prefixes)
    }

    /// Whether of two writers of a key the first has written before the second reads.
    pub(super) fn apart(self) -> bool {
        self == Self::Snapshots
    }

    /// Whether a read may be of one of several versions.
    pub(in super::super) fn may_choose(self) -> bool {
        matches!(self, Self::OneByOne | Self::Snapshots | Self::Prefixes)
    }

    /// Whether all writers of a key must have an order that is known.
    pub(super) fn needs_versions(self) -> bool {
        matches!(self, Self::Causes | Self::UpdatesOneByOne)
    }

    fn missing(self, writes_any: bool, writes_key: bool) -> Missing {
        match self {
            Self::OneByOne | Self::Snapshots | Self::Prefixes => Missing::Precedes,
            Self::Updates if writes_key => Missing::Precedes,
            Self::Updates => Missing::Allowed,
            Self::UpdatesOneByOne if writes_any => Missing::Precedes,
            Self::UpdatesOneByOne | Self::Causes => Missing::Unreached,
        }
    }
}

impl Problem {
    pub(super) fn new(
        observed: &Observed<'_, '_>,
        means: Means,
        order: Order,
        among: &dyn Fn(u32) -> bool,
    ) -> Self {
        let keys = observed.transactions.keys.len();
        let txns: Vec<u32> = (0..small(observed.live.len()))
            .filter(|txn| observed.live[*txn as usize] && among(*txn))
            .collect();
        let count = small(txns.len());
        let mut entry_of = vec![NONE; observed.live.len()];
        for (entry, txn) in (0..).zip(&txns) {
            entry_of[*txn as usize] = entry;
        }
        let two = means.two_moments();
        let mut this = Self {
            means,
            writes: Lists::new(0, std::iter::empty()),
            reads: Lists::new(0, std::iter::empty()),
            nodes: if two { 2 * txns.len() } else { txns.len() },
            commit: if two { count } else { 0 },
            edges: Lists::new(0, std::iter::empty()),
            new_edges: Vec::new(),
            writers: vec![Vec::new(); keys],
            versions: Versions::new(&[]),
            open: Vec::new(),
            txns,
        };
        if two {
            this.new_edges.extend((0..count).map(|entry| (entry, entry + count)));
        }
        this.add_writes(observed, &entry_of);
        this.add_reads(observed, &entry_of);
        this.add_choices(observed, &entry_of);
        this.add_chains(observed, &entry_of);
        this.add_order(observed, order, &entry_of);
        this.sort_edges();
        this
    }

    /// Whether a node is a transaction's, and which one's.
    pub(super) fn entry(&self, node: u32) -> Option<u32> {
        let count = small(self.txns.len());
        if node < count { Some(node) } else { (node < count + self.commit).then(|| node - count) }
    }

    /// The keys an entry wrote, each with its index among the key's writers.
    pub(super) fn writes(&self, entry: u32) -> &[(u32, u32)] {
        self.writes.of(entry)
    }

    /// The keys an entry read first, each with the index of the writer among the key's writers, or [`NONE`].
    pub(super) fn reads(&self, entry: u32) -> &[(u32, u32)] {
        self.reads.of(entry)
    }

    /// All reads, with the entries that made them.
    pub(super) fn all_reads(&self) -> impl Iterator<Item = (u32, (u32, u32))> + Clone {
        self.reads.iter()
    }

    /// Who read what a writer wrote to a key, or what was there before any write.
    pub(super) fn version(&self, key: u32, index: u32) -> Version<'_> {
        self.numbered(self.versions.number(key, index))
    }

    fn numbered(&self, version: u32) -> Version<'_> {
        let Versions { gates, updaters, guards, .. } = &self.versions;
        Version { gate: gates[version as usize], updaters: updaters.of(version), guards: guards.of(version) }
    }

    /// The transactions of entries.
    pub(super) fn txns_of(&self, entries: &[u32]) -> Vec<u32> {
        entries.iter().map(|entry| self.txns[*entry as usize]).collect()
    }

    /// The node of what a transaction does first, as far as writers of the same key are concerned.
    pub(super) fn start(&self, entry: u32) -> u32 {
        if self.means.apart() { entry } else { entry + self.commit }
    }

    /// The edges that follow if of two writers the first comes first.
    pub(super) fn implied(&self, first: u32, second: u32, into: &mut Vec<(u32, u32)>) {
        into.push((first + self.commit, self.start(second)));
        let write = second + self.commit;
        for (key, index) in self.writes(first) {
            if !self.writes(second).iter().any(|(other, _)| other == key) {
                continue;
            }
            let version = self.version(*key, *index);
            if version.gate != NONE {
                into.push((version.gate, write));
            }
            into.extend(
                version.updaters.iter().filter(|reader| **reader != write).map(|reader| (*reader, write)),
            );
        }
    }

    /// Adds the writers of what the entries read: a read says something only beside its writer.
    pub(super) fn with_sources(&self, mut entries: FxHashSet<u32>) -> Vec<u32> {
        let keys: FxHashSet<u32> =
            entries.iter().flat_map(|entry| self.writes(*entry).iter().map(|(key, _)| *key)).collect();
        let read = entries.iter().flat_map(|entry| self.reads(*entry));
        let sources = read.filter(|(key, index)| *index != NONE && keys.contains(key));
        let sources: Vec<u32> =
            sources.map(|(key, index)| self.writers[*key as usize][*index as usize]).collect();
        entries.extend(sources);
        let mut entries: Vec<u32> = entries.into_iter().collect();
        entries.sort_unstable();
        entries
    }

    fn helper(&mut self) -> u32 {
        self.nodes += 1;
        small(self.nodes - 1)
    }

    fn add_writes(&mut self, observed: &Observed<'_, '_>, entry_of: &[u32]) {
        let mut written: Vec<(u32, (u32, u32))> = Vec::new();
        for (entry, txn) in (0..).zip(&self.txns) {
            debug_assert_eq!(entry_of[*txn as usize], entry);
            for step in observed.transactions.steps_of(*txn) {
                let Access::Write(_) = step.access() else { continue };
                let writers = &mut self.writers[step.key() as usize];
                if writers.last() == Some(&entry) {
                    continue;
                }
                let index = small(writers.len());
                writers.push(entry);
                written.push((entry, (step.key(), index)));
            }
        }
        self.writes = Lists::new(self.txns.len(), written.iter().copied());
        self.versions = Versions::new(&self.writers);
    }

    /// The index of an entry among the writers of a key, which are in the order of entries.
    fn index_of(&self, writer: u32, key: u32) -> u32 {
        let index = self.writers[key as usize].binary_search(&writer);
        small(index.expect("it wrote the key"))
    }

    fn add_reads(&mut self, observed: &Observed<'_, '_>, entry_of: &[u32]) {
        // Key, version, reader: whoever writes a later version must come after the reader.
        let mut before: Vec<(u32, u32, u32)> = Vec::new();
        let (mut updaters, mut guards) = (Vec::new(), Vec::new());
        let mut reads: Vec<(u32, (u32, u32))> = Vec::new();
        for read in observed.reads {
            let entry = entry_of[read.txn as usize];
            if entry == NONE {
                continue;
            }
            let index = if read.version == NONE {
                NONE
            } else {
                let writer = observed.transactions.writer(read.version);
                let from = if writer == NONE { NONE } else { entry_of[writer as usize] };
                if from == NONE || from == entry {
                    continue;
                }
                self.new_edges.push((from + self.commit, entry));
                self.index_of(from, read.key())
            };
            if !read.first() {
                continue;
            }
            reads.push((entry, (read.key(), index)));
            let writes = self.writes(entry);
            let writes_key = writes.iter().any(|(key, _)| *key == read.key());
            let version = self.versions.number(read.key(), index);
            match self.means.missing(!writes.is_empty(), writes_key) {
                Missing::Precedes if writes_key && self.commit == 0 => updaters.push((version, entry)),
                Missing::Precedes => before.push((read.key(), index, entry)),
                Missing::Unreached => guards.push((version, entry)),
                Missing::Allowed => {}
            }
        }
        self.reads = Lists::new(self.txns.len(), reads.iter().copied());
        drop(reads);
        self.versions.updaters = self.versions.updaters.with(&updaters);
        self.versions.guards = self.versions.guards.with(&guards);
        before.sort_unstable();
        for readers in before.chunk_by(|one, other| (one.0, one.1) == (other.0, other.1)) {
            let (key, index, reader) = readers[0];
            let gate = if readers.len() == 1 {
                reader
            } else {
                let gate = self.helper();
                self.new_edges.extend(readers.iter().map(|(_, _, reader)| (*reader, gate)));
                gate
            };
            let version = self.versions.number(key, index);
            self.versions.gates[version as usize] = gate;
        }
        self.follow_initial();
        self.follow_updates();
    }

    /// Who read a key before any write precedes all who wrote it.
    fn follow_initial(&mut self) {
        let mut edges = std::mem::take(&mut self.new_edges);
        for (key, writers) in (0..).zip(&self.writers) {
            let initial = self.version(key, NONE);
            for writer in writers {
                let write = writer + self.commit;
                if initial.gate != NONE && initial.gate != write {
                    edges.push((initial.gate, write));
                }
                // Two of them contradict each other, whatever the others do.
                let updaters = initial.updaters.iter().take(2).filter(|updater| **updater != write);
                edges.extend(updaters.map(|updater| (*updater, write)));
            }
        }
        self.new_edges = edges;
    }

    /// Who read a version and replaced it comes after all who read it.
    fn follow_updates(&mut self) {
        let mut edges = std::mem::take(&mut self.new_edges);
        for (key, writers) in (0..).zip(&self.writers) {
            for index in 0..small(writers.len()) {
                let version = self.version(key, index);
                let updaters = &version.updaters[..version.updaters.len().min(2)];
                for updater in updaters {
                    if version.gate != NONE {
                        edges.push((version.gate, *updater));
                    }
                    let others = updaters.iter().filter(|other| *other != updater);
                    edges.extend(others.map(|other| (*other, *updater)));
                }
            }
        }
        self.new_edges = edges;
    }

    /// Reads of values that were written more than once. Of a part of a history, only those whose writers are all in it.
    fn add_choices(&mut self, observed: &Observed<'_, '_>, entry_of: &[u32]) {
        let inside = |txn: &u32| entry_of[*txn as usize] != NONE;
        for choice in observed.choices.iter().filter(|choice| inside(&choice.txn)) {
            if choice.candidates.iter().all(inside) {
                let index = |txn: &u32| self.index_of(entry_of[*txn as usize], choice.key);
                let candidates = choice.candidates.iter().map(index).collect();
                let reader = entry_of[choice.txn as usize];
                self.open.push(Open { reader, key: choice.key, candidates });
            }
        }
    }

    /// Takes over what is known by now: the reads that are still open, those that no longer are, and new edges.
    pub(super) fn settle(&mut self, open: Vec<Open>, known: &[Known], mut edges: Vec<(u32, u32)>) {
        self.open = open;
        self.new_edges.append(&mut edges);
        let reads: Vec<_> = known.iter().map(|known| (known.reader, (known.key, known.index))).collect();
        self.reads = self.reads.with(&reads);
        let mut updaters = Vec::new();
        for Known { reader, key, index } in known.iter().copied() {
            let version = self.versions.number(key, index);
            let writes_key = self.writes(reader).iter().any(|(other, _)| *other == key);
            if writes_key && self.commit == 0 {
                updaters.push((version, reader));
                continue;
            }
            let gate = self.numbered(version).gate;
            let gate = match gate {
                NONE => reader,
                gate if self.entry(gate).is_none() => {
                    self.new_edges.push((reader, gate));
                    gate
                }
                other => {
                    let gate = self.helper();
                    self.new_edges.extend([(other, gate), (reader, gate)]);
                    gate
                }
            };
            self.versions.gates[version as usize] = gate;
        }
        self.versions.updaters = self.versions.updaters.with(&updaters);
        self.follow_updates();
        self.sort_edges();
    }

    /// Puts the new edges among the known ones.
    fn sort_edges(&mut self) {
        let mut edges = std::mem::take(&mut self.new_edges);
        edges.extend(self.edges.iter());
        edges.sort_unstable();
        edges.dedup();
        self.edges = Lists::in_order(self.nodes, edges);
    }

    /// What lists show of the order of the writers of a key.
    fn add_chains(&mut self, observed: &Observed<'_, '_>, entry_of: &[u32]) {
        let mut new = Vec::new();
        for (key, chain) in observed.chains.iter().enumerate() {
            let inside = chain.iter().map(|txn| entry_of[*txn as usize]).filter(|entry| *entry != NONE);
            let mut chain: Vec<u32> = inside.collect();
            chain.dedup();
            for pair in chain.windows(2) {
                self.implied(pair[0], pair[1], &mut new);
            }
            let Some(last) = chain.last().copied() else { continue };
            let shown: FxHashSet<u32> = chain.iter().copied().collect();
            for writer in self.writers[key].iter().filter(|writer| !shown.contains(writer)) {
                self.implied(last, *writer, &mut new);
            }
        }
        self.new_edges.append(&mut new);
    }

    fn add_order(&mut self, observed: &Observed<'_, '_>, order: Order, entry_of: &[u32]) {
        match order {
            Order::Data => {}
            Order::Process => {
                let inside = |txn: u32| entry_of[txn as usize] != NONE;
                for (before, after) in time::processes(observed.transactions, &inside) {
                    let (before, after) = (entry_of[before as usize], entry_of[after as usize]);
                    self.new_edges.push((before + self.commit, after));
                }
            }
            Order::RealTime => self.add_real_time(observed),
        }
    }

    /// One chain of moments: a completion leads into the present moment, an invocation comes out of it.
    fn add_real_time(&mut self, observed: &Observed<'_, '_>) {
        // At equal times the invocation comes first: such transactions are concurrent.
        let mut events: Vec<(u32, bool, u32)> = Vec::with_capacity(2 * self.txns.len());
        for (entry, txn) in (0..).zip(&self.txns) {
            events.push((observed.transactions.invoked(*txn), false, entry));
            let completed = observed.transactions.completed(*txn);
            if completed != NONE {
                events.push((completed, true, entry));
            }
        }
        events.sort_unstable();
        let mut moment: Option<u32> = None;
        let mut used = false;
        for (_, completes, entry) in events {
            if !completes {
                if let Some(now) = moment {
                    self.new_edges.push((now, entry));
                    used = true;
                }
                continue;
            }
            let now = match moment {
                Some(now) if !used => now,
                before => {
                    let now = self.helper();
                    self.new_edges.extend(before.map(|before| (before, now)));
                    now
                }
            };
            self.new_edges.push((entry + self.commit, now));
            (moment, used) = (Some(now), false);
        }
    }
}
