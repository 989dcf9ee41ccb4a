//! Values inside micro-operations: 32 bits each.
//!
//! An integer below 2^31 stands in place. Other numbers that are not negative stand in a table of 64 bits each, and
//! every other value in the table of values. Values that are written alike have one atom; of equal values only floats,
//! lists and maps may be written in more than one way.

use super::values::ValueIndex;
use serde_json::Value;

/// A value inside a micro-operation; [`Operations::atom`](super::Operations::atom) gives the value itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Atom(pub(super) u32);

const KIND: u32 = 0b11 << 30;
const WIDE: u32 = 0b10 << 30;
const OTHER: u32 = 0b11 << 30;

/// Where the value of an atom stands.
#[derive(Debug, Clone, Copy)]
enum Home {
    /// In the atom.
    Here(u32),
    /// Among the wide numbers.
    Wide(usize),
    /// Among the values.
    Other(usize),
}

impl Atom {
    /// The atom of `null`.
    pub const NULL: Self = Self(OTHER);

    /// An atom that no history has unless it is very large: the caller's own, counted from the last one down.
    pub fn own(number: u32) -> Self {
        Self(u32::MAX - number)
    }

    /// The number of a caller's own atom.
    pub fn own_number(self) -> u32 {
        u32::MAX - self.0
    }

    /// Whether it is a whole number that is not negative.
    pub fn is_natural(self) -> bool {
        matches!(self.home(), Home::Here(_) | Home::Wide(_))
    }

    /// The integer that it stands for, if that is below 2^31 and not negative.
    pub fn integer(self) -> Option<u32> {
        match self.home() {
            Home::Here(integer) => Some(integer),
            Home::Wide(_) | Home::Other(_) => None,
        }
    }

    fn home(self) -> Home {
        let index = self.0 & !KIND;
        match self.0 & KIND {
            OTHER => Home::Other(index as usize),
            WIDE => Home::Wide(index as usize),
            _ => Home::Here(self.0),
        }
    }

    /// The atom at an index of a table; none if the table is too long for atoms.
    fn at(kind: u32, index: usize) -> Option<Self> {
        let index = u32::try_from(index).ok().filter(|index| *index < !KIND / 2)?;
        Some(Self(kind | index))
    }
}

/// The values of a history, and its micro-operations.
#[derive(Debug, Clone, Default)]
pub(super) struct Store {
    /// Values by number; the first is null.
    pub(super) values: Vec<Value>,
    /// Numbers that do not fit in an atom.
    wide: Vec<u64>,
    /// Micro-operations, see [`steps`](super::steps).
    pub(super) words: Vec<Atom>,
    /// Whether equal values may have several atoms.
    loose: bool,
}

impl Store {
    pub(super) fn atom(&self, atom: Atom) -> Value {
        match atom.home() {
            Home::Here(number) => Value::from(number),
            Home::Wide(index) => Value::from(self.wide[index]),
            Home::Other(index) => self.values.get(index).cloned().unwrap_or_default(),
        }
    }

    /// The value of an atom, where an equal value may have another atom.
    pub(super) fn loose(&self, atom: Atom) -> Option<&Value> {
        let Home::Other(index) = atom.home() else { return None };
        let value = self.values.get(index).filter(|_| self.loose)?;
        (value.is_f64() || value.is_array() || value.is_object()).then_some(value)
    }

    pub(super) fn shrink(&mut self) {
        self.values.shrink_to_fit();
        self.wide.shrink_to_fit();
        self.words.shrink_to_fit();
    }
}

impl ValueIndex {
    /// The atom of an integer.
    pub(super) fn integer_atom(&mut self, store: &mut Store, number: i64) -> Option<Atom> {
        match u64::try_from(number) {
            Ok(number) => self.natural_atom(store, number),
            Err(_) => Atom::at(OTHER, self.integer(&mut store.values, number) as usize),
        }
    }

    /// The atom of a number that is not negative.
    pub(super) fn natural_atom(&mut self, store: &mut Store, number: u64) -> Option<Atom> {
        match u32::try_from(number) {
            Ok(number) if number < WIDE => Some(Atom(number)),
            _ => {
                let wide = &mut store.wide;
                if let Some(index) = self.wide.find(&number, |index| &wide[index as usize], |_| true) {
                    return Atom::at(WIDE, index as usize);
                }
                let atom = Atom::at(WIDE, wide.len())?;
                wide.push(number);
                self.wide.insert(&number, super::small(wide.len() - 1), |index| &wide[index as usize]);
                Some(atom)
            }
        }
    }

    /// The atom of a text.
    pub(super) fn text_atom(&mut self, store: &mut Store, text: &str) -> Option<Atom> {
        Atom::at(OTHER, self.text(&mut store.values, text) as usize)
    }

    /// The atom of any value.
    pub(super) fn atom(&mut self, store: &mut Store, value: &Value) -> Option<Atom> {
        match value {
            Value::Null => Some(Atom::NULL),
            Value::String(text) => self.text_atom(store, text),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => self.natural_atom(store, number),
                (None, Some(number)) => self.integer_atom(store, number),
                (None, None) => self.other_atom(store, value),
            },
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => self.other_atom(store, value),
        }
    }

    fn other_atom(&mut self, store: &mut Store, value: &Value) -> Option<Atom> {
        let values = &store.values;
        let text = value.to_string();
        let of = |number: u32| &values[number as usize];
        // Equal numbers may be written in two ways.
        let is_written_so = |known: &Value| {
            let known = known.to_string();
            known == text
        };
        let same = |known: &Value| known == value && is_written_so(known);
        if let Some(known) = self.others.find(value, of, same) {
            return Atom::at(OTHER, known as usize);
        }
        let atom = Atom::at(OTHER, values.len())?;
        store.loose |= !value.is_boolean();
        store.values.push(value.clone());
        let values = &store.values;
        self.others.insert(value, super::small(values.len() - 1), |number| &values[number as usize]);
        Some(atom)
    }
}
