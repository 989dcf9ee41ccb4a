//! The graph of dependencies: an edge from each transaction to one that must come after it, and why.

use super::parse::small;

/// Kinds of edges, as bits of a mask.
pub(super) mod kind {
    /// The target wrote after the source.
    pub(in super::super) const WW: u8 = 1;
    /// The target read what the source wrote.
    pub(in super::super) const WR: u8 = 2;
    /// The source read a version from before the target's write.
    pub(in super::super) const RW: u8 = 4;
    /// The same process issued the source, then the target.
    pub(in super::super) const PROCESS: u8 = 8;
    /// The source completed before the target was invoked.
    pub(in super::super) const REAL_TIME: u8 = 16;
    /// Like [`RW`], where only real time tells the order of the versions.
    pub(in super::super) const RW_IN_TIME: u8 = 32;
    /// A transaction that had to see the source saw the target's write of a key instead.
    pub(in super::super) const VIEW: u8 = 128;
    /// Goes on from a helper node with whatever led to it.
    pub(in super::super) const PASS: u8 = 64;
    /// Dependencies of data. Where one pair has several, the least one says the most.
    pub(in super::super) const DATA: u8 = WW | WR | RW;
    pub(in super::super) const ANY_RW: u8 = RW | RW_IN_TIME;
}

/// What a node stands for. Helper nodes stand between many sources and many targets, so that the number of
/// edges stays near-linear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    Transaction,
    /// A moment: what completed before it leads in, what was invoked after it leads out.
    Moment,
    /// Several writers; only reads that missed their writes lead in.
    Writers,
}

#[derive(Debug, Clone, Copy)]
struct Edge {
    from: u32,
    link: Link,
}

/// An edge without its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Link {
    pub(super) to: u32,
    pub(super) kind: u8,
    /// An element for WW and WR, a key for the RW kinds.
    pub(super) why: u32,
}

/// A graph that is being built.
#[derive(Debug)]
pub(super) struct Builder {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
}

impl Builder {
    pub(super) fn new(transactions: usize) -> Self {
        Self { nodes: vec![Node::Transaction; transactions], edges: Vec::with_capacity(transactions * 6) }
    }

    /// Makes room for so many edges.
    pub(super) fn reserve(&mut self, edges: usize) {
        self.edges.reserve_exact(edges);
    }

    pub(super) fn helper(&mut self, node: Node) -> u32 {
        self.nodes.push(node);
        small(self.nodes.len() - 1)
    }

    pub(super) fn edge(&mut self, from: u32, to: u32, kind: u8, why: u32) {
        debug_assert_ne!(from, to, "a transaction does not depend on itself");
        self.edges.push(Edge { from, link: Link { to, kind, why } });
    }

    pub(super) fn finish(self) -> Graph {
        let edges = self.edges.iter().map(|edge| (edge.from, edge.link));
        Graph::new(self.nodes, edges)
    }
}

/// A graph whose edges lie in one array, sorted by source.
#[derive(Debug)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    starts: Vec<u32>,
    links: Vec<Link>,
}

impl Graph {
    pub(super) fn new(nodes: Vec<Node>, edges: impl Iterator<Item = (u32, Link)> + Clone) -> Self {
        let mut starts = vec![0u32; nodes.len() + 1];
        for (from, _) in edges.clone() {
            starts[from as usize + 1] += 1;
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut next = starts.clone();
        let mut links = vec![Link { to: 0, kind: 0, why: 0 }; sum as usize];
        for (from, link) in edges {
            let index = &mut next[from as usize];
            links[*index as usize] = link;
            *index += 1;
        }
        let mut graph = Self { nodes, starts, links };
        graph.tidy();
        graph
    }

    /// Tidies the links of each node.
    fn tidy(&mut self) {
        let mut kept = 0;
        let mut start = 0;
        for node in 0..self.nodes.len() {
            let end = self.starts[node + 1] as usize;
            let links = &mut self.links[start..end];
            let own = tidy(links);
            self.links.copy_within(start..start + own, kept);
            kept += own;
            self.starts[node + 1] = small(kept);
            start = end;
        }
        self.links.truncate(kept);
        self.links.shrink_to_fit();
    }

    /// The edges of some kinds, and others.
    pub(super) fn with(&self, kinds: u8, mut others: Vec<(u32, Link)>) -> Self {
        others.sort_unstable();
        let mut others = others.into_iter().peekable();
        let mut links: Vec<Link> = Vec::with_capacity(self.links.len());
        let mut starts = vec![0];
        starts.reserve_exact(self.nodes.len());
        for node in 0..small(self.nodes.len()) {
            let start = links.len();
            links.extend(self.links(node).iter().filter(|link| link.kind & kinds != 0));
            while let Some((_, link)) = others.next_if(|(from, _)| *from == node) {
                links.push(link);
            }
            let own = tidy(&mut links[start..]);
            links.truncate(start + own);
            starts.push(small(links.len()));
        }
        Self { nodes: self.nodes.clone(), starts, links }
    }

    pub(super) fn links(&self, node: u32) -> &[Link] {
        &self.links[self.range(node)]
    }

    pub(super) fn range(&self, node: u32) -> std::ops::Range<usize> {
        self.starts[node as usize] as usize..self.starts[node as usize + 1] as usize
    }

    pub(super) fn link(&self, index: usize) -> Link {
        self.links[index]
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }
}

/// Sorts the links of one node and puts those in front that stay: of several dependencies of data between two transactions
/// the strongest. Returns how many these are.
fn tidy(links: &mut [Link]) -> usize {
    links.sort_unstable();
    let mut kept: usize = 0;
    for index in 0..links.len() {
        let link = links[index];
        let last = kept.checked_sub(1).map(|last| links[last]);
        let repeats =
            last.is_some_and(|last| last.to == link.to && (last.kind == link.kind || is_weaker(last, link)));
        if !repeats {
            links[kept] = link;
            kept += 1;
        }
    }
    kept
}

/// Whether the second link says less than the first to the same node.
fn is_weaker(first: Link, second: Link) -> bool {
    first.kind & kind::DATA != 0 && second.kind & (kind::DATA | kind::RW_IN_TIME) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_dependencies_of_data_the_strongest_stays_beside_the_other_orders() {
        let mut graph = Builder::new(3);
        for (to, kind) in [
            (1, kind::RW),
            (1, kind::WR),
            (1, kind::PROCESS),
            (1, kind::WR),
            (2, kind::RW_IN_TIME),
            (2, kind::RW),
        ] {
            graph.edge(0, to, kind, 0);
        }
        let graph = graph.finish();
        let links: Vec<_> = graph.links(0).iter().map(|link| (link.to, link.kind)).collect();
        assert_eq!(links, [(1, kind::WR), (1, kind::PROCESS), (2, kind::RW)]);
        assert!(graph.links(1).is_empty() && graph.links(2).is_empty());
    }
}
