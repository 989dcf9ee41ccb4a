//! Names for values while a history is read: one number each, without looking anything up.

use serde_json::Value;
use std::borrow::Cow;

/// A value, or where it stands in [`Marks`]. Equal small integers have equal marks; of other values nothing
/// is said by their marks alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark(u32);

const ABSENT: u32 = 0;
/// Marks from here on stand for values that are no small integers.
const OTHERS: u32 = 1 << 31;

/// The values behind marks that are no small integers.
#[derive(Debug, Default)]
pub(super) struct Marks<'a> {
    others: Vec<&'a Value>,
}

/// What a mark stands for. Equal values are equal here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Datum<'a> {
    /// Nothing is there.
    Absent,
    /// An integer below 2³¹ − 1.
    Small(u32),
    /// Any other value.
    Other(&'a Value),
}

impl<'a> Marks<'a> {
    /// The mark of a value.
    pub(super) fn mark(&mut self, value: &'a Value) -> Mark {
        match Datum::of(value) {
            Datum::Absent => Mark(ABSENT),
            Datum::Small(small) => Mark(small + 1),
            Datum::Other(value) => {
                let index = u32::try_from(self.others.len()).ok().filter(|&index| index < OTHERS);
                self.others.push(value);
                Mark(
                    OTHERS
                        + index
                            .expect("a history has fewer than two billion values that are no small integers"),
                )
            }
        }
    }

    /// What a mark that was given out here stands for.
    pub(super) fn datum(&self, Mark(mark): Mark) -> Datum<'a> {
        match mark {
            ABSENT => Datum::Absent,
            1..OTHERS => Datum::Small(mark - 1),
            OTHERS.. => Datum::Other(self.others[(mark - OTHERS) as usize]),
        }
    }
}

impl<'a> Datum<'a> {
    pub(super) fn of(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Absent,
            Value::Number(number) => match number.as_u64().and_then(|number| u32::try_from(number).ok()) {
                Some(small) if small < OTHERS - 1 => Self::Small(small),
                Some(_) | None => Self::Other(value),
            },
            Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => Self::Other(value),
        }
    }

    /// The value as text, as a store that appends to it keeps it.
    pub(super) fn text(self) -> Cow<'a, str> {
        match self {
            Self::Absent => Cow::Borrowed("null"),
            Self::Small(number) => Cow::Owned(number.to_string()),
            Self::Other(Value::String(text)) => Cow::Borrowed(text),
            Self::Other(value) => Cow::Owned(value.to_string()),
        }
    }

    /// The value as JSON.
    pub(super) fn show(self) -> String {
        match self {
            Self::Absent => "null".to_owned(),
            Self::Small(number) => number.to_string(),
            Self::Other(value) => value.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_value_comes_back_from_its_mark_and_equal_ones_are_equal() {
        let values = [
            json!(null),
            json!(0),
            json!(17),
            json!(2_147_483_646_u32),
            json!(2_147_483_647_u32),
            json!(u64::MAX),
            json!(-1),
            json!(17.0),
            json!("17"),
            json!([1]),
        ];
        let again = values.clone();
        let mut marks = Marks::default();
        let given: Vec<Mark> = values.iter().map(|value| marks.mark(value)).collect();
        for (value, mark) in again.iter().zip(given) {
            assert_eq!(marks.datum(mark).show(), value.to_string());
            for other in &values {
                let second = marks.mark(other);
                assert_eq!(marks.datum(mark) == marks.datum(second), value == other, "{value} {other}");
            }
        }
    }
}
