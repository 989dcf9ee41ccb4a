//! Stacks with distinct elements, decided by removing elements one by one (decrease and conquer).
//!
//! An element can be removed from the history when its push and its pop each have an instant at which no other
//! remaining element is certainly inside: it was then the lowest on the stack for that time, and every other element
//! fits before it, above it or after it. A linearizable history always has such an element, the lowest one of any
//! order. So the history is linearizable exactly when all elements can be removed, in any order. Two segment trees
//! find the next element in logarithmic time. Source: Lee and Mathur (OOPSLA 2025), see the [module](super).

use super::super::depth_first::count;
use super::{
    intervals::Interval,
    order::shortest,
    stab::{Cover, Straddling},
};
use std::collections::BTreeSet;

pub(super) fn linearizable(intervals: &[Interval]) -> bool {
    // Where push and pop overlap they may follow one another at once, whatever else is on the stack.
    let intervals: Vec<&Interval> = intervals.iter().filter(|interval| interval.inside().is_some()).collect();
    let times = times(&intervals);
    taken_away(&intervals, &times, |_, _, _| {})
}

/// When each element goes in and comes out; none if the history is not linearizable. Of two stays one
/// contains the other, or they share at most an instant.
pub(super) fn stays(intervals: &[Interval]) -> Option<Vec<(u32, u32)>> {
    let long: Vec<usize> =
        (0..intervals.len()).filter(|&number| intervals[number].inside().is_some()).collect();
    let kept: Vec<&Interval> = long.iter().map(|&number| &intervals[number]).collect();
    let times = times(&kept);
    let mut stays: Vec<(u32, u32)> = intervals.iter().map(shortest).collect();
    let mut free: BTreeSet<u32> = BTreeSet::new();
    let mut known = 0;
    // As close as possible to the time inside: then nothing that was taken away earlier lies between.
    let found = taken_away(&kept, &times, |interval, all_free, [push, pop]| {
        free.extend(&all_free[known..]);
        known = all_free.len();
        let last = free.range(push.0..=push.1).next_back();
        let first = free.range(pop.0..=pop.1).next();
        let (last, first) = last.zip(first).expect("both operations have a free instant");
        stays[long[interval]] = (times[*last as usize], times[*first as usize]);
    });
    found.then_some(stays)
}

fn times(intervals: &[&Interval]) -> Vec<u32> {
    let all = intervals
        .iter()
        .flat_map(|interval| [interval.add.0, interval.add.1, interval.remove.0, interval.remove.1]);
    let mut times: Vec<u32> = all.collect();
    times.sort_unstable();
    times.dedup();
    times
}

/// Whether all elements can be taken away. Each time one is, `taken` hears which, what instants are free
/// by then, and between which its push and pop lie, as indexes among the times.
fn taken_away(
    intervals: &[&Interval],
    times: &[u32],
    mut taken: impl FnMut(usize, &[u32], [(u32, u32); 2]),
) -> bool {
    let index_of = indexer(times);
    // Operation 2i is the push of interval i, 2i + 1 its pop.
    let spans: Vec<(u32, u32)> = intervals
        .iter()
        .flat_map(|interval| [interval.add, interval.remove])
        .map(|(a, b)| (index_of(a), index_of(b)))
        .collect();
    let inside = |interval: usize| (spans[2 * interval].1 + 1, spans[2 * interval + 1].0);
    let mut cover = Cover::new(times.len(), (0..intervals.len()).map(inside));
    let mut waiting = Straddling::new(times.len(), &spans);
    let mut half = vec![false; intervals.len()];
    let (mut left, mut found) = (intervals.len(), Vec::new());
    let (mut free, mut next) = (Vec::new(), 0);
    while left > 0 {
        while let Some(index_of) = cover.take_free() {
            free.push(count(index_of));
        }
        let Some(&index_of) = free.get(next) else { return false };
        next += 1;
        found.clear();
        waiting.take(index_of, &mut found);
        for &operation in &found {
            let interval = operation as usize / 2;
            if std::mem::replace(&mut half[interval], true) {
                taken(interval, &free, [spans[2 * interval], spans[2 * interval + 1]]);
                cover.remove(inside(interval));
                left -= 1;
            }
        }
    }
    true
}

/// The index of a moment among the sorted moments that occur.
fn indexer(times: &[u32]) -> impl Fn(u32) -> u32 {
    // What is left at the very end has one moment that is far from the others.
    let (origin, end) = (times.first().copied().unwrap_or(0), times.last().copied());
    let span = times.iter().rev().nth(1).map_or(0, |&time| (time - origin) as usize);
    // Most histories use nearly all moments; then a table is much faster than a search.
    let table = (span <= 8 * times.len()).then(|| {
        let mut table = vec![0; span + 1];
        for (&time, index_of) in times.iter().zip(0..).filter(|&(&time, _)| Some(time) != end) {
            table[(time - origin) as usize] = index_of;
        }
        table
    });
    let times = times.to_vec();
    move |time| match &table {
        Some(table) if Some(time) != end => table[(time - origin) as usize],
        Some(_) => count(times.len() - 1),
        None => count(times.partition_point(|&other| other < time)),
    }
}
