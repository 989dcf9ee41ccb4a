//! Orders of operations that follow from what reads found, until nothing more follows.
//!
//! Two rules, for writes `v` and `w` of one key and a read `r` that found `v`. If `w` comes before `r`, it comes before `v`, or
//! `r` would have found something later. If `w` comes after `v`, it comes after `r` too, for it overwrites what `r`
//! found. A read that found nothing comes before every write.

use super::graph::{Before, given, topological};
use super::items::{ABSENT, Items};
use crate::limits::Limits;
use rustc_hash::FxHashMap;

/// Numbers that take the memory of one configuration.
const COUNTS: usize = 25;
/// The time that a check has.
const TIME: &str = "the time was up before all that follows was found";

/// One item comes before another in every order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) reason: Reason,
}

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// Its process did one before the other.
    Process,
    /// One found what the other wrote.
    ReadsFrom,
    /// One found no value, and the other writes one.
    FoundAbsent,
    /// Both write; this read found what the second wrote, and comes after the first.
    BeforeRead { read: u32 },
    /// The first found what this wrote, and the second writes after that.
    AfterWrite { write: u32 },
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Saturated {
    /// All orders that follow.
    Order(Vec<Edge>),
    /// Items of which each comes before the next, and the last before the first.
    Cycle(Vec<Edge>),
    /// The limits were reached, and which.
    Stopped(&'static str),
}

/// For each process and key, its writes in order, as positions and items.
type Writes = FxHashMap<(u32, u32), Vec<(u32, u32)>>;

struct Rules<'i, 'a> {
    items: &'i Items<'a>,
    writes: Writes,
    /// For each write the last read of its value by each process that read it.
    readers: Vec<Vec<u32>>,
}

/// Adds edges until nothing follows any more.
pub(super) fn saturate(items: &Items<'_>, limits: &Limits<'_>) -> Saturated {
    if items.all.len().saturating_mul(items.chains.len()) > limits.configurations.saturating_mul(COUNTS) {
        return Saturated::Stopped(
            "there are too many operations of too many processes for the memory of the check",
        );
    }
    let rules = Rules::new(items);
    let mut edges = given(items);
    edges.extend(rules.absent());
    loop {
        if limits.stopped() {
            return Saturated::Stopped(TIME);
        }
        let order = match topological(items, &edges) {
            Ok(order) => order,
            Err(cycle) => return Saturated::Cycle(cycle),
        };
        let before = Before::new(items, &edges, &order);
        let known = edges.len();
        for item in (0..).take(items.all.len()) {
            if item % 1024 == 0 && limits.stopped() {
                return Saturated::Stopped(TIME);
            }
            rules.of_read(item, &before, &mut edges);
            rules.of_write(item, &before, &mut edges);
        }
        if edges.len() == known {
            return Saturated::Order(edges);
        }
    }
}

impl<'i, 'a> Rules<'i, 'a> {
    fn new(items: &'i Items<'a>) -> Self {
        let mut writes = Writes::default();
        let mut last: Vec<FxHashMap<u32, u32>> = vec![FxHashMap::default(); items.all.len()];
        for chain in &items.chains {
            for &number in chain {
                let item = &items.all[number as usize];
                // Of what may never have happened nothing follows.
                if item.optional {
                    continue;
                }
                if item.writes {
                    writes.entry((item.chain, item.key)).or_default().push((item.position, number));
                }
                if let Some(writer) = item.reads.filter(|writer| *writer != ABSENT) {
                    last[writer as usize].insert(item.chain, number);
                }
            }
        }
        let readers = last.into_iter().map(|readers| {
            let mut readers: Vec<u32> = readers.into_values().collect();
            readers.sort_unstable();
            readers
        });
        Self { items, writes, readers: readers.collect() }
    }

    fn chains(&self) -> impl Iterator<Item = u32> + use<> {
        (0..).take(self.items.chains.len())
    }

    /// The last write to a key among the first items of a process.
    fn last_write(&self, chain: u32, key: u32, among: u32) -> Option<u32> {
        let writes = self.writes.get(&(chain, key))?;
        let count = writes.partition_point(|(position, _)| *position < among);
        Some(writes[count.checked_sub(1)?].1)
    }

    /// From each read that found nothing to the first write of each process.
    fn absent(&self) -> Vec<Edge> {
        let mut edges = Vec::new();
        for (from, item) in (0..).zip(&self.items.all) {
            if item.reads != Some(ABSENT) || item.optional {
                continue;
            }
            for chain in self.chains() {
                let first = self.writes.get(&(chain, item.key)).and_then(|writes| writes.first());
                if let Some((_, to)) = first.filter(|(_, to)| *to != from) {
                    edges.push(Edge { from, to: *to, reason: Reason::FoundAbsent });
                }
            }
        }
        edges
    }

    /// What comes before a read, comes before the write that it saw.
    fn of_read(&self, read: u32, before: &Before, edges: &mut Vec<Edge>) {
        let item = &self.items.all[read as usize];
        let Some(seen) = item.reads.filter(|seen| *seen != ABSENT && !item.optional) else { return };
        for chain in self.chains() {
            let among = before.of(self.items, read, chain);
            let Some(other) = self.last_write(chain, item.key, among) else { continue };
            if other != seen && !before.has(self.items, other, seen) {
                edges.push(Edge { from: other, to: seen, reason: Reason::BeforeRead { read } });
            }
        }
    }

    /// What comes after a write, comes after all reads of its value.
    fn of_write(&self, write: u32, before: &Before, edges: &mut Vec<Edge>) {
        let item = &self.items.all[write as usize];
        if !item.writes || item.optional {
            return;
        }
        for chain in self.chains() {
            let among = before.of(self.items, write, chain);
            let Some(other) = self.last_write(chain, item.key, among) else { continue };
            for &reader in &self.readers[other as usize] {
                if reader != write && !before.has(self.items, reader, write) {
                    let reason = Reason::AfterWrite { write: other };
                    edges.push(Edge { from: reader, to: write, reason });
                }
            }
        }
    }
}
