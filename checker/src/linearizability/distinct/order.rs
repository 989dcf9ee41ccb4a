//! Builds linearizations of containers with distinct elements: each operation gets an instant.
//!
//! Elements stay inside as briefly as possible, so that every operation that found the container empty has an instant
//! at which it is. Only a queue needs more: there all elements keep one order.

use super::super::{
    call::{Call, NEVER},
    objects::{ContainerAction, Discipline},
};
use super::{
    Read, inside_merged,
    intervals::{self, Interval},
    priority, stack, unknown_removals,
};
use std::{cmp::Reverse, collections::BinaryHeap};

/// The instants at which an element went in and came out.
type Stay = (u32, u32);

/// An order by origin, of calls that [`container`](super::container) has found linearizable.
pub(in super::super) fn container_order(
    discipline: Discipline,
    count: usize,
    calls: &[Call<ContainerAction>],
) -> Option<Vec<u32>> {
    let Read::Distinct(intervals) = intervals::read(count, calls) else { return None };
    let (intervals, taken) = unknown_removals::handed_out(discipline, &intervals);
    let merged = inside_merged(&intervals.elements);
    let mut origins = Origins { adds: vec![NEVER; count], removes: vec![NEVER; count], empties: Vec::new() };
    for call in calls {
        match call.action {
            ContainerAction::Add(element) => origins.adds[element as usize] = call.origin,
            ContainerAction::Remove(element) => origins.removes[element as usize] = call.origin,
            ContainerAction::Empty if call.certain() => {
                let before = merged.partition_point(|&(start, _)| start < call.invoked);
                let covered = merged[..before].last().map_or(0, |&(_, end)| end);
                origins.empties.push((call.invoked.max(covered), call.origin));
            }
            ContainerAction::Empty | ContainerAction::Take | ContainerAction::Peek(_) => {}
        }
    }
    for (element, origin) in taken {
        origins.removes[element as usize] = origin;
    }
    origins.empties.sort_unstable();
    let elements = &intervals.elements;
    let stays = match discipline {
        Discipline::Fifo => return Some(in_one_order(elements, &origins)),
        Discipline::Unordered => elements.iter().map(shortest).collect(),
        Discipline::Priority => priority::stays(elements),
        Discipline::Stack => stack::stays(elements)?,
    };
    Some(brief(elements, &stays, discipline, &origins))
}

struct Origins {
    /// By element.
    adds: Vec<u32>,
    /// By element; [`NEVER`] where it stays.
    removes: Vec<u32>,
    /// Instants at which nothing was inside, with the origins, sorted.
    empties: Vec<(u32, u32)>,
}

/// The briefest stay: in at the last moment, out at the first.
pub(super) fn shortest(interval: &Interval) -> Stay {
    let out = interval.remove.0.max(interval.add.0);
    (interval.add.1.min(out), out)
}

/// Events that happen at one instant, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Out,
    /// In and out at once.
    Through,
    Empty,
    In,
}

/// The order of stays of which no two are in each other's way.
fn brief(elements: &[Interval], stays: &[Stay], discipline: Discipline, origins: &Origins) -> Vec<u32> {
    let mut events: Vec<(u32, Phase, Reverse<u32>, i64, u32)> = Vec::with_capacity(2 * elements.len());
    for ((interval, &(start, end)), number) in elements.iter().zip(stays).zip(0_i64..) {
        let (add, remove) =
            (origins.adds[interval.element as usize], origins.removes[interval.element as usize]);
        if start == end && end != NEVER {
            events.push((start, Phase::Through, Reverse(0), 2 * number, add));
            events.push((start, Phase::Through, Reverse(0), 2 * number + 1, remove));
            continue;
        }
        // On a stack, what goes in later comes out earlier.
        let first_out = match discipline {
            Discipline::Stack => start,
            Discipline::Priority | Discipline::Unordered | Discipline::Fifo => interval.element,
        };
        events.push((start, Phase::In, Reverse(end), number, add));
        if remove != NEVER {
            events.push((end, Phase::Out, Reverse(first_out), -number, remove));
        }
    }
    events.extend(origins.empties.iter().map(|&(at, origin)| (at, Phase::Empty, Reverse(0), 0, origin)));
    events.sort_unstable();
    events.into_iter().map(|event| event.4).collect()
}

/// The order of a queue: segment by segment between the instants at which it was empty.
fn in_one_order(elements: &[Interval], origins: &Origins) -> Vec<u32> {
    let cuts = &origins.empties;
    let segment = |interval: &Interval| {
        let at = if interval.inside().is_some() { interval.add.1 } else { interval.remove.0 };
        cuts.partition_point(|&(cut, _)| cut <= at)
    };
    let mut segments: Vec<Vec<Interval>> = vec![Vec::new(); cuts.len() + 1];
    for interval in elements {
        let number = segment(interval);
        let start = number.checked_sub(1).map_or(0, |before| cuts[before].0);
        let end = cuts.get(number).map_or(NEVER, |&(cut, _)| cut);
        segments[number].push(Interval {
            add: (interval.add.0.max(start), interval.add.1.min(end)),
            remove: (interval.remove.0.max(start), interval.remove.1.min(end)),
            ..*interval
        });
    }
    let mut order = Vec::new();
    for (number, segment) in segments.into_iter().enumerate() {
        let mut events = Vec::with_capacity(2 * segment.len());
        let (mut added, mut removed) = (0, 0);
        for (interval, index) in lined_up(segment).into_iter().zip(0_u32..) {
            added = interval.add.0.max(added);
            removed = interval.remove.0.max(removed).max(added);
            events.push((added, false, index, origins.adds[interval.element as usize]));
            let remove = origins.removes[interval.element as usize];
            if remove != NEVER {
                events.push((removed, true, index, remove));
            }
        }
        events.sort_unstable();
        order.extend(events.into_iter().map(|event| event.3));
        order.extend(cuts.get(number).map(|&(_, origin)| origin));
    }
    order
}

/// Elements in an order that agrees with those of their adds and of their removals.
fn lined_up(mut intervals: Vec<Interval>) -> Vec<Interval> {
    intervals.sort_unstable_by_key(|interval| interval.add.0);
    let mut taken = vec![false; intervals.len()];
    let deadlines = |of: fn(&Interval) -> u32| -> BinaryHeap<Reverse<(u32, usize)>> {
        intervals.iter().enumerate().map(|(number, interval)| Reverse((of(interval), number))).collect()
    };
    let (mut adds, mut removes) =
        (deadlines(|interval| interval.add.1), deadlines(|interval| interval.remove.1));
    let earliest = |heap: &mut BinaryHeap<Reverse<(u32, usize)>>, taken: &[bool]| {
        while heap.peek().is_some_and(|&Reverse((_, number))| taken[number]) {
            heap.pop();
        }
        heap.peek().map_or(NEVER, |&Reverse((deadline, _))| deadline)
    };
    let mut ready: BinaryHeap<Reverse<(u32, usize)>> = BinaryHeap::new();
    let mut order = Vec::with_capacity(intervals.len());
    let mut next = 0;
    while order.len() < intervals.len() {
        let (add_by, remove_by) = (earliest(&mut adds, &taken), earliest(&mut removes, &taken));
        while next < intervals.len() && intervals[next].add.0 <= add_by {
            ready.push(Reverse((intervals[next].remove.0, next)));
            next += 1;
        }
        let Some(Reverse((start, number))) = ready.pop() else { break };
        debug_assert!(start <= remove_by, "a linearizable queue has an element that goes first");
        taken[number] = true;
        order.push(intervals[number]);
    }
    order
}
