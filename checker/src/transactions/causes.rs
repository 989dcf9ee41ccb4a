//! What transactions follow directly, as lists in one array.

use super::parse::small;

/// The direct causes of every transaction.
#[derive(Debug, Default)]
pub(super) struct Causes {
    /// By transaction: where its causes end.
    ends: Vec<u32>,
    causes: Vec<u32>,
}

impl Causes {
    /// Adds the next transaction.
    pub(super) fn push(&mut self, causes: impl Iterator<Item = u32>) {
        self.causes.extend(causes);
        self.ends.push(small(self.causes.len()));
    }

    /// Those that a transaction follows.
    pub(super) fn of(&self, txn: u32) -> &[u32] {
        let start = txn.checked_sub(1).map_or(0, |before| self.ends[before as usize]);
        &self.causes[start as usize..self.ends[txn as usize] as usize]
    }

    /// Some transactions, causes first, by Kahn's algorithm. None is a cause of itself by way of others.
    pub(super) fn first(&self, among: &[u32]) -> Vec<u32> {
        let count = self.ends.len();
        let mut starts = vec![0u32; count + 1];
        for cause in &self.causes {
            starts[*cause as usize + 1] += 1;
        }
        for txn in 0..count {
            starts[txn + 1] += starts[txn];
        }
        let mut next = starts.clone();
        let mut followers = vec![0; self.causes.len()];
        let mut waits = vec![0; count];
        for txn in 0..small(count) {
            for cause in self.of(txn) {
                let at = &mut next[*cause as usize];
                followers[*at as usize] = txn;
                *at += 1;
            }
            waits[txn as usize] = self.of(txn).len();
        }
        let mut sorted: Vec<u32> = among.iter().copied().filter(|txn| waits[*txn as usize] == 0).collect();
        let mut done = 0;
        while let Some(txn) = sorted.get(done).copied() {
            done += 1;
            let range = starts[txn as usize] as usize..starts[txn as usize + 1] as usize;
            for follower in &followers[range] {
                let waits = &mut waits[*follower as usize];
                *waits -= 1;
                if *waits == 0 {
                    sorted.push(*follower);
                }
            }
        }
        sorted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_come_first() {
        let mut causes = Causes::default();
        for of_one in [&[3][..], &[], &[0, 1], &[1, 1], &[]] {
            causes.push(of_one.iter().copied());
        }
        assert_eq!((causes.of(0), causes.of(2)), (&[3][..], &[0, 1][..]));
        assert_eq!(causes.first(&[0, 1, 2, 3]), [1, 3, 0, 2]);
    }
}
