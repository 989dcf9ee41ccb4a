//! Two segment trees over the instants of a history: instants that no interval covers, and intervals that contain an
//! instant.

/// How many intervals cover each moment; finds those that nothing covers, each once.
#[derive(Debug)]
pub(super) struct Cover {
    leaves: usize,
    /// The least count below a node, with what was added to the whole node.
    least: Vec<i32>,
    /// What was added to the whole node; the leaves have no use for it.
    added: Vec<i32>,
}

/// More than any count.
const TAKEN: i32 = i32::MAX / 2;

impl Cover {
    /// Intervals reach from their first index to before their second one.
    pub(super) fn new(indexes: usize, intervals: impl Iterator<Item = (u32, u32)>) -> Self {
        let leaves = indexes.next_power_of_two();
        let mut change = vec![0; indexes + 1];
        for (start, end) in intervals.filter(|(start, end)| start < end) {
            change[start as usize] += 1;
            change[end as usize] -= 1;
        }
        let mut least = vec![TAKEN; 2 * leaves];
        let mut covering = 0;
        for (index, change) in change[..indexes].iter().enumerate() {
            covering += change;
            least[leaves + index] = covering;
        }
        for node in (1..leaves).rev() {
            least[node] = least[2 * node].min(least[2 * node + 1]);
        }
        Self { leaves, least, added: vec![0; leaves] }
    }

    /// Takes an interval away.
    pub(super) fn remove(&mut self, (start, end): (u32, u32)) {
        if start >= end {
            return;
        }
        let (first, last) = (start as usize + self.leaves, end as usize - 1 + self.leaves);
        let (mut low, mut high) = (first, last + 1);
        while low < high {
            if low % 2 == 1 {
                self.add(low, -1);
                low += 1;
            }
            if high % 2 == 1 {
                high -= 1;
                self.add(high, -1);
            }
            low /= 2;
            high /= 2;
        }
        self.settle(first);
        self.settle(last);
    }

    /// An index that nothing covers and that was not found before.
    pub(super) fn take_free(&mut self) -> Option<usize> {
        if self.least[1] != 0 {
            return None;
        }
        let (mut node, mut above) = (1, 0);
        while node < self.leaves {
            above += self.added[node];
            node = if self.least[2 * node] + above == 0 { 2 * node } else { 2 * node + 1 };
        }
        self.least[node] = TAKEN;
        self.settle(node);
        Some(node - self.leaves)
    }

    fn add(&mut self, node: usize, by: i32) {
        self.least[node] += by;
        if let Some(added) = self.added.get_mut(node) {
            *added += by;
        }
    }

    fn settle(&mut self, leaf: usize) {
        let mut node = leaf / 2;
        while node > 0 {
            self.least[node] = self.least[2 * node].min(self.least[2 * node + 1]) + self.added[node];
            node /= 2;
        }
    }
}

/// Spans that have not been found yet; hands out those that straddle an index.
#[derive(Debug)]
pub(super) struct Straddling {
    leaves: usize,
    /// The spans in the order of their starts.
    spans: Vec<u32>,
    /// By index: how many spans start there or before.
    started: Vec<u32>,
    /// The latest end below a node, plus one; 0 for none.
    latest: Vec<u32>,
}

impl Straddling {
    /// Spans include both their indexes, which are below `indexes`.
    pub(super) fn new(indexes: usize, spans: &[(u32, u32)]) -> Self {
        let mut started = vec![0; indexes + 1];
        for span in spans {
            started[span.0 as usize + 1] += 1;
        }
        for index in 0..indexes {
            started[index + 1] += started[index];
        }
        let mut next = started.clone();
        let mut order = vec![0; spans.len()];
        for (span, number) in spans.iter().zip(0..) {
            let index = &mut next[span.0 as usize];
            order[*index as usize] = number;
            *index += 1;
        }
        let leaves = spans.len().next_power_of_two();
        let mut latest = vec![0; 2 * leaves];
        for (leaf, &span) in order.iter().enumerate() {
            latest[leaves + leaf] = spans[span as usize].1 + 1;
        }
        for node in (1..leaves).rev() {
            latest[node] = latest[2 * node].max(latest[2 * node + 1]);
        }
        started.remove(0);
        Self { leaves, spans: order, started, latest }
    }

    /// Takes out the spans that straddle an index.
    pub(super) fn take(&mut self, index: u32, found: &mut Vec<u32>) {
        let end = self.started[index as usize] as usize;
        self.take_below(1, 0, self.leaves, end, index, found);
    }

    fn take_below(
        &mut self,
        node: usize,
        start: usize,
        width: usize,
        end: usize,
        index: u32,
        found: &mut Vec<u32>,
    ) {
        if start >= end || self.latest[node] <= index {
            return;
        }
        if node >= self.leaves {
            found.push(self.spans[start]);
            self.latest[node] = 0;
            return;
        }
        let half = width / 2;
        self.take_below(2 * node, start, half, end, index, found);
        self.take_below(2 * node + 1, start + half, half, end, index, found);
        self.latest[node] = self.latest[2 * node].max(self.latest[2 * node + 1]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_become_free_once_when_the_last_interval_is_gone() {
        let mut cover = Cover::new(6, [(0, 4), (2, 6), (3, 3)].into_iter());
        assert_eq!(cover.take_free(), None);
        cover.remove((0, 4));
        assert_eq!([cover.take_free(), cover.take_free(), cover.take_free()], [Some(0), Some(1), None]);
        cover.remove((2, 6));
        let mut rest: Vec<_> = std::iter::from_fn(|| cover.take_free()).collect();
        rest.sort_unstable();
        assert_eq!(rest, [2, 3, 4, 5]);
    }

    #[test]
    fn spans_are_found_once_by_any_place_inside() {
        let mut waiting = Straddling::new(10, &[(5, 9), (0, 3), (3, 3), (2, 6)]);
        let mut take = |index| {
            let mut found = Vec::new();
            waiting.take(index, &mut found);
            found.sort_unstable();
            found
        };
        assert_eq!(take(3), [1, 2, 3]);
        assert_eq!(take(4), Vec::<u32>::new());
        assert_eq!((take(9), take(9)), (vec![0], vec![]));
    }
}
