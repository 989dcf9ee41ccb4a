//! Near-linear methods for containers with distinct elements: each is added at most once and removed at most once.
//!
//! *Problem*: decide whether a set, queue, stack or priority queue is linearizable, in less than exponential time.
//!
//! *Idea*: an element is certainly inside from the completion of its add to the invocation of its removal. Each
//! discipline forbids certain overlaps of these intervals: a queue forbids two elements that leave in the other order
//! than they came, a priority queue a removal while a larger element is certainly inside, a stack an element that
//! leaves while a later one is certainly above it. An operation that found the container empty needs an instant that
//! no interval covers.
//!
//! *Why it is right*: for each discipline the conditions are sufficient too; each file says why. Removals with an
//! unknown result are assigned to elements that stayed (see [`unknown_removals`]); where no assignment is known to be
//! the best one, the method has no answer and the search decides.
//!
//! *Cost*: sorting and segment trees, n log n.
//!
//! *Source*: Lee and Mathur, "Efficient decrease-and-conquer linearizability monitoring" (OOPSLA 2025); Abdulla and
//! others, "Efficient Linearizability Monitoring" (PLDI 2025).

mod growing;
mod intervals;
mod order;
mod priority;
mod queue;
mod set;
mod stab;
mod stack;
mod unknown_removals;

pub(super) use growing::{growing_set, growing_set_order};
pub(super) use order::container_order;
pub(super) use set::{set, set_order};

use super::{
    call::Call,
    objects::{ContainerAction, Discipline},
};
use intervals::{Interval, Intervals};

/// What the calls say of the elements.
enum Read<T> {
    /// Something contradicts itself.
    Impossible,
    /// They are not distinct enough, or of another kind.
    Ambiguous,
    Distinct(T),
}

/// Whether a container is linearizable; none if its elements are not distinct enough to say. Elements are
/// numbered below `count`, in their order.
pub(super) fn container(
    discipline: Discipline,
    count: usize,
    calls: &[Call<ContainerAction>],
) -> Option<bool> {
    let intervals = match intervals::read(count, calls) {
        Read::Impossible => return Some(false),
        Read::Ambiguous => return None,
        Read::Distinct(intervals) => intervals,
    };
    let Some(first) = intervals.unknown_removals.first() else {
        return Some(linearizable(discipline, &intervals));
    };
    let explained = linearizable(discipline, &unknown_removals::handed_out(discipline, &intervals).0);
    let exact = match discipline {
        Discipline::Fifo | Discipline::Unordered => !intervals.maybe_removed(),
        Discipline::Priority | Discipline::Stack => false,
    };
    if exact || explained {
        return Some(explained);
    }
    // As if there were a removal with an unknown result for every element.
    (!linearizable(discipline, &intervals.taken_since(first.invoked))).then_some(false)
}

fn linearizable(discipline: Discipline, intervals: &Intervals) -> bool {
    empties_fit(intervals)
        && match discipline {
            Discipline::Unordered => true,
            Discipline::Fifo => queue::linearizable(&intervals.elements),
            Discipline::Priority => priority::linearizable(&intervals.elements),
            Discipline::Stack => stack::linearizable(&intervals.elements),
        }
}

/// Whether each operation that found nothing has an instant at which nothing was certainly inside.
fn empties_fit(intervals: &Intervals) -> bool {
    if intervals.empties.is_empty() {
        return true;
    }
    let merged = inside_merged(&intervals.elements);
    intervals.empties.iter().all(|&(invoked, completed)| {
        let before = merged.partition_point(|&(start, _)| start < invoked);
        merged[..before].last().is_none_or(|&(_, end)| completed >= end)
    })
}

/// When something is certainly inside, as intervals that exclude both ends and do not overlap, in order.
fn inside_merged(elements: &[Interval]) -> Vec<(u32, u32)> {
    let mut inside: Vec<(u32, u32)> = elements.iter().filter_map(Interval::inside).collect();
    inside.sort_unstable();
    let mut merged: Vec<(u32, u32)> = Vec::new();
    for (start, end) in inside {
        match merged.last_mut() {
            Some(last) if start < last.1 => last.1 = last.1.max(end),
            Some(_) | None => merged.push((start, end)),
        }
    }
    merged
}
