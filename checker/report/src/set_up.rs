//! Histories that look like a wrong description of answers in `[client]` rather than like a fault of the system.

use super::observed::Observed;
use super::verdict::many;
use checker::elements::Kind;
use history::{OperationRef, Operations, OutcomeRef};
use serde_json::Value;
use std::collections::BTreeSet;

/// The reason why a described client may misread its answers: a rule in `[client]` that reads the wrong part of an answer is likelier
/// than a system that never shows any acknowledged value. None if the answers look right, and for clients of the bench's own.
pub(crate) fn doubt(observed: &Observed, kind: Kind) -> Option<String> {
    if !observed.plan.described {
        return None;
    }
    let operations = &observed.operations;
    match kind {
        Kind::SetFinal => never_shown(operations, |add| !add.argument.is_null()),
        Kind::GCounter | Kind::PnCounter => never_shown(operations, |add| *add.argument != 0),
        Kind::UniqueIds => always_same(operations, "generate", |id| Some(id.to_string())),
        // Every log has an offset 0.
        Kind::Kafka if a_key_was_sent_to_twice(operations) => {
            always_same(operations, "send", |sent| Some(sent[0][2].get(0)?.to_string()))
        }
        _ => None,
    }
}

/// The reason why a described client may misread the answers of a lock: no acquire was ever refused. None for other histories.
pub(crate) fn never_refused(observed: &Observed) -> Option<&'static str> {
    (observed.plan.described && refused_acquires(observed)? == 0).then_some(
        "no acquire was ever refused; a rule in [client] may take refusals for successes, value-differs = true is for them",
    )
}

/// The number of acquires that were refused because another client had the lock; none in a history without acquires.
pub(crate) fn refused_acquires(observed: &Observed) -> Option<u64> {
    let mut acquires = observed.operations.iter().filter(|operation| operation.f == "acquire").peekable();
    acquires.peek()?;
    let refused = acquires.filter(
        |acquire| matches!(acquire.outcome, OutcomeRef::Fail { error, .. } if error == Some("precondition")),
    );
    Some(refused.count() as u64)
}

fn acknowledged<'a>(
    operations: &'a Operations,
    f: &'a str,
) -> impl Iterator<Item = (OperationRef<'a>, &'a Value)> {
    operations.iter().filter(move |operation| operation.f == f).filter_map(|operation| {
        match operation.outcome {
            OutcomeRef::Ok(value) => Some((operation, value)),
            OutcomeRef::Fail { .. } | OutcomeRef::Info { .. } => None,
        }
    })
}

/// No read shows anything, though something was added.
fn never_shown(operations: &Operations, counts: impl Fn(&OperationRef<'_>) -> bool) -> Option<String> {
    let added = acknowledged(operations, "add").filter(|(add, _)| counts(add)).count() as u64;
    let is_empty =
        |value: &Value| value.is_null() || *value == 0 || value.as_array().is_some_and(Vec::is_empty);
    let mut reads = acknowledged(operations, "read").peekable();
    reads.peek()?;
    (added > 0 && reads.all(|(_, value)| is_empty(value))).then(|| {
        format!(
            "no read ever showed anything of {}; add and read in [client] may be about different things",
            many(added, "acknowledged add")
        )
    })
}

fn a_key_was_sent_to_twice(operations: &Operations) -> bool {
    let mut keys = BTreeSet::new();
    acknowledged(operations, "send").any(|(_, sent)| !keys.insert(sent[0][1].to_string()))
}

/// Every answer of a function has the same value in the place of what must differ.
fn always_same(operations: &Operations, f: &str, of: impl Fn(&Value) -> Option<String>) -> Option<String> {
    let mut values = acknowledged(operations, f).filter_map(|(_, value)| of(value));
    let first = values.next()?;
    let mut others = 0_u64;
    for value in values {
        if value != first {
            return None;
        }
        others += 1;
    }
    (others > 1)
        .then(|| format!("every answer to a {f} had {first}; the rule in [client] may read the wrong place"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use history::Operation;
    use serde_json::json;

    fn operation(f: &str, argument: &Value, result: &Value) -> Operation {
        let line = |kind: &str, value: &Value| {
            format!("{{\"time\":1,\"process\":0,\"type\":\"{kind}\",\"f\":\"{f}\",\"value\":{value}}}\n")
        };
        let header = "{\"history\":1,\"spec\":\"t\",\"variant\":\"main\",\"model\":\"set\",\"seed\":1,\"started\":\"2026-11-23T10:00:00Z\"}\n";
        let text = format!("{header}{}{}", line("invoke", argument), line("ok", result));
        let events = history::read_jsonl(text.as_bytes()).unwrap().events;
        history::pair(&events).unwrap().remove(0)
    }

    #[test]
    fn reads_that_never_show_anything_are_doubted() {
        let add = || operation("add", &json!(3), &json!(3));
        let read = |value: Value| operation("read", &Value::Null, &value);
        let doubt = |operations: &[Operation]| never_shown(&operations.iter().collect(), |_| true);
        assert!(doubt(&[add(), read(json!([])), read(Value::Null)]).is_some());
        assert!(doubt(&[add(), read(json!(0))]).is_some());
        assert_eq!(doubt(&[add(), read(json!([])), read(json!([3]))]), None);
        assert_eq!(doubt(&[read(json!([]))]), None);
        assert_eq!(doubt(&[add()]), None);
    }

    #[test]
    fn first_messages_of_logs_have_one_offset() {
        let send = |key: &str| operation("send", &json!([["send", key, 1]]), &json!([["send", key, [0, 1]]]));
        let twice = |keys: [&str; 3]| a_key_was_sent_to_twice(&keys.into_iter().map(send).collect());
        assert!(!twice(["k1", "k2", "k3"]));
        assert!(twice(["k1", "k2", "k1"]));
    }

    #[test]
    fn one_value_for_all_answers_is_doubted() {
        let id = |value: Value| operation("generate", &Value::Null, &value);
        let doubt = |operations: &[Operation]| {
            always_same(&operations.iter().collect(), "generate", |id| Some(id.to_string()))
        };
        assert!(doubt(&[id(json!(1)), id(json!(1)), id(json!(1))]).is_some());
        assert_eq!(doubt(&[id(json!(1)), id(json!(1))]), None, "two may be chance");
        assert_eq!(doubt(&[id(json!(1)), id(json!(1)), id(json!(2))]), None);
    }
}
