//! Operations, values and times in words: the same ones wherever a person reads them.

use history::{OperationRef, OutcomeRef};
use serde_json::Value;

/// Items of a list that are shown.
const ITEMS_SHOWN: usize = 6;
/// Letters of a value that are shown.
const LETTERS_SHOWN: usize = 60;

/// A count with its noun: `1 lost element`, `7 lost elements`.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A value, shortened where it is long.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Array(items) if items.len() > ITEMS_SHOWN => {
            let first: Vec<String> = items.iter().take(ITEMS_SHOWN).map(shown).collect();
            format!("[{}, … {} in all]", first.join(","), items.len())
        }
        Value::Object(_) | Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            shortened(&value.to_string())
        }
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LETTERS_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Who asked: `client 3`, or `process 3` where the history names no clients.
pub fn who<'a>(operation: impl Into<OperationRef<'a>>) -> String {
    let operation = operation.into();
    who_of(operation.client, operation.process)
}

pub(crate) fn who_of(client: Option<u32>, process: u64) -> String {
    client.map_or_else(|| format!("process {process}"), |client| format!("client {client}"))
}

/// An operation with its result: `add 5 → ok`, `read → [1,2]`.
pub fn in_short<'a>(operation: impl Into<OperationRef<'a>>) -> String {
    let operation = operation.into();
    let key = operation.key.map_or_else(String::new, |key| format!(" {key}"));
    let argument = match (operation.argument, operation.f) {
        (Value::Null, _) => String::new(),
        (Value::Array(parts), "cas") if parts.len() == 2 => {
            format!(" from {} to {}", shown(&parts[0]), shown(&parts[1]))
        }
        (value, _) => format!(" {}", shown(value)),
    };
    let why =
        |error: Option<&str>| error.map_or_else(String::new, |error| format!(" ({})", shortened(error)));
    let result = match operation.outcome {
        OutcomeRef::Ok(value) if tells_more(operation, value) => shown(value),
        OutcomeRef::Ok(_) => "ok".to_owned(),
        OutcomeRef::Fail { actual: Some(actual), .. } => format!("refused, found {}", shown(actual)),
        OutcomeRef::Fail { error, .. } => format!("fail{}", why(error)),
        OutcomeRef::Info { error } => format!("info{}", why(error)),
    };
    format!("{}{key}{argument} → {result}", operation.f)
}

/// Whether a result says anything that the argument does not.
fn tells_more(operation: OperationRef<'_>, result: &Value) -> bool {
    match operation.argument {
        Value::Null => !matches!(operation.f, "delete" | "acquire" | "release" | "lock" | "unlock"),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            !result.is_null() && result != operation.argument
        }
    }
}

/// An operation with who, where and when.
pub fn in_words<'a>(operation: impl Into<OperationRef<'a>>) -> String {
    in_words_since(operation, 0)
}

/// The same with times that count from a moment, in nanoseconds of the history's clock.
pub fn in_words_since<'a>(operation: impl Into<OperationRef<'a>>, origin_ns: u64) -> String {
    let operation = operation.into();
    let who = who(operation);
    let node = operation.node.map_or_else(String::new, |node| format!(" on {node}"));
    // Where a file has no times, they count the events.
    if operation.invoked_ns == operation.invoked as u64 {
        let end = operation.completed.map_or_else(|| "…".to_owned(), |event| event.to_string());
        return format!("{who}: {}{node}, events {}–{end}", in_short(operation), operation.invoked);
    }
    let start = moment(operation.invoked_ns, origin_ns);
    let time = operation.completed_ns.map_or_else(
        || format!("from {start}, never completed"),
        |end| {
            let took = duration(end.saturating_sub(operation.invoked_ns));
            format!("from {start} to {} ({took})", moment(end, origin_ns))
        },
    );
    format!("{who}: {}{node}, {time}", in_short(operation))
}

/// A moment in seconds since another one.
fn moment(ns: u64, origin_ns: u64) -> String {
    let sign = if ns < origin_ns { "−" } else { "" };
    format!("{sign}{:.6} s", ns.abs_diff(origin_ns) as f64 / 1e9)
}

/// A time as people read it: `850 µs`, `4.2 ms`, `1.35 s`.
pub fn duration(ns: u64) -> String {
    let value = ns as f64;
    match ns {
        0 => "0 s".to_owned(),
        1..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{:.0} µs", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} ms", value / 1e6),
        1_000_000_000.. => format!("{:.2} s", value / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn long_values_are_shortened_where_a_letter_ends() {
        assert_eq!(shown(&json!([1, 2, 3])), "[1,2,3]");
        assert_eq!(shown(&json!([1, 2, 3, 4, 5, 6, 7])), "[1,2,3,4,5,6, … 7 in all]");
        let long = shown(&json!("ü".repeat(100)));
        assert!(long.ends_with('…') && long.chars().count() == LETTERS_SHOWN + 1, "{long}");
        assert_eq!(shown(&Value::Null), "nothing");
    }

    #[test]
    fn times_have_the_unit_that_fits() {
        let words = [0, 999, 1_000, 1_500_000, 2_345_000_000].map(duration);
        assert_eq!(words, ["0 s", "999 ns", "1 µs", "1.5 ms", "2.35 s"]);
    }
}
