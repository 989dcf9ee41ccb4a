//! Removals of unknown outcome, of which nobody knows what they took: hands them out to the elements that stayed.
//!
//! Each such removal may have happened at any time after its invocation, to any element, or never.

use super::{
    super::{object::NEVER, objects::Discipline},
    lives::{Life, Lives},
};

/// A removal of nobody knows which element.
#[derive(Debug, Clone, Copy)]
pub(super) struct Take {
    pub(super) invoked: u32,
    /// Its place in the caller's operations.
    pub(super) origin: u32,
}

/// Each take removes one of the elements that stayed, the most urgent first, and says with its origin which.
///
/// In queues and unordered containers an element is the more urgent the earlier its add completed, whatever
/// the reason; if any choice explains the history, this one does, as long as all other removals happened.
pub(super) fn handed_out(discipline: Discipline, lives: &Lives) -> (Lives, Vec<(u32, u32)>) {
    let mut elements = lives.elements.clone();
    let stayed = (0..elements.len()).filter(|&place| elements[place].remove == (NEVER, NEVER));
    let mut stayed: Vec<usize> = stayed.collect();
    match discipline {
        Discipline::Fifo | Discipline::Unordered => stayed.sort_by_key(|&place| elements[place].add.1),
        Discipline::Priority | Discipline::Stack => {
            let deadlines = deadlines(discipline, lives);
            stayed.sort_by_key(|&place| (deadlines[place], elements[place].add.1));
        }
    }
    let mut taken = Vec::with_capacity(lives.takes.len());
    for (place, take) in stayed.into_iter().zip(&lives.takes) {
        let life = elements[place];
        elements[place] = Life { remove: (take.invoked, NEVER), ..life }.clipped();
        taken.push((life.element, take.origin));
    }
    (Lives { elements, empties: lives.empties.clone(), takes: Vec::new() }, taken)
}

/// By place: until when an element must be gone, because one that only comes out after it came out then.
/// Not all reasons are seen.
fn deadlines(discipline: Discipline, lives: &Lives) -> Vec<u32> {
    let elements = &lives.elements;
    // What comes out last goes first, so that each element meets only those that come out after it.
    let late = |life: &Life| if discipline == Discipline::Stack { life.add.1 } else { life.element };
    let bound = |life: &Life| if discipline == Discipline::Stack { life.add.0 } else { life.element };
    let removed = elements.iter().filter(|life| life.remove.1 != NEVER);
    let mut others: Vec<(u32, (u32, u32))> = removed.map(|life| (late(life), life.remove)).collect();
    others.sort_unstable();
    let empties = lives.empties.iter().copied();
    let mut starts: Vec<u32> =
        others.iter().map(|other| other.1.0).chain(empties.clone().map(|e| e.0)).collect();
    starts.sort_unstable();
    starts.dedup();
    let mut earliest = EarliestEnd { starts: &starts, least: vec![NEVER; starts.len() + 1] };
    empties.for_each(|empty| earliest.insert(empty));
    let mut order: Vec<usize> = (0..elements.len()).collect();
    order.sort_by_key(|&place| bound(&elements[place]));
    let mut deadlines = vec![NEVER; elements.len()];
    let mut others = others.into_iter().peekable();
    for place in order {
        let life = &elements[place];
        while let Some((_, removal)) = others.next_if(|&(late, _)| late < bound(life)) {
            earliest.insert(removal);
        }
        deadlines[place] = earliest.of_those_after(life.add.1);
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
