//! The depth-first search: frames of configurations, their branches, and backtracking.

use super::{
    Hope,
    memory::{Config, Memory, UNUSED},
    object::Object,
    plan::{NO_RANK, Plan},
};
use crate::limits::{Budget, Stop};

/// Bytes that count as one configuration of [`Limits`](crate::limits::Limits).
const BYTES_A_CONFIGURATION: usize = 100;
/// States remembered for the witness.
const STATES_SHOWN: usize = 64;

/// One step onwards: which operation, and the state it leads to.
#[derive(Debug, Clone, Copy)]
struct Branch {
    step: Step,
    state: u32,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// An operation by rank.
    Certain(u32),
    /// A class of operations by its index in [`Plan::optional`].
    Optional(u32),
}

/// A configuration on the way, and how it was entered.
#[derive(Debug)]
struct Frame<const W: usize> {
    /// None for the first one.
    step: Option<Step>,
    config: Config<W>,
    uses: u32,
    /// Where its own begin, on the common stacks.
    absorbed: usize,
    branches: usize,
    /// Whether optional operations were tried, which comes last.
    widened: bool,
}

/// Looks for one order that explains all results, earliest completions first.
pub(super) struct Search<'a, O: Object, const W: usize> {
    plan: &'a Plan,
    object: O,
    memory: Memory<W>,
    frames: Vec<Frame<W>>,
    branches: Vec<Branch>,
    /// Ranks of pure operations that entered the order as soon as they could.
    absorbed: Vec<u32>,
    /// By slot, as of the completion of rank `at`.
    occupants: Vec<u32>,
    at: u32,
    /// By class, when it was last a candidate; equal actions are interchangeable.
    stamps: Vec<u32>,
    stamp: u32,
    candidates: Vec<u32>,
    successors: Vec<u32>,
    /// The farthest mark reached, and some of the configurations reached there.
    pub(super) deepest: u32,
    reached: Vec<Config<W>>,
}

impl<'a, O: Object, const W: usize> Search<'a, O, W> {
    pub(super) fn new(plan: &'a Plan, object: O) -> Self {
        let mut search = Self {
            plan,
            object,
            memory: Memory::new(!plan.optional.is_empty()),
            frames: Vec::new(),
            branches: Vec::new(),
            absorbed: Vec::new(),
            occupants: vec![NO_RANK; plan.live],
            at: 0,
            stamps: vec![0; plan.pure.len()],
            stamp: 0,
            candidates: Vec::new(),
            successors: Vec::new(),
            deepest: 0,
            reached: Vec::new(),
        };
        search.enter_slots(0, plan.entered.first().copied().unwrap_or(0));
        search
    }

    /// The order that was found, as indexes in the calls. Only after [`run`](Self::run) found one.
    pub(super) fn order(&self) -> Vec<u32> {
        let mut order = Vec::with_capacity(self.plan.indexes.len());
        let mut used = vec![0; self.plan.optional.len()];
        for (number, frame) in self.frames.iter().enumerate() {
            match frame.step {
                None => {}
                Some(Step::Certain(rank)) => order.push(self.plan.indexes[rank as usize]),
                Some(Step::Optional(class)) => {
                    let used = &mut used[class as usize];
                    order.push(self.plan.optional[class as usize].indexes[*used]);
                    *used += 1;
                }
            }
            let end = self.frames.get(number + 1).map_or(self.absorbed.len(), |next| next.absorbed);
            let absorbed = &self.absorbed[frame.absorbed..end];
            order.extend(absorbed.iter().map(|&rank| self.plan.indexes[rank as usize]));
        }
        order
    }

    /// The states at the farthest mark.
    pub(super) fn states(&self) -> Vec<String> {
        let mut states: Vec<String> =
            self.reached.iter().map(|config| self.object.show(config.state)).collect();
        states.sort();
        states.dedup();
        states
    }

    /// The ranks that are open at the farthest mark. Only after [`run`](Self::run).
    pub(super) fn open(&mut self) -> Vec<(u32, Hope)> {
        self.go(self.deepest);
        let deepest = self.deepest;
        let open = self.occupants.clone().into_iter().filter(|&rank| rank != NO_RANK && rank >= deepest);
        open.map(|rank| (rank, self.hope(rank))).collect()
    }

    fn hope(&mut self, rank: u32) -> Hope {
        let slot = self.plan.slots[rank as usize];
        let mut hope = Hope::Placed;
        for config in self.reached.iter().filter(|config| !config.has(slot)) {
            self.successors.clear();
            let class = self.plan.classes[rank as usize];
            self.object.successors(config.state, class, true, &mut self.successors);
            if !self.successors.is_empty() {
                return Hope::Free;
            }
            hope = Hope::Blocked;
        }
        hope
    }

    /// Whether there is an order.
    pub(super) fn run(&mut self, budget: &mut Budget<'_>) -> Result<bool, Stop> {
        let initial = Config { mask: [0; W], mark: 0, state: self.object.initial() };
        if self.enter(None, initial, UNUSED) {
            return Ok(true);
        }
        while let Some(frame) = self.frames.last_mut() {
            let bytes = self.memory.bytes() + self.object.bytes() + self.branches.len() * size_of::<Branch>();
            budget.step(bytes / BYTES_A_CONFIGURATION, 0)?;
            if self.branches.len() > frame.branches {
                let branch = self.branches.pop().expect("there is one more");
                let (mut config, mut uses) = (frame.config, frame.uses);
                config.state = branch.state;
                match branch.step {
                    Step::Certain(rank) => config.flip(self.plan.slots[rank as usize]),
                    Step::Optional(class) => uses = self.memory.used(uses, class),
                }
                if self.enter(Some(branch.step), config, uses) {
                    return Ok(true);
                }
            } else if frame.widened || self.plan.optional.is_empty() {
                self.leave();
            } else {
                frame.widened = true;
                let (config, uses) = (frame.config, frame.uses);
                self.widen(config, uses);
            }
        }
        Ok(false)
    }

    /// Goes on to a configuration, unless it was seen before. Says whether everything is in the order.
    fn enter(&mut self, step: Option<Step>, mut config: Config<W>, uses: u32) -> bool {
        if let Some(step) = step {
            let (class, certain) = self.class(step);
            self.object.take(class, certain);
        }
        let absorbed = self.absorbed.len();
        self.settle(&mut config);
        let branches = self.branches.len();
        self.frames.push(Frame { step, config, uses, absorbed, branches, widened: false });
        if config.mark as usize == self.plan.indexes.len() {
            return true;
        }
        if self.memory.enter(config, uses) {
            self.remember(&config);
            self.branch(&config);
        } else {
            self.leave();
        }
        false
    }

    /// Back to the configuration before the last one.
    fn leave(&mut self) {
        let frame = self.frames.pop().expect("only what was entered is left");
        for rank in self.absorbed.drain(frame.absorbed..).rev() {
            self.object.take_back(self.plan.classes[rank as usize], true);
        }
        if let Some(step) = frame.step {
            let (class, certain) = self.class(step);
            self.object.take_back(class, certain);
        }
        if let Some(mark) = self.frames.last().map(|frame| frame.config.mark) {
            self.go(mark);
        }
    }

    fn class(&self, step: Step) -> (u32, bool) {
        match step {
            Step::Certain(rank) => (self.plan.classes[rank as usize], true),
            Step::Optional(class) => (self.plan.optional[class as usize].class, false),
        }
    }

    /// Moves the mark, and lets pure operations that fit enter the order: that never hurts.
    fn settle(&mut self, config: &mut Config<W>) {
        loop {
            while let Some(&slot) = self.plan.slots.get(config.mark as usize) {
                if !config.has(slot) {
                    break;
                }
                config.flip(slot);
                config.mark += 1;
            }
            if config.mark as usize == self.plan.indexes.len() {
                return;
            }
            self.go(config.mark);
            let before = self.absorbed.len();
            for slot in 0..self.occupants.len() {
                self.absorb(self.occupants[slot], config);
            }
            if self.absorbed.len() == before {
                return;
            }
        }
    }

    fn absorb(&mut self, rank: u32, config: &mut Config<W>) {
        if rank == NO_RANK || rank < config.mark {
            return;
        }
        let (class, slot) = (self.plan.classes[rank as usize], self.plan.slots[rank as usize]);
        if !self.plan.pure[class as usize] || config.has(slot) {
            return;
        }
        self.successors.clear();
        self.object.successors(config.state, class, true, &mut self.successors);
        if let Some(&state) = self.successors.first() {
            config.state = state;
            config.flip(slot);
            self.object.take(class, true);
            self.absorbed.push(rank);
        }
    }

    fn remember(&mut self, config: &Config<W>) {
        if config.mark > self.deepest {
            self.deepest = config.mark;
            self.reached.clear();
        }
        if config.mark == self.deepest && self.reached.len() < STATES_SHOWN {
            self.reached.push(*config);
        }
    }

    /// Puts the certain operations that can come next on the stack, the earliest completion on top.
    fn branch(&mut self, config: &Config<W>) {
        self.candidates.clear();
        for &rank in &self.occupants {
            if rank != NO_RANK && rank >= config.mark && !config.has(self.plan.slots[rank as usize]) {
                self.candidates.push(rank);
            }
        }
        self.candidates.sort_unstable();
        self.stamp += 1;
        let start = self.branches.len();
        for &rank in &self.candidates {
            let class = self.plan.classes[rank as usize];
            if std::mem::replace(&mut self.stamps[class as usize], self.stamp) == self.stamp {
                continue;
            }
            self.successors.clear();
            self.object.successors(config.state, class, true, &mut self.successors);
            let step = Step::Certain(rank);
            self.branches.extend(self.successors.iter().map(|&state| Branch { step, state }));
        }
        self.branches[start..].reverse();
    }

    /// Puts the optional operations that can come next on the stack.
    fn widen(&mut self, config: Config<W>, uses: u32) {
        for (optional, number) in self.plan.optional.iter().zip(0..) {
            let possible = optional.since.partition_point(|&since| since <= config.mark);
            if possible == 0 || possible <= self.memory.times(uses, number) {
                continue;
            }
            self.successors.clear();
            self.object.successors(config.state, optional.class, false, &mut self.successors);
            let step = Step::Optional(number);
            let changed = self.successors.iter().filter(|&&state| state != config.state);
            self.branches.extend(changed.map(|&state| Branch { step, state }));
        }
    }

    /// Moves the table of open operations to another mark.
    fn go(&mut self, mark: u32) {
        let entered = |mark: u32| self.plan.entered[mark as usize];
        let (from, to) = (entered(self.at), entered(mark));
        self.at = mark;
        if from <= to {
            self.enter_slots(from, to);
        } else {
            for &rank in self.plan.by_invocation[to as usize..from as usize].iter().rev() {
                self.occupants[self.plan.slots[rank as usize] as usize] = self.plan.before[rank as usize];
            }
        }
    }

    fn enter_slots(&mut self, from: u32, to: u32) {
        for &rank in &self.plan.by_invocation[from as usize..to as usize] {
            self.occupants[self.plan.slots[rank as usize] as usize] = rank;
        }
    }
}
