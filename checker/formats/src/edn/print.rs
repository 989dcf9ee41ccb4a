//! Writes JSON values as EDN, so that reading gives the same values back.

use serde_json::Value;
use std::fmt::Write;

/// Appends a value. Text that reads `:a` becomes the keyword it came from.
pub(in super::super) fn value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("nil"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Number(number) => write!(out, "{number}").expect("writing to a string cannot fail"),
        Value::String(text) => match text.strip_prefix(':') {
            Some(keyword) if is_name(keyword) => out.push_str(text),
            Some(_) | None => string(out, text),
        },
        Value::Array(items) => array(out, items),
        Value::Object(entries) => {
            out.push('{');
            for (index, (name, entry)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                if is_name(name) && !name.starts_with(|first: char| first.is_ascii_digit()) {
                    out.push(':');
                    out.push_str(name);
                } else if is_integer(name) {
                    out.push_str(name);
                } else {
                    string(out, name);
                }
                out.push(' ');
                self::value(out, entry);
            }
            out.push('}');
        }
    }
}

fn array(out: &mut String, items: &[Value]) {
    let heads: Option<Vec<&str>> = items
        .iter()
        .map(|item| match item.as_array().map(Vec::as_slice) {
            Some([Value::String(head), _, ..]) => Some(head.as_str()),
            Some(_) | None => None,
        })
        .collect();
    let steps = heads.filter(|heads| !heads.is_empty());
    let bare = steps.as_ref().is_some_and(|heads| heads.iter().all(|head| is_name(head)));
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        match (&steps, item) {
            (Some(heads), Value::Array(inner)) => {
                out.push('[');
                if bare {
                    out.push(':');
                    out.push_str(heads[index]);
                } else {
                    // As a keyword it would be read as the name of a micro-operation.
                    string(out, heads[index]);
                }
                for argument in &inner[1..] {
                    out.push(' ');
                    value(out, argument);
                }
                out.push(']');
            }
            (Some(_) | None, item) => value(out, item),
        }
    }
    out.push(']');
}

/// Appends a name as a keyword where it can be one.
pub(in super::super) fn name(out: &mut String, name: &str) {
    if is_name(name) {
        out.push(':');
        out.push_str(name);
    } else {
        string(out, name);
    }
}

/// Appends the key of an operation, which reading gives back as text.
pub(in super::super) fn key(out: &mut String, key: &str) {
    if is_integer(key) {
        out.push_str(key);
    } else {
        value(out, &Value::from(key));
    }
}

fn string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control.is_control() && u32::from(control) < 0x1_0000 => {
                write!(out, "\\u{:04x}", u32::from(control)).expect("writing to a string cannot fail");
            }
            plain => out.push(plain),
        }
    }
    out.push('"');
}

/// Whether a text can stand after a colon.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('/')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"*+!_?-.<>=/".contains(&byte))
}

fn is_integer(text: &str) -> bool {
    text.parse::<i64>().is_ok_and(|number| number.to_string() == text)
}
