//! Queues and stacks: elements go in, and a discipline says which comes out.

use super::super::{
    call::{Call, When},
    depth_first::{Ahead, Classes, Interned, Steps, Subject},
    distinct,
    marks::Datum,
    repeated_queue,
};
use super::{not_known, numbers::Numbers, refused};
use crate::limits::Limits;
use history::{OperationRef, Operations, OutcomeRef};
use serde_json::Value;

/// Which element comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Discipline {
    /// The oldest.
    Fifo,
    /// Any.
    Unordered,
    /// The youngest.
    Stack,
    /// The largest.
    Priority,
}

/// What an operation does. Elements are numbered in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in super::super) enum ContainerAction {
    Add(u32),
    Remove(u32),
    /// Removes whichever element it is; only of unknown outcome.
    Take,
    /// Finds the element that would come out, which stays.
    Peek(u32),
    /// Finds nothing.
    Empty,
}

/// One container and what its elements are called.
pub(in super::super) struct Container<'a> {
    discipline: Discipline,
    numbers: Numbers<'a>,
}

/// An operation whose element has no number yet.
enum Meaning<'a> {
    Add(Datum<'a>),
    Remove(Datum<'a>),
    Peek(Datum<'a>),
    Take,
    Empty,
}

impl<'a> Container<'a> {
    /// The calls of one key. The error says which operation is not understood.
    pub(in super::super) fn encode(
        discipline: Discipline,
        operations: &'a Operations,
        indexes: &[u32],
    ) -> Result<(Self, Vec<Call<ContainerAction>>), String> {
        let mut meanings = Vec::with_capacity(indexes.len());
        let mut elements = Vec::with_capacity(indexes.len());
        for &index in indexes {
            let operation = operations.at(index as usize);
            let meaning = meaning(operation, discipline).map_err(|why| {
                format!("operation {index} (event {}) is not understood: {why}", operation.invoked)
            })?;
            if let Some(Meaning::Add(element) | Meaning::Remove(element) | Meaning::Peek(element)) = meaning {
                elements.push(element);
            }
            meanings.extend(meaning.map(|meaning| (meaning, When::of(operation, index))));
        }
        let (numbers, list) = Numbers::of(&elements);
        let mut list = list.into_iter();
        let mut next = || list.next().expect("each element of the list has a number");
        let calls = meanings.into_iter().map(|(meaning, when)| {
            let action = match meaning {
                Meaning::Add(_) => ContainerAction::Add(next()),
                Meaning::Remove(_) => ContainerAction::Remove(next()),
                Meaning::Peek(_) => ContainerAction::Peek(next()),
                Meaning::Take => ContainerAction::Take,
                Meaning::Empty => ContainerAction::Empty,
            };
            when.call(action)
        });
        let calls = calls.collect();
        Ok((Self { discipline, numbers }, calls))
    }

    /// Where the element that comes out lies in a state; none if it may be any.
    fn next_out(&self, state: &[u32]) -> Option<usize> {
        match self.discipline {
            Discipline::Fifo => Some(0),
            Discipline::Stack | Discipline::Priority => Some(state.len().saturating_sub(1)),
            Discipline::Unordered => None,
        }
    }

    /// Where an element lies, if it may come out.
    fn find(&self, state: &[u32], element: u32) -> Option<usize> {
        match self.next_out(state) {
            Some(index) => (state.get(index) == Some(&element)).then_some(index),
            None => state.binary_search(&element).ok(),
        }
    }
}

fn meaning<'a>(operation: OperationRef<'a>, discipline: Discipline) -> Result<Option<Meaning<'a>>, String> {
    let found = |meaning: fn(Datum<'a>) -> Meaning<'a>| match operation.outcome {
        OutcomeRef::Ok(Value::Null) => Ok(Some(Meaning::Empty)),
        OutcomeRef::Ok(element) => Ok(Some(meaning(element_of(element, discipline)?))),
        outcome @ OutcomeRef::Fail { .. } => Ok(refused(outcome).then_some(Meaning::Empty)),
        OutcomeRef::Info { .. } => Ok(None),
    };
    match operation.f {
        "enqueue" | "push" | "add" | "insert" => match operation.outcome {
            OutcomeRef::Fail { .. } => Ok(None),
            OutcomeRef::Ok(_) | OutcomeRef::Info { .. } if operation.argument.is_null() => {
                Err("null is no element".to_owned())
            }
            OutcomeRef::Ok(_) | OutcomeRef::Info { .. } => {
                Ok(Some(Meaning::Add(element_of(operation.argument, discipline)?)))
            }
        },
        "dequeue" | "pop" | "poll" => match operation.outcome {
            OutcomeRef::Info { .. } => Ok(Some(Meaning::Take)),
            OutcomeRef::Ok(_) | OutcomeRef::Fail { .. } => found(Meaning::Remove),
        },
        "peek" => found(Meaning::Peek),
        other => Err(not_known(other, "enqueue or push, dequeue or pop, and peek")),
    }
}

/// Digits from which on an integer may not fit 64 bits.
const LARGE: usize = 19;

/// An element that the discipline can handle.
fn element_of(element: &Value, discipline: Discipline) -> Result<Datum<'_>, String> {
    // Integers beyond 64 bits are text, as EDN writes them, which would have another order.
    let large = |text: &str| {
        let digits = text.strip_suffix('N').map(|text| text.trim_start_matches('-'));
        digits.is_some_and(|digits| digits.len() >= LARGE && digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let ordered = match element {
        Value::String(text) => !large(text),
        other => other.is_i64() || other.is_u64(),
    };
    if discipline == Discipline::Priority && !ordered {
        return Err(format!("{element} has no place in an order of strings and integers of 64 bits"));
    }
    Ok(Datum::of(element))
}

impl Subject for Container<'_> {
    type Action = ContainerAction;
    type Object<'a>
        = Interned<'a, Self>
    where
        Self: 'a;

    fn is_pure(&self, action: &ContainerAction) -> bool {
        match action {
            ContainerAction::Peek(_) | ContainerAction::Empty => true,
            ContainerAction::Add(_) | ContainerAction::Remove(_) | ContainerAction::Take => false,
        }
    }

    fn object<'a>(&'a self, classes: &Classes<'a, ContainerAction>, _: Ahead) -> Interned<'a, Self> {
        Interned::new(self, classes.actions)
    }

    fn loosens(&self) -> bool {
        true
    }

    fn quick(&self, calls: &[Call<ContainerAction>], limits: &Limits<'_>) -> Option<bool> {
        let distinct = distinct::container(self.discipline, self.numbers.count(), calls);
        distinct.or_else(|| match self.discipline {
            Discipline::Fifo => repeated_queue::linearizable(calls, limits),
            Discipline::Unordered | Discipline::Stack | Discipline::Priority => None,
        })
    }

    fn quick_order(&self, calls: &[Call<ContainerAction>], limits: &Limits<'_>) -> Option<Vec<u32>> {
        let count = self.numbers.count();
        match (distinct::container(self.discipline, count, calls), self.discipline) {
            (None, Discipline::Fifo) => repeated_queue::order(calls, limits),
            _ => distinct::container_order(self.discipline, count, calls),
        }
    }

    fn group(&self, action: &ContainerAction) -> Option<u32> {
        match *action {
            ContainerAction::Add(element)
            | ContainerAction::Remove(element)
            | ContainerAction::Peek(element) => Some(element),
            ContainerAction::Take | ContainerAction::Empty => None,
        }
    }

    fn drop_useless(&self, calls: &mut Vec<Call<ContainerAction>>) {
        let mut left = vec![false; self.numbers.count()];
        for call in calls.iter() {
            match call.action {
                ContainerAction::Remove(element) | ContainerAction::Peek(element) => {
                    left[element as usize] |= call.certain();
                }
                ContainerAction::Add(_) | ContainerAction::Take | ContainerAction::Empty => {}
            }
        }
        // An element that no certain operation found counts as never added, if its add is of unknown outcome.
        calls.retain(|call| match call.action {
            ContainerAction::Add(element) => call.certain() || left[element as usize],
            ContainerAction::Peek(_) | ContainerAction::Empty => call.certain(),
            ContainerAction::Remove(_) | ContainerAction::Take => true,
        });
        if !calls.iter().any(|call| matches!(call.action, ContainerAction::Add(_))) {
            calls.retain(|call| call.action != ContainerAction::Take);
        }
    }
}

/// The elements: in the order in which they came, or sorted where that does not matter.
impl Steps for Container<'_> {
    type State = Box<[u32]>;
    type Action = ContainerAction;

    fn initial(&self) -> Box<[u32]> {
        Box::default()
    }

    fn step(&self, state: &Box<[u32]>, action: &ContainerAction) -> impl IntoIterator<Item = Box<[u32]>> {
        match *action {
            ContainerAction::Add(element) => {
                let index = match self.discipline {
                    Discipline::Fifo | Discipline::Stack => state.len(),
                    Discipline::Unordered | Discipline::Priority => {
                        state.partition_point(|&other| other < element)
                    }
                };
                vec![[&state[..index], &[element], &state[index..]].concat().into()]
            }
            ContainerAction::Remove(element) => {
                self.find(state, element).map(|index| without(state, index)).into_iter().collect()
            }
            ContainerAction::Take if state.is_empty() => Vec::new(),
            ContainerAction::Take => match self.next_out(state) {
                Some(index) => vec![without(state, index)],
                None => (0..state.len())
                    .filter(|&index| index == 0 || state[index] != state[index - 1])
                    .map(|index| without(state, index))
                    .collect(),
            },
            ContainerAction::Peek(element) => {
                self.find(state, element).map(|_| state.clone()).into_iter().collect()
            }
            ContainerAction::Empty if state.is_empty() => vec![state.clone()],
            ContainerAction::Empty => Vec::new(),
        }
    }

    fn bytes(&self, state: &Box<[u32]>) -> usize {
        size_of_val(&**state)
    }

    fn show(&self, state: &Box<[u32]>) -> String {
        self.numbers.show_all(state)
    }
}

fn without(state: &[u32], index: usize) -> Box<[u32]> {
    [&state[..index], &state[index + 1..]].concat().into()
}
