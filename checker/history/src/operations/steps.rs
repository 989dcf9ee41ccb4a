//! The micro-operations of transactions, packed: `r`, `w` and `append` with a key and a value.
//!
//! A transaction is a run of words: how many micro-operations it has, and of each a head, its key and its value. The
//! value is nothing, an atom, or the length of a list that was read and its atoms. What looks otherwise stays a value.

use super::atoms::{Atom, Store};
use super::values::ValueIndex;
use serde_json::Value;

/// What a micro-operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// `r` reads a key.
    Read,
    /// `w` replaces the value of a key.
    Write,
    /// `append` adds to the end of a list.
    Append,
}

impl StepKind {
    const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Append];

    /// Its name in histories.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "r",
            Self::Write => "w",
            Self::Append => "append",
        }
    }

    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// What a micro-operation has behind its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content<'a> {
    /// Nothing: it ends with the key.
    Missing,
    /// A value; also a list that was written.
    One(Atom),
    /// A list that was read.
    List(&'a [Atom]),
}

/// One micro-operation. Two are equal if they do the same, wherever they stand.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// What it does.
    pub kind: StepKind,
    /// The key it acts on.
    pub key: Atom,
    /// What it read or wrote.
    pub content: Content<'a>,
    /// Where it stands, for [`Operations::content`](super::Operations::content), which says of a request what it was
    /// answered.
    pub at: u32,
}

impl PartialEq for Step<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, self.key, self.content) == (other.kind, other.key, other.content)
    }
}

impl Eq for Step<'_> {}

/// The argument or result of an operation.
#[derive(Debug, Clone)]
pub enum Steps<'a> {
    /// Micro-operations.
    Packed(StepsIter<'a>),
    /// Any other value.
    Other(&'a Value),
}

/// Micro-operations one after the other.
#[derive(Debug, Clone)]
pub struct StepsIter<'a> {
    words: &'a [Atom],
    at: usize,
    left: u32,
    /// Whether reads have what they returned.
    answered: bool,
}

impl Steps<'_> {
    /// The same micro-operations as they were asked for.
    pub(super) fn without_answers(self) -> Self {
        match self {
            Self::Packed(steps) => Self::Packed(StepsIter { answered: false, ..steps }),
            Self::Other(_) => self,
        }
    }
}

const MISSING: u32 = 0;
const ONE: u32 = 1;
const LIST: u32 = 2;

impl<'a> StepsIter<'a> {
    fn new(words: &'a [Atom], start: u32) -> Self {
        let at = start as usize;
        Self { words, at: at + 1, left: words[at].0, answered: true }
    }
}

impl<'a> Iterator for StepsIter<'a> {
    type Item = Step<'a>;

    fn next(&mut self) -> Option<Step<'a>> {
        self.left = self.left.checked_sub(1)?;
        let at = self.at;
        let content = content(self.words, at);
        self.at += match content {
            Content::Missing => 2,
            Content::One(_) => 3,
            Content::List(list) => 3 + list.len(),
        };
        let kind = StepKind::ALL[(self.words[at].0 & 3) as usize];
        let asked = kind == StepKind::Read && !self.answered;
        let content = if asked { Content::One(Atom::NULL) } else { content };
        Some(Step { kind, key: self.words[at + 1], content, at: super::small(at) })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for StepsIter<'_> {}

fn content(words: &[Atom], at: usize) -> Content<'_> {
    match words[at].0 >> 2 {
        MISSING => Content::Missing,
        ONE => Content::One(words[at + 2]),
        _ => Content::List(&words[at + 3..at + 3 + words[at + 2].0 as usize]),
    }
}

impl Store {
    pub(super) fn steps(&self, start: u32) -> StepsIter<'_> {
        StepsIter::new(&self.words, start)
    }

    pub(super) fn content(&self, at: u32) -> Content<'_> {
        content(&self.words, at as usize)
    }

    /// The value that was packed.
    pub(super) fn unpack(&self, steps: StepsIter<'_>) -> Value {
        steps.map(|step| self.step_value(&step)).collect()
    }

    pub(super) fn step_value(&self, step: &Step<'_>) -> Value {
        let mut parts = vec![Value::from(step.kind.name()), self.atom(step.key)];
        match step.content {
            Content::Missing => {}
            Content::One(atom) => parts.push(self.atom(atom)),
            Content::List(list) => parts.push(list.iter().map(|atom| self.atom(*atom)).collect()),
        }
        Value::Array(parts)
    }

    /// The words of a packed transaction.
    pub(super) fn run(&self, start: u32) -> &[Atom] {
        let mut steps = self.steps(start);
        steps.by_ref().for_each(drop);
        &self.words[start as usize..steps.at]
    }

    /// Puts what the reads of a packed transaction returned into what was asked for, and removes the answer. False, and
    /// nothing changes, unless both differ only in reads of one value that asked with null.
    pub(super) fn answer(&mut self, asked: u32, answered: u32) -> bool {
        let fits = |(asked, answered): (Step<'_>, Step<'_>)| {
            let same = (asked.kind, asked.key) == (answered.kind, answered.key);
            same && match (asked.kind, asked.content, answered.content) {
                (StepKind::Read, Content::One(Atom::NULL), Content::One(_)) => true,
                (StepKind::Read, ..) => false,
                (StepKind::Write | StepKind::Append, asked, answered) => asked == answered,
            }
        };
        let (request, answer) = (self.steps(asked), self.steps(answered));
        if request.len() != answer.len() || !request.zip(answer).all(fits) {
            return false;
        }
        let run = answered as usize..answered as usize + self.run(answered).len();
        self.words.copy_within(run, asked as usize);
        self.take_back(answered);
        true
    }

    /// Removes a packed transaction, if it is the last.
    pub(super) fn take_back(&mut self, start: u32) {
        let first = start as usize;
        if first + self.run(start).len() == self.words.len() {
            self.words.truncate(first);
        }
    }
}

/// Packs micro-operations while they are read. What was packed last can be taken back.
///
/// A transaction [begins](Self::begin); each micro-operation has a [step](Self::step), and behind it nothing, [one](Self::one)
/// value, or a [list](Self::list) with its [elements](Self::element). Where there is no room left, the answer is none.
#[derive(Debug)]
pub struct Packer<'b> {
    store: &'b mut Store,
    index: &'b mut ValueIndex,
}

impl<'b> Packer<'b> {
    pub(super) fn new(store: &'b mut Store, index: &'b mut ValueIndex) -> Self {
        if store.values.is_empty() {
            store.values.push(Value::Null);
        }
        Self { store, index }
    }

    /// Makes room for transactions with this many micro-operations of one value each.
    pub(crate) fn reserve(&mut self, transactions: usize, steps: usize) {
        self.store.words.reserve_exact(transactions + 3 * steps);
    }

    /// How far the words go.
    pub fn mark(&self) -> usize {
        self.store.words.len()
    }

    /// Takes back what was packed since a mark.
    pub fn reset(&mut self, mark: usize) {
        self.store.words.truncate(mark);
    }

    /// Begins a transaction; none if there is no room for it.
    pub fn begin(&mut self) -> Option<u32> {
        let start = self.store.words.len();
        (start < (1 << 31) - 1).then(|| self.push(Atom(0)))?;
        u32::try_from(start).ok()
    }

    /// Begins a micro-operation, which ends with its key if nothing follows.
    pub fn step(&mut self, start: u32, kind: StepKind, key: Atom) {
        self.store.words[start as usize].0 += 1;
        self.push(Atom(kind as u32 | MISSING << 2));
        self.push(key);
    }

    /// Gives the last micro-operation a value.
    pub fn one(&mut self, value: Atom) {
        let head = self.store.words.len() - 2;
        self.store.words[head].0 |= ONE << 2;
        self.push(value);
    }

    /// Gives the last micro-operation a list, and says where its length stands.
    pub fn list(&mut self) -> usize {
        let head = self.store.words.len() - 2;
        self.store.words[head].0 |= LIST << 2;
        self.push(Atom(0));
        head + 2
    }

    /// Adds an element to the list whose length stands there.
    pub fn element(&mut self, list: usize, element: Atom) {
        self.store.words[list].0 += 1;
        self.push(element);
    }

    /// The atom of a number that is not negative.
    pub fn natural(&mut self, number: u64) -> Option<Atom> {
        self.index.natural_atom(self.store, number)
    }

    /// The atom of an integer.
    pub fn integer(&mut self, number: i64) -> Option<Atom> {
        self.index.integer_atom(self.store, number)
    }

    /// The atom of a text.
    pub fn text(&mut self, text: &str) -> Option<Atom> {
        self.index.text_atom(self.store, text)
    }

    /// The atom of any value.
    pub fn atom(&mut self, value: &Value) -> Option<Atom> {
        self.index.atom(self.store, value)
    }

    /// Packs a list of micro-operations, and says where it begins; none for any other value.
    pub(super) fn pack(&mut self, value: &Value) -> Option<u32> {
        let steps = value.as_array().filter(|steps| !steps.is_empty() && steps.iter().all(is_step))?;
        let start = self.begin()?;
        let packed = steps.iter().try_for_each(|step| self.pack_step(start, step.as_array()?));
        if packed.is_none() {
            self.reset(start as usize);
        }
        packed.map(|()| start)
    }

    fn pack_step(&mut self, start: u32, parts: &[Value]) -> Option<()> {
        let kind = StepKind::of(parts[0].as_str()?)?;
        let key = self.atom(&parts[1])?;
        self.step(start, kind, key);
        match parts.get(2) {
            None => {}
            Some(Value::Array(list)) if kind == StepKind::Read => {
                let at = self.list();
                for element in list {
                    let element = self.atom(element)?;
                    self.element(at, element);
                }
            }
            Some(value) => {
                let value = self.atom(value)?;
                self.one(value);
            }
        }
        Some(())
    }

    fn push(&mut self, word: Atom) {
        super::grow(&mut self.store.words);
        self.store.words.push(word);
    }
}

fn is_step(step: &Value) -> bool {
    let Value::Array(parts) = step else { return false };
    matches!(parts.len(), 2 | 3) && parts[0].as_str().is_some_and(|name| StepKind::of(name).is_some())
}
