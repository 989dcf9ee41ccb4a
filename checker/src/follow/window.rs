//! Follows one key by a search, as far back as operations are open whose result may matter.

use super::{
    key::{Blame, Entry, Trouble},
    meaning::{Begun, Effect, Ended},
};
use crate::linearizability::{Action, Call, Halt, LiveSearch, NEVER};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::Value;
use std::collections::VecDeque;

/// Numbers of values that are kept before the first look for those that nothing refers to any more.
const VALUES: usize = 256;

/// The operations not yet taken by the search, and the search.
pub(super) struct Window {
    search: LiveSearch,
    values: FxHashMap<Value, u32>,
    next_value: u32,
    /// How many values are known when the next look is due.
    look: usize,
    entries: FxHashMap<u32, Entry>,
    /// Invocations and completions that the search has not seen, in order.
    steps: VecDeque<Step>,
}

#[derive(Debug, Clone, Copy)]
struct Step {
    number: u32,
    completes: bool,
}

/// What an operation is for the search.
enum Move {
    Nothing,
    Certain(Action),
    Unknown(Action),
    Impossible,
}

impl Window {
    /// Starts over with the operations so far.
    pub(super) fn new(entries: FxHashMap<u32, Entry>) -> Self {
        let mut steps: Vec<(u32, Step)> = Vec::new();
        for (&number, entry) in &entries {
            steps.push((entry.invoked, Step { number, completes: false }));
            if entry.ended.is_some() {
                steps.push((entry.completed, Step { number, completes: true }));
            }
        }
        steps.sort_by_key(|&(event, step)| (event, step.completes));
        Self {
            search: LiveSearch::new(),
            values: FxHashMap::from_iter([(Value::Null, 0)]),
            next_value: 1,
            look: VALUES,
            entries,
            steps: steps.into_iter().map(|(_, step)| step).collect(),
        }
    }

    /// When the earliest event was that the search has not seen.
    pub(super) fn waits_since(&self) -> Option<u64> {
        let step = self.steps.front()?;
        let entry = &self.entries[&step.number];
        Some(if step.completes { entry.completed_ns } else { entry.invoked_ns })
    }

    pub(super) fn begin(&mut self, number: u32, begun: Begun, invoked: u32, invoked_ns: u64) {
        let entry =
            Entry { begun, invoked, invoked_ns, ended: None, completed: NEVER, completed_ns: u64::MAX };
        self.entries.insert(number, entry);
        self.steps.push_back(Step { number, completes: false });
    }

    pub(super) fn end(&mut self, number: u32, ended: Ended, completed: u32, completed_ns: u64) {
        let entry = self.entries.get_mut(&number).expect("an operation ends after its invocation");
        entry.ended = Some(ended);
        (entry.completed, entry.completed_ns) = (completed, completed_ns);
        self.steps.push_back(Step { number, completes: true });
    }

    /// Lets the search see everything up to the first operation that has not ended.
    pub(super) fn decide(&mut self) -> Result<(), Trouble> {
        while let Some(&step) = self.steps.front() {
            let entry = &self.entries[&step.number];
            let Some(ended) = &entry.ended else { break };
            let (invoked, completed, time_ns) = (entry.invoked, entry.completed, entry.completed_ns);
            let next = numbered(&mut self.values, &mut self.next_value, &entry.begun, ended);
            let done = match (next, step.completes) {
                (Move::Impossible, false) | (Move::Nothing, _) | (Move::Unknown(_), true) => Ok(()),
                (Move::Impossible, true) => Err(Halt::Impossible),
                (Move::Certain(action), false) => {
                    self.search.invoke(step.number, &Call { action, invoked, completed, origin: step.number })
                }
                (Move::Certain(_), true) => self.search.complete(step.number),
                (Move::Unknown(action), false) => self.search.invoke_unknown(action),
            };
            let blame = Blame { invoked, completed, time_ns };
            done.map_err(|halt| match halt {
                Halt::Impossible => Trouble::Impossible(blame),
                Halt::Suspicious => Trouble::Suspicious(blame),
                Halt::Overwhelmed => Trouble::Lost(
                    "too many operations are open or of unknown outcome; the key is judged at the end"
                        .to_owned(),
                ),
            })?;
            if step.completes {
                self.entries.remove(&step.number);
            }
            self.steps.pop_front();
        }
        self.forget();
        Ok(())
    }

    /// Forgets the numbers of values that nothing refers to any more.
    fn forget(&mut self) {
        if self.values.len() <= self.look {
            return;
        }
        let mut kept: FxHashSet<u32> = self.search.states().into_iter().collect();
        for action in self.search.unknowns() {
            if let Action::Write(to) = action {
                kept.insert(to);
            } else if let Action::Cas(from, to) = action {
                kept.extend([from, to]);
            }
        }
        let mut named: FxHashSet<&Value> = FxHashSet::default();
        for entry in self.entries.values() {
            if let Begun::Write(to) = &entry.begun {
                named.insert(to);
            } else if let Begun::Cas(from, to) = &entry.begun {
                named.extend([from, to]);
            }
            if let Some(Ended::Ok(value) | Ended::Found(value)) = &entry.ended {
                named.insert(value);
            }
        }
        self.values.retain(|value, number| value.is_null() || kept.contains(number) || named.contains(value));
        self.look = VALUES + 2 * self.values.len();
    }
}

/// What an operation is for the search, with numbers for its values.
fn numbered(values: &mut FxHashMap<Value, u32>, next_value: &mut u32, begun: &Begun, ended: &Ended) -> Move {
    let mut number = |value: &Value| {
        values.get(value).copied().unwrap_or_else(|| {
            values.insert(value.clone(), *next_value);
            *next_value += 1;
            *next_value - 1
        })
    };
    let action = match begun.effect(ended) {
        Effect::Nothing => return Move::Nothing,
        Effect::Impossible => return Move::Impossible,
        Effect::Read(value) => Action::Read(number(value)),
        Effect::Not(value) => Action::Not(number(value)),
        Effect::Write(value) => Action::Write(number(value)),
        Effect::Cas(from, to) => Action::Cas(number(from), number(to)),
    };
    if *ended == Ended::Unknown { Move::Unknown(action) } else { Move::Certain(action) }
}
