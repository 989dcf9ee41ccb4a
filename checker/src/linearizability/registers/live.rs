//! The zones of one register, kept up to date event by event.
//!
//! The same theorem as [`zones`](super::zones), stated event by event: an operation is certain once it completed, or
//! once another operation found what it left. Of two blocks the one must come before the other if an operation of it
//! was over before one of the other began; both ways at once is impossible. A value that no operation can find any
//! more without such a contradiction is forgotten, so memory follows what is open and what may still have
//! happened, not the length of the history.

use super::{START, moment, tree::MaxTree};
use rustc_hash::FxHashMap;
use std::hash::Hash;

/// No cluster, no block, no index, no completion.
const NONE: u32 = u32::MAX;

/// What one update left, and all that is known to have found it.
#[derive(Debug, Clone)]
struct Cluster<V> {
    value: Option<V>,
    /// What its producer found, if that is a compare-and-set.
    from: Option<V>,
    /// When its producer was invoked.
    invoked: u32,
    /// The earliest completion.
    low: u32,
    /// Whether its producer certainly happened.
    certain: bool,
    /// Whether its producer is still open.
    pending: bool,
    /// Whether no operation can find it any more.
    forgotten: bool,
    block: u32,
    /// The clusters before and after it in its block.
    before: u32,
    after: u32,
}

/// Clusters between which nothing can stand: the earliest completion, the latest invocation.
#[derive(Debug, Clone, Copy)]
struct Block {
    low: u32,
    high: u32,
    /// Where it stands among all blocks with completions.
    index: u32,
    last: u32,
}

/// Names the update that was invoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token(u32);

/// The history so far is not linearizable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Contradiction;

/// A value was written that an operation may still find from an earlier write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Repeated;

/// One register whose written values differ. Times are indexes in the order of events; each call comes no
/// earlier than the one before.
#[derive(Debug, Clone)]
pub(crate) struct LiveZones<V> {
    clusters: Vec<Cluster<V>>,
    free_clusters: Vec<u32>,
    blocks: Vec<Block>,
    free_blocks: Vec<u32>,
    /// The clusters that may still be found.
    values: FxHashMap<V, u32>,
    /// Blocks with completions by their earliest one, and that completion.
    indexes: Vec<(u32, u32)>,
    /// The latest invocation of each of those.
    highs: MaxTree,
    /// The latest invocation in blocks that were forgotten.
    past: u32,
}

impl<V: Clone + Eq + Hash> LiveZones<V> {
    /// The register before everything, with its initial value.
    pub(crate) fn new(initial: V) -> Self {
        let mut zones = Self {
            clusters: Vec::new(),
            free_clusters: Vec::new(),
            blocks: Vec::new(),
            free_blocks: Vec::new(),
            values: FxHashMap::default(),
            indexes: Vec::new(),
            highs: MaxTree::default(),
            past: START,
        };
        let Token(cluster) = zones.begin(Some(initial), None, START);
        zones.clusters[cluster as usize].pending = false;
        zones
            .found(cluster)
            .and_then(|()| zones.join(cluster, START, START))
            .expect("nothing contradicts it");
        zones
    }

    /// A write is invoked; of a value that no operation looks for, if none is given.
    pub(crate) fn write(&mut self, value: Option<V>, now: u32) -> Result<Token, Repeated> {
        self.produce(value, None, now)
    }

    /// A compare-and-set of two values that differ is invoked.
    pub(crate) fn cas(&mut self, from: V, to: Option<V>, now: u32) -> Result<Token, Repeated> {
        self.produce(to, Some(from), now)
    }

    fn produce(&mut self, value: Option<V>, from: Option<V>, now: u32) -> Result<Token, Repeated> {
        if value.as_ref().is_some_and(|value| self.values.contains_key(value)) {
            return Err(Repeated);
        }
        Ok(self.begin(value, from, moment(now)))
    }

    fn begin(&mut self, value: Option<V>, from: Option<V>, invoked: u32) -> Token {
        let cluster = Cluster {
            value: value.clone(),
            from,
            invoked,
            low: NONE,
            certain: false,
            pending: true,
            forgotten: false,
            block: NONE,
            before: NONE,
            after: NONE,
        };
        let number = put(&mut self.clusters, &mut self.free_clusters, cluster);
        if let Some(value) = value {
            self.values.insert(value, number);
        }
        Token(number)
    }

    /// An update completed.
    pub(crate) fn happened(&mut self, Token(number): Token, now: u32) -> Result<(), Contradiction> {
        let cluster = &mut self.clusters[number as usize];
        cluster.pending = false;
        if cluster.forgotten {
            self.free_clusters.push(number);
            return Ok(());
        }
        let invoked = cluster.invoked;
        self.found(number)?;
        self.join(number, moment(now), invoked)
    }

    /// An update certainly did not happen.
    pub(crate) fn failed(&mut self, Token(number): Token) -> Result<(), Contradiction> {
        let cluster = &mut self.clusters[number as usize];
        cluster.pending = false;
        if cluster.certain {
            return Err(Contradiction);
        }
        if let Some(value) = cluster.value.take() {
            self.values.remove(&value);
        }
        self.free_clusters.push(number);
        Ok(())
    }

    /// The outcome of an update stays unknown.
    pub(crate) fn unknown(&mut self, Token(number): Token) {
        let cluster = &mut self.clusters[number as usize];
        cluster.pending = false;
        if cluster.forgotten || (cluster.value.is_none() && !cluster.certain) {
            self.free_clusters.push(number);
        }
    }

    /// An operation completed that found a value and left it.
    pub(crate) fn read(&mut self, value: &V, invoked: u32, now: u32) -> Result<(), Contradiction> {
        let &number = self.values.get(value).ok_or(Contradiction)?;
        let mut after = self.clusters[number as usize].after;
        while after != NONE {
            let next = &self.clusters[after as usize];
            if next.low < moment(invoked) {
                return Err(Contradiction);
            }
            after = next.after;
        }
        self.found(number)?;
        self.join(number, moment(now), moment(invoked))
    }

    /// An operation found what an update left: the update happened, and what it found was there before.
    fn found(&mut self, number: u32) -> Result<(), Contradiction> {
        let mut links = Vec::new();
        let mut number = number;
        while !self.clusters[number as usize].certain {
            let cluster = &mut self.clusters[number as usize];
            cluster.certain = true;
            let block = Block { low: cluster.low, high: cluster.invoked, index: NONE, last: number };
            cluster.block = put(&mut self.blocks, &mut self.free_blocks, block);
            let Some(from) = &cluster.from else { break };
            let &before = self.values.get(from).ok_or(Contradiction)?;
            links.push((before, number));
            number = before;
        }
        links.iter().rev().try_for_each(|&(before, after)| self.link(before, after))
    }

    /// Joins the block that ends with one cluster and the block that begins with another.
    fn link(&mut self, before: u32, after: u32) -> Result<(), Contradiction> {
        let [first, second] = [before, after].map(|cluster| self.clusters[cluster as usize].block);
        let [a, b] = [first, second].map(|block| self.blocks[block as usize]);
        // A value is replaced once, and not by what came of it; and nothing of the first block is later.
        if self.clusters[before as usize].after != NONE || first == second || b.low < a.high {
            return Err(Contradiction);
        }
        self.clusters[before as usize].after = after;
        self.clusters[after as usize].before = before;
        let mut cluster = after;
        while cluster != NONE {
            self.clusters[cluster as usize].block = first;
            cluster = self.clusters[cluster as usize].after;
        }
        let (kept, other) = if a.low <= b.low { (a.index, b.index) } else { (b.index, a.index) };
        let joined = Block { low: a.low.min(b.low), high: a.high.max(b.high), index: kept, last: b.last };
        self.blocks[first as usize] = joined;
        self.free_blocks.push(second);
        if other != NONE {
            self.indexes[other as usize].1 = NONE;
            self.highs.set(other, START);
        }
        if kept != NONE {
            self.indexes[kept as usize].1 = first;
            self.highs.set(kept, joined.high);
        }
        Ok(())
    }

    /// Adds a completed operation to a cluster that is certain, and sees whether its block still fits.
    fn join(&mut self, number: u32, low: u32, high: u32) -> Result<(), Contradiction> {
        let cluster = &mut self.clusters[number as usize];
        cluster.low = cluster.low.min(low);
        let block = cluster.block;
        let here = &mut self.blocks[block as usize];
        here.high = here.high.max(high);
        if here.low == NONE {
            here.low = low;
            here.index = u32::try_from(self.indexes.len()).expect("a key has fewer than four billion blocks");
            self.indexes.push((low, block));
        }
        let here = *here;
        self.highs.set(here.index, here.high);
        let begun = self.indexes.partition_point(|&(low, _)| low < here.high);
        let index = here.index as usize;
        let others = self.highs.max(0..begun.min(index)).max(self.highs.max(begun.min(index + 1)..begun));
        if others.max(self.past) > here.low { Err(Contradiction) } else { Ok(()) }
    }

    /// How much is remembered.
    pub(crate) fn len(&self) -> usize {
        self.clusters.len() - self.free_clusters.len() + self.indexes.len()
    }

    /// Forgets what no operation can find any more, where `open` is the earliest invocation of all operations that
    /// are open, and not unknown for good.
    pub(crate) fn forget(&mut self, open: u32) {
        let open = moment(open);
        let (mut first, mut second) = ((self.past, NONE), START);
        for &(low, block) in self.indexes.iter().filter(|index| index.1 != NONE) {
            let high = self.blocks[block as usize].high;
            if low < open && high > first.0 {
                (first, second) = ((high, block), first.0);
            } else if low < open {
                second = second.max(high);
            }
        }
        let mut kept = Vec::new();
        for (low, block) in std::mem::take(&mut self.indexes) {
            if block == NONE {
                continue;
            }
            let others = if first.1 == block { second } else { first.0 };
            let mut last = self.blocks[block as usize].last;
            if low < open && others > low {
                self.past = self.past.max(self.blocks[block as usize].high);
                self.free_blocks.push(block);
            } else {
                kept.push((low, block));
                last = self.last_forgotten(last, open);
            }
            while last != NONE {
                last = self.forget_cluster(last);
            }
        }
        self.indexes = kept;
        self.highs = MaxTree::default();
        for (index, &(_, block)) in (0..).zip(&self.indexes) {
            self.blocks[block as usize].index = index;
            self.highs.set(index, self.blocks[block as usize].high);
        }
    }

    /// The last cluster of a block that no operation can find any more because a later one was seen already.
    fn last_forgotten(&mut self, last: u32, open: u32) -> u32 {
        let mut number = last;
        while number != NONE {
            let cluster = &mut self.clusters[number as usize];
            if cluster.low < open {
                return std::mem::replace(&mut cluster.before, NONE);
            }
            number = cluster.before;
        }
        NONE
    }

    /// Forgets a cluster; the one before it.
    fn forget_cluster(&mut self, number: u32) -> u32 {
        let cluster = &mut self.clusters[number as usize];
        cluster.forgotten = true;
        if let Some(value) = cluster.value.take() {
            self.values.remove(&value);
        }
        if !cluster.pending {
            self.free_clusters.push(number);
        }
        cluster.before
    }
}

/// Puts something where nothing is.
fn put<T>(all: &mut Vec<T>, free: &mut Vec<u32>, item: T) -> u32 {
    if let Some(index) = free.pop() {
        all[index as usize] = item;
        return index;
    }
    all.push(item);
    u32::try_from(all.len() - 1).expect("a key has fewer than four billion updates")
}
