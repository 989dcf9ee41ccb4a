//! EDN as the JSON values of a history.
//!
//! Keywords become text with their colon, so that `:a` and `"a"` stay apart, except where they are names:
//! keys of maps, and the first of each micro-operation, as in `[[:append 3 1] [:r 3 nil]]`. Keys of maps that
//! are numbers become text. Sets become arrays in order. Ratios and decimals become text.

use super::super::exact;
use super::Edn;
use serde_json::{Map, Value};

/// The value behind a form, or which number or symbol has none.
pub(in super::super) fn to_value(form: Edn<'_>) -> Result<Value, String> {
    Ok(match form {
        Edn::Nil => Value::Null,
        Edn::Bool(truth) => Value::Bool(truth),
        Edn::Int(number) => Value::from(number),
        Edn::Float(float) => exact::number(float)?,
        Edn::Number(text) => number(text)?,
        Edn::Text(text) => Value::String(text.into_owned()),
        Edn::Keyword(name) => Value::String(format!(":{name}")),
        Edn::Symbol(name) => Value::String(name.to_owned()),
        Edn::Vector(items) => array(items)?,
        Edn::Set(items) => {
            let Value::Array(mut items) = array(items)? else { return Ok(Value::Null) };
            sort_set(&mut items);
            Value::Array(items)
        }
        Edn::Map(entries) => object(entries)?,
    })
}

/// Brings the elements of a set into order.
pub(super) fn sort_set(items: &mut [Value]) {
    items.sort_by_cached_key(order);
}

/// An order for sets, in which numbers come by size.
fn order(value: &Value) -> (Option<i64>, String) {
    (value.as_i64(), if value.is_i64() { String::new() } else { value.to_string() })
}

fn number(text: &str) -> Result<Value, String> {
    if let Ok(number) = text.strip_suffix('N').unwrap_or(text).parse::<u64>() {
        return Ok(Value::from(number));
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = unsigned.strip_suffix('N').unwrap_or(unsigned);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        // An integer beyond 64 bits, in the way EDN writes it.
        return Ok(Value::from(format!("{}N", text.trim_start_matches('+').trim_end_matches('N'))));
    }
    if let Some((above, below)) = text.split_once('/') {
        return Ok(ratio(above, below).unwrap_or_else(|| Value::from(text)));
    }
    if let Some(decimal) = text.strip_suffix('M') {
        let decimal = if decimal.contains(['e', 'E']) || !decimal.contains('.') {
            decimal
        } else {
            decimal.trim_end_matches('0').trim_end_matches('.')
        };
        return Ok(Value::from(format!("{decimal}M")));
    }
    if let Some(hex) = text.strip_prefix("0x")
        && let Ok(number) = u64::from_str_radix(hex, 16)
    {
        return Ok(Value::from(number));
    }
    Err(if text.starts_with("##") {
        format!("{text} cannot be a value")
    } else {
        format!(
            "the number {} does not fit: integers go from -2^63 to 2^64-1; write it as a string",
            shortened(text)
        )
    })
}

/// A ratio in lowest terms, as a text; a whole one is a number.
fn ratio(above: &str, below: &str) -> Option<Value> {
    let (above, below): (i64, i64) = (above.parse().ok()?, below.parse().ok().filter(|below| *below > 0)?);
    let (mut divisor, mut rest) = (above.checked_abs()?, below);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    let (above, below) = (above / divisor, below / divisor);
    Some(if below == 1 { Value::from(above) } else { Value::from(format!("{above}/{below}")) })
}

fn shortened(text: &str) -> String {
    if text.len() <= 40 { text.to_owned() } else { format!("{}… ({} digits)", &text[..30], text.len()) }
}

fn array(items: Vec<Edn<'_>>) -> Result<Value, String> {
    let steps = !items.is_empty() && items.iter().all(is_step);
    let mut values = Vec::with_capacity(items.len());
    for item in items {
        values.push(if steps { step(item)? } else { to_value(item)? });
    }
    Ok(Value::Array(values))
}

/// Whether a form is like `[:append 3 1]`.
fn is_step(form: &Edn<'_>) -> bool {
    matches!(form, Edn::Vector(items) if items.len() > 1 && matches!(items[0], Edn::Keyword(_)))
}

fn step(form: Edn<'_>) -> Result<Value, String> {
    let Edn::Vector(items) = form else { return to_value(form) };
    let mut values = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        values.push(match item {
            Edn::Keyword(name) if index == 0 => Value::String(name.into_owned()),
            other => to_value(other)?,
        });
    }
    Ok(Value::Array(values))
}

fn object(entries: Vec<(Edn<'_>, Edn<'_>)>) -> Result<Value, String> {
    let mut object = Map::new();
    for (key, value) in entries {
        let key = match key {
            Edn::Keyword(name) | Edn::Text(name) => name.into_owned(),
            Edn::Int(number) => number.to_string(),
            other => to_value(other)?.to_string(),
        };
        let value = to_value(value)?;
        if object.contains_key(&key) {
            return Err(format!("two keys of one map are both {key:?}"));
        }
        object.insert(key, value);
    }
    Ok(Value::Object(object))
}
