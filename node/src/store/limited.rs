//! Lists with a length limit of [`MANY`], which is checked before memory is allocated.

use super::MANY;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use std::fmt::{Formatter, Result as Written};
use std::marker::PhantomData;

struct Limited<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Limited<T> {
    type Value = Vec<T>;

    fn expecting(&self, formatter: &mut Formatter<'_>) -> Written {
        write!(formatter, "a list of at most {MANY}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::with_capacity(sequence.size_hint().unwrap_or(0).min(MANY));
        while let Some(one) = sequence.next_element()? {
            if list.len() == MANY {
                return Err(A::Error::custom(format_args!("a list may have at most {MANY} entries")));
            }
            list.push(one);
        }
        Ok(list)
    }
}

/// Reads a list of at most [`MANY`] entries.
pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_seq(Limited(PhantomData))
}
