//! The operations that are open, each in a slot that is used again after it completed.

use super::super::{
    call::Call,
    object::Action,
    values::{UNOBSERVED, Values},
};
use super::{config::Config, mask::Mask, path::Path};

/// The open operations, and what they do to a configuration.
#[derive(Debug)]
pub(super) struct Slots<'a, const W: usize> {
    values: &'a Values<'a>,
    /// By slot: the operation. Only meaningful where `open` has the slot.
    ops: Vec<Call<Action>>,
    /// By slot: the operation's number.
    numbers: Vec<u32>,
    /// By slot: the open operations that do the same and complete earlier. They are always used first.
    seniors: Vec<Mask<W>>,
    pub(super) open: Mask<W>,
    pub(super) observations: Mask<W>,
    writes: Mask<W>,
    appends: Mask<W>,
    /// By value: whether no operation looks for it any more.
    expired: Vec<bool>,
}

impl<'a, const W: usize> Slots<'a, W> {
    pub(super) fn new(values: &'a Values<'a>) -> Self {
        Self {
            values,
            ops: Vec::new(),
            numbers: Vec::new(),
            seniors: Vec::new(),
            open: Mask::EMPTY,
            observations: Mask::EMPTY,
            writes: Mask::EMPTY,
            appends: Mask::EMPTY,
            expired: vec![false; values.len()],
        }
    }

    /// The same operations in the same slots, with room for more.
    pub(super) fn widened<const V: usize>(self) -> Slots<'a, V> {
        Slots {
            values: self.values,
            ops: self.ops,
            numbers: self.numbers,
            seniors: self.seniors.into_iter().map(Mask::widened).collect(),
            open: self.open.widened(),
            observations: self.observations.widened(),
            writes: self.writes.widened(),
            appends: self.appends.widened(),
            expired: self.expired,
        }
    }

    /// Opens an operation; none if every slot is taken.
    pub(super) fn open(&mut self, number: u32, op: &Call<Action>) -> Option<usize> {
        let slot = self.open.first_free()?;
        if slot == self.ops.len() {
            self.ops.push(*op);
            self.numbers.push(number);
            self.seniors.push(Mask::EMPTY);
        }
        self.ops[slot] = *op;
        self.numbers[slot] = number;
        self.seniors[slot] = Mask::EMPTY;
        if !op.action.is_observation() {
            for other in self.open.slots() {
                if self.action(other) == op.action {
                    if self.ops[other].completed < op.completed {
                        self.seniors[slot].set(other);
                    } else {
                        self.seniors[other].set(slot);
                    }
                }
            }
        }
        self.open.set(slot);
        match op.action {
            Action::Read(_) | Action::Not(_) => self.observations.set(slot),
            Action::Write(_) => self.writes.set(slot),
            Action::Append(_) => self.appends.set(slot),
            Action::Cas(..) => {}
        }
        Some(slot)
    }

    pub(super) fn close(&mut self, slot: usize) {
        for mask in [&mut self.open, &mut self.observations, &mut self.writes, &mut self.appends] {
            mask.clear(slot);
        }
        for senior in &mut self.seniors {
            senior.clear(slot);
        }
    }

    /// The slot of an open operation.
    pub(super) fn find(&self, number: u32) -> usize {
        self.open
            .slots()
            .find(|&slot| self.numbers[slot] == number)
            .expect("an operation completes after its invocation")
    }

    /// The operation in a slot.
    pub(super) fn op(&self, slot: usize) -> &Call<Action> {
        &self.ops[slot]
    }

    /// The number of the operation in a slot.
    pub(super) fn number(&self, slot: usize) -> u32 {
        self.numbers[slot]
    }

    pub(super) fn action(&self, slot: usize) -> Action {
        self.ops[slot].action
    }

    /// Whether an operation that does the same should be used before the one in `slot`.
    pub(super) fn has_senior<P>(&self, slot: usize, config: &Config<W, P>) -> bool {
        // An append that may have been hidden is no substitute for one that must still happen.
        let pool = if self.appends.has(slot) && config.must.has(slot) { &config.must } else { &config.avail };
        self.seniors[slot].meets(pool)
    }

    /// Merges a value with all others that no operation looks for any more.
    pub(super) fn expire(&mut self, value: u32) {
        self.expired[value as usize] = true;
    }

    pub(super) fn apply(&self, state: u32, action: Action) -> Option<u32> {
        action.apply(state, self.values).map(|value| self.merged(value))
    }

    /// The value, or the one that stands for all that no operation looks for.
    pub(super) fn merged(&self, value: u32) -> u32 {
        if self.expired.get(value as usize).is_some_and(|&expired| expired) { UNOBSERVED } else { value }
    }

    /// Enters an operation that was just opened into a configuration.
    pub(super) fn enter<P>(&self, slot: usize, config: &mut Config<W, P>) {
        let action = self.action(slot);
        if !action.is_observation() {
            config.avail.set(slot);
        }
        if self.apply(config.state, action) != Some(config.state) {
            config.must.set(slot);
        }
    }

    /// The configuration after an enabled update, and whether an observation was absorbed by it.
    pub(super) fn update<P: Path>(
        &self,
        config: &Config<W, P>,
        action: Action,
        slot: Option<usize>,
    ) -> Option<(Config<W, P>, bool)> {
        let mut next = config.clone();
        next.state = self.apply(config.state, action)?;
        if let Some(slot) = slot {
            next.must.clear(slot);
            next.avail.clear(slot);
        }
        if matches!(action, Action::Write(_)) {
            // Writes and appends that are open may have happened right before, unseen by any observation.
            next.must = next.must.minus(&self.writes).minus(&self.appends);
        }
        let waiting = next.must.both(&self.observations);
        self.absorb(&mut next);
        let absorbed = waiting != next.must.both(&self.observations);
        Some((next, absorbed))
    }

    /// Takes what changes nothing out of `must`: it may happen here.
    pub(super) fn absorb<P>(&self, config: &mut Config<W, P>) {
        for slot in config.must.slots() {
            if self.apply(config.state, self.action(slot)) == Some(config.state) {
                config.must.clear(slot);
            }
        }
    }

    /// Whether an open update needs the configuration's very value.
    pub(super) fn builds_on<P>(&self, config: &Config<W, P>) -> bool {
        config.avail.meets(&self.appends)
            || config.avail.slots().any(|slot| needs(self.action(slot), config.state))
    }
}

/// Whether an update does something else, or nothing, from other values.
pub(super) fn needs(action: Action, state: u32) -> bool {
    match action {
        Action::Cas(from, _) => from == state,
        Action::Append(_) => true,
        Action::Read(_) | Action::Not(_) | Action::Write(_) => false,
    }
}
