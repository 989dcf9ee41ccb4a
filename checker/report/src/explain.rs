//! A violation in one plain sentence, where its witness makes it plain.

use super::sources::is_named;
use checker::linearizability::Witness;
use history::{OperationRef, Operations, OutcomeRef};
use serde_json::Value;

/// Letters of a value that are shown.
const SHOWN: usize = 40;

/// What the witness shows, in a reader's words: `a read of k29 through r2 returned 121 although 454 had been
/// read before it`. None where that would need more than a sentence.
pub(crate) fn violation(witness: &Witness, operations: &Operations) -> Option<String> {
    let odd = &operations.at(witness.operation);
    let (saw, value) = observation(odd)?;
    let earlier: Vec<OperationRef<'_>> = operations
        .iter()
        .filter(|other| other.invoked != odd.invoked && other.key == odd.key)
        .filter(|other| odd.completed.is_none_or(|end| other.invoked < end))
        .collect();
    let said = format!("{}{}{} {saw}", subject(odd), of_key(odd), through(odd));
    never_written(value, &earlier)
        .or_else(|| too_long(value, &earlier))
        .map(|why| format!("{said}, {why}"))
        .or_else(|| twice_from(witness, operations, odd))
        .or_else(|| Some(format!("{said} although {}", overtaken(witness, odd, value, &earlier)?)))
        .or_else(|| Some(format!("{said} although {}", overwritten(odd, value, &earlier)?)))
}

/// What an operation says it saw, in words, and the value that must have been there.
fn observation<'a>(operation: &OperationRef<'a>) -> Option<(String, &'a Value)> {
    match (operation.f, operation.outcome) {
        ("read" | "get", OutcomeRef::Ok(value)) => Some((format!("returned {}", shown(value)), value)),
        ("cas", OutcomeRef::Ok(_)) => {
            let [from, to] = operation.argument.as_array()?.as_slice() else { return None };
            Some((format!("from {} to {} succeeded", shown(from), shown(to)), from))
        }
        ("cas", OutcomeRef::Fail { actual: Some(actual), .. }) => {
            Some((format!("found {}", shown(actual)), actual))
        }
        _ => None,
    }
}

fn subject(operation: &OperationRef<'_>) -> &'static str {
    if operation.f == "cas" { "a compare-and-set" } else { "a read" }
}

fn of_key(operation: &OperationRef<'_>) -> String {
    operation.key.map_or_else(String::new, |key| format!(" of {key}"))
}

fn through(operation: &OperationRef<'_>) -> String {
    operation.node.map_or_else(String::new, |node| format!(" through {node}"))
}

fn shown(value: &Value) -> String {
    let text = if *value == Value::Null { "nothing".to_owned() } else { value.to_string() };
    if text.chars().count() <= SHOWN {
        return text;
    }
    let start: String = text.chars().take(SHOWN).collect();
    format!("{start}…")
}

/// The value an operation leaves behind, if it succeeds and that is all it does.
fn written<'a>(operation: &OperationRef<'a>) -> Option<&'a Value> {
    match operation.f {
        "write" | "put" => Some(operation.argument),
        "cas" => operation.argument.as_array()?.get(1),
        _ => None,
    }
}

fn never_written(value: &Value, earlier: &[OperationRef<'_>]) -> Option<String> {
    let readable = |other: &OperationRef<'_>| {
        matches!(other.f, "read" | "get" | "delete") || written(other).is_some_and(|it| it != value)
    };
    (*value != Value::Null && earlier.iter().all(readable))
        .then(|| "which no operation had written".to_owned())
}

/// A key that was only appended to cannot hold more than all that was appended.
fn too_long(value: &Value, earlier: &[OperationRef<'_>]) -> Option<String> {
    let mut room = 0;
    for other in earlier.iter().filter(|other| !matches!(other.f, "read" | "get")) {
        room += if other.f == "append" { other.argument.as_str()?.len() } else { return None };
    }
    let long = value.as_str()?.len() > room;
    long.then(|| "which is more than had been appended until then".to_owned())
}

/// Two compare-and-sets that took the same value away, which was there only once.
fn twice_from(witness: &Witness, operations: &Operations, odd: &OperationRef<'_>) -> Option<String> {
    let succeeded = |other: &OperationRef<'_>| other.f == "cas" && matches!(other.outcome, OutcomeRef::Ok(_));
    let parts =
        |other: &OperationRef<'_>| Some((other.argument.get(0)?.clone(), other.argument.get(1)?.clone()));
    let (from, to) = parts(odd).filter(|_| succeeded(odd))?;
    let twin = witness.operations.iter().map(|index| operations.at(*index)).find(|other| {
        other.invoked != odd.invoked && succeeded(other) && parts(other).is_some_and(|(its, _)| its == from)
    })?;
    let sources = operations.iter().filter(|other| other.key == odd.key && written(other) == Some(&from));
    let (_, other_to) = parts(&twin).filter(|_| sources.count() == 1)?;
    Some(format!(
        "two compare-and-sets{} from {} succeeded, to {}{} and to {}{}",
        of_key(odd),
        shown(&from),
        shown(&other_to),
        through(&twin),
        shown(&to),
        through(odd),
    ))
}

/// The only value that was possible, where an operation had written it before, or else read it.
fn overtaken(
    witness: &Witness,
    odd: &OperationRef<'_>,
    value: &Value,
    earlier: &[OperationRef<'_>],
) -> Option<String> {
    let [possible] = witness.values.as_slice() else { return None };
    let there = |it: &Value| it != value && is_named(it, possible);
    let before = |other: &&OperationRef<'_>| {
        matches!(other.outcome, OutcomeRef::Ok(_)) && other.completed.is_some_and(|end| end < odd.invoked)
    };
    let was_read = || {
        earlier.iter().filter(before).find_map(|other| match other.outcome {
            OutcomeRef::Ok(result) if matches!(other.f, "read" | "get") && there(result) => Some(result),
            OutcomeRef::Ok(_) | OutcomeRef::Fail { .. } | OutcomeRef::Info { .. } => None,
        })
    };
    let was_written =
        || earlier.iter().filter(before).filter_map(|other| written(other)).find(|it| there(it));
    was_written()
        .map(|it| format!("{} had been written before it", shown(it)))
        .or_else(|| was_read().map(|it| format!("{} had been read before it", shown(it))))
}

/// What replaced the value before the operation began: the last write that followed the only one that had left the value.
fn overwritten(odd: &OperationRef<'_>, value: &Value, earlier: &[OperationRef<'_>]) -> Option<String> {
    let is_ok = |other: &OperationRef<'_>| matches!(other.outcome, OutcomeRef::Ok(_));
    let leaves =
        |other: &&OperationRef<'_>| written(other) == Some(value) || (value.is_null() && other.f == "delete");
    let plain =
        |other: &OperationRef<'_>| matches!(other.f, "read" | "get" | "write" | "put" | "cas" | "delete");
    let mut sources = earlier.iter().filter(leaves);
    let left = match (sources.next(), sources.next()) {
        (None, _) if value.is_null() => 0,
        (Some(only), None) if is_ok(only) => only.completed?,
        _ => return None,
    };
    let over = earlier.iter().filter(|other| is_ok(other) && other.invoked >= left);
    let over = over.filter(|other| other.completed.is_some_and(|end| end < odd.invoked));
    let new = over.filter_map(|other| Some((other.completed, written(other)?)));
    let (_, new) = new.filter(|(_, new)| *new != value).max_by_key(|(end, _)| *end)?;
    earlier.iter().all(plain).then(|| format!("{} had been written before it", shown(new)))
}
