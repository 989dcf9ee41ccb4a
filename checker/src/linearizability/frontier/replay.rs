//! Turns the updates on the path to a configuration into an order of all operations.
//!
//! The search names only the updates that other operations could see. Replaying the events with that one
//! configuration gives the linearization points of the others: a read was applied while the value fitted, a hidden
//! update happened right before the write that hid it.

use super::super::{
    object::Action,
    values::{ABSENT, Values},
};
use super::{
    config::Config,
    mask::Mask,
    path::{Taken, Update},
    plan::{Expiry, NO_CLASS, Plan},
    slots::Slots,
};
use std::collections::VecDeque;

/// Where an operation stands in the order: before, at or after a visible update, then by when that was seen.
type Position = (u32, Side, u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Hidden,
    Visible,
    Absorbed,
}

struct Replay<'a, const W: usize> {
    plan: &'a Plan,
    slots: Slots<'a, W>,
    config: Config<W, ()>,
    /// By slot: where the operation stands as far as is known.
    positions: Vec<Position>,
    /// By class: the operations invoked and not used so far.
    unused: Vec<VecDeque<u32>>,
    /// Visible updates so far.
    updates: u32,
    /// Anything so far.
    moment: u32,
    expired: usize,
    order: Vec<(Position, u32)>,
}

/// The operations in an order that explains every result, by their origin.
pub(super) fn order<const W: usize>(values: &Values<'_>, plan: &Plan, taken: &[Taken]) -> Vec<u32> {
    let mut replay = Replay::<W> {
        plan,
        slots: Slots::new(values),
        config: Config::initial(ABSENT),
        positions: Vec::new(),
        unused: vec![VecDeque::new(); plan.classes.len()],
        updates: 0,
        moment: 0,
        expired: 0,
        order: Vec::with_capacity(plan.ops.len()),
    };
    let mut taken = taken.iter().peekable();
    for (&step, number) in plan.steps.iter().zip(0..) {
        replay.expire(plan.time(step));
        if step.completes {
            while let Some(next) = taken.next_if(|next| next.step == number) {
                replay.take(next.update);
            }
            replay.complete(step.op);
        } else {
            replay.invoke(step.op);
        }
    }
    replay.order.sort_unstable();
    replay.order.into_iter().map(|(_, origin)| origin).collect()
}

impl<const W: usize> Replay<'_, W> {
    fn here(&mut self, side: Side) -> Position {
        self.moment += 1;
        (self.updates, side, self.moment)
    }

    fn expire(&mut self, now: u32) {
        while let Some(&(_, expiry)) = self.plan.expiries.get(self.expired).filter(|&&(end, _)| end <= now) {
            self.expired += 1;
            match expiry {
                Expiry::Value(value) => self.slots.expire(value),
                Expiry::Class(_) => {}
            }
        }
        let before = self.config.must;
        self.config.state = self.slots.merged(self.config.state);
        self.slots.absorb(&mut self.config);
        self.settle(before.minus(&self.config.must), Side::Absorbed);
    }

    /// Notes where operations stand that need not be seen any more.
    fn settle(&mut self, slots: Mask<W>, side: Side) {
        for slot in slots.slots() {
            self.positions[slot] = self.here(side);
        }
    }

    fn invoke(&mut self, number: u32) {
        let class = self.plan.class_of[number as usize];
        if class != NO_CLASS {
            self.unused[class as usize].push_back(number);
            return;
        }
        let op = &self.plan.ops[number as usize];
        let slot = self.slots.open(number, op).expect("the search had a slot for it");
        let position = self.here(Side::Absorbed);
        if slot == self.positions.len() {
            self.positions.push(position);
        }
        self.positions[slot] = position;
        self.slots.enter(slot, &mut self.config);
    }

    fn take(&mut self, update: Update) {
        let (action, slot, number) = match update {
            Update::Operation(number) => {
                let slot = self.slots.find(number);
                (self.slots.action(slot), Some(slot), number)
            }
            Update::Class(class) => {
                let number = self.unused[class as usize].pop_front();
                let number = number.expect("the search used no more of a class than were invoked");
                (self.plan.classes[class as usize], None, number)
            }
        };
        self.updates += 1;
        let before = self.config.must;
        let (config, _) =
            self.slots.update(&self.config, action, slot).expect("the search took an update that fits");
        self.config = config;
        let mut settled = before.minus(&self.config.must);
        if let Some(slot) = slot {
            settled.clear(slot);
        }
        let observed = settled.both(&self.slots.observations);
        let side = if matches!(action, Action::Write(_)) { Side::Hidden } else { Side::Absorbed };
        self.settle(settled.minus(&observed), side);
        let position = self.here(Side::Visible);
        match slot {
            Some(slot) => self.positions[slot] = position,
            None => self.order.push((position, self.plan.ops[number as usize].origin)),
        }
        self.settle(observed, Side::Absorbed);
    }

    fn complete(&mut self, number: u32) {
        let slot = self.slots.find(number);
        debug_assert!(!self.config.must.has(slot), "the search passed a completion that cannot be");
        self.order.push((self.positions[slot], self.slots.op(slot).origin));
        self.config = std::mem::replace(&mut self.config, Config::initial(ABSENT)).without(slot);
        self.slots.close(slot);
    }
}
