//! A violation in one plain sentence, where its witness makes it plain.

use super::sources::is_named;
use checker::linearizability::Witness;
use history::{Operation, Outcome};
use serde_json::Value;

/// Letters of a value that are shown.
const SHOWN: usize = 40;

/// What the witness shows, in a reader's words: `a read of k29 through r2 returned 121 although 454 had been
/// read before it`. None where that would need more than a sentence.
pub(crate) fn violation(witness: &Witness, operations: &[Operation]) -> Option<String> {
    let odd = &operations[witness.operation];
    let (saw, value) = observation(odd)?;
    let earlier: Vec<&Operation> = operations
        .iter()
        .filter(|other| !std::ptr::eq(*other, odd) && other.key == odd.key)
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
fn observation(operation: &Operation) -> Option<(String, &Value)> {
    match (operation.f.as_str(), &operation.outcome) {
        ("read" | "get", Outcome::Ok(value)) => Some((format!("returned {}", shown(value)), value)),
        ("cas", Outcome::Ok(_)) => {
            let [from, to] = operation.argument.as_array()?.as_slice() else { return None };
            Some((format!("from {} to {} succeeded", shown(from), shown(to)), from))
        }
        ("cas", Outcome::Fail { actual: Some(actual), .. }) => {
            Some((format!("found {}", shown(actual)), actual))
        }
        _ => None,
    }
}

fn subject(operation: &Operation) -> &'static str {
    if operation.f == "cas" { "a compare-and-set" } else { "a read" }
}

fn of_key(operation: &Operation) -> String {
    operation.key.as_ref().map_or_else(String::new, |key| format!(" of {key}"))
}

fn through(operation: &Operation) -> String {
    operation.node.as_ref().map_or_else(String::new, |node| format!(" through {node}"))
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
fn written(operation: &Operation) -> Option<&Value> {
    match operation.f.as_str() {
        "write" | "put" => Some(&operation.argument),
        "cas" => operation.argument.as_array()?.get(1),
        _ => None,
    }
}

fn never_written(value: &Value, earlier: &[&Operation]) -> Option<String> {
    let readable = |other: &&Operation| {
        matches!(other.f.as_str(), "read" | "get" | "delete") || written(other).is_some_and(|it| it != value)
    };
    (*value != Value::Null && earlier.iter().all(readable))
        .then(|| "which no operation had written".to_owned())
}

/// A key that was only appended to cannot hold more than all that was appended.
fn too_long(value: &Value, earlier: &[&Operation]) -> Option<String> {
    let mut room = 0;
    for other in earlier.iter().filter(|other| !matches!(other.f.as_str(), "read" | "get")) {
        room += if other.f == "append" { other.argument.as_str()?.len() } else { return None };
    }
    let long = value.as_str()?.len() > room;
    long.then(|| "which is more than had been appended until then".to_owned())
}

/// Two compare-and-sets that took the same value away, which was there only once.
fn twice_from(witness: &Witness, operations: &[Operation], odd: &Operation) -> Option<String> {
    let succeeded = |other: &Operation| other.f == "cas" && matches!(other.outcome, Outcome::Ok(_));
    let parts = |other: &Operation| Some((other.argument.get(0)?.clone(), other.argument.get(1)?.clone()));
    let (from, to) = parts(odd).filter(|_| succeeded(odd))?;
    let twin = witness.operations.iter().map(|index| &operations[*index]).find(|other| {
        !std::ptr::eq(*other, odd) && succeeded(other) && parts(other).is_some_and(|(its, _)| its == from)
    })?;
    let sources = operations.iter().filter(|other| other.key == odd.key && written(other) == Some(&from));
    let (_, other_to) = parts(twin).filter(|_| sources.count() == 1)?;
    Some(format!(
        "two compare-and-sets{} from {} succeeded, to {}{} and to {}{}",
        of_key(odd),
        shown(&from),
        shown(&other_to),
        through(twin),
        shown(&to),
        through(odd),
    ))
}

/// The only value that was possible, where an operation had written it before, or else read it.
fn overtaken(witness: &Witness, odd: &Operation, value: &Value, earlier: &[&Operation]) -> Option<String> {
    let [possible] = witness.values.as_slice() else { return None };
    let there = |it: &Value| it != value && is_named(it, possible);
    let before = |other: &&&Operation| {
        matches!(other.outcome, Outcome::Ok(_)) && other.completed.is_some_and(|end| end < odd.invoked)
    };
    let was_read = || {
        earlier.iter().filter(before).find_map(|other| match &other.outcome {
            Outcome::Ok(result) if matches!(other.f.as_str(), "read" | "get") && there(result) => {
                Some(result)
            }
            Outcome::Ok(_) | Outcome::Fail { .. } | Outcome::Info { .. } => None,
        })
    };
    let was_written =
        || earlier.iter().filter(before).filter_map(|other| written(other)).find(|it| there(it));
    was_written()
        .map(|it| format!("{} had been written before it", shown(it)))
        .or_else(|| was_read().map(|it| format!("{} had been read before it", shown(it))))
}

/// What replaced the value before the operation began: the last write that followed the only one that had left the value.
fn overwritten(odd: &Operation, value: &Value, earlier: &[&Operation]) -> Option<String> {
    let is_ok = |other: &Operation| matches!(other.outcome, Outcome::Ok(_));
    let leaves =
        |other: &&&Operation| written(other) == Some(value) || (value.is_null() && other.f == "delete");
    let plain =
        |other: &&Operation| matches!(other.f.as_str(), "read" | "get" | "write" | "put" | "cas" | "delete");
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
