//! Refuses numbers that a value could not keep exactly.

use serde_json::Value;

/// From here on a float skips whole numbers, and larger integers than 64 bits arrive as floats.
const FIRST_INEXACT: f64 = 9_007_199_254_740_992.0;

/// The first number inside that may have lost digits, as an error.
pub(super) fn check(value: &Value) -> Result<(), String> {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => finite(float).map(|_| ()),
            Some(_) | None => Ok(()),
        },
        Value::Array(items) => items.iter().try_for_each(check),
        Value::Object(entries) => entries.values().try_for_each(check),
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

/// The float itself, if it is small enough.
pub(super) fn finite(float: f64) -> Result<f64, String> {
    if float.abs() < FIRST_INEXACT {
        Ok(float)
    } else {
        Err(format!(
            "the number {float} cannot be kept exactly: integers go from -2^63 to 2^64-1, others stay below 2^53; \
             write it as a string"
        ))
    }
}

/// The value of a float: a whole one is an integer, because tools write `1` and `1.0` for the same number.
pub(super) fn number(float: f64) -> Result<Value, String> {
    let float = finite(float)?;
    #[allow(clippy::cast_possible_truncation, reason = "it is whole and below 2^53")]
    let whole = float as i64;
    #[allow(
        clippy::cast_precision_loss,
        clippy::float_cmp,
        reason = "it is below 2^53, and is compared with itself"
    )]
    let is_whole = whole as f64 == float;
    Ok(if is_whole { Value::from(whole) } else { Value::from(float) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_64_bits_are_exact_and_longer_ones_are_refused_however_deep() {
        for exact in ["18446744073709551615", "-9223372036854775808", "0.5", "-1e15"] {
            check(&serde_json::from_str(exact).unwrap()).unwrap();
        }
        let long = serde_json::from_str(r#"[1, {"a": 18446744073709551616}]"#).unwrap();
        assert!(check(&long).unwrap_err().contains("18446744073709552000"));
    }
}
