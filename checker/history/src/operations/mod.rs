//! Operations in columns: names and values are stored once, and each operation is a row of small numbers.

mod atoms;
mod build;
mod numbers;
mod sparse;
mod steps;
mod texts;
mod values;
mod view;

pub use atoms::Atom;
pub(crate) use build::{Builder, Completion, Invocation};
pub use steps::{Content, Packer, Step, StepKind, Steps, StepsIter};
pub use values::{Given, Scalar};
pub use view::{OperationRef, OutcomeRef, ToOperations, TransactionRef};

use super::{Kind, Operation, Phase};
use atoms::Store;
use serde_json::Value;
use sparse::Sparse;
use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;
use texts::Texts;
use values::{NULL as NULL_NUMBER, packed_start};

/// The operations of a history in the order of their invocations: about 45 bytes each, and 32 for each value that no
/// other has. A micro-operation of a transaction takes 12 bytes, and 4 for each element of a list that it read.
///
/// They come from [`pair_columns`](crate::pair_columns), [`read_operations`](crate::read_operations), or any
/// collection of [`Operation`]s. Names, keys, integers, strings and pairs are stored once. [`at`](Self::at) and
/// [`iter`](Self::iter) give an operation as [`OperationRef`], whose fields are those of [`Operation`]. That makes a tree of
/// values of the micro-operations of a transaction, which stays; [`transaction`](Self::transaction) reads them as they are.
#[derive(Clone, Default)]
pub struct Operations {
    /// Functions, keys, nodes and errors.
    texts: Texts,
    store: Store,
    processes: Vec<u64>,
    calls: Vec<Call>,
    /// The first is that of operations without any.
    origins: Vec<Origin>,
    process: Vec<u32>,
    call: Vec<u32>,
    argument: Vec<u32>,
    marks: Vec<u8>,
    /// The value of what succeeded, or the error of what did not.
    result: Vec<u32>,
    invoked: Vec<u32>,
    /// [`NONE`] where it has not completed.
    completed: Vec<u32>,
    origin: Sparse<u32>,
    actual: Sparse<u32>,
    intended_ns: Sparse<u64>,
    invoked_ns: Sparse<u64>,
    completed_ns: Sparse<u64>,
    arguments: Unpacked,
    results: Unpacked,
}

/// By operation: the value of its micro-operations, once somebody has asked for it.
type Unpacked = OnceLock<Vec<OnceLock<Box<Value>>>>;

/// No number.
const NONE: u32 = u32::MAX;

// The marks of an operation.
const OK: u8 = 1;
const FAIL: u8 = 2;
const HAS_ERROR: u8 = 4;
const HAS_ACTUAL: u8 = 8;
const HAS_END: u8 = 16;
const HAS_DUE: u8 = 32;
/// It asked for the micro-operations of its result, without what their reads returned.
const ASKED_FOR_RESULT: u8 = 64;

/// A function and the key that it was called with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Call {
    f: u32,
    /// [`NONE`] without a key.
    key: u32,
}

/// Who asked whom, and when in the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Origin {
    client: Option<u32>,
    /// [`NONE`] where it is not known.
    node: u32,
    phase: Option<Phase>,
}

static NULL: Value = Value::Null;

impl Operations {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.process.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.process.is_empty()
    }

    /// The operation at an index, which must be there.
    pub fn at(&self, index: usize) -> OperationRef<'_> {
        let argument = self.unpacked(index, self.request(index), &self.arguments);
        let result = self.steps(self.result_value(index));
        self.row(index, argument, self.unpacked(index, result, &self.results))
    }

    /// The number of the result of an operation that has one, or else that of null.
    fn result_value(&self, index: usize) -> u32 {
        if self.marks[index] & OK == 0 { NULL_NUMBER } else { self.result[index] }
    }

    fn row<'a>(&'a self, index: usize, argument: &'a Value, result: &'a Value) -> OperationRef<'a> {
        let Call { f, key } = self.calls[self.call[index] as usize];
        let Origin { client, node, phase } = self.origins[self.origin.get(index) as usize];
        let marks = self.marks[index];
        let completed = self.completed[index];
        OperationRef {
            process: self.processes[self.process[index] as usize],
            client,
            f: self.texts.get(f),
            key: self.text(key),
            argument,
            outcome: self.outcome(index, result),
            invoked: self.invoked[index] as usize,
            completed: (completed != NONE).then_some(completed as usize),
            intended_ns: (marks & HAS_DUE != 0).then(|| self.intended_ns.get(index)),
            invoked_ns: self.invoked_ns.get(index),
            completed_ns: (marks & HAS_END != 0).then(|| self.completed_ns.get(index)),
            node: self.text(node),
            phase,
        }
    }

    /// The operation at an index, which must be there, as a transaction: nothing is unpacked.
    pub fn transaction(&self, index: usize) -> TransactionRef<'_> {
        let kind = self.kind(index);
        let number = if kind == Kind::Ok { self.result[index] } else { self.argument[index] };
        TransactionRef {
            process: self.process(index),
            client: self.origins[self.origin.get(index) as usize].client,
            f: self.f(index),
            key: self.key(index),
            kind,
            steps: self.steps(number),
            invoked: self.invoked(index),
            completed: self.completed(index),
        }
    }

    /// The function, the argument and, of an operation that is `ok`, the result; nothing is unpacked.
    pub fn call(&self, index: usize) -> (&str, Steps<'_>, Option<Steps<'_>>) {
        let ok = self.marks[index] & OK != 0;
        (self.f(index), self.request(index), ok.then(|| self.steps(self.result[index])))
    }

    /// The argument of the operation at an index, which must be there; nothing is unpacked.
    pub fn request(&self, index: usize) -> Steps<'_> {
        let steps = self.steps(self.argument[index]);
        if self.marks[index] & ASKED_FOR_RESULT == 0 { steps } else { steps.without_answers() }
    }

    /// Whether a value equals the argument of an operation.
    pub(crate) fn is_argument(&self, index: usize, given: &Given<'_>) -> bool {
        let unpacked = |start: &u32| self.store.unpack(self.store.steps(*start));
        match (self.request(index), given) {
            (Steps::Packed(steps), Given::Packed(other)) => {
                steps.clone().eq(self.store.steps(*other)) || self.store.unpack(steps) == unpacked(other)
            }
            (Steps::Packed(steps), given) => given.is(&self.store.unpack(steps)),
            (Steps::Other(value), Given::Packed(other)) => *value == unpacked(other),
            (Steps::Other(value), given) => given.is(value),
        }
    }

    fn steps(&self, number: u32) -> Steps<'_> {
        match packed_start(number) {
            Some(start) => Steps::Packed(self.store.steps(start)),
            None => Steps::Other(self.value(number)),
        }
    }

    /// The content of the micro-operation that stands [there](Step::at).
    pub fn content(&self, at: u32) -> Content<'_> {
        self.store.content(at)
    }

    /// The value of an atom.
    pub fn atom(&self, atom: Atom) -> Value {
        self.store.atom(atom)
    }

    /// The value of an atom where an equal value may have another atom, being written in another way.
    pub fn loose_atom(&self, atom: Atom) -> Option<&Value> {
        self.store.loose(atom)
    }

    /// A micro-operation as a value.
    pub fn step_value(&self, step: &Step<'_>) -> Value {
        self.store.step_value(step)
    }

    /// The operation at an index, if it is there.
    pub fn get(&self, index: usize) -> Option<OperationRef<'_>> {
        (index < self.len()).then(|| self.at(index))
    }

    /// The first one.
    pub fn first(&self) -> Option<OperationRef<'_>> {
        self.get(0)
    }

    /// All of them.
    pub fn iter(&self) -> Iter<'_> {
        Iter { operations: self, left: 0..self.len() }
    }

    /// All of them as values of their own, which can be changed.
    pub fn to_vec(&self) -> Vec<Operation> {
        let value = |steps| match steps {
            Steps::Packed(steps) => self.store.unpack(steps),
            Steps::Other(value) => value.clone(),
        };
        let owned = |index| {
            let argument = value(self.request(index));
            let result = value(self.steps(self.result_value(index)));
            self.row(index, &argument, &result).to_owned()
        };
        (0..self.len()).map(owned).collect()
    }

    /// How an operation ended: `ok`, `fail` or `info`.
    pub fn kind(&self, index: usize) -> Kind {
        match self.marks[index] & (OK | FAIL) {
            0 => Kind::Info,
            OK => Kind::Ok,
            _ => Kind::Fail,
        }
    }

    /// The process that invoked an operation.
    pub fn process(&self, index: usize) -> u64 {
        self.processes[self.process[index] as usize]
    }

    /// The index of the event with which an operation began.
    pub fn invoked(&self, index: usize) -> usize {
        self.invoked[index] as usize
    }

    /// The index of the event with which an operation ended, if it did.
    pub fn completed(&self, index: usize) -> Option<usize> {
        let completed = self.completed[index];
        (completed != NONE).then_some(completed as usize)
    }

    /// The function of an operation.
    pub fn f(&self, index: usize) -> &str {
        self.texts.get(self.calls[self.call[index] as usize].f)
    }

    /// The key of an operation, where it has one.
    pub fn key(&self, index: usize) -> Option<&str> {
        self.text(self.calls[self.call[index] as usize].key)
    }

    /// Lets every operation that completed end `events` later, so that none ends before all have begun.
    pub fn end_later(&mut self, events: usize) {
        let later = small(events);
        for completed in self.completed.iter_mut().filter(|completed| **completed != NONE) {
            *completed = small(*completed as usize + later as usize);
        }
    }

    /// How many values are stored.
    pub fn distinct_values(&self) -> usize {
        self.store.values.len()
    }

    fn outcome<'a>(&'a self, index: usize, result: &'a Value) -> OutcomeRef<'a> {
        let marks = self.marks[index];
        if marks & OK != 0 {
            return OutcomeRef::Ok(result);
        }
        let error = if marks & HAS_ERROR == 0 { None } else { Some(self.texts.get(self.result[index])) };
        if marks & FAIL == 0 {
            return OutcomeRef::Info { error };
        }
        let actual = if marks & HAS_ACTUAL == 0 { None } else { Some(self.value(self.actual.get(index))) };
        OutcomeRef::Fail { error, actual }
    }

    fn text(&self, number: u32) -> Option<&str> {
        (number != NONE).then(|| self.texts.get(number))
    }

    fn value(&self, number: u32) -> &Value {
        self.store.values.get(number as usize).unwrap_or(&NULL)
    }

    /// An argument or a result as a value; that of micro-operations is made once for each operation.
    fn unpacked<'a>(&'a self, index: usize, steps: Steps<'a>, made: &'a Unpacked) -> &'a Value {
        match steps {
            Steps::Packed(steps) => {
                let made = made.get_or_init(|| vec![OnceLock::new(); self.len()]);
                made[index].get_or_init(|| Box::new(self.store.unpack(steps)))
            }
            Steps::Other(value) => value,
        }
    }
}

/// The operations of a history, one after the other.
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    operations: &'a Operations,
    left: Range<usize>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = OperationRef<'a>;

    fn next(&mut self) -> Option<OperationRef<'a>> {
        self.left.next().map(|index| self.operations.at(index))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.left.size_hint()
    }

    fn nth(&mut self, skipped: usize) -> Option<OperationRef<'a>> {
        self.left.nth(skipped).map(|index| self.operations.at(index))
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.left.next_back().map(|index| self.operations.at(index))
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl<'a> IntoIterator for &'a Operations {
    type Item = OperationRef<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl PartialEq for Operations {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl fmt::Debug for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Grows by a quarter instead of doubling, so that memory stays near what the items need.
fn grow<T>(items: &mut Vec<T>) {
    if items.len() == items.capacity() {
        items.reserve_exact((items.len() / 4).max(64));
    }
}

/// An index or a number as it stands in a column.
fn small(number: usize) -> u32 {
    u32::try_from(number)
        .ok()
        .filter(|&number| number != NONE)
        .expect("a history has fewer than four billion events")
}
