//! Removals with an unknown result: assigns them to the elements that stayed.
//!
//! Each such removal may have happened at any time after its invocation, to any element, or never.

use super::{
    super::{call::NEVER, objects::Discipline},
    intervals::{Interval, Intervals},
};

/// A removal with an unknown result.
#[derive(Debug, Clone, Copy)]
pub(super) struct UnknownRemoval {
    pub(super) invoked: u32,
    /// Its index in the caller's operations.
    pub(super) origin: u32,
}

/// Each take removes one of the elements that stayed, the most urgent first, and says with its origin which.
///
/// In queues and unordered containers an element is the more urgent the earlier its add completed, whatever
/// the reason; if any choice explains the history, this one does, as long as all other removals happened.
pub(super) fn handed_out(discipline: Discipline, intervals: &Intervals) -> (Intervals, Vec<(u32, u32)>) {
    let mut elements = intervals.elements.clone();
    let stayed = (0..elements.len()).filter(|&index| elements[index].remove == (NEVER, NEVER));
    let mut stayed: Vec<usize> = stayed.collect();
    match discipline {
        Discipline::Fifo | Discipline::Unordered => stayed.sort_by_key(|&index| elements[index].add.1),
        Discipline::Priority | Discipline::Stack => {
            let deadlines = deadlines(discipline, intervals);
            stayed.sort_by_key(|&index| (deadlines[index], elements[index].add.1));
        }
    }
    let mut taken = Vec::with_capacity(intervals.unknown_removals.len());
    for (index, take) in stayed.into_iter().zip(&intervals.unknown_removals) {
        let interval = elements[index];
        elements[index] = Interval { remove: (take.invoked, NEVER), ..interval }.clipped();
        taken.push((interval.element, take.origin));
    }
    (Intervals { elements, empties: intervals.empties.clone(), unknown_removals: Vec::new() }, taken)
}

/// By index: until when an element must be gone, because one that only comes out after it came out then.
/// Not all reasons are seen.
fn deadlines(discipline: Discipline, intervals: &Intervals) -> Vec<u32> {
    let elements = &intervals.elements;
    // What comes out last goes first, so that each element meets only those that come out after it.
    let late =
        |interval: &Interval| if discipline == Discipline::Stack { interval.add.1 } else { interval.element };
    let bound =
        |interval: &Interval| if discipline == Discipline::Stack { interval.add.0 } else { interval.element };
    let removed = elements.iter().filter(|interval| interval.remove.1 != NEVER);
    let mut others: Vec<(u32, (u32, u32))> =
        removed.map(|interval| (late(interval), interval.remove)).collect();
    others.sort_unstable();
    let empties = intervals.empties.iter().copied();
    let mut starts: Vec<u32> =
        others.iter().map(|other| other.1.0).chain(empties.clone().map(|e| e.0)).collect();
    starts.sort_unstable();
    starts.dedup();
    let mut earliest = EarliestEnd { starts: &starts, least: vec![NEVER; starts.len() + 1] };
    empties.for_each(|empty| earliest.insert(empty));
    let mut order: Vec<usize> = (0..elements.len()).collect();
    order.sort_by_key(|&index| bound(&elements[index]));
    let mut deadlines = vec![NEVER; elements.len()];
    let mut others = others.into_iter().peekable();
    for index in order {
        let interval = &elements[index];
        while let Some((_, removal)) = others.next_if(|&(late, _)| late < bound(interval)) {
            earliest.insert(removal);
        }
        deadlines[index] = earliest.of_those_after(interval.add.1);
    }
    deadlines
}

/// The earliest end of all intervals that start after a moment, in a Fenwick tree over the starts.
struct EarliestEnd<'a> {
    starts: &'a [u32],
    least: Vec<u32>,
}

impl EarliestEnd<'_> {
    fn insert(&mut self, (start, end): (u32, u32)) {
        let mut node = self.starts.len() - self.starts.partition_point(|&other| other < start);
        while node < self.least.len() {
            self.least[node] = self.least[node].min(end);
            node += node & node.wrapping_neg();
        }
    }

    fn of_those_after(&self, moment: u32) -> u32 {
        let mut node = self.starts.len() - self.starts.partition_point(|&other| other <= moment);
        let mut earliest = NEVER;
        while node > 0 {
            earliest = earliest.min(self.least[node]);
            node -= node & node.wrapping_neg();
        }
        earliest
    }
}
