//! One pass of the search, as wide as its level says.

use super::super::{
    budget::{Budget, Stop},
    object::Action,
    values::{ABSENT, Values},
};
use super::{
    Level, Open, Stuck,
    config::{Antichain, Config},
    plan::{Expiry, NO_CLASS, Plan},
    slots::{Slots, needs},
};
use rustc_hash::FxHashSet;

/// Configurations a beam may visit for one completion, for each one it may keep.
const VISITS_PER_KEPT: usize = 64;

pub(super) struct Search<'a, 'b, const W: usize> {
    plan: &'a Plan,
    level: Level,
    budget: &'a mut Budget<'b>,
    slots: Slots<'a, W>,
    frontier: Antichain<W>,
    /// The frontier after the completion in hand.
    next: Antichain<W>,
    /// By class: the operations invoked so far.
    invoked: Vec<u32>,
    /// The classes with invoked operations whose product still matters.
    active: Vec<u32>,
    /// Values that stopped mattering so far, as a count of the plan's expiries.
    expired: usize,
    stack: Vec<Node<W>>,
    visited: FxHashSet<(Config<W>, bool)>,
    /// Whether anything was left out, so that an empty frontier proves nothing.
    pub(super) cut: bool,
    /// The time of the step in hand.
    pub(super) now: u32,
}

/// A configuration on the way to a completion.
struct Node<const W: usize> {
    config: Config<W>,
    /// The last step was an update that nobody saw yet: a write next would make it pointless.
    idle: bool,
    /// Operations of unknown outcome used on the way.
    unknowns: u32,
}

impl<'a, 'b, const W: usize> Search<'a, 'b, W> {
    pub(super) fn new(
        values: &'a Values<'a>,
        plan: &'a Plan,
        level: Level,
        budget: &'a mut Budget<'b>,
    ) -> Self {
        let mut frontier = Antichain::new();
        frontier.insert(Config::initial(ABSENT));
        Self {
            plan,
            level,
            budget,
            slots: Slots::new(values),
            frontier,
            next: Antichain::new(),
            invoked: vec![0; plan.classes.len()],
            active: Vec::new(),
            expired: 0,
            stack: Vec::new(),
            visited: FxHashSet::default(),
            cut: false,
            now: 0,
        }
    }

    /// Goes through all events; the operation that cannot complete, if there is one.
    pub(super) fn run(&mut self) -> Result<Option<u32>, Stop> {
        for &step in &self.plan.steps {
            self.now = self.plan.time(step);
            self.budget.step(self.frontier.len(), 0)?;
            self.expire();
            if step.completes {
                let slot = self.slots.find(step.op);
                if !self.complete(slot)? {
                    return Ok(Some(step.op));
                }
                self.slots.close(slot);
            } else {
                self.invoke(step.op)?;
            }
        }
        Ok(None)
    }

    fn invoke(&mut self, number: u32) -> Result<(), Stop> {
        let class = self.plan.class_of[number as usize];
        if class == NO_CLASS {
            let op = &self.plan.ops[number as usize];
            let slot = self.slots.open(number, op).ok_or(Stop::Concurrency(W * 64))?;
            for config in self.frontier.iter_mut() {
                self.slots.enter(slot, config);
            }
        } else {
            if self.invoked[class as usize] == 0 {
                self.active.push(class);
            }
            self.invoked[class as usize] += 1;
        }
        Ok(())
    }

    /// Merges the values that nobody looks for from now on, and forgets the operations of unknown outcome
    /// that could only have left those.
    fn expire(&mut self) {
        let mut changed = false;
        while let Some(&(end, expiry)) = self.plan.expiries.get(self.expired)
            && end <= self.now
        {
            self.expired += 1;
            match expiry {
                Expiry::Value(value) => {
                    self.slots.expire(value);
                    changed |= self.frontier.iter().any(|config| config.state == value);
                }
                Expiry::Class(class) => {
                    self.active.retain(|&other| other != class);
                    changed |= self.frontier.iter().any(|config| config.used(class) > 0);
                }
            }
        }
        if changed {
            for mut config in self.frontier.take() {
                config.state = self.slots.merged(config.state);
                config.used.retain(|(class, _)| self.active.contains(class));
                self.slots.absorb(&mut config);
                self.frontier.insert(config);
            }
        }
    }

    /// Moves the frontier past the completion of an operation; false if nothing is left.
    fn complete(&mut self, slot: usize) -> Result<bool, Stop> {
        let observes = self.slots.action(slot).is_observation();
        if observes && !self.frontier.iter().any(|config| config.must.has(slot)) {
            return Ok(true);
        }
        let frontier = std::mem::replace(&mut self.frontier, Antichain::new());
        let exact = self.level.beam == usize::MAX;
        self.visited.clear();
        let mut result = Ok(());
        for config in frontier.iter() {
            result = self.budget.step(frontier.len() + self.next.len(), self.next.len());
            if result.is_err() {
                break;
            }
            let passes = !config.must.has(slot);
            if passes {
                self.next.insert(config.clone().without(slot));
            }
            if (passes && observes) || (!config.must.has(slot) && !config.avail.has(slot)) {
                continue;
            }
            if !exact {
                self.visited.clear();
            }
            result = self.reach(config, slot, passes, frontier.len());
            if result.is_err() {
                break;
            }
        }
        self.frontier = frontier;
        result?;
        if self.next.is_empty() {
            return Ok(false);
        }
        self.cut |= self.next.cut(self.level.beam);
        std::mem::swap(&mut self.frontier, &mut self.next);
        self.next.clear();
        Ok(true)
    }

    /// Collects what one configuration can become when the operation in `slot` is the last to happen.
    fn reach(&mut self, config: &Config<W>, slot: usize, passes: bool, held: usize) -> Result<(), Stop> {
        if self.level.lazy {
            let found = self.explore(config, slot, 0, held)?;
            let unused = self.active.iter().any(|&class| self.left(config, class));
            if found || passes {
                self.cut |= unused;
                return Ok(());
            }
            if !unused {
                return Ok(());
            }
            self.visited.clear();
        }
        self.explore(config, slot, self.level.unknowns, held).map(drop)
    }

    /// Whether operations of a class are left to use.
    fn left(&self, config: &Config<W>, class: u32) -> bool {
        config.used(class) < self.invoked[class as usize]
    }

    fn explore(&mut self, config: &Config<W>, slot: usize, unknowns: u32, held: usize) -> Result<bool, Stop> {
        let mut found = false;
        let visits = self.level.beam.saturating_mul(VISITS_PER_KEPT);
        self.stack.push(Node { config: config.clone(), idle: false, unknowns: 0 });
        while let Some(node) = self.stack.pop() {
            let held = held + self.next.len() + self.visited.len();
            if let Err(stop) = self.budget.step(held, self.next.len()) {
                self.stack.clear();
                return Err(stop);
            }
            if self.visited.len() > visits {
                self.stack.clear();
                self.cut = true;
                break;
            }
            found |= self.expand(&node, slot, unknowns);
        }
        Ok(found)
    }

    /// Takes one step from a configuration in every useful way; whether the operation in `slot` happened.
    fn expand(&mut self, node: &Node<W>, slot: usize, unknowns: u32) -> bool {
        let config = &node.config;
        let target = self.slots.action(slot);
        let mut found = false;
        if config.avail.has(slot)
            && !(node.idle && is_write(target))
            && let Some((child, _)) = self.slots.update(config, target, Some(slot))
        {
            self.next.insert(child);
            found = true;
        }
        for other in config.avail.slots() {
            if other != slot && !self.slots.has_senior(other, config) {
                found |= self.branch(node, slot, self.slots.action(other), Some(other), None);
            }
        }
        for place in 0..self.active.len() {
            let class = self.active[place];
            let action = self.plan.classes[class as usize];
            if !self.left(config, class)
                || config.avail.slots().any(|other| self.slots.action(other) == action)
            {
                continue;
            }
            if node.unknowns < unknowns {
                found |= self.branch(node, slot, action, None, Some(class));
            } else if self.level.unknowns != u32::MAX {
                self.cut = true;
            }
        }
        found
    }

    /// Takes one update on the way to the operation in `slot`; whether that one happened by it.
    fn branch(
        &mut self,
        node: &Node<W>,
        slot: usize,
        action: Action,
        source: Option<usize>,
        class: Option<u32>,
    ) -> bool {
        if node.idle && is_write(action) {
            return false;
        }
        let Some((mut child, absorbed)) = self.slots.update(&node.config, action, source) else {
            return false;
        };
        if let Some(class) = class {
            child.use_class(class);
        }
        if self.slots.observations.has(slot) && !child.must.has(slot) {
            self.next.insert(child.without(slot));
            return true;
        }
        let idle = !absorbed && !matches!(action, Action::Cas(..));
        if idle && !self.slots.builds_on(&child) && !self.unknown_builds_on(&child) {
            return false;
        }
        let unknowns = node.unknowns + u32::from(class.is_some());
        if self.visited.insert((child.clone(), idle)) {
            self.stack.push(Node { config: child, idle, unknowns });
        }
        false
    }

    fn unknown_builds_on(&self, config: &Config<W>) -> bool {
        self.active
            .iter()
            .any(|&class| self.left(config, class) && needs(self.plan.classes[class as usize], config.state))
    }

    /// Describes the moment at which `number` could not complete.
    pub(super) fn stuck(&self, number: u32) -> Stuck {
        let mut values: Vec<u32> = self.frontier.iter().map(|config| config.state).collect();
        values.extend(self.visited.iter().map(|(config, _)| config.state));
        values.sort_unstable();
        values.dedup();
        let open = self.slots.open.slots().map(|slot| Open {
            op: self.plan.ops[self.slots.op(slot) as usize],
            waiting: self.frontier.iter().any(|config| config.avail.has(slot) || config.must.has(slot)),
        });
        Stuck {
            op: self.plan.ops[number as usize],
            values,
            open: open.collect(),
            unknown: self.active.iter().map(|&class| self.plan.classes[class as usize]).collect(),
        }
    }
}

fn is_write(action: Action) -> bool {
    matches!(action, Action::Write(_))
}
