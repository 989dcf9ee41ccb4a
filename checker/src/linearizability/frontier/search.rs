//! One pass of the search, as wide as its level says.

use super::super::{
    call::Call,
    object::Action,
    values::{ABSENT, Values},
};
use super::{
    Level, Open, Stuck,
    config::{Antichain, Config},
    path::{Path, Taken, Update},
    plan::{Expiry, NO_CLASS, Plan},
    slots::{Slots, needs},
};
use crate::limits::{Budget, Stop};
use rustc_hash::FxHashSet;

/// Configurations a beam may visit for one completion, for each one it may keep.
const VISITS_PER_KEPT: usize = 64;
/// Configurations that are looked at to name every possible value.
const LOOKS: usize = 50_000;

pub(super) struct Search<'a, const W: usize, P> {
    level: Level,
    slots: Slots<'a, W>,
    frontier: Antichain<W, P>,
    /// The frontier after the completion in hand.
    next: Antichain<W, P>,
    /// By class: what its operations do.
    classes: Vec<Action>,
    /// By class: the operations invoked so far.
    invoked: Vec<u32>,
    /// The classes with invoked operations whose product still matters.
    active: Vec<u32>,
    /// Values that stopped mattering so far, as a count of the plan's expiries.
    expired: usize,
    stack: Vec<Node<W, P>>,
    visited: FxHashSet<(Config<W, P>, bool)>,
    /// Whether anything was left out, so that an empty frontier proves nothing.
    pub(super) cut: bool,
    /// The time of the step in hand, and its number.
    pub(super) now: u32,
    step: u32,
}

/// A configuration on the way to a completion.
struct Node<const W: usize, P> {
    config: Config<W, P>,
    /// The last step was an update that no operation saw yet: a write next would make it pointless.
    idle: bool,
    /// Operations of unknown outcome used on the way.
    unknowns: u32,
}

impl<'a, const W: usize, P: Path> Search<'a, W, P> {
    pub(super) fn new(values: &'a Values<'a>, classes: &[Action], level: Level) -> Self {
        let mut frontier = Antichain::new();
        frontier.insert(Config::initial(ABSENT));
        Self {
            level,
            slots: Slots::new(values),
            frontier,
            next: Antichain::new(),
            invoked: vec![0; classes.len()],
            classes: classes.to_vec(),
            active: Vec::new(),
            expired: 0,
            stack: Vec::new(),
            visited: FxHashSet::default(),
            cut: false,
            now: 0,
            step: 0,
        }
    }

    /// Goes through all events of a plan; the operation that cannot complete, if there is one.
    pub(super) fn run(&mut self, plan: &Plan, budget: &mut Budget<'_>) -> Result<Option<u32>, Stop> {
        for (&step, number) in plan.steps.iter().zip(0..) {
            self.now = plan.time(step);
            self.step = number;
            budget.step(self.frontier.len(), 0)?;
            self.expire(plan);
            if step.completes {
                let slot = self.slots.find(step.op);
                if !self.complete(slot, budget)? {
                    return Ok(Some(step.op));
                }
                self.slots.close(slot);
            } else {
                let class = plan.class_of[step.op as usize];
                if class == NO_CLASS {
                    self.invoke(step.op, &plan.ops[step.op as usize])?;
                } else {
                    self.invoke_unknown(class);
                }
            }
        }
        Ok(None)
    }

    /// Opens an operation that certainly happened.
    pub(super) fn invoke(&mut self, number: u32, op: &Call<Action>) -> Result<(), Stop> {
        let slot = self.slots.open(number, op).ok_or(Stop::Concurrency(W * 64))?;
        for config in self.frontier.iter_mut() {
            self.slots.enter(slot, config);
        }
        Ok(())
    }

    /// Completes an operation by its number; false if it cannot, and then nothing has changed.
    pub(super) fn complete_number(&mut self, number: u32, budget: &mut Budget<'_>) -> Result<bool, Stop> {
        let slot = self.slots.find(number);
        let completed = self.complete(slot, budget);
        self.next.clear();
        self.stack.clear();
        if let Ok(true) = completed {
            self.slots.close(slot);
        }
        completed
    }

    /// Adds an operation of a class of unknown outcome.
    pub(super) fn invoke_unknown(&mut self, class: u32) {
        if self.invoked[class as usize] == 0 {
            self.active.push(class);
        }
        self.invoked[class as usize] += 1;
    }

    /// How one of the configurations that are left came about.
    pub(super) fn path(&self) -> Option<&P> {
        self.frontier.iter().next().map(|config| &config.path)
    }

    /// Merges the values that no operation looks for from now on, and forgets the operations of unknown outcome
    /// that could only have left those.
    fn expire(&mut self, plan: &Plan) {
        let mut changed = false;
        while let Some(&(end, expiry)) = plan.expiries.get(self.expired)
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
    fn complete(&mut self, slot: usize, budget: &mut Budget<'_>) -> Result<bool, Stop> {
        let observes = self.slots.action(slot).is_observation();
        if observes && !self.frontier.iter().any(|config| config.must.has(slot)) {
            return Ok(true);
        }
        let frontier = std::mem::replace(&mut self.frontier, Antichain::new());
        let exact = self.level.beam == usize::MAX;
        self.visited.clear();
        let mut result = Ok(());
        for config in frontier.iter() {
            result = budget.step(frontier.len() + self.next.len(), self.next.len());
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
            result = self.reach(config, slot, passes, frontier.len(), budget);
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
    fn reach(
        &mut self,
        config: &Config<W, P>,
        slot: usize,
        passes: bool,
        held: usize,
        budget: &mut Budget<'_>,
    ) -> Result<(), Stop> {
        if self.level.lazy {
            let found = self.explore(config, slot, 0, held, budget)?;
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
        self.explore(config, slot, self.level.unknowns, held, budget).map(drop)
    }

    /// Whether operations of a class are left to use.
    fn left(&self, config: &Config<W, P>, class: u32) -> bool {
        config.used(class) < self.invoked[class as usize]
    }

    fn explore(
        &mut self,
        config: &Config<W, P>,
        slot: usize,
        unknowns: u32,
        held: usize,
        budget: &mut Budget<'_>,
    ) -> Result<bool, Stop> {
        let mut found = false;
        let visits = self.level.beam.saturating_mul(VISITS_PER_KEPT);
        self.stack.push(Node { config: config.clone(), idle: false, unknowns: 0 });
        while let Some(node) = self.stack.pop() {
            let held = held + self.next.len() + self.visited.len();
            if let Err(stop) = budget.step(held, self.next.len()) {
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
    fn expand(&mut self, node: &Node<W, P>, slot: usize, unknowns: u32) -> bool {
        let config = &node.config;
        let target = self.slots.action(slot);
        let mut found = false;
        if config.avail.has(slot)
            && !(node.idle && is_write(target))
            && let Some((mut child, _)) = self.slots.update(config, target, Some(slot))
        {
            child.path = child.path.then(self.taken(Some(slot), None));
            self.next.insert(child);
            found = true;
        }
        for other in config.avail.slots() {
            if other != slot && !self.slots.has_senior(other, config) {
                found |= self.branch(node, slot, self.slots.action(other), Some(other), None);
            }
        }
        for index in 0..self.active.len() {
            let class = self.active[index];
            let action = self.classes[class as usize];
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
        node: &Node<W, P>,
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
        child.path = child.path.then(self.taken(source, class));
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

    fn taken(&self, source: Option<usize>, class: Option<u32>) -> Taken {
        let update = match (source, class) {
            (Some(slot), _) => Update::Operation(self.slots.number(slot)),
            (None, Some(class)) => Update::Class(class),
            (None, None) => unreachable!("an update comes from an operation or from a class"),
        };
        Taken { step: self.step, update }
    }

    fn unknown_builds_on(&self, config: &Config<W, P>) -> bool {
        self.active
            .iter()
            .any(|&class| self.left(config, class) && needs(self.classes[class as usize], config.state))
    }

    /// Goes on with a narrower or wider level; what it leaves out counts from here.
    pub(super) fn set_level(&mut self, level: Level) {
        self.level = level;
    }

    /// The number of a class that does this, added if it is new.
    pub(super) fn class(&mut self, action: Action) -> u32 {
        self.classes.push(action);
        self.invoked.push(0);
        u32::try_from(self.classes.len() - 1).expect("a history has fewer than four billion operations")
    }

    /// Classes of operations that may still happen.
    pub(super) fn unknowns(&self) -> usize {
        self.active.len()
    }

    /// Forgets the classes of which every configuration used all operations.
    pub(super) fn forget_used(&mut self) {
        let mut used_up = Vec::new();
        for &class in &self.active {
            let invoked = self.invoked[class as usize];
            if self.frontier.iter().all(|config| config.used(class) == invoked) {
                used_up.push(class);
            }
        }
        for config in self.frontier.iter_mut() {
            config.used.retain(|(class, _)| !used_up.contains(class));
        }
        for &class in &used_up {
            self.invoked[class as usize] = 0;
        }
        self.active.retain(|class| !used_up.contains(class));
    }

    /// The values that are possible now.
    pub(super) fn states(&self) -> impl Iterator<Item = u32> {
        self.frontier.iter().map(|config| config.state)
    }

    /// The same search with room for more open operations.
    pub(super) fn widened<const V: usize>(mut self) -> Search<'a, V, P> {
        let mut frontier = Antichain::new();
        for Config { state, must, avail, used, path } in self.frontier.take() {
            frontier.insert(Config { state, must: must.widened(), avail: avail.widened(), used, path });
        }
        Search {
            level: self.level,
            slots: self.slots.widened(),
            frontier,
            next: Antichain::new(),
            classes: self.classes,
            invoked: self.invoked,
            active: self.active,
            expired: self.expired,
            stack: Vec::new(),
            visited: FxHashSet::default(),
            cut: self.cut,
            now: self.now,
            step: self.step,
        }
    }

    /// The values that are possible now, with every update that may still happen before the one in `blamed` completes;
    /// and whether these are all.
    fn possible(&self, blamed: usize) -> (Vec<u32>, bool) {
        let known = self.frontier.iter().chain(self.visited.iter().map(|(config, _)| config));
        let mut seen: FxHashSet<Config<W, P>> = known.cloned().collect();
        let mut open: Vec<Config<W, P>> = seen.iter().cloned().collect();
        while seen.len() < LOOKS
            && let Some(config) = open.pop()
        {
            let own = config.avail.slots().filter(|slot| *slot != blamed);
            let own = own.map(|slot| (self.slots.action(slot), Some(slot), None));
            let unknown = self.active.iter().filter(|class| self.left(&config, **class));
            let unknown = unknown.map(|&class| (self.classes[class as usize], None, Some(class)));
            for (action, source, class) in own.chain(unknown) {
                let Some((mut child, _)) = self.slots.update(&config, action, source) else { continue };
                if let Some(class) = class {
                    child.use_class(class);
                }
                if seen.insert(child.clone()) {
                    open.push(child);
                }
            }
        }
        let mut values: Vec<u32> = seen.iter().map(|config| config.state).collect();
        values.sort_unstable();
        values.dedup();
        (values, open.is_empty())
    }

    /// Describes the moment at which the operation `number` could not complete.
    pub(super) fn stuck(&self, number: u32) -> Stuck {
        let blamed = self.slots.find(number);
        let (values, all) = self.possible(blamed);
        let open = self.slots.open.slots().map(|slot| Open {
            call: *self.slots.op(slot),
            waiting: self.frontier.iter().any(|config| config.avail.has(slot) || config.must.has(slot)),
        });
        Stuck {
            call: *self.slots.op(blamed),
            values,
            all,
            open: open.collect(),
            unknown: self.active.iter().map(|&class| self.classes[class as usize]).collect(),
        }
    }
}

fn is_write(action: Action) -> bool {
    matches!(action, Action::Write(_))
}
