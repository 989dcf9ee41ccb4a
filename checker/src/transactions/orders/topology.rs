//! A graph that stays acyclic while edges are added and taken back: a dynamic topological order.
//!
//! *Problem*: a search adds edges by the million. Say at once when one closes a cycle, and which decisions it rests on.
//!
//! *Idea*: keep a topological order. An edge that agrees with it costs nothing. Otherwise only the nodes between its
//! two ends are looked at, and moved. Removing an edge never makes an order wrong, so backtracking costs nothing.
//!
//! *Source*: Pearce and Kelly, "A dynamic topological sort algorithm for directed acyclic graphs" (ACM JEA 11, 2006).

use super::super::lists::Lists;
use super::super::parse::{NONE, small};
use std::collections::VecDeque;

/// An edge that was added later, among those of its node.
#[derive(Debug, Clone, Copy)]
struct Added {
    /// The other end.
    end: u32,
    /// The decision it rests on.
    reason: u32,
    /// The edges of the node that were added right before and right after, or [`NO_EDGE`].
    before: u32,
    after: u32,
}

/// Edges are numbered from 1, so that a node without any has two zeros, whose memory the system need not provide.
const NO_EDGE: u32 = 0;

/// The edges that were added, by one of their ends, in the order of their addition. Most nodes have none.
#[derive(Debug)]
struct AddedEdges {
    /// By node: its first and last edge, or [`NO_EDGE`].
    ends: Vec<(u32, u32)>,
    edges: Vec<Added>,
}

impl AddedEdges {
    fn new(nodes: usize) -> Self {
        Self { ends: vec![(NO_EDGE, NO_EDGE); nodes], edges: Vec::new() }
    }

    fn push(&mut self, node: u32, end: u32, reason: u32) {
        let (_, before) = self.ends[node as usize];
        self.edges.push(Added { end, reason, before, after: NO_EDGE });
        let edge = small(self.edges.len());
        self.ends[node as usize].1 = edge;
        match before {
            NO_EDGE => self.ends[node as usize].0 = edge,
            before => self.edges[before as usize - 1].after = edge,
        }
    }

    /// Removes the edge that was added last; it is one of this node's.
    fn pop(&mut self, node: u32) {
        let Some(edge) = self.edges.pop() else { return };
        self.ends[node as usize].1 = edge.before;
        match edge.before {
            NO_EDGE => self.ends[node as usize].0 = NO_EDGE,
            before => self.edges[before as usize - 1].after = NO_EDGE,
        }
    }

    fn first(&self, node: u32) -> u32 {
        self.ends[node as usize].0
    }

    /// The end of an edge, and the next edge of its node.
    fn step(&self, edge: u32) -> (u32, u32) {
        let edge = self.edges[edge as usize - 1];
        (edge.end, edge.after)
    }

    /// The ends of a node's edges, and the decisions they rest on.
    fn of(&self, node: u32) -> impl Iterator<Item = (u32, u32)> {
        let at = |edge: u32| (edge != NO_EDGE).then(|| &self.edges[edge as usize - 1]);
        let edges = std::iter::successors(at(self.first(node)), move |edge| at(edge.after));
        edges.map(|edge| (edge.end, edge.reason))
    }
}

/// The graph and its order.
#[derive(Debug)]
pub(super) struct Topology {
    /// The ends of the known edges by their sources, and the other way round.
    known_out: Lists<u32>,
    known_in: Lists<u32>,
    added_out: AddedEdges,
    added_in: AddedEdges,
    /// The sources of the edges that were added, in the order of their addition, with the targets.
    log: Vec<(u32, u32)>,
    position: Vec<u32>,
    mark: Vec<u32>,
    round: u32,
    forward: Vec<u32>,
    backward: Vec<u32>,
    stack: Vec<u32>,
    /// By node, once a path was asked for.
    parent: Vec<Step>,
    distance: Vec<u32>,
}

/// One edge of a path, by its source and the decision it rests on, which is [`NONE`] for a known edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) from: u32,
    pub(super) reason: u32,
}

impl Topology {
    /// The known edges, and an order that respects them.
    pub(super) fn new(edges: Lists<u32>, order: &[u32]) -> Self {
        let nodes = order.len();
        let mut position = vec![0; nodes];
        for (index, node) in order.iter().enumerate() {
            position[*node as usize] = small(index);
        }
        debug_assert!(edges.iter().all(|(from, to)| position[from as usize] < position[to as usize]));
        Self {
            known_in: Lists::new(nodes, edges.iter().map(|(from, to)| (to, from))),
            known_out: edges,
            added_out: AddedEdges::new(nodes),
            added_in: AddedEdges::new(nodes),
            log: Vec::new(),
            position,
            mark: vec![0; nodes],
            round: 0,
            forward: Vec::new(),
            backward: Vec::new(),
            stack: Vec::new(),
            parent: Vec::new(),
            distance: Vec::new(),
        }
    }

    pub(super) fn position(&self, node: u32) -> u32 {
        self.position[node as usize]
    }

    pub(super) fn agrees(&self, from: u32, to: u32) -> bool {
        self.position[from as usize] < self.position[to as usize]
    }

    /// How many edges have been added.
    pub(super) fn added(&self) -> usize {
        self.log.len()
    }

    /// Adds an edge; false, and nothing changes, if it closes a cycle.
    pub(super) fn add(&mut self, from: u32, to: u32, reason: u32) -> bool {
        if !self.agrees(from, to) && !self.reorder(from, to) {
            return false;
        }
        self.added_out.push(from, to, reason);
        self.added_in.push(to, from, reason);
        self.log.push((from, to));
        true
    }

    /// Takes back all edges but the first so many.
    pub(super) fn undo(&mut self, added: usize) {
        for (from, to) in self.log.drain(added..).rev() {
            self.added_out.pop(from);
            self.added_in.pop(to);
        }
    }

    /// Whether a path leads from one node to another.
    pub(super) fn reaches(&mut self, from: u32, to: u32) -> bool {
        from == to || (self.agrees(from, to) && !self.visit_forward(from, to))
    }

    /// Marks all nodes that a path from this one reaches and that are not behind a position.
    pub(super) fn mark_reachable(&mut self, from: u32, last: u32) {
        self.begin();
        self.push(from);
        while let Some(node) = self.stack.pop() {
            for index in 0..self.known_out.of(node).len() {
                self.push_before(self.known_out.of(node)[index], last);
            }
            let mut edge = self.added_out.first(node);
            while edge != NO_EDGE {
                let (end, next) = self.added_out.step(edge);
                self.push_before(end, last);
                edge = next;
            }
        }
    }

    /// Whether [`mark_reachable`](Self::mark_reachable) marked it.
    pub(super) fn is_marked(&self, node: u32) -> bool {
        self.mark[node as usize] == self.round
    }

    fn begin(&mut self) {
        self.round += 1;
        self.stack.clear();
    }

    fn push(&mut self, node: u32) {
        self.mark[node as usize] = self.round;
        self.stack.push(node);
    }

    fn push_before(&mut self, node: u32, last: u32) {
        if self.position[node as usize] <= last && self.mark[node as usize] != self.round {
            self.push(node);
        }
    }

    /// Collects in `forward` what comes after `from` up to `goal`; false if `goal` is among it.
    fn visit_forward(&mut self, from: u32, goal: u32) -> bool {
        let last = self.position[goal as usize];
        self.begin();
        self.forward.clear();
        self.push(from);
        while let Some(node) = self.stack.pop() {
            if node == goal {
                return false;
            }
            self.forward.push(node);
            for index in 0..self.known_out.of(node).len() {
                self.push_before(self.known_out.of(node)[index], last);
            }
            let mut edge = self.added_out.first(node);
            while edge != NO_EDGE {
                let (end, next) = self.added_out.step(edge);
                self.push_before(end, last);
                edge = next;
            }
        }
        true
    }

    fn visit_backward(&mut self, from: u32, first: u32) {
        self.begin();
        self.backward.clear();
        self.push(from);
        while let Some(node) = self.stack.pop() {
            self.backward.push(node);
            for index in 0..self.known_in.of(node).len() {
                self.push_after(self.known_in.of(node)[index], first);
            }
            let mut edge = self.added_in.first(node);
            while edge != NO_EDGE {
                let (end, next) = self.added_in.step(edge);
                self.push_after(end, first);
                edge = next;
            }
        }
    }

    fn push_after(&mut self, node: u32, first: u32) {
        if self.position[node as usize] >= first && self.mark[node as usize] != self.round {
            self.push(node);
        }
    }

    /// Makes room for an edge that the order contradicts; false if there is a path back.
    fn reorder(&mut self, from: u32, to: u32) -> bool {
        if from == to || !self.visit_forward(to, from) {
            return false;
        }
        self.visit_backward(from, self.position[to as usize]);
        let position = &self.position;
        self.forward.sort_unstable_by_key(|node| position[*node as usize]);
        self.backward.sort_unstable_by_key(|node| position[*node as usize]);
        let mut free: Vec<u32> =
            self.backward.iter().chain(&self.forward).map(|node| position[*node as usize]).collect();
        free.sort_unstable();
        for (node, position) in self.backward.iter().chain(&self.forward).zip(free) {
            self.position[*node as usize] = position;
        }
        true
    }

    /// A path with as few decisions as can be, edge by edge; there must be one. `settled` says which decisions
    /// count nothing.
    pub(super) fn path(&mut self, from: u32, to: u32, settled: &dyn Fn(u32) -> bool) -> Vec<Step> {
        let last = self.position[to as usize];
        self.parent.resize(self.position.len(), Step { from: NONE, reason: NONE });
        self.distance.resize(self.position.len(), 0);
        self.begin();
        let mut queue = VecDeque::from([(from, 0)]);
        self.mark[from as usize] = self.round;
        self.distance[from as usize] = 0;
        while let Some((node, distance)) = queue.pop_front() {
            if node == to {
                break;
            }
            if distance > self.distance[node as usize] {
                continue;
            }
            let known = self.known_out.of(node).iter().map(|next| (*next, NONE));
            let added = self.added_out.of(node);
            for (next, reason) in known.chain(added) {
                let further = distance + u32::from(reason != NONE && !settled(reason));
                let index = next as usize;
                let seen = self.mark[index] == self.round && self.distance[index] <= further;
                if seen || self.position[index] > last {
                    continue;
                }
                self.mark[index] = self.round;
                self.distance[index] = further;
                self.parent[index] = Step { from: node, reason };
                if further == distance {
                    queue.push_front((next, further));
                } else {
                    queue.push_back((next, further));
                }
            }
        }
        let mut path = Vec::new();
        let mut node = to;
        while node != from {
            let step = self.parent[node as usize];
            path.push(step);
            node = step.from;
        }
        path.reverse();
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_agree(topology: &Topology, edges: &[(u32, u32)]) -> bool {
        edges.iter().all(|(from, to)| topology.agrees(*from, *to))
    }

    #[test]
    fn edges_move_nodes_and_cycles_are_refused() {
        let mut topology = Topology::new(Lists::new(4, [(0, 1), (2, 3)].into_iter()), &[0, 1, 2, 3]);
        assert!(topology.add(3, 0, 7));
        assert!(all_agree(&topology, &[(0, 1), (2, 3), (3, 0)]));
        assert!(!topology.add(1, 2, 8));
        let path = topology.path(2, 1, &|_| false);
        let reasons: Vec<u32> = path.iter().map(|step| step.reason).collect();
        assert_eq!(reasons, [NONE, 7, NONE]);
        topology.undo(0);
        assert!(topology.add(1, 2, 8));
        assert!(topology.reaches(0, 3) && !topology.reaches(3, 0));
    }

    #[test]
    fn random_edges_close_a_cycle_when_a_path_leads_back() {
        let mut state = 1u64;
        let mut random = |below: u32| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            u32::try_from(state >> 33).expect("31 bits") % below
        };
        for _ in 0..200 {
            let order: Vec<u32> = (0..12).collect();
            let mut topology = Topology::new(Lists::new(12, std::iter::empty()), &order);
            let mut kept: Vec<(u32, u32)> = Vec::new();
            for _ in 0..40 {
                if random(8) == 0 {
                    let left = random(small(kept.len()) + 1) as usize;
                    kept.truncate(left);
                    topology.undo(left);
                }
                let (from, to) = (random(12), random(12));
                let mut reached = vec![to];
                let mut next = 0;
                while let Some(node) = reached.get(next).copied() {
                    next += 1;
                    let ends = kept.iter().filter(|edge| edge.0 == node).map(|edge| edge.1);
                    let new: Vec<u32> = ends.filter(|end| !reached.contains(end)).collect();
                    reached.extend(new);
                }
                let closes = reached.contains(&from);
                assert_eq!(topology.add(from, to, 0), !closes);
                if !closes {
                    kept.push((from, to));
                }
                assert!(all_agree(&topology, &kept));
            }
        }
    }
}
