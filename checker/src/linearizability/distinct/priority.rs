//! Priority queues with distinct elements: a removal has an instant at which no larger element is certainly inside.
//!
//! The maximum of the elements inside is a step function of time; a monotonic stack gives the minimum of it between
//! an invocation and a completion. Source: Lee and Mathur (OOPSLA 2025), see the [module](super).

use super::super::call::NEVER;
use super::intervals::Interval;
use std::collections::BinaryHeap;

/// Elements are numbered in their order.
pub(super) fn linearizable(intervals: &[Interval]) -> bool {
    let mut inside: Vec<(u32, u32, u32)> = intervals
        .iter()
        .filter_map(|interval| interval.inside().map(|(start, end)| (start, end, interval.element)))
        .collect();
    inside.sort_unstable();
    let mut removals: Vec<(u32, u32, u32)> = intervals
        .iter()
        .filter(|interval| interval.remove.1 != NEVER)
        .map(|interval| (interval.remove.1, interval.remove.0, interval.element))
        .collect();
    removals.sort_unstable();
    let steps = largest(&inside);
    let mut minima: Vec<(u32, u32)> = Vec::new();
    let mut next = 0;
    removals.iter().all(|&(completed, invoked, element)| {
        while next < steps.len() && steps[next].0 <= completed {
            let (_, largest) = steps[next];
            while minima.last().is_some_and(|&(_, other)| other >= largest) {
                minima.pop();
            }
            minima.push(steps[next]);
            next += 1;
        }
        // The step in force at the invocation began before it.
        let current = steps[..next].partition_point(|&(start, _)| start <= invoked);
        let since = current.checked_sub(1).map_or(0, |current| steps[current].0);
        let least = minima.partition_point(|&(start, _)| start < since);
        minima.get(least).is_none_or(|&(_, largest)| largest <= element)
    })
}

/// When each element goes in and comes out, if the history is linearizable: in at the last moment, out at the
/// first one at which nothing larger is certainly inside. Then nothing larger is inside at all.
pub(super) fn stays(intervals: &[Interval]) -> Vec<(u32, u32)> {
    let mut inside: Vec<(u32, u32, u32)> = intervals
        .iter()
        .filter_map(|interval| interval.inside().map(|(start, end)| (start, end, interval.element)))
        .collect();
    inside.sort_unstable();
    let steps = largest(&inside);
    intervals
        .iter()
        .map(|interval| {
            let from = interval.remove.0;
            let current = steps.partition_point(|&(start, _)| start <= from).saturating_sub(1);
            let slot = steps[current..].iter().find(|&&(_, largest)| largest <= interval.element);
            let out = slot.map_or(NEVER, |&(start, _)| start.max(from));
            (interval.add.1.min(out), out)
        })
        .collect()
}

/// From which moment on which element is the largest that is certainly inside, plus one; 0 for none.
/// A moment at which an element comes or goes is not inside its time.
fn largest(inside: &[(u32, u32, u32)]) -> Vec<(u32, u32)> {
    let mut moments: Vec<u32> =
        inside.iter().flat_map(|&(start, end, _)| [start, start.saturating_add(1), end]).collect();
    moments.sort_unstable();
    moments.dedup();
    let mut steps: Vec<(u32, u32)> = vec![(0, 0)];
    let mut heap: BinaryHeap<(u32, u32)> = BinaryHeap::new();
    let mut next = 0;
    for moment in moments {
        while next < inside.len() && inside[next].0 < moment {
            heap.push((inside[next].2, inside[next].1));
            next += 1;
        }
        while heap.peek().is_some_and(|&(_, end)| end <= moment) {
            heap.pop();
        }
        let largest = heap.peek().map_or(0, |&(element, _)| element + 1);
        match steps.last_mut() {
            Some(last) if last.0 == moment => last.1 = largest,
            Some(last) if last.1 == largest => {}
            Some(_) | None => steps.push((moment, largest)),
        }
    }
    steps
}
