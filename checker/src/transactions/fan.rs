//! Segment tree of helper nodes: one reader precedes a range of writers with logarithmically many edges.

use super::graph::{Builder, Node, kind};
use super::parse::small;

/// The writers in some order, under a binary tree of helper nodes: each stands for a range.
#[derive(Debug)]
pub(super) struct Fan {
    writers: Vec<u32>,
    /// The helper of tree node `i` is `base + i`; tree node `i` leads to `2i` and `2i + 1`, and the leaves
    /// begin at the number of writers. None until a range needs it.
    base: Option<u32>,
}

impl Fan {
    pub(super) fn new(writers: Vec<u32>) -> Self {
        Self { writers, base: None }
    }

    pub(super) fn len(&self) -> usize {
        self.writers.len()
    }

    /// Leads from the reader to every writer at `from..to` except those at the indexes named.
    pub(super) fn point(
        &mut self,
        graph: &mut Builder,
        reader: (u32, u8, u32),
        range: std::ops::Range<usize>,
        except: &mut [usize],
    ) {
        except.sort_unstable();
        let mut start = range.start;
        for index in except.iter().copied().filter(|index| range.contains(index)) {
            self.lead(graph, reader, start, index.max(start));
            start = start.max(index + 1);
        }
        self.lead(graph, reader, start, range.end);
    }

    fn lead(&mut self, graph: &mut Builder, reader: (u32, u8, u32), start: usize, end: usize) {
        let count = self.writers.len();
        let (mut low, mut high) = (start + count, end + count);
        while low < high {
            if low & 1 == 1 {
                self.enter(graph, reader, low);
                low += 1;
            }
            if high & 1 == 1 {
                high -= 1;
                self.enter(graph, reader, high);
            }
            low /= 2;
            high /= 2;
        }
    }

    fn enter(&mut self, graph: &mut Builder, (from, kind, why): (u32, u8, u32), node: usize) {
        let to = self.node(graph, node);
        graph.edge(from, to, kind, why);
    }

    fn node(&mut self, graph: &mut Builder, node: usize) -> u32 {
        let count = self.writers.len();
        if node >= count {
            return self.writers[node - count];
        }
        let base = *self.base.get_or_insert_with(|| grow(graph, &self.writers));
        base + small(node)
    }
}

fn grow(graph: &mut Builder, writers: &[u32]) -> u32 {
    let count = writers.len();
    let base = graph.helper(Node::Writers);
    for _ in 1..count {
        graph.helper(Node::Writers);
    }
    for node in 1..count {
        for child in [2 * node, 2 * node + 1] {
            let to = if child >= count { writers[child - count] } else { base + small(child) };
            graph.edge(base + small(node), to, kind::PASS, 0);
        }
    }
    base
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_reader_reaches_the_range_and_nothing_else() {
        for count in 1..12usize {
            for start in 0..=count {
                for end in start..=count {
                    for skip in 0..count {
                        let mut graph = Builder::new(count + 1);
                        let mut fan = Fan::new((1..=small(count)).collect());
                        fan.point(&mut graph, (0, kind::RW, 7), start..end, &mut [skip]);
                        let graph = graph.finish();
                        let mut reached = BTreeSet::new();
                        let mut open = vec![0];
                        while let Some(node) = open.pop() {
                            for link in graph.links(node) {
                                open.push(link.to);
                                if graph.nodes[link.to as usize] == Node::Transaction {
                                    reached.insert(link.to as usize - 1);
                                }
                            }
                        }
                        let wanted: BTreeSet<_> = (start..end).filter(|index| *index != skip).collect();
                        assert_eq!(reached, wanted, "{count} writers, {start}..{end} without {skip}");
                    }
                }
            }
        }
    }
}
