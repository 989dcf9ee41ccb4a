//! Writes Porcupine's key-value lines.

use super::super::edn::print_value;
use super::Refusal;
use super::story::{Texts, Told, found, tell};
use history::{Event, Kind, Outcome};
use serde_json::Value;
use std::fmt::Write;

/// Absent keys hold the empty text here. A compare-and-set that found another value is written as the read it
/// amounts to; reads that say nothing, and operations that did not happen, are left out.
pub(super) fn write(events: &[Event]) -> Result<Vec<u8>, Refusal> {
    let mut out = String::with_capacity(events.len() * 64);
    let mut texts = Texts::default();
    tell(events, |told| line(&mut out, told, &mut texts))?;
    Ok(out.into_bytes())
}

fn line(out: &mut String, told: &Told<'_>, texts: &mut Texts) -> Result<(), Refusal> {
    let operation = told.operation;
    let refuse = |message: String| Err(Refusal::at(told.place, message));
    let Some(key) = &operation.key else { return refuse("every operation needs a key".to_owned()) };
    let invokes = told.event.kind == Kind::Invoke;
    let failed = matches!(operation.outcome, Outcome::Fail { .. });
    let differed =
        matches!(&operation.outcome, Outcome::Fail { error: Some(error), .. } if error == "precondition");
    let read = found(operation).or(match &operation.outcome {
        Outcome::Ok(value) if matches!(operation.f.as_str(), "read" | "get") => Some(value),
        Outcome::Ok(_) | Outcome::Fail { .. } | Outcome::Info { .. } => None,
    });
    let (f, value) = match (operation.f.as_str(), read) {
        (_, Some(_)) if invokes => ("get", Value::Null),
        (_, Some(Value::Null)) => ("get", Value::from("")),
        (_, Some(value)) => ("get", Value::from(full(told.place, texts, value)?)),
        ("read" | "get", None) => return Ok(()),
        ("cas", None) if failed && !differed => return Ok(()),
        ("put" | "write" | "append", None) if failed => return Ok(()),
        ("put" | "write", None) => ("put", Value::from(full(told.place, texts, &operation.argument)?)),
        ("append", None) => ("append", Value::from(texts.text(told.place, &operation.argument)?)),
        (other, None) => return refuse(format!("it has get, put and append, but no {other}")),
    };
    // Porcupine knows no unknown outcome: without a completion the operation stays open.
    if !invokes && matches!(operation.outcome, Outcome::Info { .. }) {
        return Ok(());
    }
    let kind = if invokes { "invoke" } else { "ok" };
    write!(out, "{{:process {}, :type :{kind}, :f :{f}, :key ", told.process)
        .expect("writing to a string cannot fail");
    quoted(out, told.place, key)?;
    out.push_str(", :value ");
    match &value {
        Value::String(text) => quoted(out, told.place, text)?,
        value => print_value(out, value),
    }
    out.push_str("}\n");
    Ok(())
}

/// A text that is not empty, because empty means absent.
fn full(place: usize, texts: &mut Texts, value: &Value) -> Result<String, Refusal> {
    let text = texts.text(place, value)?;
    if text.is_empty() {
        return Err(Refusal::at(place, "the empty text means that the key is absent"));
    }
    Ok(text)
}

/// A text in quotes, which would not be one if it could be taken for a keyword.
fn quoted(out: &mut String, place: usize, text: &str) -> Result<(), Refusal> {
    if text.starts_with(':') {
        return Err(Refusal::at(place, format!("the text {text:?} could be taken for a keyword")));
    }
    print_value(out, &Value::from(text));
    Ok(())
}
