//! Values of a history as what a check takes them for.

use serde_json::Value;

/// From here on a float skips whole numbers.
const FIRST_INEXACT: f64 = 9_007_199_254_740_992.0;

/// A whole number: as a number, or as the text of one. Sums of a history's numbers fit `i128` by far.
#[expect(clippy::cast_possible_truncation, reason = "the float is whole and below 2^53")]
pub(super) fn integer(value: &Value) -> Option<i128> {
    match value {
        Value::Number(number) => {
            number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from)).or_else(|| {
                number.as_f64().filter(|f| f.fract() == 0.0 && f.abs() < FIRST_INEXACT).map(|f| f as i128)
            })
        }
        Value::String(text) => text.parse::<i64>().ok().map(i128::from),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A list of elements; nothing there is an empty one.
pub(super) fn list(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Array(items) => Some(items),
        Value::Null => Some(&[]),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whole_numbers_are_read_however_they_are_written() {
        for (value, number) in [
            (json!(-3), Some(-3)),
            (json!(u64::MAX), Some(i128::from(u64::MAX))),
            (json!(4.0), Some(4)),
            (json!("17"), Some(17)),
            (json!(0.5), None),
            (json!(1e300), None),
            (json!("x"), None),
            (json!(null), None),
            (json!([1]), None),
        ] {
            assert_eq!(integer(&value), number, "{value}");
        }
    }
}
