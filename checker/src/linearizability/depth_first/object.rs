//! What the search needs to know of an object: numbered states, and what a numbered action does to them.

use rustc_hash::FxHashMap;
use std::{hash::Hash, rc::Rc};

/// An object whose states and classes of equal actions have numbers.
pub(in super::super) trait Object {
    /// Whether [`successors`](Self::successors) leaves out states that no order of what is left explains.
    fn looks_ahead(&self) -> bool;
    /// The state before everything else.
    fn initial(&mut self) -> u32;
    /// Appends the states an action of this class leads to. `certain` says whether the operation must happen.
    fn successors(&mut self, state: u32, class: u32, certain: bool, into: &mut Vec<u32>);
    /// An operation of this class enters the order.
    fn take(&mut self, class: u32, certain: bool);
    /// The last operation that entered the order leaves it again.
    fn take_back(&mut self, class: u32, certain: bool);
    /// How many bytes the states take.
    fn bytes(&self) -> usize;
    /// A state for people.
    fn show(&self, state: u32) -> String;
}

/// What an object does, as in [`Specification`](super::super::Specification).
pub(in super::super) trait Steps {
    type State: Eq + Hash;
    type Action;

    fn initial(&self) -> Self::State;
    fn step(&self, state: &Self::State, action: &Self::Action) -> impl IntoIterator<Item = Self::State>;
    fn bytes(&self, state: &Self::State) -> usize;
    fn show(&self, state: &Self::State) -> String;
}

/// The object behind its steps: every state and every step is worked out once.
pub(in super::super) struct Interned<'a, S: Steps> {
    object: &'a S,
    /// The actions by class.
    actions: &'a [S::Action],
    states: Vec<Rc<S::State>>,
    numbers: FxHashMap<Rc<S::State>, u32>,
    /// Where the successors of a state by a class of actions lie in `successors`.
    steps: FxHashMap<(u32, u32), (u32, u32)>,
    successors: Vec<u32>,
    bytes: usize,
}

impl<'a, S: Steps> Interned<'a, S> {
    pub(in super::super) fn new(object: &'a S, actions: &'a [S::Action]) -> Self {
        Self {
            object,
            actions,
            states: Vec::new(),
            numbers: FxHashMap::default(),
            steps: FxHashMap::default(),
            successors: Vec::new(),
            bytes: 0,
        }
    }

    fn number(&mut self, state: S::State) -> u32 {
        if let Some(&number) = self.numbers.get(&state) {
            return number;
        }
        self.bytes += self.object.bytes(&state);
        let state = Rc::new(state);
        let number = count(self.states.len());
        self.numbers.insert(Rc::clone(&state), number);
        self.states.push(state);
        number
    }
}

/// Bytes that a state or a step takes beside the state itself.
const OVERHEAD: usize = 48;

impl<S: Steps> Object for Interned<'_, S> {
    fn looks_ahead(&self) -> bool {
        false
    }

    fn initial(&mut self) -> u32 {
        let state = self.object.initial();
        self.number(state)
    }

    fn successors(&mut self, state: u32, class: u32, _: bool, into: &mut Vec<u32>) {
        let (start, end) = if let Some(&found) = self.steps.get(&(state, class)) {
            found
        } else {
            let from = Rc::clone(&self.states[state as usize]);
            let (object, actions) = (self.object, self.actions);
            let start = count(self.successors.len());
            for next in object.step(&from, &actions[class as usize]) {
                let number = self.number(next);
                self.successors.push(number);
            }
            let found = (start, count(self.successors.len()));
            self.steps.insert((state, class), found);
            found
        };
        into.extend_from_slice(&self.successors[start as usize..end as usize]);
    }

    fn take(&mut self, _: u32, _: bool) {}

    fn take_back(&mut self, _: u32, _: bool) {}

    fn bytes(&self) -> usize {
        self.bytes + OVERHEAD * (self.states.len() + self.steps.len())
    }

    fn show(&self, state: u32) -> String {
        self.object.show(&self.states[state as usize])
    }
}

/// A length as a number of 32 bits.
pub(in super::super) fn count(length: usize) -> u32 {
    u32::try_from(length).expect("memory for four billion states is far beyond every limit")
}
