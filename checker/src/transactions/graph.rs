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
    /// The edges by their sources: those of [`BUCKET`] nodes together.
    buckets: Vec<Vec<Edge>>,
}

/// Nodes whose edges are sorted together: what they take fits in a cache, and is freed before the next ones are sorted.
const BUCKET: usize = 1 << 16;

impl Builder {
    pub(super) fn new(transactions: usize) -> Self {
        Self { nodes: vec![Node::Transaction; transactions], buckets: Vec::new() }
    }

    /// Makes room for this many edges of the nodes that there are so far.
    pub(super) fn reserve(&mut self, edges: usize) {
        let buckets = self.nodes.len().div_ceil(BUCKET);
        self.buckets.resize_with(buckets, || Vec::with_capacity(edges / buckets));
    }

    pub(super) fn helper(&mut self, node: Node) -> u32 {
        self.nodes.push(node);
        small(self.nodes.len() - 1)
    }

    pub(super) fn edge(&mut self, from: u32, to: u32, kind: u8, why: u32) {
        debug_assert_ne!(from, to, "a transaction does not depend on itself");
        self.add(from, Link { to, kind, why });
    }

    fn add(&mut self, from: u32, link: Link) {
        let bucket = from as usize / BUCKET;
        if bucket >= self.buckets.len() {
            self.buckets.resize_with(bucket + 1, Vec::new);
        }
        self.buckets[bucket].push(Edge { from, link });
    }

    /// Sorts the edges by their sources.
    pub(super) fn finish(self) -> Graph {
        let Self { nodes, buckets } = self;
        let mut starts = vec![0u32; nodes.len() + 1];
        let mut links = Vec::with_capacity(buckets.iter().map(Vec::len).sum());
        let mut next: Vec<usize> = Vec::with_capacity(BUCKET);
        let mut buckets = buckets.into_iter();
        for first in (0..nodes.len()).step_by(BUCKET) {
            let edges = buckets.next().unwrap_or_default();
            for edge in &edges {
                starts[edge.from as usize + 1] += 1;
            }
            let mut end = links.len();
            next.clear();
            for count in starts[first + 1..].iter_mut().take(BUCKET) {
                next.push(end);
                end += *count as usize;
                *count = small(end);
            }
            links.resize(end, Link { to: 0, kind: 0, why: 0 });
            for edge in edges {
                let index = &mut next[edge.from as usize - first];
                links[*index] = edge.link;
                *index += 1;
            }
        }
        let mut graph = Graph { nodes, starts, links };
        graph.tidy();
        graph
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
    pub(super) fn new(nodes: Vec<Node>, edges: impl Iterator<Item = (u32, Link)>) -> Self {
        let mut builder = Builder { nodes, buckets: Vec::new() };
        for (from, link) in edges {
            builder.add(from, link);
        }
        builder.finish()
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
