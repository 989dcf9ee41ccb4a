//! Values by number: scalars and pairs of them are stored once.

use super::numbers::Numbers;
use rustc_hash::FxHashMap;
use serde_json::Value;

/// The number of `null`.
pub(super) const NULL: u32 = 0;

/// A value as it comes in, before it is known whether it is there already.
#[derive(Debug)]
pub enum Given<'a> {
    /// No value.
    Null,
    /// A number.
    Integer(i64),
    /// A string.
    Text(&'a str),
    /// A list of two, as of a compare-and-set.
    Pair(Scalar<'a>, Scalar<'a>),
    /// Any value that is somebody else's.
    Borrowed(&'a Value),
    /// Any value.
    Owned(Value),
    /// Micro-operations, which are in the columns already; the number is that of [`Packer::begin`](super::Packer::begin).
    Packed(u32),
}

/// One of the values that are stored once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scalar<'a> {
    /// No value.
    Null,
    /// A number.
    Integer(i64),
    /// A string.
    Text(&'a str),
}

impl Scalar<'_> {
    fn is(self, value: &Value) -> bool {
        match self {
            Self::Null => value.is_null(),
            Self::Integer(number) => value.as_i64() == Some(number),
            Self::Text(text) => value.as_str() == Some(text),
        }
    }
}

impl<'a> From<Scalar<'a>> for Given<'a> {
    fn from(scalar: Scalar<'a>) -> Self {
        match scalar {
            Scalar::Null => Self::Null,
            Scalar::Integer(number) => Self::Integer(number),
            Scalar::Text(text) => Self::Text(text),
        }
    }
}

impl From<Scalar<'_>> for Value {
    fn from(scalar: Scalar<'_>) -> Self {
        match scalar {
            Scalar::Null => Self::Null,
            Scalar::Integer(number) => Self::from(number),
            Scalar::Text(text) => Self::from(text),
        }
    }
}

impl Given<'_> {
    /// Whether it is this value.
    pub(super) fn is(&self, value: &Value) -> bool {
        match self {
            Self::Null => value.is_null(),
            Self::Integer(number) => value.as_i64() == Some(*number),
            Self::Text(text) => value.as_str() == Some(text),
            Self::Pair(one, other) => {
                matches!(value.as_array().map(Vec::as_slice), Some([first, second]) if one.is(first) && other.is(second))
            }
            Self::Borrowed(given) => *given == value,
            Self::Owned(given) => given == value,
            Self::Packed(_) => false,
        }
    }

    /// The value, where it is more than a scalar and not packed.
    pub(super) fn whole(&self) -> Option<&Value> {
        match self {
            Self::Borrowed(value) => Some(value),
            Self::Owned(value) => Some(value),
            Self::Null | Self::Integer(_) | Self::Text(_) | Self::Pair(..) | Self::Packed(_) => None,
        }
    }
}

/// The number of micro-operations that begin at a word.
pub(super) fn packed_number(start: u32) -> u32 {
    PACKED | start
}

/// Where the micro-operations begin that a number stands for, if it does.
pub(super) fn packed_start(number: u32) -> Option<u32> {
    (number & PACKED != 0).then_some(number & !PACKED)
}

/// Marks the number of micro-operations.
const PACKED: u32 = 1 << 31;

/// Finds the number of a value. Small integers are looked up in place, as unique values usually count from 0.
#[derive(Debug, Default)]
pub(super) struct ValueIndex {
    dense: Vec<u32>,
    integers: FxHashMap<i64, u32>,
    texts: Numbers,
    pairs: FxHashMap<(u32, u32), u32>,
    /// Of numbers that do not fit in an atom.
    pub(super) wide: Numbers,
    /// Of other values inside micro-operations.
    pub(super) others: Numbers,
}

/// Integers below are looked up in place, however few values there are.
const ALWAYS_DENSE: usize = 1 << 12;

impl ValueIndex {
    /// The number of a value, which is added if it is new, or is no scalar or pair of scalars.
    pub(super) fn number(&mut self, values: &mut Vec<Value>, given: Given<'_>) -> u32 {
        if values.is_empty() {
            values.push(Value::Null);
        }
        match given {
            Given::Null | Given::Borrowed(Value::Null) | Given::Owned(Value::Null) => NULL,
            Given::Integer(number) => self.integer(values, number),
            Given::Text(text) => self.text(values, text),
            Given::Pair(one, other) => {
                let pair = (self.scalar(values, one), self.scalar(values, other));
                match self.pair(values, pair) {
                    Some(number) => number,
                    None => push(values, Value::Array(vec![one.into(), other.into()])),
                }
            }
            Given::Packed(start) => packed_number(start),
            Given::Borrowed(value) => match self.known(values, value) {
                Some(number) => number,
                None => push(values, value.clone()),
            },
            Given::Owned(value) => match self.known(values, &value) {
                Some(number) => number,
                None => push(values, value),
            },
        }
    }

    /// The number of a value that is stored once; none for others, and for a pair that is new.
    fn known(&mut self, values: &mut Vec<Value>, value: &Value) -> Option<u32> {
        match value {
            Value::Null => Some(NULL),
            Value::Number(number) => number.as_i64().map(|number| self.integer(values, number)),
            Value::String(text) => Some(self.text(values, text)),
            Value::Array(items) => {
                let [one, other] = items.as_slice() else { return None };
                let scalar = |value: &Value| value.is_null() || value.is_i64() || value.is_string();
                if !scalar(one) || !scalar(other) {
                    return None;
                }
                let pair = (self.known(values, one)?, self.known(values, other)?);
                self.pair(values, pair)
            }
            Value::Bool(_) | Value::Object(_) => None,
        }
    }

    /// The number of a pair; none where it is new, and will be the next value.
    fn pair(&mut self, values: &[Value], pair: (u32, u32)) -> Option<u32> {
        let next = super::small(values.len());
        let number = *self.pairs.entry(pair).or_insert(next);
        (number != next).then_some(number)
    }

    fn scalar(&mut self, values: &mut Vec<Value>, scalar: Scalar<'_>) -> u32 {
        match scalar {
            Scalar::Null => NULL,
            Scalar::Integer(number) => self.integer(values, number),
            Scalar::Text(text) => self.text(values, text),
        }
    }

    pub(super) fn integer(&mut self, values: &mut Vec<Value>, number: i64) -> u32 {
        let bound = ALWAYS_DENSE + 4 * values.len();
        let slot = match usize::try_from(number) {
            Ok(small) if small < bound => {
                if small >= self.dense.len() {
                    self.dense.resize((2 * small).clamp(ALWAYS_DENSE, bound), NULL);
                }
                &mut self.dense[small]
            }
            _ => self.integers.entry(number).or_insert(NULL),
        };
        if *slot == NULL {
            *slot = push(values, Value::from(number));
        }
        *slot
    }

    pub(super) fn text(&mut self, values: &mut Vec<Value>, text: &str) -> u32 {
        if let Some(number) = self.texts.find(text, |number| text_of(values, number), |_| true) {
            return number;
        }
        let number = push(values, Value::from(text));
        self.texts.insert(text, number, |number| text_of(values, number));
        number
    }
}

fn text_of(values: &[Value], number: u32) -> &str {
    values[number as usize].as_str().unwrap_or_default()
}

fn push(values: &mut Vec<Value>, value: Value) -> u32 {
    let number = super::small(values.len());
    assert!(number < PACKED, "a history has fewer than two billion values");
    values.push(value);
    number
}
