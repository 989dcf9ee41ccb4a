//! What transactions follow directly, as lists in one array.

use super::lists::Lists;
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
        let pairs = (0..small(count)).flat_map(|txn| self.of(txn).iter().map(move |cause| (*cause, txn)));
        let followers = Lists::new(count, pairs);
        let mut waits: Vec<usize> = (0..small(count)).map(|txn| self.of(txn).len()).collect();
        let mut sorted: Vec<u32> = among.iter().copied().filter(|txn| waits[*txn as usize] == 0).collect();
        let mut done = 0;
        while let Some(txn) = sorted.get(done).copied() {
            done += 1;
            for follower in followers.of(txn) {
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
