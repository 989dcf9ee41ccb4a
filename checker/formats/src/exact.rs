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
