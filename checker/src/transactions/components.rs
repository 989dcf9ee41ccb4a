//! Strongly connected components: Tarjan's algorithm, without recursion.
//!
//! Linear in nodes and edges. Components are numbered in reverse topological order. Source: Tarjan, "Depth-first
//! search and linear graph algorithms" (SIAM J. Comput. 1(2), 1972).

use super::graph::{Graph, Node, kind};
use super::parse::{NONE, small};

/// Which nodes reach each other over the edges allowed.
#[derive(Debug)]
pub(super) struct Components {
    /// By node: the number of its component. An edge between two components leads to the lower number.
    pub(super) of: Vec<u32>,
    /// The nodes of each component of more than one.
    pub(super) sccs: Vec<Vec<u32>>,
}

impl Components {
    pub(super) fn together(&self, a: u32, b: u32) -> bool {
        self.of[a as usize] == self.of[b as usize]
    }

    /// By node: a number that no way over the edges allowed ever raises, and that is as low as can be for
    /// helpers that no such edge leads into.
    pub(super) fn ranks(&self, graph: &Graph) -> Vec<u32> {
        let mut ranks = self.of.clone();
        // A helper's children come behind it, or are transactions.
        for node in (0..small(graph.len())).rev() {
            if graph.nodes[node as usize] == Node::Writers {
                let children = graph.links(node).iter().map(|link| ranks[link.to as usize]);
                ranks[node as usize] = children.max().unwrap_or(0);
            }
        }
        ranks
    }
}

/// The components over edges of the kinds in `mask`; edges out of helper nodes are always allowed.
pub(super) fn components(graph: &Graph, mask: u8) -> Components {
    let mut search = Search {
        graph,
        mask: mask | kind::PASS,
        index: vec![NONE; graph.len()],
        low: vec![0; graph.len()],
        found: Components { of: vec![NONE; graph.len()], sccs: Vec::new() },
        stack: Vec::new(),
        next_index: 0,
        next_component: 0,
    };
    // Late transactions first, then helpers: so the numbers go roughly back in time.
    let nodes = 0..small(graph.len());
    let is_helper = |node: &u32| graph.nodes[*node as usize] != Node::Transaction;
    for root in nodes.clone().rev().filter(|node| !is_helper(node)).chain(nodes.filter(is_helper)) {
        if search.index[root as usize] == NONE {
            search.from(root);
        }
    }
    search.found
}

struct Search<'g> {
    graph: &'g Graph,
    mask: u8,
    index: Vec<u32>,
    low: Vec<u32>,
    found: Components,
    stack: Vec<u32>,
    next_index: u32,
    next_component: u32,
}

impl Search<'_> {
    fn from(&mut self, root: u32) {
        self.open(root);
        let graph = self.graph;
        let mut path = vec![(root, graph.links(root).iter())];
        while let Some((node, links)) = path.last_mut() {
            let node = *node;
            let Some(link) = links.next() else {
                path.pop();
                if let Some((above, _)) = path.last() {
                    let low = self.low[node as usize];
                    let above = &mut self.low[*above as usize];
                    *above = (*above).min(low);
                }
                self.close(node);
                continue;
            };
            if link.kind() & self.mask == 0 {
                continue;
            }
            if self.index[link.to as usize] == NONE {
                self.open(link.to);
                path.push((link.to, graph.links(link.to).iter()));
            } else if self.found.of[link.to as usize] == NONE {
                let seen = self.index[link.to as usize];
                let low = &mut self.low[node as usize];
                *low = (*low).min(seen);
            }
        }
    }

    /// Numbers the node.
    fn open(&mut self, node: u32) {
        self.index[node as usize] = self.next_index;
        self.low[node as usize] = self.next_index;
        self.next_index += 1;
        self.stack.push(node);
    }

    fn close(&mut self, node: u32) {
        if self.low[node as usize] != self.index[node as usize] {
            return;
        }
        let start = self.stack.iter().rposition(|open| *open == node).expect("an open node is on the stack");
        for member in &self.stack[start..] {
            self.found.of[*member as usize] = self.next_component;
        }
        if self.stack.len() - start > 1 {
            self.found.sccs.push(self.stack[start..].to_vec());
        }
        self.stack.truncate(start);
        self.next_component += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::super::graph::{Builder, kind};
    use super::*;

    #[test]
    fn components_are_the_nodes_that_reach_each_other_and_are_numbered_against_the_edges() {
        let mut graph = Builder::new(7);
        for (from, to) in [(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (4, 3), (5, 4), (6, 5)] {
            graph.edge(from, to, kind::WW, 0);
        }
        graph.edge(4, 2, kind::RW, 0);
        let graph = graph.finish();
        let found = components(&graph, kind::WW);
        let mut sccs = found.sccs.clone();
        for scc in &mut sccs {
            scc.sort_unstable();
        }
        sccs.sort();
        assert_eq!(sccs, [vec![0, 1, 2], vec![3, 4]]);
        assert!(found.of[6] > found.of[5] && found.of[5] > found.of[4] && found.of[0] > found.of[3]);
        assert_eq!(components(&graph, kind::WW | kind::RW).sccs[0].len(), 5);
    }

    #[test]
    fn a_long_chain_does_not_overflow_the_stack() {
        let mut graph = Builder::new(300_000);
        for node in 1..300_000 {
            graph.edge(node - 1, node, kind::WR, 0);
        }
        graph.edge(299_999, 0, kind::RW, 0);
        let graph = graph.finish();
        assert!(components(&graph, kind::WR).sccs.is_empty());
        assert_eq!(components(&graph, kind::WR | kind::RW).sccs[0].len(), 300_000);
    }
}
