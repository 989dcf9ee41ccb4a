//! Of the transactions that may have written what a read saw, leaves those that the known edges allow.
//!
//! *Problem*: where a value was written many times, each read of it has many candidates, and nearly all are absurd:
//! they come after the read, or another write of the key stands between.
//!
//! *Idea*: saturation. A candidate goes if the read is known to precede it, or if another writer of the key is known to
//! stand between the two. A read with one candidate left is known, and orders the other writers of its key: those before
//! the read come before its source, and those after the source come after the read. Repeat until nothing changes.
//!
//! What precedes what is known from vector clocks: how far each session must have come before a node. That takes nodes
//! times sessions of memory, and a look at every read for each session and round.
//!
//! *Source*: saturation of write orders as in Biswas and Enea, OOPSLA 2019, and the pruning of Cobra (Tan and others,
//! OSDI 2020); vector clocks as of Mattern, 1989.

use super::super::anomaly::Order;
use super::super::observed::Observed;
use super::super::parse::{Fate, NONE, small};
use super::super::time;
use super::encode::{Open, Problem};
use crate::limits::Limits;
use rustc_hash::FxHashMap;

/// The most entries of all vector clocks, of four bytes each.
const MOST_CLOCKS: usize = 64 << 20;

/// What became of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pruned {
    /// What can be known from the known edges is known.
    Done,
    /// No order explains the reads.
    Impossible,
    /// It has no sessions to go by, or too many.
    Unfit,
}

/// Takes candidates from the open reads, and adds the edges that follow.
pub(super) fn prune(
    problem: &mut Problem,
    observed: &Observed<'_, '_>,
    order: Order,
    limits: &Limits<'_>,
) -> Pruned {
    let Some(chains) = Chains::new(problem, observed, order) else { return Pruned::Unfit };
    let mut saturation = Saturation::new(problem, chains);
    loop {
        if limits.stopped() {
            return Pruned::Unfit;
        }
        if !saturation.set_clocks() {
            return Pruned::Impossible;
        }
        let Some(changed) = saturation.round() else { return Pruned::Impossible };
        if !changed {
            break;
        }
    }
    let Saturation { open, known, edges, .. } = saturation;
    problem.settle(open, &known, edges);
    Pruned::Done
}

/// Which session each entry belongs to, and how far its session had come.
struct Chains {
    /// By entry: the chain, and the number on it.
    of: Vec<(u32, u32)>,
    count: usize,
}

impl Chains {
    /// Those of the sessions; none where sessions are not known edges, or are too many.
    fn new(problem: &Problem, observed: &Observed<'_, '_>, order: Order) -> Option<Self> {
        if order == Order::Data {
            return None;
        }
        let transactions = observed.transactions;
        let entry_of: FxHashMap<u32, u32> =
            (0..).zip(&problem.txns).map(|(entry, txn)| (*txn, entry)).collect();
        let mut of = vec![(NONE, 0); problem.txns.len()];
        let mut count = 0;
        for (before, after) in time::processes(transactions, &|txn| entry_of.contains_key(&txn)) {
            let overlap = transactions.completed(before) >= transactions.invoked(after);
            if order == Order::RealTime && overlap {
                return None;
            }
            // One of unknown outcome does not precede the next.
            if transactions.fate(after) != Fate::Committed {
                continue;
            }
            let [before, after] = [before, after].map(|txn| entry_of[&txn] as usize);
            if of[before].0 == NONE {
                of[before] = (count, 0);
                count += 1;
            }
            of[after] = (of[before].0, of[before].1 + 1);
        }
        for chain in of.iter_mut().filter(|chain| chain.0 == NONE) {
            *chain = (count, 0);
            count += 1;
        }
        let count = count as usize;
        (problem.nodes.checked_mul(count)? <= MOST_CLOCKS).then_some(Self { of, count })
    }
}

/// A read whose source is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) reader: u32,
    pub(super) key: u32,
    /// The index of its source among the writers of the key.
    pub(super) index: u32,
}

/// A writer of a key: how far its chain had come when it wrote, and its index among the writers.
type Written = (u32, u32);

struct Saturation<'p> {
    problem: &'p Problem,
    chains: Chains,
    /// By node and chain: how far the chain must have come before the node, from 1; 0 for not at all.
    clocks: Vec<u32>,
    /// By key: the chains with writers, and these in their order.
    writers: Vec<Vec<(u32, Vec<Written>)>>,
    open: Vec<Open>,
    /// Those that were open, and those that were known from the start.
    known: Vec<Known>,
    given: Vec<Known>,
    edges: Vec<(u32, u32)>,
}

impl<'p> Saturation<'p> {
    fn new(problem: &'p Problem, chains: Chains) -> Self {
        let writers = problem.writers.iter().map(|writers| {
            let mut by_chain: FxHashMap<u32, Vec<Written>> = FxHashMap::default();
            for (index, entry) in (0..).zip(writers) {
                let (chain, number) = chains.of[*entry as usize];
                by_chain.entry(chain).or_default().push((2 * number + 2, index));
            }
            let mut by_chain: Vec<_> = by_chain.into_iter().collect();
            by_chain.sort_unstable();
            for (_, written) in &mut by_chain {
                written.sort_unstable();
            }
            by_chain
        });
        let sources = problem.all_reads().filter(|(_, (_, index))| *index != NONE);
        let given = sources.map(|(reader, (key, index))| Known { reader, key, index });
        Self {
            clocks: vec![0; problem.nodes * chains.count],
            writers: writers.collect(),
            open: problem.open.clone(),
            known: Vec::new(),
            given: given.collect(),
            edges: Vec::new(),
            chains,
            problem,
        }
    }

    /// The chain of a node of a transaction, and how far it has come with it.
    fn moment(&self, node: u32) -> Option<(u32, u32)> {
        let entry = self.problem.entry(node)?;
        let (chain, number) = self.chains.of[entry as usize];
        let writes = node == entry + self.problem.commit;
        Some((chain, 2 * number + 1 + u32::from(writes)))
    }

    /// Whether a node of a transaction is known to precede another node.
    fn precedes(&self, one: u32, other: u32) -> bool {
        let moment = self.moment(one);
        moment.is_some_and(|(chain, reached)| self.clock(other)[chain as usize] >= reached)
    }

    fn clock(&self, node: u32) -> &[u32] {
        let start = node as usize * self.chains.count;
        &self.clocks[start..start + self.chains.count]
    }

    /// Computes all clocks in a topological order (Kahn, 1962); false if the edges have a cycle.
    fn set_clocks(&mut self) -> bool {
        let nodes = self.problem.nodes;
        let mut edges: Vec<(u32, u32)> =
            self.problem.edges.iter().chain(self.edges.iter().copied()).collect();
        edges.sort_unstable();
        let mut starts = vec![0; nodes + 1];
        let mut waits = vec![0u32; nodes];
        for (from, to) in &edges {
            starts[*from as usize + 1] += 1;
            waits[*to as usize] += 1;
        }
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        let mut ready: Vec<u32> = (0..small(nodes)).filter(|node| waits[*node as usize] == 0).collect();
        let mut done = 0;
        self.clocks.fill(0);
        let mut now = vec![0; self.chains.count];
        while let Some(node) = ready.pop() {
            done += 1;
            now.copy_from_slice(self.clock(node));
            if let Some((chain, reached)) = self.moment(node) {
                now[chain as usize] = reached.max(now[chain as usize]);
            }
            for (_, to) in &edges[starts[node as usize]..starts[node as usize + 1]] {
                let start = *to as usize * self.chains.count;
                let clock = &mut self.clocks[start..start + self.chains.count];
                clock.iter_mut().zip(&now).for_each(|(old, new)| *old = (*old).max(*new));
                waits[*to as usize] -= 1;
                if waits[*to as usize] == 0 {
                    ready.push(*to);
                }
            }
        }
        done == nodes
    }

    /// Looks at every read once, and returns whether that changed anything; none if one has no candidate left.
    fn round(&mut self) -> Option<bool> {
        let edges = self.edges.len();
        let mut gone = false;
        let mut open = std::mem::take(&mut self.open);
        let mut impossible = false;
        open.retain_mut(|open| {
            let latest = self.latest(open.reader, open.key);
            let before = open.candidates.len();
            open.candidates.retain(|index| self.allows(open.reader, open.key, *index, &latest));
            gone |= open.candidates.len() < before;
            impossible |= open.candidates.is_empty();
            if let [index] = open.candidates[..] {
                let known = Known { reader: open.reader, key: open.key, index };
                self.known.push(known);
                self.edges.push((self.write(open.key, index), open.reader));
            }
            open.candidates.len() > 1
        });
        self.open = open;
        if impossible {
            return None;
        }
        for index in 0..self.given.len() {
            self.follow(self.given[index]);
        }
        for index in 0..self.known.len() {
            self.follow(self.known[index]);
        }
        Some(gone || self.edges.len() > edges)
    }

    fn writer(&self, key: u32, index: u32) -> u32 {
        self.problem.writers[key as usize][index as usize]
    }

    /// The node at which a writer of a key wrote.
    fn write(&self, key: u32, index: u32) -> u32 {
        self.writer(key, index) + self.problem.commit
    }

    /// Of each chain the last writer of a key that is known to precede a read.
    fn latest(&self, reader: u32, key: u32) -> Vec<u32> {
        let clock = self.clock(reader);
        let last = self.writers[key as usize].iter().filter_map(|(chain, written)| {
            let reached = clock[*chain as usize];
            let after = written.partition_point(|(moment, _)| *moment <= reached);
            after.checked_sub(1).map(|last| written[last].1)
        });
        last.filter(|index| self.writer(key, *index) != reader).collect()
    }

    /// Whether a read may be of what a writer wrote.
    fn allows(&self, reader: u32, key: u32, index: u32, latest: &[u32]) -> bool {
        let write = self.write(key, index);
        let between = |other: &u32| *other != index && self.precedes(write, self.write(key, *other));
        !self.precedes(reader, write) && !latest.iter().any(between)
    }

    /// Adds what a read with a known source says of the other writers of its key.
    fn follow(&mut self, known: Known) {
        let Known { reader, key, index } = known;
        let source = self.writer(key, index);
        let write = source + self.problem.commit;
        let mut new = Vec::new();
        for other in self.latest(reader, key).into_iter().filter(|other| *other != index) {
            let other = self.write(key, other);
            if !self.precedes(other, self.problem.start(source)) {
                new.push((other, self.problem.start(source)));
            }
        }
        for (_, written) in &self.writers[key as usize] {
            // Of each chain the first writer after the source.
            let first = written.partition_point(|(_, other)| !self.precedes(write, self.write(key, *other)));
            let Some((_, other)) = written.get(first) else { continue };
            let other = self.write(key, *other);
            if other != reader + self.problem.commit && !self.precedes(reader, other) {
                new.push((reader, other));
            }
        }
        self.edges.append(&mut new);
    }
}
