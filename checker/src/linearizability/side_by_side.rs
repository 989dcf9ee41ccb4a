//! Works on many things of different size on a few threads.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Does the work for each place of `sizes`, the largest first, on so many threads; the results by place.
pub(super) fn side_by_side<T: Send>(
    sizes: &[usize],
    threads: usize,
    work: impl Fn(usize) -> T + Sync,
) -> Vec<T> {
    let mut largest_first: Vec<usize> = (0..sizes.len()).collect();
    largest_first.sort_by_key(|&place| std::cmp::Reverse(sizes[place]));
    let taken = AtomicUsize::new(0);
    let part = || {
        let mut done = Vec::new();
        while let Some(&place) = largest_first.get(taken.fetch_add(1, Ordering::Relaxed)) {
            done.push((place, work(place)));
        }
        done
    };
    let mut done = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(sizes.len())).map(|_| scope.spawn(part)).collect();
        let mut done = part();
        for other in others {
            done.extend(other.join().expect("the work does not panic"));
        }
        done
    });
    done.sort_by_key(|&(place, _)| place);
    done.into_iter().map(|(_, result)| result).collect()
}
