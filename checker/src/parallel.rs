//! Parallel work on threads of the caller.
//!
//! This crate starts no thread. A check splits its work into independent parts, one for each key, and the
//! caller's [`Workers`] run several of them at the same time.

use crate::order::indexes_by_key;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs the parts of a check at the same time.
///
/// ```
/// use checker::parallel::Workers;
///
/// struct Threads(usize);
///
/// impl Workers for Threads {
///     fn count(&self) -> usize {
///         self.0
///     }
///
///     fn run(&self, count: usize, work: &(dyn Fn() + Sync)) {
///         std::thread::scope(|scope| {
///             (1..count).for_each(|_| drop(scope.spawn(work)));
///             work();
///         });
///     }
/// }
/// ```
pub trait Workers: Sync {
    /// The number of calls that [`run`](Self::run) makes at the same time; 0 counts as 1.
    fn count(&self) -> usize;

    /// Calls `work` at least once and at most `count` times, and returns when every call has returned.
    fn run(&self, count: usize, work: &(dyn Fn() + Sync));
}

/// The thread of the caller and no other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sequential;

impl Workers for Sequential {
    fn count(&self) -> usize {
        1
    }

    fn run(&self, _: usize, work: &(dyn Fn() + Sync)) {
        work();
    }
}

/// Does the work for each index of `sizes`, the largest first; the results by index.
pub(crate) fn parallel_map<T: Send>(
    sizes: &[usize],
    workers: &dyn Workers,
    work: impl Fn(usize) -> T + Sync,
) -> Vec<T> {
    let largest_first = indexes_by_key(sizes.iter().map(|&size| u64::MAX - size as u64));
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(sizes.len()));
    let part = || {
        let mut done = Vec::new();
        while let Some(&index) = largest_first.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push((index, work(index)));
        }
        results.lock().expect("the work does not panic").append(&mut done);
    };
    workers.run(workers.count().min(sizes.len()).max(1), &part);
    let mut results = results.into_inner().expect("the work does not panic");
    assert_eq!(results.len(), sizes.len(), "the workers call the work, and return when it has returned");
    results.sort_unstable_by_key(|&(index, _)| index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls the work more often than there are parts.
    struct Twice;

    impl Workers for Twice {
        fn count(&self) -> usize {
            2
        }

        fn run(&self, _: usize, work: &(dyn Fn() + Sync)) {
            work();
            work();
        }
    }

    #[test]
    fn results_stand_by_index() {
        let sizes = [3, 9, 1];
        assert_eq!(parallel_map(&sizes, &Sequential, |index| index * 10), [0, 10, 20]);
        assert_eq!(parallel_map(&sizes, &Twice, |index| index * 10), [0, 10, 20]);
        assert!(parallel_map(&[], &Twice, |index| index).is_empty());
    }
}
