//! The variables that may be decided next, the most active first.
//!
//! A variable becomes more active with each conflict it takes part in, and recent conflicts count more (VSIDS;
//! Moskewicz and others, "Chaff", DAC 2001).

use super::super::parse::{NONE, small};

/// How much of its weight a conflict keeps at the next one.
const DECAY: f64 = 0.95;
/// Beyond this all activities are scaled down.
const MOST: f64 = 1e100;

#[derive(Debug)]
pub(super) struct Heap {
    activity: Vec<f64>,
    weight: f64,
    nodes: Vec<u32>,
    /// By variable: its index among the nodes, or [`NONE`].
    index: Vec<u32>,
}

impl Default for Heap {
    fn default() -> Self {
        Self { activity: Vec::new(), weight: 1.0, nodes: Vec::new(), index: Vec::new() }
    }
}

impl Heap {
    /// Makes room for a variable that need not be decided.
    pub(super) fn know(&mut self, variable: u32) {
        if self.index.len() <= variable as usize {
            self.index.resize(variable as usize + 1, NONE);
            self.activity.resize(variable as usize + 1, 0.0);
        }
    }

    /// Adds a variable unless it is there.
    pub(super) fn add(&mut self, variable: u32) {
        self.know(variable);
        if self.index[variable as usize] == NONE {
            self.index[variable as usize] = small(self.nodes.len());
            self.nodes.push(variable);
            self.up(self.nodes.len() - 1);
        }
    }

    /// Takes out the most active variable without a value.
    pub(super) fn pop(&mut self, value: &[u8]) -> Option<u32> {
        while let Some(first) = self.nodes.first().copied() {
            let last = self.nodes.pop()?;
            self.index[first as usize] = NONE;
            if last != first {
                self.nodes[0] = last;
                self.index[last as usize] = 0;
                self.down(0);
            }
            if value[first as usize] == 0 {
                return Some(first);
            }
        }
        None
    }

    pub(super) fn bump(&mut self, variable: u32) {
        let activity = &mut self.activity[variable as usize];
        *activity += self.weight;
        if *activity > MOST {
            self.activity.iter_mut().for_each(|activity| *activity /= MOST);
            self.weight /= MOST;
        }
        let index = self.index[variable as usize];
        if index != NONE {
            self.up(index as usize);
        }
    }

    pub(super) fn decay(&mut self) {
        self.weight /= DECAY;
    }

    fn before(&self, one: usize, other: usize) -> bool {
        let [one, other] = [self.nodes[one], self.nodes[other]];
        let [first, second] = [self.activity[one as usize], self.activity[other as usize]];
        first > second || (first.total_cmp(&second).is_eq() && one < other)
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.nodes.swap(one, other);
        for at in [one, other] {
            self.index[self.nodes[at] as usize] = small(at);
        }
    }

    fn up(&mut self, mut at: usize) {
        while at > 0 && self.before(at, (at - 1) / 2) {
            self.swap(at, (at - 1) / 2);
            at = (at - 1) / 2;
        }
    }

    fn down(&mut self, mut at: usize) {
        loop {
            let children = [2 * at + 1, 2 * at + 2].into_iter().filter(|child| *child < self.nodes.len());
            let best = children.reduce(|one, other| if self.before(other, one) { other } else { one });
            match best {
                Some(best) if self.before(best, at) => {
                    self.swap(at, best);
                    at = best;
                }
                Some(_) | None => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_active_variable_comes_first() {
        let mut heap = Heap::default();
        (0..6).for_each(|variable| heap.add(variable));
        heap.bump(4);
        heap.decay();
        heap.bump(2);
        let value = [0, 0, 0, 1, 0, 0];
        let order: Vec<u32> = std::iter::from_fn(|| heap.pop(&value)).collect();
        assert_eq!(order, [2, 4, 0, 1, 5]);
    }
}
