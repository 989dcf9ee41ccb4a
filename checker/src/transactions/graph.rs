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

/// An edge without its source. Links are ordered by their targets, then by their kinds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Link {
    pub(super) to: u32,
    /// Which bit its kind is, above [`WHY_BITS`](Self::WHY_BITS) bits for why it is there.
    label: u32,
}

impl Link {
    const WHY_BITS: u32 = 29;

    /// A link of one kind. Why it is there is an element for WW and WR, a key for the RW kinds.
    pub(super) fn new(to: u32, kind: u8, why: u32) -> Self {
        debug_assert!(kind.is_power_of_two(), "a link has one kind");
        assert!(why >> Self::WHY_BITS == 0, "a history has fewer than 500 million values");
        Self { to, label: kind.trailing_zeros() << Self::WHY_BITS | why }
    }

    pub(super) fn kind(self) -> u8 {
        1 << (self.label >> Self::WHY_BITS)
    }

    pub(super) fn why(self) -> u32 {
        self.label & ((1 << Self::WHY_BITS) - 1)
    }

    /// The same link to another node.
    pub(super) fn leading_to(self, to: u32) -> Self {
        Self { to, ..self }
    }
}

/// A graph that is being built.
#[derive(Debug)]
pub(super) struct Builder {
    nodes: Vec<Node>,
    /// The edges by their sources: those of [`BUCKET`] nodes together.
    buckets: Vec<Vec<Edge>>,
}

/// Nodes whose edges stand together: what sorting them takes fits in a cache, and is freed before the next ones are sorted.
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
        self.add(from, Link::new(to, kind, why));
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
        let Self { nodes, mut buckets } = self;
        buckets.resize_with(nodes.len().div_ceil(BUCKET), Vec::new);
        let mut ends = Vec::with_capacity(nodes.len());
        let links = buckets.into_iter().map(|edges| {
            let nodes = BUCKET.min(nodes.len() - ends.len());
            sorted(&edges, nodes, &mut ends)
        });
        Graph { links: links.collect(), nodes, ends }
    }
}

/// The links of a bucket of nodes, tidied. Adds where those of each node end.
fn sorted(edges: &[Edge], nodes: usize, ends: &mut Vec<u32>) -> Vec<Link> {
    let first = ends.len();
    let mut next = vec![0u32; nodes + 1];
    for edge in edges {
        next[edge.from as usize - first + 1] += 1;
    }
    for node in 0..nodes {
        next[node + 1] += next[node];
    }
    let mut links = vec![Link::default(); edges.len()];
    for edge in edges {
        let index = &mut next[edge.from as usize - first];
        links[*index as usize] = edge.link;
        *index += 1;
    }
    // Each now says where its node's links end.
    next.truncate(nodes);
    let (mut start, mut kept) = (0, 0);
    for end in next {
        let own = tidy(&mut links[start..end as usize]);
        links.copy_within(start..start + own, kept);
        kept += own;
        ends.push(small(kept));
        start = end as usize;
    }
    links.truncate(kept);
    links.shrink_to_fit();
    links
}

/// A graph whose edges are sorted by their sources.
#[derive(Debug)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    /// By node: where its links end among those of its bucket.
    ends: Vec<u32>,
    /// The links of each bucket of nodes.
    links: Vec<Vec<Link>>,
}

impl Graph {
    pub(super) fn new(nodes: Vec<Node>, edges: impl Iterator<Item = (u32, Link)>) -> Self {
        let mut builder = Builder { nodes, buckets: Vec::new() };
        for (from, link) in edges {
            builder.add(from, link);
        }
        builder.finish()
    }

    /// The edges of some kinds, and others.
    pub(super) fn with(&self, kinds: u8, mut others: Vec<(u32, Link)>) -> Self {
        others.sort_unstable();
        let mut others = others.into_iter().peekable();
        let mut ends = Vec::with_capacity(self.nodes.len());
        let mut all = Vec::with_capacity(self.links.len());
        for (first, old) in (0..self.nodes.len()).step_by(BUCKET).zip(&self.links) {
            let mut links: Vec<Link> = Vec::with_capacity(old.len());
            for node in small(first)..small(self.nodes.len().min(first + BUCKET)) {
                let start = links.len();
                links.extend(self.links(node).iter().filter(|link| link.kind() & kinds != 0));
                while let Some((_, link)) = others.next_if(|(from, _)| *from == node) {
                    links.push(link);
                }
                let own = tidy(&mut links[start..]);
                links.truncate(start + own);
                ends.push(small(links.len()));
            }
            all.push(links);
        }
        Self { nodes: self.nodes.clone(), ends, links: all }
    }

    pub(super) fn links(&self, node: u32) -> &[Link] {
        let node = node as usize;
        let start = if node.is_multiple_of(BUCKET) { 0 } else { self.ends[node - 1] };
        &self.links[node / BUCKET][start as usize..self.ends[node] as usize]
    }

    /// One link of a node, by its index there.
    pub(super) fn link(&self, node: u32, index: u32) -> Link {
        self.links(node)[index as usize]
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
        let repeats = last
            .is_some_and(|last| last.to == link.to && (last.kind() == link.kind() || is_weaker(last, link)));
        if !repeats {
            links[kept] = link;
            kept += 1;
        }
    }
    kept
}

/// Whether the second link says less than the first to the same node.
fn is_weaker(first: Link, second: Link) -> bool {
    first.kind() & kind::DATA != 0 && second.kind() & (kind::DATA | kind::RW_IN_TIME) != 0
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
        let links: Vec<_> = graph.links(0).iter().map(|link| (link.to, link.kind())).collect();
        assert_eq!(links, [(1, kind::WR), (1, kind::PROCESS), (2, kind::RW)]);
        assert!(graph.links(1).is_empty() && graph.links(2).is_empty());
    }
}
