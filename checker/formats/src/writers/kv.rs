//! Writes Porcupine's key-value lines.

use super::super::edn::print_value;
use super::Refusal;
use super::story::{PairedEvent, Texts, for_each_event, found};
use history::{Event, Kind, Outcome};
use serde_json::Value;
use std::fmt::Write;

/// Absent keys hold the empty text here. A compare-and-set that found another value is written as the read it
/// amounts to; reads that say nothing, and operations that did not happen, are left out.
pub(super) fn write(events: &[Event]) -> Result<Vec<u8>, Refusal> {
    let mut out = String::with_capacity(events.len() * 64);
    let mut texts = Texts::default();
    for_each_event(events, |paired| line(&mut out, paired, &mut texts))?;
    Ok(out.into_bytes())
}

fn line(out: &mut String, paired: &PairedEvent<'_>, texts: &mut Texts) -> Result<(), Refusal> {
    let operation = paired.operation;
    let refuse = |message: String| Err(Refusal::at(paired.index, message));
    let Some(key) = &operation.key else { return refuse("every operation needs a key".to_owned()) };
    let invokes = paired.event.kind == Kind::Invoke;
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
        (_, Some(value)) => ("get", Value::from(full(paired.index, texts, value)?)),
        ("read" | "get", None) => return Ok(()),
        ("cas", None) if failed && !differed => return Ok(()),
        ("put" | "write" | "append", None) if failed => return Ok(()),
        ("put" | "write", None) => ("put", Value::from(full(paired.index, texts, &operation.argument)?)),
        ("append", None) => ("append", Value::from(texts.text(paired.index, &operation.argument)?)),
        (other, None) => return refuse(format!("it has get, put and append, but no {other}")),
    };
    // Porcupine knows no unknown outcome: without a completion the operation stays open.
    if !invokes && matches!(operation.outcome, Outcome::Info { .. }) {
        return Ok(());
    }
    let kind = if invokes { "invoke" } else { "ok" };
    write!(out, "{{:process {}, :type :{kind}, :f :{f}, :key ", paired.process)
        .expect("writing to a string cannot fail");
    quoted(out, paired.index, key)?;
    out.push_str(", :value ");
    match &value {
        Value::String(text) => quoted(out, paired.index, text)?,
        value => print_value(out, value),
    }
    out.push_str("}\n");
    Ok(())
}

/// A text that is not empty, because empty means absent.
fn full(index: usize, texts: &mut Texts, value: &Value) -> Result<String, Refusal> {
    let text = texts.text(index, value)?;
    if text.is_empty() {
        return Err(Refusal::at(index, "the empty text means that the key is absent"));
    }
    Ok(text)
}

/// A text in quotes, which would not be one if it could be taken for a keyword.
fn quoted(out: &mut String, index: usize, text: &str) -> Result<(), Refusal> {
    if text.starts_with(':') {
        return Err(Refusal::at(index, format!("the text {text:?} could be taken for a keyword")));
    }
    print_value(out, &Value::from(text));
    Ok(())
}
