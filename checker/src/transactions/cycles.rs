//! Finds cycles of dependencies: for each anomaly, a shortest cycle in each strongly connected component.
//!
//! *Problem*: decide which consistency models a graph of dependencies excludes, and show a short cycle for each.
//!
//! *Idea*: every cycle lies in one strongly connected component. Within a component each kind of cycle is a
//! breadth-first search with constraints: over `ww` edges only (G0), over `ww` and `wr` (G1c), with one `rw` edge
//! (G-single), with `rw` edges of which no two are adjacent (G-nonadjacent), with two adjacent ones (G2-item); each
//! of them again with the orders of processes and of real time.
//!
//! *Why it is right*: a model is excluded by the reported cycles exactly when it is excluded by any cycle: a search
//! for a kind ends without a result only if the component has no cycle of it.
//!
//! *Cost*: linear in edges for the components; a breadth-first search for each edge that a cycle must contain, within
//! a budget. Where the budget ends, a cycle is still found, but perhaps not the shortest.
//!
//! *Source*: Adya, "Weak Consistency" (thesis, MIT 1999); Kingsbury and Alvaro, "Elle" (VLDB 2020).

use super::anomaly::{Cycle, Name, Order};
use super::components::{Components, components};
use super::consistency::Excluded;
use super::graph::{Graph, Node, kind};
use super::parse::{NONE, small};
use super::path::{EdgeBudget, Goal, Ground, Hop, Walker, never_twice};
use crate::limits::Limits;
use rustc_hash::FxHashMap;

/// An edge between two transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) kind: u8,
    pub(super) why: u32,
}

/// Reports every cycle found, as edges that follow each other; false if time was up before the end.
///
/// Complete where it matters: a model is excluded by the cycles reported exactly when it is by any cycle.
/// Which cycle, and that it is the shortest, may give way to limits in components of millions of edges.
pub(super) fn find(graph: &Graph, limits: &Limits<'_>, report: &mut dyn FnMut(Name, &[Edge])) -> bool {
    let mut budget = EdgeBudget::new(limits);
    let whole = components(graph, u8::MAX);
    let mut indexes = vec![NONE; graph.len()];
    for scc in &whole.sccs {
        if budget.stopped {
            return false;
        }
        let mut part = Part::new(graph, &whole, scc, &mut indexes, report);
        for order in [Order::Data, Order::Process, Order::RealTime] {
            part.look(order, &mut budget);
        }
    }
    !budget.stopped
}

/// Reports a shortest cycle with an edge of a kind in each strongly connected component that has one; false if time
/// was up before the end.
pub(super) fn find_with(
    graph: &Graph,
    first: u8,
    limits: &Limits<'_>,
    report: &mut dyn FnMut(&[Edge]),
) -> bool {
    let mut budget = EdgeBudget::new(limits);
    let mut walker = Walker::new(graph.len());
    let components = components(graph, u8::MAX);
    for scc in &components.sccs {
        if budget.stopped {
            return false;
        }
        let ground = Ground { mask: u8::MAX, within: &components.of, above: None };
        let closing = Closing { first, over: u8::MAX, certain: true, limit: u32::MAX };
        if let Some(way) = shortest(graph, &mut walker, scc, closing, &ground, &mut budget) {
            report(&edges(graph, &way));
        }
    }
    !budget.stopped
}

/// The kinds of edges that count under an order.
#[derive(Debug, Clone, Copy)]
struct Kinds {
    /// The order's own.
    extra: u8,
    rw: u8,
}

impl Kinds {
    fn of(order: Order) -> Self {
        match order {
            Order::Data => Self { extra: 0, rw: kind::RW },
            Order::Process => Self { extra: kind::PROCESS, rw: kind::RW },
            Order::RealTime => Self { extra: kind::REAL_TIME, rw: kind::ANY_RW },
        }
    }

    fn writes(self) -> u8 {
        kind::WW | self.extra
    }

    fn forward(self) -> u8 {
        kind::WW | kind::WR | self.extra
    }

    fn all(self) -> u8 {
        self.forward() | self.rw
    }
}

/// A cycle that was reported.
struct Reported {
    /// One of its nodes.
    node: u32,
    order: Order,
    excludes: Excluded,
    length: u32,
}

/// What the cycles reported in a component exclude, and the length of the shortest.
#[derive(Debug, Clone, Copy)]
struct Covered {
    excludes: Excluded,
    shortest: u32,
}

/// Transactions in a cycle that is easy to follow.
const SHORT: u32 = 8;

/// One component as a graph of its own.
struct Part<'r> {
    graph: Graph,
    /// By node: its number in the whole graph.
    outside: Vec<u32>,
    walker: Walker,
    found: Vec<Reported>,
    report: &'r mut dyn FnMut(Name, &[Edge]),
}

impl<'r> Part<'r> {
    fn new(
        whole: &Graph,
        components: &Components,
        scc: &[u32],
        indexes: &mut [u32],
        report: &'r mut dyn FnMut(Name, &[Edge]),
    ) -> Self {
        let mut outside = scc.to_vec();
        outside.sort_unstable();
        for (index, node) in outside.iter().enumerate() {
            indexes[*node as usize] = small(index);
        }
        let indexes = &*indexes;
        let edges = outside.iter().enumerate().flat_map(|(index, node)| {
            let inside = whole.links(*node).iter().filter(|link| components.together(*node, link.to));
            inside.map(move |link| (small(index), link.leading_to(indexes[link.to as usize])))
        });
        let nodes = outside.iter().map(|node| whole.nodes[*node as usize]).collect();
        let graph = Graph::new(nodes, edges);
        let walker = Walker::new(graph.len());
        Self { graph, outside, walker, found: Vec::new(), report }
    }

    fn look(&mut self, order: Order, budget: &mut EdgeBudget<'_>) {
        let kinds = Kinds::of(order);
        self.look_for_one_kind(order, Cycle::G0, kind::WW, kinds.writes(), budget);
        self.look_for_one_kind(order, Cycle::G1c, kind::WR, kinds.forward(), budget);
        let all = components(&self.graph, kinds.all());
        if all.sccs.is_empty() || budget.stopped {
            return;
        }
        self.look_for_single(order, &all, budget);
        self.look_for_nonadjacent(order, &all, budget);
        let limits = self.limits(Name::Cycle(Cycle::G2Item, order), &all);
        for (scc, limit) in all.sccs.iter().zip(limits) {
            self.look_for_two_in_a_row(kinds, &all, scc, limit, budget);
        }
    }

    /// G0 and G1c: any edge of the kind that lies within a component closes to a cycle.
    fn look_for_one_kind(
        &mut self,
        order: Order,
        cycle: Cycle,
        first: u8,
        mask: u8,
        budget: &mut EdgeBudget<'_>,
    ) {
        let components = components(&self.graph, mask);
        let limits = self.limits(Name::Cycle(cycle, order), &components);
        for (scc, limit) in components.sccs.iter().zip(limits) {
            let ground = Ground { mask, within: &components.of, above: None };
            let closing = Closing { first, over: u8::MAX, certain: true, limit };
            self.look_for_shortest(scc, closing, &ground, budget);
        }
    }

    fn look_for_single(&mut self, order: Order, all: &Components, budget: &mut EdgeBudget<'_>) {
        let kinds = Kinds::of(order);
        let ranks = components(&self.graph, kinds.forward()).ranks(&self.graph);
        let limits = self.limits(Name::Cycle(Cycle::GSingle, order), all);
        for (scc, limit) in all.sccs.iter().zip(limits) {
            let ground = Ground { mask: kinds.forward(), within: &all.of, above: Some(&ranks) };
            let closing = Closing { first: kinds.rw, over: u8::MAX, certain: false, limit };
            self.look_for_shortest(scc, closing, &ground, budget);
        }
    }

    /// A cycle in which no two `rw` edges follow each other exists exactly where one exists in the doubled
    /// graph; from one that visits a transaction twice, a shorter one can be taken.
    fn look_for_nonadjacent(&mut self, order: Order, all: &Components, budget: &mut EdgeBudget<'_>) {
        let limits = self.limits(Name::Cycle(Cycle::GNonadjacent, order), all);
        let mut wanted: FxHashMap<u32, u32> = FxHashMap::default();
        for (scc, limit) in all.sccs.iter().zip(limits).filter(|(_, limit)| *limit > 0) {
            let single = |found: &Reported| {
                found.order == order
                    && all.together(found.node, scc[0])
                    && Name::Cycle(Cycle::GSingle, order).excludes() == found.excludes
            };
            if !self.found.iter().any(single) {
                wanted.insert(all.of[scc[0] as usize], limit);
            }
        }
        if wanted.is_empty() {
            return;
        }
        let kinds = Kinds::of(order);
        let doubled = never_twice(&self.graph, kinds.forward(), kinds.rw);
        let components = components(&doubled, u8::MAX);
        let mut walker = Walker::new(doubled.len());
        for scc in &components.sccs {
            let Some(limit) = wanted.get(&all.of[scc[0] as usize / 2]) else { continue };
            let ground = Ground { mask: kinds.all(), within: &components.of, above: None };
            let closing = Closing { first: kinds.rw, over: u8::MAX, certain: true, limit: *limit };
            if let Some(way) = shortest(&doubled, &mut walker, scc, closing, &ground, budget) {
                let mut edges = edges(&doubled, &way);
                for edge in &mut edges {
                    (edge.from, edge.to) = (edge.from / 2, edge.to / 2);
                }
                self.found(simple(edges));
            }
        }
    }

    /// A G2-item proper has two `rw` edges in a row. Where nothing else was found, any cycle is one.
    fn look_for_two_in_a_row(
        &mut self,
        kinds: Kinds,
        all: &Components,
        scc: &[u32],
        limit: u32,
        budget: &mut EdgeBudget<'_>,
    ) {
        let ground = Ground { mask: kinds.all(), within: &all.of, above: None };
        let closing = Closing { first: kinds.rw, over: kinds.rw, certain: false, limit };
        if !self.look_for_shortest(scc, closing, &ground, budget)
            && !self.found.iter().any(|found| all.together(found.node, scc[0]))
        {
            let closing = Closing { over: u8::MAX, certain: true, ..closing };
            self.look_for_shortest(scc, closing, &ground, budget);
        }
    }

    fn look_for_shortest(
        &mut self,
        scc: &[u32],
        closing: Closing,
        ground: &Ground<'_>,
        budget: &mut EdgeBudget<'_>,
    ) -> bool {
        let way = shortest(&self.graph, &mut self.walker, scc, closing, ground, budget);
        if let Some(way) = &way {
            self.found(edges(&self.graph, way));
        }
        way.is_some()
    }

    fn found(&mut self, mut cycle: Vec<Edge>) {
        let (kind, order) = classify(&cycle);
        let name = Name::Cycle(kind, order);
        let length = small(cycle.len());
        self.found.push(Reported { node: cycle[0].from, order, excludes: name.excludes(), length });
        for edge in &mut cycle {
            (edge.from, edge.to) = (self.outside[edge.from as usize], self.outside[edge.to as usize]);
        }
        let first = (0..cycle.len()).min_by_key(|index| cycle[*index].from).unwrap_or(0);
        cycle.rotate_left(first);
        (self.report)(name, &cycle);
    }

    /// For each component: how long a cycle of the name may be to be worth reporting. Of the data, every kind
    /// is. With the other orders, a cycle that excludes no more than those reported already is their shadow:
    /// of use only if they are long and it is shorter.
    fn limits(&self, name: Name, components: &Components) -> Vec<u32> {
        let Name::Cycle(_, order) = name else { return Vec::new() };
        let mut covered: FxHashMap<u32, Covered> = FxHashMap::default();
        let before = |found: &&Reported| order > Order::Data && found.order <= order;
        for found in self.found.iter().filter(before) {
            let nothing = Covered { excludes: Excluded::default(), shortest: u32::MAX };
            let all = covered.entry(components.of[found.node as usize]).or_insert(nothing);
            all.excludes = all.excludes.with(found.excludes);
            all.shortest = all.shortest.min(found.length);
        }
        let limit = |scc: &Vec<u32>| match covered.get(&components.of[scc[0] as usize]) {
            Some(covered) if covered.excludes.covers(name.excludes()) => match covered.shortest {
                0..=SHORT => 0,
                shortest => shortest - 1,
            },
            Some(_) | None => u32::MAX,
        };
        components.sccs.iter().map(limit).collect()
    }
}

/// How a cycle may close.
#[derive(Debug, Clone, Copy)]
struct Closing {
    /// The kinds of its first edge.
    first: u8,
    /// The kinds of its last edge.
    over: u8,
    /// Whether every first edge within the component closes.
    certain: bool,
    /// Its length must not be greater; no limit is `u32::MAX`.
    limit: u32,
}

/// The shortest cycle that begins with an edge among the nodes.
fn shortest(
    graph: &Graph,
    walker: &mut Walker,
    scc: &[u32],
    closing: Closing,
    ground: &Ground<'_>,
    budget: &mut EdgeBudget<'_>,
) -> Option<Vec<Hop>> {
    let mut best: Option<Vec<Hop>> = None;
    // The way back is one edge shorter than the cycle, and must be shorter than the limit.
    let mut limit = closing.limit;
    if limit == 0 {
        return None;
    }
    budget.refill(closing.certain && limit == u32::MAX);
    for from in scc {
        for (index, link) in (0..).zip(graph.links(*from)) {
            let inside = ground.within[link.to as usize] == ground.within[*from as usize];
            let returns = ground.above.is_none_or(|order| order[link.to as usize] >= order[*from as usize]);
            if link.kind() & closing.first == 0 || !inside || !returns {
                continue;
            }
            let goal = Goal { node: *from, over: closing.over };
            if let Some(way) = walker.shortest(graph, link.to, goal, ground, limit, budget) {
                if best.is_none() {
                    budget.refill(false);
                }
                limit = small(way.iter().filter(|hop| graph.link(hop.0, hop.1).kind() != kind::PASS).count());
                best = Some(std::iter::once((*from, index)).chain(way).collect());
            }
            if limit <= 1 || budget.empty() {
                return best;
            }
        }
    }
    best
}

/// A way as edges between transactions, without the helper nodes.
fn edges(graph: &Graph, way: &[Hop]) -> Vec<Edge> {
    let mut edges: Vec<Edge> = Vec::new();
    let mut passing = false;
    for (from, index) in way {
        let link = graph.link(*from, *index);
        match edges.last_mut() {
            Some(last) if passing => last.to = link.to,
            Some(_) | None => {
                edges.push(Edge { from: *from, to: link.to, kind: link.kind(), why: link.why() });
            }
        }
        passing = graph.nodes[link.to as usize] != Node::Transaction;
    }
    edges
}

/// Takes detours out of a closed way without two `rw` edges in a row, so that it visits no node twice. Of the
/// two parts at a crossing at least one has no two in a row either.
fn simple(mut edges: Vec<Edge>) -> Vec<Edge> {
    'shorten: loop {
        let mut seen: FxHashMap<u32, usize> = FxHashMap::default();
        for index in 0..edges.len() {
            if let Some(before) = seen.insert(edges[index].from, index) {
                let detour: Vec<Edge> = edges.drain(before..index).collect();
                if two_in_a_row(&edges) {
                    edges = detour;
                }
                continue 'shorten;
            }
        }
        return edges;
    }
}

fn two_in_a_row(cycle: &[Edge]) -> bool {
    let is_rw = |index: usize| cycle[index % cycle.len()].kind & kind::ANY_RW != 0;
    (0..cycle.len()).any(|index| is_rw(index) && is_rw(index + 1))
}

fn classify(cycle: &[Edge]) -> (Cycle, Order) {
    let kinds = cycle.iter().fold(0, |kinds, edge| kinds | edge.kind);
    let missed = cycle.iter().filter(|edge| edge.kind & kind::ANY_RW != 0).count();
    let order = if kinds & (kind::REAL_TIME | kind::RW_IN_TIME) != 0 {
        Order::RealTime
    } else if kinds & kind::PROCESS != 0 {
        Order::Process
    } else {
        Order::Data
    };
    let cycle = match missed {
        0 if kinds & kind::WR == 0 => Cycle::G0,
        0 => Cycle::G1c,
        1 => Cycle::GSingle,
        _ if two_in_a_row(cycle) => Cycle::G2Item,
        _ => Cycle::GNonadjacent,
    };
    (cycle, order)
}
