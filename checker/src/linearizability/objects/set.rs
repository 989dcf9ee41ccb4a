//! A set of elements, asked for one of them or for all.

use super::super::{
    call::{Call, When},
    depth_first::{Ahead, Classes, Interned, Steps, Subject},
    distinct,
    marks::Datum,
};
use super::{not_known, numbers::Numbers};
use crate::limits::Limits;
use history::{OperationRef, Operations, OutcomeRef};
use serde_json::Value;
use std::sync::Arc;

/// What an operation does. Elements are numbered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in super::super) enum SetAction {
    /// Adds an element, whether it was there or not.
    Add(u32),
    /// Adds an element that was not there.
    AddNew(u32),
    /// Removes an element, whether it was there or not.
    Remove(u32),
    /// Removes an element that was there.
    RemoveOld(u32),
    /// Finds whether an element is there.
    Contains(u32, bool),
    /// Finds exactly these elements, which are sorted.
    Read(Arc<[u32]>),
}

/// One set and what its elements are called.
pub(in super::super) struct Set<'a> {
    numbers: Numbers<'a>,
    /// Whether some operation asks for all elements.
    whole: bool,
}

/// An operation whose elements have no numbers yet.
enum Meaning<'a> {
    One(fn(u32) -> SetAction, Datum<'a>),
    All(&'a [Value]),
}

impl<'a> Set<'a> {
    /// The calls of one key. The error says which operation is not understood.
    pub(in super::super) fn encode(
        operations: &'a Operations,
        indexes: &[u32],
    ) -> Result<(Self, Vec<Call<SetAction>>), String> {
        let mut meanings = Vec::with_capacity(indexes.len());
        let mut elements = Vec::with_capacity(indexes.len());
        let mut whole = false;
        for &index in indexes {
            let operation = operations.at(index as usize);
            let meaning = meaning(operation).map_err(|why| {
                format!("operation {index} (event {}) is not understood: {why}", operation.invoked)
            })?;
            match &meaning {
                Some(Meaning::One(_, element)) => elements.push(*element),
                Some(Meaning::All(all)) => {
                    elements.extend(all.iter().map(Datum::of));
                    whole = true;
                }
                None => {}
            }
            meanings.extend(meaning.map(|meaning| (meaning, When::of(operation, index))));
        }
        let (numbers, list) = Numbers::of(&elements);
        let mut list = list.as_slice();
        let mut next = |length| {
            let (first, rest) = list.split_at(length);
            list = rest;
            first
        };
        let calls = meanings.into_iter().map(|(meaning, when)| {
            let action = match meaning {
                Meaning::One(action, _) => action(next(1)[0]),
                Meaning::All(all) => {
                    let mut all = next(all.len()).to_vec();
                    all.sort_unstable();
                    all.dedup();
                    SetAction::Read(all.into())
                }
            };
            when.call(action)
        });
        let calls = calls.collect();
        Ok((Self { numbers, whole }, calls))
    }
}

fn meaning(operation: OperationRef<'_>) -> Result<Option<Meaning<'_>>, String> {
    let changed = match operation.outcome {
        OutcomeRef::Ok(Value::Bool(changed)) => Some(*changed),
        OutcomeRef::Ok(_) | OutcomeRef::Info { .. } => None,
        OutcomeRef::Fail { .. } => return Ok(None),
    };
    let action: fn(u32) -> SetAction = match (operation.f, changed) {
        ("add" | "insert", None) => SetAction::Add,
        ("add" | "insert", Some(true)) => SetAction::AddNew,
        ("remove" | "delete", None) => SetAction::Remove,
        ("remove" | "delete", Some(true)) => SetAction::RemoveOld,
        ("add" | "insert", Some(false)) | ("contains", Some(true)) => {
            |element| SetAction::Contains(element, true)
        }
        ("remove" | "delete" | "contains", Some(false)) => |element| SetAction::Contains(element, false),
        ("contains", None) => match operation.outcome {
            OutcomeRef::Ok(other) => {
                return Err(format!("contains answers {other} instead of true or false"));
            }
            OutcomeRef::Info { .. } | OutcomeRef::Fail { .. } => return Ok(None),
        },
        ("read", _) => {
            return match operation.outcome {
                OutcomeRef::Ok(Value::Array(all)) => Ok(Some(Meaning::All(all))),
                OutcomeRef::Ok(Value::Null) => Ok(Some(Meaning::All(&[]))),
                OutcomeRef::Ok(other) => Err(format!("read answers {other} instead of a list")),
                OutcomeRef::Info { .. } | OutcomeRef::Fail { .. } => Ok(None),
            };
        }
        (other, _) => return Err(not_known(other, "add, remove, contains and read")),
    };
    Ok(Some(Meaning::One(action, Datum::of(operation.argument))))
}

impl Subject for Set<'_> {
    type Action = SetAction;
    type Object<'a>
        = Interned<'a, Self>
    where
        Self: 'a;

    fn is_pure(&self, action: &SetAction) -> bool {
        match action {
            SetAction::Contains(..) | SetAction::Read(_) => true,
            SetAction::Add(_) | SetAction::AddNew(_) | SetAction::Remove(_) | SetAction::RemoveOld(_) => {
                false
            }
        }
    }

    fn object<'a>(&'a self, classes: &Classes<'a, SetAction>, _: Ahead) -> Interned<'a, Self> {
        Interned::new(self, classes.actions)
    }

    fn loosens(&self) -> bool {
        !self.whole
    }

    fn quick(&self, calls: &[Call<SetAction>], limits: &Limits<'_>) -> Option<bool> {
        if self.whole {
            distinct::growing_set(self.numbers.count(), calls)
        } else {
            distinct::set(self.numbers.count(), calls, limits)
        }
    }

    fn quick_order(&self, calls: &[Call<SetAction>], limits: &Limits<'_>) -> Option<Vec<u32>> {
        if self.whole {
            distinct::growing_set_order(self.numbers.count(), calls)
        } else {
            distinct::set_order(self.numbers.count(), calls, limits)
        }
    }

    fn group(&self, action: &SetAction) -> Option<u32> {
        match *action {
            SetAction::Add(element)
            | SetAction::AddNew(element)
            | SetAction::Remove(element)
            | SetAction::RemoveOld(element)
            | SetAction::Contains(element, _) => (!self.whole).then_some(element),
            SetAction::Read(_) => None,
        }
    }
}

/// The elements, sorted.
impl Steps for Set<'_> {
    type State = Box<[u32]>;
    type Action = SetAction;

    fn initial(&self) -> Box<[u32]> {
        Box::default()
    }

    fn step(&self, state: &Box<[u32]>, action: &SetAction) -> impl IntoIterator<Item = Box<[u32]>> {
        let find = |element: &u32| state.binary_search(element);
        let with = |index: usize, element| [&state[..index], &[element], &state[index..]].concat().into();
        let without = |index: usize| [&state[..index], &state[index + 1..]].concat().into();
        match action {
            SetAction::Add(element) | SetAction::AddNew(element) => match find(element) {
                Err(index) => Some(with(index, *element)),
                Ok(_) => matches!(action, SetAction::Add(_)).then(|| state.clone()),
            },
            SetAction::Remove(element) | SetAction::RemoveOld(element) => match find(element) {
                Ok(index) => Some(without(index)),
                Err(_) => matches!(action, SetAction::Remove(_)).then(|| state.clone()),
            },
            SetAction::Contains(element, found) => (find(element).is_ok() == *found).then(|| state.clone()),
            SetAction::Read(all) => (**all == **state).then(|| state.clone()),
        }
    }

    fn bytes(&self, state: &Box<[u32]>) -> usize {
        size_of_val(&**state)
    }

    fn show(&self, state: &Box<[u32]>) -> String {
        self.numbers.show_all(state)
    }
}
