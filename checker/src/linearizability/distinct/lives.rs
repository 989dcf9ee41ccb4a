//! When each element came and went.

use super::super::{call::Call, object::NEVER, objects::ContainerAction};
use super::{Read, takes::Take};

/// An element that certainly was inside at some time. An element that stayed is removed at the very end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) element: u32,
    /// The time in which it was added, both ends included.
    pub(super) add: (u32, u32),
    /// The time in which it was removed.
    pub(super) remove: (u32, u32),
}

impl Life {
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
pub(super) struct Lives {
    /// In the order in which the adds were invoked.
    pub(super) elements: Vec<Life>,
    /// When something found nothing.
    pub(super) empties: Vec<(u32, u32)>,
    /// Removals of nobody knows which element, in the order of their invocations.
    pub(super) takes: Vec<Take>,
}

impl Lives {
    /// Whether an element may or may not have been removed by somebody who named it.
    pub(super) fn maybe_removed(&self) -> bool {
        self.elements.iter().any(|life| life.remove.1 == NEVER && life.remove.0 != NEVER)
    }

    /// As if everything left could have been removed at any time since a moment.
    pub(super) fn taken_since(&self, moment: u32) -> Self {
        let taken = |life: &Life| {
            let (invoked, completed) = life.remove;
            let invoked = if completed == NEVER { invoked.min(moment) } else { invoked };
            Life { remove: (invoked, completed), ..*life }.clipped()
        };
        Self {
            elements: self.elements.iter().map(taken).collect(),
            empties: self.empties.clone(),
            takes: Vec::new(),
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
pub(super) fn read(count: usize, calls: &[Call<ContainerAction>]) -> Read<Lives> {
    let mut elements = vec![NOTHING; count];
    let mut lives = Lives { elements: Vec::new(), empties: Vec::new(), takes: Vec::new() };
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
                lives.takes.push(Take { invoked: call.invoked, origin: call.origin });
            }
            ContainerAction::Peek(_) => ambiguous = true,
            ContainerAction::Empty if call.certain() => lives.empties.push(time),
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
            lives.elements.push(Life { element: number, add: element.add, remove: element.remove }.clipped());
        }
    }
    Read::Distinct(lives)
}
