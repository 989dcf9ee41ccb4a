//! Writes the log lines that Porcupine's etcd test data has.

use super::super::edn::print_value;
use super::Refusal;
use super::story::{PairedEvent, for_each_event, found};
use history::{Event, Kind, Outcome};
use serde_json::Value;
use std::fmt::Write;

/// A compare-and-set that found another value is written as the read it amounts to; operations that did not
/// happen are left out.
pub(super) fn write(events: &[Event]) -> Result<Vec<u8>, Refusal> {
    let mut out = String::with_capacity(events.len() * 40);
    for_each_event(events, |paired| line(&mut out, paired))?;
    Ok(out.into_bytes())
}

fn line(out: &mut String, paired: &PairedEvent<'_>) -> Result<(), Refusal> {
    let operation = paired.operation;
    let refuse = |message: String| Err(Refusal::at(paired.index, message));
    if operation.key.is_some() {
        return refuse("it has no keys; convert one key at a time".to_owned());
    }
    let invokes = paired.event.kind == Kind::Invoke;
    let differed =
        matches!(&operation.outcome, Outcome::Fail { error: Some(error), .. } if error == "precondition");
    let read = if invokes {
        ("invoke", "read", "nil".to_owned())
    } else {
        ("fail", "read", ":timed-out".to_owned())
    };
    let (kind, f, value) = match (operation.f.as_str(), &operation.outcome) {
        ("read", Outcome::Ok(value)) if !invokes => ("ok", "read", number(paired.index, value, true)?),
        ("read", Outcome::Info { .. }) if !invokes => ("info", "read", ":timed-out".to_owned()),
        ("read", _) => read,
        ("cas", _) if found(operation).is_some() => match found(operation) {
            Some(actual) if !invokes => ("ok", "read", number(paired.index, actual, true)?),
            Some(_) | None => read,
        },
        ("cas" | "write", Outcome::Fail { .. }) if !(differed && operation.f == "cas") => return Ok(()),
        (f @ ("cas" | "write"), outcome) => {
            let argument = argument(paired, f)?;
            let kind = outcome.kind();
            match (invokes, kind) {
                (true, _) => ("invoke", f, argument),
                (false, Kind::Info) => ("info", f, ":timed-out".to_owned()),
                (false, Kind::Fail) => ("fail", f, argument),
                (false, Kind::Ok | Kind::Invoke) => ("ok", f, argument),
            }
        }
        (other, _) => return refuse(format!("it has read, write and cas, but no {other}")),
    };
    writeln!(out, "INFO  jepsen.util - {}\t:{kind}\t:{f}\t{value}", paired.process)
        .expect("writing to a string cannot fail");
    Ok(())
}

fn argument(paired: &PairedEvent<'_>, f: &str) -> Result<String, Refusal> {
    let argument = &paired.operation.argument;
    match (f, argument.as_array().map(Vec::as_slice)) {
        ("cas", Some([from, to])) => {
            Ok(format!("[{} {}]", number(paired.index, from, false)?, number(paired.index, to, false)?))
        }
        ("cas", _) => {
            Err(Refusal::at(paired.index, format!("the value {argument} of this cas is not [from, to]")))
        }
        _ => number(paired.index, argument, false),
    }
}

/// Porcupine passes over lines with other values, which would change the verdict.
fn number(index: usize, value: &Value, or_nil: bool) -> Result<String, Refusal> {
    if value.is_u64() || (or_nil && value.is_null()) {
        let mut text = String::new();
        print_value(&mut text, value);
        return Ok(text);
    }
    Err(Refusal::at(index, format!("the value {value} is not a whole number from 0 on")))
}
