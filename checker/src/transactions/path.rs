//! Breadth-first search: the shortest path from one node to another over edges of given kinds.

use super::graph::{Graph, Node, kind};
use super::parse::{NONE, small};
use crate::limits::Limits;
use std::collections::VecDeque;

/// How many edges a search for the shortest cycle looks at before it takes the shortest found so far.
const EDGES_PER_SEARCH: u64 = 3_000_000;
/// How often the deadline is looked at, in edges.
const EDGES_BETWEEN_LOOKS: u64 = 50_000;

/// What a search may still spend.
pub(super) struct EdgeBudget<'a> {
    limits: &'a Limits<'a>,
    left: u64,
    until_look: u64,
    /// Whether time is up.
    pub(super) stopped: bool,
}

impl<'a> EdgeBudget<'a> {
    pub(super) fn new(limits: &'a Limits<'a>) -> Self {
        Self { limits, left: EDGES_PER_SEARCH, until_look: 0, stopped: limits.stopped() }
    }

    /// For a new search; without end where it is certain to find something and must.
    pub(super) fn refill(&mut self, certain: bool) {
        self.left = if certain { u64::MAX } else { EDGES_PER_SEARCH };
    }

    fn spend(&mut self, edges: u64) {
        self.left = self.left.saturating_sub(edges);
        if self.until_look <= edges {
            self.until_look = EDGES_BETWEEN_LOOKS;
            self.stopped |= self.limits.stopped();
        } else {
            self.until_look -= edges;
        }
    }

    pub(super) fn empty(&self) -> bool {
        self.left == 0 || self.stopped
    }
}

/// Where a way leads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Goal {
    pub(super) node: u32,
    /// It must be entered over an edge of these kinds.
    pub(super) over: u8,
}

/// Where a way may go.
pub(super) struct Ground<'a> {
    pub(super) mask: u8,
    /// Only through nodes of the goal's component.
    pub(super) within: &'a [u32],
    /// Only through nodes whose number here is not lower than the goal's.
    pub(super) above: Option<&'a [u32]>,
}

/// An edge as its source and its index among the links there.
pub(super) type Hop = (u32, u32);

/// Working memory for many searches in one graph.
#[derive(Debug)]
pub(super) struct Walker {
    distance: Vec<u32>,
    parent: Vec<Hop>,
    seen: Vec<u32>,
    round: u32,
    queue: VecDeque<(u32, u32)>,
}

impl Walker {
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            distance: vec![0; nodes],
            parent: vec![(NONE, 0); nodes],
            seen: vec![0; nodes],
            round: 0,
            queue: VecDeque::new(),
        }
    }

    /// The edges of the shortest way, in order, if there is one of fewer than `limit` steps. Edges out of
    /// helper nodes count nothing.
    pub(super) fn shortest(
        &mut self,
        graph: &Graph,
        start: u32,
        goal: Goal,
        ground: &Ground<'_>,
        limit: u32,
        budget: &mut EdgeBudget<'_>,
    ) -> Option<Vec<Hop>> {
        self.round += 1;
        self.queue.clear();
        self.reach(start, 0, (NONE, 0));
        self.queue.push_back((start, 0));
        let mut best = limit;
        let mut end: Option<Hop> = None;
        while let Some((node, distance)) = self.queue.pop_front() {
            if distance >= best {
                break;
            }
            if distance > self.distance[node as usize] {
                continue;
            }
            budget.spend(graph.links(node).len() as u64 + 1);
            if budget.empty() {
                break;
            }
            for (index, link) in (0..).zip(graph.links(node)) {
                if link.kind() & (ground.mask | kind::PASS) == 0 {
                    continue;
                }
                let step = u32::from(link.kind() != kind::PASS);
                if link.to == goal.node {
                    if entering(graph, node, link.kind()) & goal.over != 0 && distance + step < best {
                        best = distance + step;
                        end = Some((node, index));
                    }
                } else if allowed(ground, goal.node, link.to)
                    && self.reach(link.to, distance + step, (node, index))
                {
                    if step == 0 {
                        self.queue.push_front((link.to, distance));
                    } else {
                        self.queue.push_back((link.to, distance + 1));
                    }
                }
            }
        }
        end.map(|end| self.way_to(start, end))
    }

    /// Notes a shorter way to a node.
    fn reach(&mut self, node: u32, distance: u32, parent: Hop) -> bool {
        let index = node as usize;
        if self.seen[index] == self.round && self.distance[index] <= distance {
            return false;
        }
        (self.seen[index], self.distance[index], self.parent[index]) = (self.round, distance, parent);
        true
    }

    fn way_to(&self, start: u32, end: Hop) -> Vec<Hop> {
        let mut way = vec![end];
        let mut node = end.0;
        while node != start {
            let hop = self.parent[node as usize];
            way.push(hop);
            node = hop.0;
        }
        way.reverse();
        way
    }
}

/// The kind by which an edge out of `node` enters its target: helper nodes pass on what led to them.
fn entering(graph: &Graph, node: u32, kind: u8) -> u8 {
    match graph.nodes[node as usize] {
        Node::Transaction => kind,
        Node::Moment => kind::REAL_TIME,
        Node::Writers => kind::ANY_RW,
    }
}

fn allowed(ground: &Ground<'_>, goal: u32, node: u32) -> bool {
    ground.within[node as usize] == ground.within[goal as usize]
        && ground.above.is_none_or(|order| order[node as usize] >= order[goal as usize])
}

/// A graph in which every node stands twice, as `2v` and `2v + 1`: the second is entered over `rw` edges,
/// and does not go on over one. A way in it never takes two in a row.
pub(super) fn never_twice(graph: &Graph, data: u8, rw: u8) -> Graph {
    let nodes = graph.nodes.iter().flat_map(|node| [*node, *node]).collect();
    let edges = (0..small(graph.len())).flat_map(|from| {
        graph.links(from).iter().flat_map(move |link| {
            let to = |after_rw: u32| link.leading_to(2 * link.to + after_rw);
            let two = if link.kind() == kind::PASS {
                [Some((2 * from, to(0))), Some((2 * from + 1, to(1)))]
            } else if link.kind() & rw != 0 {
                [Some((2 * from, to(1))), None]
            } else if link.kind() & data != 0 {
                [Some((2 * from, to(0))), Some((2 * from + 1, to(0)))]
            } else {
                [None, None]
            };
            two.into_iter().flatten()
        })
    });
    Graph::new(nodes, edges)
}
