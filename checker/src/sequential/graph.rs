//! Orders of items: topological order, what comes before each item, and cycles.

use super::items::Items;
use super::saturation::{Edge, Reason};
use std::collections::VecDeque;

/// A topological order of the items; where there is none, a cycle of edges.
pub(super) fn topological(items: &Items<'_>, edges: &[Edge]) -> Result<Vec<u32>, Vec<Edge>> {
    let count = items.all.len();
    let mut waits = vec![0_u32; count];
    for edge in edges {
        waits[edge.to as usize] += 1;
    }
    let after = successors(count, edges);
    let mut order: Vec<u32> = (0..).take(count).filter(|item: &u32| waits[*item as usize] == 0).collect();
    let mut next = 0;
    while let Some(item) = order.get(next).copied() {
        next += 1;
        for edge in after.of(item) {
            let waiting = &mut waits[edges[*edge as usize].to as usize];
            *waiting -= 1;
            if *waiting == 0 {
                order.push(edges[*edge as usize].to);
            }
        }
    }
    if order.len() == count {
        return Ok(order);
    }
    Err(cycle(&waits, edges, &after))
}

/// The edges that leave each item, by their indexes.
pub(super) struct Successors {
    starts: Vec<u32>,
    edges: Vec<u32>,
}

impl Successors {
    pub(super) fn of(&self, item: u32) -> &[u32] {
        let item = item as usize;
        &self.edges[self.starts[item] as usize..self.starts[item + 1] as usize]
    }
}

pub(super) fn successors(count: usize, edges: &[Edge]) -> Successors {
    let mut starts = vec![0_u32; count + 1];
    for edge in edges {
        starts[edge.from as usize + 1] += 1;
    }
    for item in 0..count {
        starts[item + 1] += starts[item];
    }
    let mut next = starts.clone();
    let mut sorted = vec![0_u32; edges.len()];
    for (index, edge) in (0..).zip(edges) {
        let place = &mut next[edge.from as usize];
        sorted[*place as usize] = index;
        *place += 1;
    }
    Successors { starts, edges: sorted }
}

/// A shortest cycle through one of the items that wait for one another.
fn cycle(waits: &[u32], edges: &[Edge], after: &Successors) -> Vec<Edge> {
    // Going back from any item that waits, along items that wait, one comes upon a cycle.
    let mut before = vec![None; waits.len()];
    for edge in edges.iter().filter(|edge| waits[edge.from as usize] > 0) {
        before[edge.to as usize] = Some(edge.from);
    }
    let mut seen = vec![false; waits.len()];
    let mut item = (0..).take(waits.len()).find(|item: &u32| waits[*item as usize] > 0).unwrap_or_default();
    while !std::mem::replace(&mut seen[item as usize], true) {
        item = before[item as usize].expect("what waits, waits for something that waits");
    }
    let start = item;
    let mut came: Vec<Option<u32>> = vec![None; waits.len()];
    let mut open = VecDeque::from([start]);
    while let Some(item) = open.pop_front() {
        for &index in after.of(item) {
            let to = edges[index as usize].to;
            if came[to as usize].is_some() {
                continue;
            }
            came[to as usize] = Some(index);
            if to == start {
                return walk_back(start, &came, edges);
            }
            open.push_back(to);
        }
    }
    unreachable!("the item lies on a cycle")
}

fn walk_back(start: u32, came: &[Option<u32>], edges: &[Edge]) -> Vec<Edge> {
    let mut path = Vec::new();
    let mut item = start;
    loop {
        let edge = edges[came[item as usize].expect("each item was reached by an edge") as usize];
        path.push(edge);
        item = edge.from;
        if item == start {
            path.reverse();
            return path;
        }
    }
}

/// For each item and each process, how many items of the process come before it or are it.
pub(super) struct Before {
    counts: Vec<u32>,
    chains: usize,
}

impl Before {
    pub(super) fn new(items: &Items<'_>, edges: &[Edge], order: &[u32]) -> Self {
        let chains = items.chains.len();
        let mut counts = vec![0_u32; items.all.len() * chains];
        let after = successors(items.all.len(), edges);
        for &item in order {
            let own = &items.all[item as usize];
            let start = item as usize * chains;
            counts[start + own.chain as usize] = own.position + 1;
            for &edge in after.of(item) {
                let to = edges[edge as usize].to as usize * chains;
                for chain in 0..chains {
                    counts[to + chain] = counts[to + chain].max(counts[start + chain]);
                }
            }
        }
        Self { counts, chains }
    }

    /// How many items of a process come before an item, itself left out.
    pub(super) fn of(&self, items: &Items<'_>, item: u32, chain: u32) -> u32 {
        let count = self.counts[item as usize * self.chains + chain as usize];
        count - u32::from(items.all[item as usize].chain == chain)
    }

    /// Whether one item comes before another.
    pub(super) fn has(&self, items: &Items<'_>, first: u32, second: u32) -> bool {
        let first = &items.all[first as usize];
        self.of(items, second, first.chain) > first.position
    }
}

/// The edges that are given: the order of each process, and from each write to the reads of its value.
pub(super) fn given(items: &Items<'_>) -> Vec<Edge> {
    let pairs = items.chains.iter().flat_map(|chain| chain.windows(2));
    let process = pairs.map(|pair| Edge { from: pair[0], to: pair[1], reason: Reason::Process });
    let readers = (0..).zip(&items.all).filter_map(|(to, item)| {
        let from = item.reads.filter(|from| *from != super::items::ABSENT)?;
        Some(Edge { from, to, reason: Reason::ReadsFrom })
    });
    process.chain(readers).collect()
}
