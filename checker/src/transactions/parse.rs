//! Turns operations into transactions: keys, values and micro-operations as numbers.

use super::index::{ElementIndex, KeyIndex};
use super::verdict::Workload;
use crate::words;
use history::{Atom, Content, Kind, Operations, StepKind, Steps, TransactionRef};
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

impl Fate {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Ok => Self::Committed,
            Kind::Fail => Self::Failed,
            Kind::Info | Kind::Invoke => Self::Unknown,
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Access {
    /// What was read, by where its micro-operation stands.
    Read(u32),
    /// The element that was written.
    Write(u32),
}

/// A micro-operation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// The key, with the mark [`WRITES`](Self::WRITES) of writes.
    key: u32,
    /// The number that its [`Access`] has.
    number: u32,
}

impl Step {
    const WRITES: u32 = 1 << 31;

    fn new(key: u32, access: Access) -> Self {
        assert!(key < Self::WRITES, "a history has fewer than two billion keys");
        match access {
            Access::Read(number) => Self { key, number },
            Access::Write(number) => Self { key: key | Self::WRITES, number },
        }
    }

    pub(super) fn key(self) -> u32 {
        self.key & !Self::WRITES
    }

    pub(super) fn access(self) -> Access {
        if self.key & Self::WRITES == 0 { Access::Read(self.number) } else { Access::Write(self.number) }
    }
}

/// A value written to a key, or read from it.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) key: u32,
    pub(super) value: Atom,
    /// The transaction, or [`NONE`] where none wrote it.
    pub(super) writer: u32,
    /// How many writes its writer had made to the key before, with the mark [`REPLACED`](Self::REPLACED).
    nth: u32,
}

impl Element {
    /// The writer wrote the key again.
    const REPLACED: u32 = 1 << 31;

    /// How many writes its writer had made to the key before.
    pub(super) fn nth(&self) -> u32 {
        self.nth & !Self::REPLACED
    }

    /// Whether it is its writer's last write to the key.
    pub(super) fn is_last(&self) -> bool {
        self.nth & Self::REPLACED == 0
    }
}

/// A value that more than one transaction wrote, so that a read of it says little.
#[derive(Debug)]
pub(super) struct Twice {
    pub(super) element: u32,
    pub(super) other: u32,
}

/// Everything the checks ask of a history, by number. A transaction has the number of its operation.
#[derive(Debug)]
pub(super) struct Transactions<'a> {
    pub(super) workload: Workload,
    operations: &'a Operations,
    /// By transaction: the object that it is of, by number: all that operations with one key act on. Keys of different
    /// objects have nothing to do with each other.
    object: Vec<u32>,
    /// By transaction: where its micro-operations end.
    ends: Vec<u32>,
    pub(super) steps: Vec<Step>,
    /// By object: the key that its operations have.
    objects: Vec<Option<&'a str>>,
    /// By key: what it is called.
    pub(super) keys: Vec<Atom>,
    pub(super) elements: Vec<Element>,
    /// The elements by key and name.
    index: ElementIndex,
    names: Names<'a>,
    /// By key: nothing certain is concluded from a key where two transactions wrote the same value.
    pub(super) twice: Vec<Option<Twice>>,
}

/// One atom for equal values.
#[derive(Debug)]
struct Names<'a> {
    operations: &'a Operations,
    /// Those of values that may be written in several ways, and of lists in registers.
    others: FxHashMap<Value, Atom>,
    values: Vec<Value>,
}

impl Names<'_> {
    /// The atom that stands for all values equal to this one; none if no such value was [added](Self::add).
    fn get(&self, atom: Atom) -> Option<Atom> {
        match self.operations.loose_atom(atom) {
            Some(value) => self.others.get(value).copied(),
            None => Some(atom),
        }
    }

    /// The key and the name of an element.
    fn of(&self, element: &Element) -> (u32, Atom) {
        (element.key, self.get(element.value).unwrap_or(element.value))
    }

    fn is_own(&self, atom: Atom) -> bool {
        (atom.own_number() as usize) < self.values.len()
    }

    fn value(&self, atom: Atom) -> Value {
        let own = self.values.get(atom.own_number() as usize);
        own.cloned().unwrap_or_else(|| self.operations.atom(atom))
    }

    fn add(&mut self, atom: Atom) -> Atom {
        match self.operations.loose_atom(atom) {
            Some(value) => self.add_value(value.clone()),
            None => atom,
        }
    }

    fn add_value(&mut self, value: Value) -> Atom {
        let next = Atom::own(small(self.values.len()));
        let values = &mut self.values;
        *self.others.entry(value).or_insert_with_key(|value| {
            values.push(value.clone());
            next
        })
    }
}

impl<'a> Transactions<'a> {
    /// How many transactions there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// All transactions.
    pub(super) fn all(&self) -> Range<u32> {
        0..small(self.len())
    }

    /// The indexes of a transaction's micro-operations.
    pub(super) fn step_indexes(&self, txn: u32) -> Range<usize> {
        let start = txn.checked_sub(1).map_or(0, |before| self.ends[before as usize]);
        start as usize..self.ends[txn as usize] as usize
    }

    pub(super) fn steps_of(&self, txn: u32) -> &[Step] {
        &self.steps[self.step_indexes(txn)]
    }

    pub(super) fn process(&self, txn: u32) -> u64 {
        self.operations.process(txn as usize)
    }

    /// Whose order a transaction belongs to: that of a process on one object.
    pub(super) fn session(&self, txn: u32) -> (u64, u32) {
        (self.process(txn), self.object[txn as usize])
    }

    /// The index of the event that began a transaction.
    pub(super) fn invoked(&self, txn: u32) -> u32 {
        small(self.operations.invoked(txn as usize))
    }

    /// The index of the event that ended a transaction that committed; [`NONE`] if it never completed.
    pub(super) fn completed(&self, txn: u32) -> u32 {
        let completed = self.operations.completed(txn as usize);
        completed.filter(|_| self.fate(txn) == Fate::Committed).map_or(NONE, small)
    }

    /// The key that the operations of its object have.
    pub(super) fn object(&self, txn: u32) -> Option<&'a str> {
        self.objects[self.object[txn as usize] as usize]
    }

    /// Who issued a transaction.
    pub(super) fn who(&self, txn: u32) -> String {
        let TransactionRef { client, process, .. } = self.operations.transaction(txn as usize);
        words::who_of(client, process)
    }

    pub(super) fn fate(&self, txn: u32) -> Fate {
        Fate::of(self.operations.kind(txn as usize))
    }

    pub(super) fn committed(&self) -> impl Iterator<Item = u32> {
        self.all().filter(|txn| self.fate(*txn) == Fate::Committed)
    }

    pub(super) fn unclear(&self, key: u32) -> bool {
        self.twice[key as usize].is_some()
    }

    pub(super) fn writer(&self, element: u32) -> u32 {
        self.elements[element as usize].writer
    }

    /// The list that a read saw; empty for null, and for what is no list.
    pub(super) fn list(&self, read: u32) -> &'a [Atom] {
        match self.operations.content(read) {
            Content::List(list) => list,
            Content::Missing | Content::One(_) => &[],
        }
    }

    /// What a read of a register saw.
    pub(super) fn register(&mut self, read: u32) -> Atom {
        match self.operations.content(read) {
            Content::Missing => Atom::NULL,
            Content::One(value) => value,
            Content::List(list) => {
                let list = list.iter().map(|value| self.operations.atom(*value)).collect();
                self.names.add_value(list)
            }
        }
    }

    /// Whether two values are equal.
    pub(super) fn same(&self, one: Atom, other: Atom) -> bool {
        let loose = |atom| self.operations.loose_atom(atom).is_some() || self.names.is_own(atom);
        one == other || loose(one) && loose(other) && self.names.value(one) == self.names.value(other)
    }

    /// Whether two lists are equal.
    pub(super) fn same_lists(&self, one: &[Atom], other: &[Atom]) -> bool {
        let differ = |(one, other): (&Atom, &Atom)| !self.same(*one, *other);
        one == other || one.len() == other.len() && !one.iter().zip(other).any(differ)
    }

    /// A value in so few letters that it fits a sentence.
    pub(super) fn shown(&self, value: Atom) -> String {
        brief(&self.names.value(value))
    }

    /// A key in few letters.
    pub(super) fn shown_key(&self, key: u32) -> String {
        self.shown(self.keys[key as usize])
    }

    /// A list in few letters.
    pub(super) fn shown_list(&self, list: &[Atom]) -> String {
        brief(&list.iter().map(|value| self.operations.atom(*value)).collect())
    }

    /// What a read saw, in few letters.
    pub(super) fn shown_read(&self, read: u32) -> String {
        match self.operations.content(read) {
            Content::Missing => brief(&Value::Null),
            Content::One(value) => self.shown(value),
            Content::List(list) => self.shown_list(list),
        }
    }

    pub(super) fn element(&self, key: u32, value: Atom) -> Option<u32> {
        let name = self.names.get(value)?;
        self.index.get(key, name, |element| self.names.of(&self.elements[element as usize]))
    }

    /// The element, made up without a writer if no transaction wrote it.
    pub(super) fn element_or_unwritten(&mut self, key: u32, value: Atom) -> u32 {
        self.entry(Element { key, value, writer: NONE, nth: 0 }).0
    }

    /// The element of a key and a value, and whether it is new.
    fn entry(&mut self, new: Element) -> (u32, bool) {
        let name = self.names.add(new.value);
        let of = |element: u32| self.names.of(&self.elements[element as usize]);
        if let Some(known) = self.index.get(new.key, name, of) {
            return (known, false);
        }
        let element = small(self.elements.len());
        self.elements.push(new);
        self.index.add(name, element, |element| self.names.of(&self.elements[element as usize]));
        (element, true)
    }

    /// Which value was written twice, if any was, and what follows.
    pub(super) fn ambiguity(&self) -> Option<String> {
        let mut keys = self.twice.iter().flatten();
        let twice = keys.next()?;
        let element = &self.elements[twice.element as usize];
        let (one, other) = (element.writer, twice.other);
        let (key, value) = (self.shown_key(element.key), self.shown(element.value));
        let more = match keys.count() {
            0 => String::new(),
            more => format!(", and so with {more} more keys"),
        };
        Some(format!(
            "operations {one} and {other} both wrote {value} to key {key}, so its reads prove little{more}; \
             a workload should write each value once"
        ))
    }

    fn write(&mut self, (key, value): (u32, Atom), writer: u32, nth: u32) -> u32 {
        let (element, new) = self.entry(Element { key, value, writer, nth });
        if new {
            return element;
        }
        // A write that failed leaves room for the same write by a later attempt.
        let before = self.writer(element);
        if self.fate(before) == Fate::Failed {
            self.elements[element as usize] = Element { key, value, writer, nth };
        } else if self.fate(writer) != Fate::Failed {
            self.twice[key as usize].get_or_insert(Twice { element, other: writer });
        }
        element
    }
}

/// Reads the transactions, or says which operation is not one.
pub(super) fn parse(operations: &Operations, workload: Workload) -> Result<Transactions<'_>, String> {
    let steps_of = |index| match operations.transaction(index).steps {
        Steps::Packed(steps) => steps.len(),
        Steps::Other(_) => 0,
    };
    let steps = (0..operations.len()).map(steps_of).sum();
    let mut parser =
        Parser { workload, objects: FxHashMap::default(), keys: KeyIndex::new(steps), own: Vec::new() };
    let mut transactions = Transactions {
        workload,
        operations,
        object: Vec::with_capacity(operations.len()),
        ends: Vec::with_capacity(operations.len()),
        steps: Vec::with_capacity(steps),
        objects: Vec::new(),
        keys: Vec::new(),
        elements: Vec::new(),
        index: ElementIndex::new(steps),
        names: Names { operations, others: FxHashMap::default(), values: Vec::new() },
        twice: Vec::new(),
    };
    for index in 0..operations.len() {
        let operation = operations.transaction(index);
        let f = operation.f;
        parser
            .transaction(&mut transactions, operation)
            .map_err(|what| format!("operation {index} ({f}) is no transaction: {what}"))?;
    }
    Ok(transactions)
}

struct Parser<'a> {
    workload: Workload,
    /// By the key of an operation.
    objects: FxHashMap<Option<&'a str>, u32>,
    keys: KeyIndex,
    /// By key: the last transaction seen to write it, how often it did, and its last element.
    own: Vec<(u32, u32, u32)>,
}

impl<'a> Parser<'a> {
    fn transaction(
        &mut self,
        into: &mut Transactions<'a>,
        operation: TransactionRef<'a>,
    ) -> Result<(), String> {
        let fate = Fate::of(operation.kind);
        let steps = match operation.steps {
            Steps::Packed(steps) => Some(steps),
            Steps::Other(value) => {
                self.refuse(value, fate)?;
                None
            }
        };
        let txn = small(into.len());
        let name = operation.key;
        let object = *self.objects.entry(name).or_insert_with(|| {
            into.objects.push(name);
            small(into.objects.len() - 1)
        });
        into.object.push(object);
        for step in steps.into_iter().flatten() {
            let step = self.step(into, txn, fate, step)?;
            into.steps.push(step);
        }
        into.ends.push(small(into.steps.len()));
        Ok(())
    }

    /// Says why a value that is not packed is no transaction. Only the empty list is one.
    fn refuse(&self, value: &Value, fate: Fate) -> Result<(), String> {
        let Value::Array(steps) = value else {
            return Err(format!("{} is not a list of micro-operations", brief(value)));
        };
        steps.iter().try_for_each(|step| self.examine(step, fate))?;
        if steps.is_empty() {
            return Ok(());
        }
        Err("the history has more micro-operations than fit".to_owned())
    }

    /// Says why a value is no micro-operation, if it is none.
    fn examine(&self, step: &Value, fate: Fate) -> Result<(), String> {
        let wanted = match self.workload {
            Workload::ListAppend => "[\"append\", key, value] or [\"r\", key, list]",
            Workload::RwRegister => "[\"w\", key, value] or [\"r\", key, value]",
        };
        let unfit = || format!("{} is no micro-operation; it should be {wanted}", brief(step));
        let Value::Array(parts) = step else { return Err(unfit()) };
        let (Some(Value::String(what)), Some(_), 2 | 3) = (parts.first(), parts.get(1), parts.len()) else {
            return Err(unfit());
        };
        let value = parts.get(2).unwrap_or(&Value::Null);
        match (what.as_str(), self.workload) {
            ("r", Workload::ListAppend)
                if fate == Fate::Committed && !(value.is_array() || value.is_null()) =>
            {
                Err(format!("{} reads something that is no list", brief(step)))
            }
            ("append", Workload::ListAppend) if parts.len() == 3 => Ok(()),
            ("w", Workload::RwRegister) if value.is_null() => {
                Err(format!("{} writes null, which is what an unwritten key reads", brief(step)))
            }
            ("r", _) | ("w", Workload::RwRegister) => Ok(()),
            _ => Err(unfit()),
        }
    }

    fn step(
        &mut self,
        into: &mut Transactions<'a>,
        txn: u32,
        fate: Fate,
        step: history::Step<'a>,
    ) -> Result<Step, String> {
        let writes = match (step.kind, self.workload, step.content) {
            (
                StepKind::Read,
                Workload::ListAppend,
                Content::List(_) | Content::Missing | Content::One(Atom::NULL),
            )
            | (StepKind::Read, Workload::RwRegister, _) => None,
            (StepKind::Append, Workload::ListAppend, Content::One(value)) => Some(value),
            (StepKind::Write, Workload::RwRegister, Content::One(value)) if value != Atom::NULL => {
                Some(value)
            }
            _ => {
                self.examine(&into.operations.step_value(&step), fate)?;
                None
            }
        };
        let key = self.key(into, into.object[txn as usize], step.key);
        let access = match writes {
            None => Access::Read(step.at),
            Some(value) => Access::Write(self.write(into, key, value, txn)),
        };
        Ok(Step::new(key, access))
    }

    fn key(&mut self, into: &mut Transactions<'a>, object: u32, key: Atom) -> u32 {
        let name = into.names.add(key);
        let next = small(into.keys.len());
        let number = self.keys.number(object, name, next);
        if number == next {
            into.keys.push(key);
            into.twice.push(None);
            self.own.push((NONE, 0, NONE));
        }
        number
    }

    fn write(&mut self, into: &mut Transactions<'a>, key: u32, value: Atom, txn: u32) -> u32 {
        let (owner, count, before) = self.own[key as usize];
        let nth = if owner == txn { count } else { 0 };
        let element = into.write((key, value), txn, nth);
        if owner == txn && into.writer(before) == txn {
            into.elements[before as usize].nth |= Element::REPLACED;
        }
        self.own[key as usize] = (txn, nth + 1, element);
        element
    }
}

/// A value in so few letters that it fits a sentence.
fn brief(value: &Value) -> String {
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
