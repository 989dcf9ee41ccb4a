//! When each element came and went.

use super::super::{
    call::{Call, NEVER},
    objects::ContainerAction,
};
use super::{Read, unknown_removals::UnknownRemoval};

/// An element that certainly was inside at some time. An element that stayed is removed at the very end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) element: u32,
    /// The time in which it was added, both ends included.
    pub(super) add: (u32, u32),
    /// The time in which it was removed.
    pub(super) remove: (u32, u32),
}

impl Interval {
    /// Between which moments, both excluded, it is certainly inside.
    pub(super) fn inside(&self) -> Option<(u32, u32)> {
        (self.add.1 < self.remove.0).then_some((self.add.1, self.remove.0))
    }

    /// Cuts off times at which it cannot have been added before it was removed.
    pub(super) fn clipped(mut self) -> Self {
        self.add.1 = self.add.1.min(self.remove.1);
        self.remove.0 = self.remove.0.max(self.add.0);
        self
    }
}

/// What happened to a container with distinct elements.
#[derive(Debug)]
pub(super) struct Intervals {
    /// In the order in which the adds were invoked.
    pub(super) elements: Vec<Interval>,
    /// When something found nothing.
    pub(super) empties: Vec<(u32, u32)>,
    /// Removals with an unknown result, in the order of their invocations.
    pub(super) unknown_removals: Vec<UnknownRemoval>,
}

impl Intervals {
    /// Whether an element may or may not have been removed by a removal that named it.
    pub(super) fn maybe_removed(&self) -> bool {
        self.elements.iter().any(|interval| interval.remove.1 == NEVER && interval.remove.0 != NEVER)
    }

    /// As if everything left could have been removed at any time since a moment.
    pub(super) fn taken_since(&self, moment: u32) -> Self {
        let taken = |interval: &Interval| {
            let (invoked, completed) = interval.remove;
            let invoked = if completed == NEVER { invoked.min(moment) } else { invoked };
            Interval { remove: (invoked, completed), ..*interval }.clipped()
        };
        Self {
            elements: self.elements.iter().map(taken).collect(),
            empties: self.empties.clone(),
            unknown_removals: Vec::new(),
        }
    }
}

/// What happened to one element.
#[derive(Debug, Clone, Copy)]
struct Element {
    adds: u32,
    add: (u32, u32),
    removes: u32,
    remove: (u32, u32),
}

const NOTHING: Element = Element { adds: 0, add: (0, 0), removes: 0, remove: (NEVER, NEVER) };

/// Reads the calls, which come in order of invocation, with elements numbered below `count`.
pub(super) fn read(count: usize, calls: &[Call<ContainerAction>]) -> Read<Intervals> {
    let mut elements = vec![NOTHING; count];
    let mut intervals = Intervals { elements: Vec::new(), empties: Vec::new(), unknown_removals: Vec::new() };
    let mut ambiguous = false;
    for call in calls {
        let time = (call.invoked, call.completed);
        match call.action {
            ContainerAction::Add(element) => {
                let element = &mut elements[element as usize];
                element.adds += 1;
                element.add = time;
                ambiguous |= element.adds > 1;
            }
            ContainerAction::Remove(element) => {
                let element = &mut elements[element as usize];
                if call.certain() {
                    element.removes += 1;
                    element.remove = time;
                } else if element.removes == 0 {
                    element.remove.0 = element.remove.0.min(call.invoked);
                }
            }
            ContainerAction::Take => {
                intervals
                    .unknown_removals
                    .push(UnknownRemoval { invoked: call.invoked, origin: call.origin });
            }
            ContainerAction::Peek(_) => ambiguous = true,
            ContainerAction::Empty if call.certain() => intervals.empties.push(time),
            ContainerAction::Empty => {}
        }
    }
    if elements.iter().any(|element| element.removes > element.adds) {
        return Read::Impossible;
    }
    if ambiguous {
        return Read::Ambiguous;
    }
    for call in calls {
        let ContainerAction::Add(number) = call.action else { continue };
        let element = elements[number as usize];
        if element.removes > 0 && element.remove.1 < element.add.0 {
            return Read::Impossible;
        }
        if call.certain() || element.removes > 0 {
            intervals
                .elements
                .push(Interval { element: number, add: element.add, remove: element.remove }.clipped());
        }
    }
    Read::Distinct(intervals)
}
