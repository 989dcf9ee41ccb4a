//! Integers in JSON: accepts `1.0`, and refuses values beyond 2^53, which doubles cannot represent.

use serde::de::{self, Deserialize, Deserializer, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// Reads an integer, also one with a decimal point; passes binary formats through.
pub(crate) fn deserialize<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i128> + Deserialize<'de>,
{
    if deserializer.is_human_readable() {
        deserializer.deserialize_any(Integer(PhantomData))
    } else {
        T::deserialize(deserializer)
    }
}

struct Integer<T>(PhantomData<T>);

/// The largest integer that a double represents exactly.
const SAFE: i128 = (1 << 53) - 1;

impl<T: TryFrom<i128>> Integer<T> {
    fn fit<E: de::Error>(number: i128) -> Result<T, E> {
        let fitting = T::try_from(number).ok().filter(|_| (-SAFE..=SAFE).contains(&number));
        fitting.ok_or_else(|| E::custom(format!("{number} is out of range; the largest is {SAFE}")))
    }
}

impl<T: TryFrom<i128>> Visitor<'_> for Integer<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        Self::fit(number.into())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        Self::fit(number.into())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        if number.fract() != 0.0 || number.abs() > 1e30 {
            return Err(E::custom(format!("{number} is not an integer in range")));
        }
        #[allow(
            clippy::cast_possible_truncation,
            reason = "it is an integer, and far below the limits of 128 bits"
        )]
        Self::fit(number as i128)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Amount(#[serde(deserialize_with = "super::deserialize")] u64);

    #[test]
    fn decimal_point_without_fraction_is_accepted() {
        let read = |text: &str| serde_json::from_str::<Amount>(text).map(|amount| amount.0).ok();
        assert_eq!([read("3"), read("3.0"), read("3e2")], [Some(3), Some(3), Some(300)]);
        assert_eq!(
            [read("3.5"), read("-1"), read("-1.0"), read("9007199254740992"), read("1e300")],
            [None; 5]
        );
    }
}
