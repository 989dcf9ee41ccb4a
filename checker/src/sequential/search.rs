//! Builds an order, write by write, with backtracking.
//!
//! A configuration says how far each process is and which value each key has. Reads are put into the order as soon as they can
//! be, for that changes nothing for any other operation. So is a compare-and-set: what else is written to its key before
//! it would make it impossible. A write waits until its key has no reader left of its present value, which never
//! comes back. Only between writes there is a choice; the one that seems to have happened first is tried first.

use super::graph::{Successors, successors};
use super::items::{ABSENT, Item, Items};
use super::saturation::{Edge, Reason};
use crate::limits::Limits;
use rustc_hash::FxHashSet;

/// Bytes that one configuration stands for in the limits.
const BYTES: usize = 100;
/// Steps between two looks at the deadline.
const LOOK_EVERY: u32 = 1024;

/// What came of a search.
#[derive(Debug)]
pub(super) enum Found {
    /// Items in their order.
    Order(Vec<u32>),
    /// There is no order: how many required items the longest one has, and the next items of each process behind it.
    None { explained: usize, stuck: Vec<u32> },
    /// The limits were reached.
    Stopped { configurations: usize },
}

/// A choice between writes, and how long the order was.
struct Choice {
    length: usize,
    candidates: Vec<u32>,
    tried: usize,
}

struct Search<'i, 'a> {
    items: &'i Items<'a>,
    edges: &'i [Edge],
    after: Successors,
    /// How many edges from other processes still lead to each item from what is not in the order.
    waits: Vec<u32>,
    /// How many items of each process are in the order.
    positions: Vec<u32>,
    /// The value of each key.
    values: Vec<u32>,
    /// How many readers of each written value are not in the order yet.
    readers: Vec<u32>,
    /// The same of the absent value of each key.
    absent_readers: Vec<u32>,
    order: Vec<u32>,
    /// For each item of the order the value that its key had before.
    overwritten: Vec<u32>,
    required: usize,
}

/// Looks for an order of all required items.
pub(super) fn search(items: &Items<'_>, edges: &[Edge], limits: &Limits<'_>) -> Found {
    let mut search = Search::new(items, edges);
    let most =
        limits.configurations.saturating_mul(BYTES) / (4 * (items.chains.len() + items.keys as usize) + 48);
    let mut seen: FxHashSet<Box<[u32]>> = FxHashSet::default();
    let mut choices: Vec<Choice> = Vec::new();
    let (mut longest, mut stuck, mut steps) = (0, Vec::new(), 0_u32);
    loop {
        search.settle();
        if search.required == items.required {
            return Found::Order(search.order);
        }
        if search.required >= longest {
            longest = search.required;
            stuck = search.next().collect();
        }
        if seen.insert(search.configuration()) {
            let candidates = search.candidates();
            choices.push(Choice { length: search.order.len(), candidates, tried: 0 });
        }
        steps = steps.wrapping_add(1);
        if seen.len() >= most || (steps.is_multiple_of(LOOK_EVERY) && limits.stopped()) {
            return Found::Stopped { configurations: seen.len() };
        }
        loop {
            let Some(choice) = choices.last_mut() else {
                return Found::None { explained: longest, stuck };
            };
            search.undo_to(choice.length);
            if let Some(&next) = choice.candidates.get(choice.tried) {
                choice.tried += 1;
                search.apply(next);
                break;
            }
            choices.pop();
        }
    }
}

impl<'i, 'a> Search<'i, 'a> {
    fn new(items: &'i Items<'a>, edges: &'i [Edge]) -> Self {
        let count = items.all.len();
        let mut waits = vec![0; count];
        for edge in edges.iter().filter(|edge| edge.reason != Reason::Process) {
            waits[edge.to as usize] += 1;
        }
        let mut readers = vec![0; count];
        let mut absent_readers = vec![0; items.keys as usize];
        for item in items.all.iter().filter(|item| !item.optional) {
            match item.reads {
                Some(ABSENT) => absent_readers[item.key as usize] += 1,
                Some(writer) => readers[writer as usize] += 1,
                None => {}
            }
        }
        Self {
            items,
            edges,
            after: successors(count, edges),
            waits,
            positions: vec![0; items.chains.len()],
            values: vec![ABSENT; items.keys as usize],
            readers,
            absent_readers,
            order: Vec::with_capacity(count),
            overwritten: Vec::with_capacity(count),
            required: 0,
        }
    }

    /// The next item of each process.
    fn next(&self) -> impl Iterator<Item = u32> + '_ {
        let chains = self.items.chains.iter().zip(&self.positions);
        chains.filter_map(|(chain, position)| chain.get(*position as usize).copied())
    }

    /// How many readers of a value of a key are missing.
    fn readers_of(&mut self, key: u32, value: u32) -> &mut u32 {
        match value {
            ABSENT => &mut self.absent_readers[key as usize],
            writer => &mut self.readers[writer as usize],
        }
    }

    /// Whether the next item of a process can be put into the order now.
    fn fits(&self, number: u32) -> bool {
        let item = &self.items.all[number as usize];
        let value = self.values[item.key as usize];
        if self.waits[number as usize] > 0
            || item.reads.is_some_and(|reads| reads != value)
            || item.misses == Some(value)
        {
            return false;
        }
        let left = match value {
            ABSENT => self.absent_readers[item.key as usize],
            writer => self.readers[writer as usize],
        };
        // A compare-and-set that must happen is one of the readers itself.
        let itself = u32::from(item.reads.is_some() && !item.optional);
        !item.writes || left == itself
    }

    /// Whether an item that fits can be put into the order without loss.
    fn is_free(&self, item: &Item) -> bool {
        !item.writes || (item.reads.is_some() && !item.optional && !self.items.missed[item.key as usize])
    }

    /// Puts everything into the order that is free, until nothing is.
    fn settle(&mut self) {
        let mut changed = true;
        while changed {
            changed = false;
            for chain in 0..self.positions.len() {
                while let Some(&next) = self.items.chains[chain].get(self.positions[chain] as usize) {
                    if !self.is_free(&self.items.all[next as usize]) || !self.fits(next) {
                        break;
                    }
                    self.apply(next);
                    changed = true;
                }
            }
        }
    }

    /// The writes that fit, the one that seems to have happened first in front.
    fn candidates(&self) -> Vec<u32> {
        let mut fitting: Vec<u32> = self.next().filter(|item| self.fits(*item)).collect();
        fitting.sort_by_key(|item| (self.items.all[*item as usize].guide, *item));
        fitting
    }

    fn configuration(&self) -> Box<[u32]> {
        self.positions.iter().chain(&self.values).copied().collect()
    }

    fn apply(&mut self, number: u32) {
        let item = self.items.all[number as usize];
        self.positions[item.chain as usize] += 1;
        self.required += usize::from(!item.optional);
        if let Some(value) = item.reads.filter(|_| !item.optional) {
            *self.readers_of(item.key, value) -= 1;
        }
        self.overwritten.push(self.values[item.key as usize]);
        if item.writes {
            self.values[item.key as usize] = number;
        }
        for &edge in self.after.of(number) {
            let edge = &self.edges[edge as usize];
            self.waits[edge.to as usize] -= u32::from(edge.reason != Reason::Process);
        }
        self.order.push(number);
    }

    fn undo_to(&mut self, length: usize) {
        while self.order.len() > length {
            let (Some(number), Some(value)) = (self.order.pop(), self.overwritten.pop()) else { return };
            let item = self.items.all[number as usize];
            self.positions[item.chain as usize] -= 1;
            self.required -= usize::from(!item.optional);
            if let Some(value) = item.reads.filter(|_| !item.optional) {
                *self.readers_of(item.key, value) += 1;
            }
            self.values[item.key as usize] = value;
            for &edge in self.after.of(number) {
                let edge = &self.edges[edge as usize];
                self.waits[edge.to as usize] += u32::from(edge.reason != Reason::Process);
            }
        }
    }
}
