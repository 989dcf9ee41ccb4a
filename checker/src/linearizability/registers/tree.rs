//! Segment tree: the maximum of any range of a growing list, in logarithmic time.

use std::ops::Range;

/// A list of numbers, 0 where nothing was set. Node `i` holds the maximum of nodes `2i` and `2i + 1`.
#[derive(Debug, Clone, Default)]
pub(super) struct MaxTree {
    nodes: Vec<u32>,
}

impl MaxTree {
    fn leaves(&self) -> usize {
        self.nodes.len() / 2
    }

    pub(super) fn set(&mut self, index: u32, value: u32) {
        let index = index as usize;
        if index >= self.leaves() {
            self.grow(index);
        }
        let mut node = self.leaves() + index;
        self.nodes[node] = value;
        while node > 1 {
            node /= 2;
            let above = self.nodes[2 * node].max(self.nodes[2 * node + 1]);
            if self.nodes[node] == above {
                break;
            }
            self.nodes[node] = above;
        }
    }

    /// The largest number in a range of indexes; 0 if it is empty.
    pub(super) fn max(&self, indexes: Range<usize>) -> u32 {
        let end = indexes.end.min(self.leaves());
        let (mut from, mut to) = (indexes.start + self.leaves(), end + self.leaves());
        let mut largest = 0;
        while from < to {
            if from % 2 == 1 {
                largest = largest.max(self.nodes[from]);
                from += 1;
            }
            if to % 2 == 1 {
                to -= 1;
                largest = largest.max(self.nodes[to]);
            }
            from /= 2;
            to /= 2;
        }
        largest
    }

    fn grow(&mut self, index: usize) {
        let old = self.leaves();
        let leaves = (index + 1).next_power_of_two().max(8);
        let mut nodes = vec![0; 2 * leaves];
        nodes[leaves..leaves + old].copy_from_slice(&self.nodes[old..]);
        for node in (1..leaves).rev() {
            nodes[node] = nodes[2 * node].max(nodes[2 * node + 1]);
        }
        self.nodes = nodes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stretch_knows_its_largest_number() {
        let mut tree = MaxTree::default();
        let mut list = Vec::new();
        for index in 0..40_u32 {
            let value = index * 7919 % 101;
            tree.set(index, value);
            list.push(value);
            tree.set(index / 2, index);
            list[index as usize / 2] = index;
            for from in 0..list.len() {
                for to in from..=list.len() {
                    assert_eq!(tree.max(from..to), list[from..to].iter().copied().max().unwrap_or(0));
                }
            }
        }
    }
}
