//! Turns operations into transactions: keys, values and micro-operations as numbers.

use super::verdict::Workload;
use crate::words;
use history::{OperationRef, Operations, OutcomeRef};
use rustc_hash::FxHashMap;
use serde_json::Value;
use std::ops::Range;

/// No transaction, no element, no position.
pub(super) const NONE: u32 = u32::MAX;

/// An index as a `u32`.
pub(super) fn small(index: usize) -> u32 {
    u32::try_from(index)
        .ok()
        .filter(|small| *small != NONE)
        .expect("a history has less than four billion parts")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Committed,
    Failed,
    Unknown,
}

#[derive(Debug)]
pub(super) struct Txn {
    /// Its index among the operations.
    pub(super) operation: u32,
    pub(super) process: u64,
    /// The object that it is of, by number: all that operations with one key act on. Keys of different objects have
    /// nothing to do with each other.
    pub(super) object: u32,
    pub(super) client: Option<u32>,
    pub(super) fate: Fate,
    /// Its micro-operations.
    pub(super) steps: Range<usize>,
    pub(super) invoked: usize,
    /// `usize::MAX` if it never completed.
    pub(super) completed: usize,
}

impl Txn {
    /// Whose order it belongs to: that of a process on one object.
    pub(super) fn session(&self) -> (u64, u32) {
        (self.process, self.object)
    }

    /// Who issued it.
    pub(super) fn who(&self) -> String {
        words::who_of(self.client, self.process)
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Access<'a> {
    Read(&'a Value),
    /// The element that was written.
    Write(u32),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Step<'a> {
    pub(super) key: u32,
    pub(super) access: Access<'a>,
}

/// A value written to a key, or read from it.
#[derive(Debug)]
pub(super) struct Element<'a> {
    pub(super) key: u32,
    pub(super) value: &'a Value,
    /// The transaction, or [`NONE`] where none wrote it.
    pub(super) writer: u32,
    /// How many writes its writer had made to the key before.
    pub(super) nth: u32,
    /// Whether it is its writer's last write to the key.
    pub(super) last: bool,
}

/// A value as it is looked up. An integer stands in place, as to follow its reference costs more than to look it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Name<'a> {
    Integer(i64),
    Other(&'a Value),
}

impl<'a> Name<'a> {
    fn of(value: &'a Value) -> Self {
        value.as_i64().map_or(Self::Other(value), Self::Integer)
    }
}

/// A value that more than one transaction wrote, so that a read of it says little.
#[derive(Debug)]
pub(super) struct Twice {
    pub(super) element: u32,
    pub(super) other: u32,
}

/// Everything the checks ask of a history, by number.
#[derive(Debug)]
pub(super) struct Transactions<'a> {
    pub(super) workload: Workload,
    pub(super) txns: Vec<Txn>,
    pub(super) steps: Vec<Step<'a>>,
    /// By object: the key that its operations have.
    pub(super) objects: Vec<Option<&'a str>>,
    pub(super) keys: Vec<&'a Value>,
    pub(super) elements: Vec<Element<'a>>,
    index: FxHashMap<(u32, Name<'a>), u32>,
    /// By key: nothing certain is concluded from a key where two transactions wrote the same value.
    pub(super) twice: Vec<Option<Twice>>,
}

impl<'a> Transactions<'a> {
    pub(super) fn steps_of(&self, txn: u32) -> &[Step<'a>] {
        &self.steps[self.txns[txn as usize].steps.clone()]
    }

    pub(super) fn fate(&self, txn: u32) -> Fate {
        self.txns[txn as usize].fate
    }

    pub(super) fn committed(&self) -> impl Iterator<Item = u32> {
        let all = self.txns.iter().enumerate();
        all.filter(|(_, txn)| txn.fate == Fate::Committed).map(|(index, _)| small(index))
    }

    pub(super) fn unclear(&self, key: u32) -> bool {
        self.twice[key as usize].is_some()
    }

    pub(super) fn writer(&self, element: u32) -> u32 {
        self.elements[element as usize].writer
    }

    pub(super) fn element(&self, key: u32, value: &Value) -> Option<u32> {
        self.index.get(&(key, Name::of(value))).copied()
    }

    /// The element, made up without a writer if no transaction wrote it.
    pub(super) fn element_or_unwritten(&mut self, key: u32, value: &'a Value) -> u32 {
        let next = small(self.elements.len());
        let element = *self.index.entry((key, Name::of(value))).or_insert(next);
        if element == next {
            self.elements.push(Element { key, value, writer: NONE, nth: 0, last: true });
        }
        element
    }

    /// Which value was written twice, if any was, and what follows.
    pub(super) fn ambiguity(&self) -> Option<String> {
        let mut keys = self.twice.iter().flatten();
        let twice = keys.next()?;
        let element = &self.elements[twice.element as usize];
        let [one, other] = [element.writer, twice.other].map(|txn| self.txns[txn as usize].operation);
        let (key, value) = (brief(self.keys[element.key as usize]), brief(element.value));
        let more = match keys.count() {
            0 => String::new(),
            more => format!(", and so with {more} more keys"),
        };
        Some(format!(
            "operations {one} and {other} both wrote {value} to key {key}, so its reads prove little{more}; \
             a workload should write each value once"
        ))
    }

    fn write(&mut self, (key, value): (u32, &'a Value), writer: u32, nth: u32) -> u32 {
        let next = small(self.elements.len());
        let element = *self.index.entry((key, Name::of(value))).or_insert(next);
        if element == next {
            self.elements.push(Element { key, value, writer, nth, last: true });
            return element;
        }
        // A write that failed leaves room for the same write by a later attempt.
        let before = self.writer(element);
        if self.fate(before) == Fate::Failed {
            self.elements[element as usize] = Element { key, value, writer, nth, last: true };
        } else if self.fate(writer) != Fate::Failed {
            self.twice[key as usize].get_or_insert(Twice { element, other: writer });
        }
        element
    }
}

/// Reads the transactions, or says which operation is not one.
pub(super) fn parse(operations: &Operations, workload: Workload) -> Result<Transactions<'_>, String> {
    let mut parser =
        Parser { workload, objects: FxHashMap::default(), keys: FxHashMap::default(), own: Vec::new() };
    let mut transactions = Transactions {
        workload,
        txns: Vec::with_capacity(operations.len()),
        steps: Vec::new(),
        objects: Vec::new(),
        keys: Vec::new(),
        elements: Vec::new(),
        index: FxHashMap::default(),
        twice: Vec::new(),
    };
    for (index, operation) in operations.iter().enumerate() {
        parser
            .transaction(&mut transactions, index, operation)
            .map_err(|what| format!("operation {index} ({}) is no transaction: {what}", operation.f))?;
    }
    Ok(transactions)
}

struct Parser<'a> {
    workload: Workload,
    /// By the key of an operation.
    objects: FxHashMap<Option<&'a str>, u32>,
    /// By object and key.
    keys: FxHashMap<(u32, Name<'a>), u32>,
    /// By key: the last transaction seen to write it, how often it did, and its last element.
    own: Vec<(u32, u32, u32)>,
}

impl<'a> Parser<'a> {
    fn transaction(
        &mut self,
        into: &mut Transactions<'a>,
        index: usize,
        operation: OperationRef<'a>,
    ) -> Result<(), String> {
        let (fate, value) = match operation.outcome {
            OutcomeRef::Ok(value) => (Fate::Committed, value),
            OutcomeRef::Fail { .. } => (Fate::Failed, operation.argument),
            OutcomeRef::Info { .. } => (Fate::Unknown, operation.argument),
        };
        let Value::Array(steps) = value else {
            return Err(format!("{} is not a list of micro-operations", brief(value)));
        };
        let txn = small(into.txns.len());
        let first = into.steps.len();
        let name = operation.key;
        let object = *self.objects.entry(name).or_insert_with(|| {
            into.objects.push(name);
            small(into.objects.len() - 1)
        });
        into.txns.push(Txn {
            operation: small(index),
            process: operation.process,
            object,
            client: operation.client,
            fate,
            steps: first..first,
            invoked: operation.invoked,
            completed: if fate == Fate::Committed {
                operation.completed.unwrap_or(usize::MAX)
            } else {
                usize::MAX
            },
        });
        for step in steps {
            let step = self.step(into, txn, fate, step)?;
            into.steps.push(step);
        }
        into.txns[txn as usize].steps.end = into.steps.len();
        Ok(())
    }

    fn step(
        &mut self,
        into: &mut Transactions<'a>,
        txn: u32,
        fate: Fate,
        step: &'a Value,
    ) -> Result<Step<'a>, String> {
        let wanted = match self.workload {
            Workload::ListAppend => "[\"append\", key, value] or [\"r\", key, list]",
            Workload::RwRegister => "[\"w\", key, value] or [\"r\", key, value]",
        };
        let unfit = || format!("{} is no micro-operation; it should be {wanted}", brief(step));
        let Value::Array(parts) = step else { return Err(unfit()) };
        let (Some(Value::String(what)), Some(key), 2 | 3) = (parts.first(), parts.get(1), parts.len()) else {
            return Err(unfit());
        };
        let value = parts.get(2).unwrap_or(&Value::Null);
        let access = match (what.as_str(), self.workload) {
            ("r", Workload::ListAppend)
                if fate == Fate::Committed && !(value.is_array() || value.is_null()) =>
            {
                return Err(format!("{} reads something that is no list", brief(step)));
            }
            ("r", _) => None,
            ("append", Workload::ListAppend) if parts.len() == 3 => Some(value),
            ("w", Workload::RwRegister) if value.is_null() => {
                return Err(format!("{} writes null, which is what an unwritten key reads", brief(step)));
            }
            ("w", Workload::RwRegister) => Some(value),
            _ => return Err(unfit()),
        };
        let key = self.key(into, into.txns[txn as usize].object, key);
        let access = match access {
            None => Access::Read(value),
            Some(value) => Access::Write(self.write(into, key, value, txn)),
        };
        Ok(Step { key, access })
    }

    fn key(&mut self, into: &mut Transactions<'a>, object: u32, key: &'a Value) -> u32 {
        *self.keys.entry((object, Name::of(key))).or_insert_with(|| {
            into.keys.push(key);
            into.twice.push(None);
            self.own.push((NONE, 0, NONE));
            small(into.keys.len() - 1)
        })
    }

    fn write(&mut self, into: &mut Transactions<'a>, key: u32, value: &'a Value, txn: u32) -> u32 {
        let (owner, count, before) = self.own[key as usize];
        let nth = if owner == txn { count } else { 0 };
        let element = into.write((key, value), txn, nth);
        if owner == txn && into.writer(before) == txn {
            into.elements[before as usize].last = false;
        }
        self.own[key as usize] = (txn, nth + 1, element);
        element
    }
}

/// A value in so few letters that it fits a sentence.
pub(super) fn brief(value: &Value) -> String {
    const LETTERS: usize = 60;
    const SHOWN: usize = 3;
    if let Value::Array(parts) = value
        && parts.len() > 2 * SHOWN + 1
        && parts.iter().all(|part| !part.is_array() && !part.is_object())
    {
        let words = |parts: &[Value]| parts.iter().map(brief).collect::<Vec<_>>().join(", ");
        let hidden = parts.len() - 2 * SHOWN;
        return format!(
            "[{}, … {hidden} more …, {}]",
            words(&parts[..SHOWN]),
            words(&parts[parts.len() - SHOWN..])
        );
    }
    let text = value.to_string();
    match text.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
