//! JSON values within a budget, with numbers that are kept exactly.

use super::{
    budget::{self, Budget},
    exact,
};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt;

/// Reads one value and spends what it takes while it grows.
pub(super) struct Bounded<'b>(pub(super) &'b mut Budget);

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_f64<E: Error>(self, float: f64) -> Result<Value, E> {
        exact::number(float).map_err(E::custom)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.0.spend(text.len()).map_err(E::custom)?;
        Ok(Value::from(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(Bounded(self.0))? {
            // An array doubles when it is full, and its old half stays until it was copied.
            if array.len() == array.capacity() {
                self.0.spend(budget::array(array.len().max(2))).map_err(A::Error::custom)?;
            }
            array.push(item);
        }
        array.shrink_to_fit();
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let before = object.len();
            let value = entries.next_value_seed(Bounded(self.0))?;
            self.0
                .spend(key.len() + budget::map(before + 1) - budget::map(before))
                .map_err(A::Error::custom)?;
            if object.contains_key(&key) {
                return Err(A::Error::custom(format!("two keys of one object are both {key:?}")));
            }
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

/// The text with integers beyond 64 bits as strings, in the way EDN writes them: `18446744073709551616` becomes
/// `"18446744073709551616N"`. A parser of JSON would take them for floats and lose their digits.
pub fn with_large_integers_as_text(bytes: &[u8]) -> Cow<'_, [u8]> {
    if !has_large_number(bytes) {
        return Cow::Borrowed(bytes);
    }
    let (mut out, mut copied) = (Vec::new(), 0);
    let (mut at, mut quoted) = (0, false);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            b'-' | b'0'..=b'9' if !quoted => {
                let number = |byte: &u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
                let end = at + bytes[at..].iter().take_while(|byte| number(byte)).count();
                let token = &bytes[at..end];
                if is_large(token) {
                    out.extend_from_slice(&bytes[copied..at]);
                    out.push(b'"');
                    out.extend_from_slice(token);
                    out.extend_from_slice(b"N\"");
                    copied = end;
                }
                at = end - 1;
            }
            _ => {}
        }
        at += 1;
    }
    if copied == 0 {
        return Cow::Borrowed(bytes);
    }
    out.extend_from_slice(&bytes[copied..]);
    Cow::Owned(out)
}

/// The digits of the smallest integer beyond `i64`.
const LARGE: usize = 19;

/// Whether there are so many digits in a row that the integer may be too large. Looks at few bytes: one of any so many
/// in a row stands where it looks.
fn has_large_number(bytes: &[u8]) -> bool {
    let mut at = LARGE - 1;
    while let Some(byte) = bytes.get(at) {
        if byte.is_ascii_digit() {
            let before = bytes[..at].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
            let after = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            if before + after >= LARGE {
                return true;
            }
            at += after;
        }
        at += LARGE;
    }
    false
}

/// Whether this is an integer that neither `i64` nor `u64` can be.
fn is_large(token: &[u8]) -> bool {
    let digits = token.strip_prefix(b"-").unwrap_or(token);
    let text = std::str::from_utf8(token).unwrap_or_default();
    digits.len() >= LARGE
        && digits.iter().all(u8::is_ascii_digit)
        && text.parse::<u64>().is_err()
        && text.parse::<i64>().is_err()
}

/// A whole text that is one value.
pub(super) fn value(text: &str, mut budget: Budget) -> Result<Value, String> {
    let exact = with_large_integers_as_text(text.as_bytes());
    let mut deserializer = serde_json::Deserializer::from_slice(&exact);
    let value = Bounded(&mut budget).deserialize(&mut deserializer);
    value.and_then(|value| deserializer.end().map(|()| value)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_many_digits_are_found_at_every_offset() {
        for offset in 0..40 {
            for (digits, large) in [(17, false), (18, false), (19, true), (20, true), (60, true)] {
                for fill in ["x", "7 ", "123 "] {
                    let before: String = fill.chars().cycle().take(offset).collect();
                    let text = format!("{before} {} end", "9".repeat(digits));
                    assert_eq!(has_large_number(text.as_bytes()), large, "{text}");
                }
            }
        }
        let text = with_large_integers_as_text(b"[9223372036854775807, -9223372036854775809]");
        assert_eq!(text.as_ref(), br#"[9223372036854775807, "-9223372036854775809N"]"#);
    }
}
