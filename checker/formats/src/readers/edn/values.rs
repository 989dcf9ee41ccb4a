//! Values of events, read in place and into the columns.
//!
//! What histories consist of needs no tree: scalars, lists of two of them, keys with values, and micro-operations. Anything
//! else is read as [a value](Parser::direct_value).

use super::super::super::edn::Parser;
use history::{Atom, Given, Packer, Scalar, StepKind};

/// The value of an event.
pub(super) enum Found<'a> {
    /// A value by itself.
    Plain(Given<'a>),
    /// A key and a value, if the values of the file are.
    Tuple(Key<'a>, Given<'a>),
}

/// A key that stands in a value.
#[derive(Clone, Copy)]
pub(super) struct Key<'a> {
    pub(super) text: &'a str,
    /// Whether it is a text or a keyword, and no number.
    pub(super) is_text: bool,
}

/// Reads the values of events. What was packed before it gave up is taken back.
pub(super) struct Values<'p, 'a, 'b> {
    pub(super) parser: &'p mut Parser<'a>,
    pub(super) packer: &'p mut Packer<'b>,
}

impl<'a> Values<'_, 'a, '_> {
    /// The value of an event; a list of two is a tuple where there may be `tuples`, and its first part looks like a key.
    pub(super) fn found(&mut self, depth: usize, tuples: bool) -> Option<Found<'a>> {
        if tuples
            && self.parser.next_byte()? == b'['
            && let Some(tuple) = self.or_back(|values| values.tuple(depth))
        {
            return Some(tuple);
        }
        self.given(depth).map(Found::Plain)
    }

    fn tuple(&mut self, depth: usize) -> Option<Found<'a>> {
        self.parser.pass(b'[')?;
        self.parser.next_byte()?;
        let start = self.parser.offset();
        let key = match self.parser.scalar()? {
            Scalar::Integer(0..) => Key { text: self.parser.text_from(start), is_text: false },
            Scalar::Text(text) => Key { text, is_text: true },
            Scalar::Integer(_) | Scalar::Null => return None,
        };
        let value = self.given(depth + 1)?;
        self.parser.pass(b']')?;
        Some(Found::Tuple(key, value))
    }

    fn given(&mut self, depth: usize) -> Option<Given<'a>> {
        if let Some(scalar) = self.parser.scalar() {
            return Some(scalar.into());
        }
        if self.parser.next_byte()? == b'['
            && let Some(given) = self.or_back(Self::steps_or_pair)
        {
            return Some(given);
        }
        self.parser.direct_value(depth).map(Given::Owned)
    }

    /// What `read` gives; without it, nothing was read.
    fn or_back<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let (start, mark) = (self.parser.offset(), self.packer.mark());
        let result = read(self);
        if result.is_none() {
            self.parser.rewind(start);
            self.packer.reset(mark);
        }
        result
    }

    fn steps_or_pair(&mut self) -> Option<Given<'a>> {
        self.parser.pass(b'[')?;
        if self.parser.next_byte()? == b'[' {
            return self.steps().map(Given::Packed);
        }
        let (one, other) = (self.parser.scalar()?, self.parser.scalar()?);
        self.parser.pass(b']')?;
        Some(Given::Pair(one, other))
    }

    /// Micro-operations behind the bracket that opens their list.
    fn steps(&mut self) -> Option<u32> {
        let start = self.packer.begin()?;
        while self.parser.pass(b']').is_none() {
            self.parser.pass(b'[')?;
            let kind = kind(self.parser.keyword()?)?;
            let key = self.atom()?;
            self.packer.step(start, kind, key);
            if self.parser.pass(b']').is_none() {
                self.content(kind)?;
                self.parser.pass(b']')?;
            }
        }
        Some(start)
    }

    fn content(&mut self, kind: StepKind) -> Option<()> {
        if kind != StepKind::Read || self.parser.pass(b'[').is_none() {
            let value = self.atom()?;
            self.packer.one(value);
            return Some(());
        }
        let list = self.packer.list();
        while self.parser.pass(b']').is_none() {
            let element = self.atom()?;
            self.packer.element(list, element);
        }
        Some(())
    }

    fn atom(&mut self) -> Option<Atom> {
        match self.parser.scalar()? {
            Scalar::Null => Some(Atom::NULL),
            Scalar::Integer(number) => self.packer.integer(number),
            Scalar::Text(text) => self.packer.text(text),
        }
    }
}

/// The micro-operation behind a keyword.
fn kind(name: &str) -> Option<StepKind> {
    Some(match name {
        "r" => StepKind::Read,
        "w" => StepKind::Write,
        "append" => StepKind::Append,
        _ => return None,
    })
}
