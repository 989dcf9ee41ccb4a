//! Writes `operations.json` of etcd's robustness tests, without revisions, which our histories do not have.

use super::Refusal;
use super::story::{Texts, found};
use history::{Event, Operation, Outcome, pair};
use serde_json::{Value, json};

/// No end in sight, as etcd writes it.
const NEVER: i64 = i64::MAX;

/// A compare-and-set that found another value is written as the read it amounts to; operations that did not
/// happen are left out. Times are moved apart so that their order is that of the events.
pub(super) fn write(events: &[Event]) -> Result<Vec<u8>, Refusal> {
    let operations = pair(events).map_err(|error| Refusal { event: None, message: error.to_string() })?;
    let times = distinct_times(events);
    let mut texts = Texts::default();
    let mut out = Vec::new();
    for operation in &operations {
        let Some(input) = input(operation, &mut texts)? else { continue };
        let output = output(operation, &mut texts)?;
        let end = operation.completed.map_or(Ok(NEVER), |index| nanoseconds(index, times[index]))?;
        let entry = json!({
            "ClientId": operation.process,
            "Input": input,
            "Call": nanoseconds(operation.invoked, times[operation.invoked])?,
            "Output": output,
            "Return": end,
        });
        serde_json::to_writer(&mut out, &entry).map_err(|error| {
            Refusal::at(operation.invoked, format!("it cannot be written as JSON: {error}"))
        })?;
        out.push(b'\n');
    }
    Ok(out)
}

fn distinct_times(events: &[Event]) -> Vec<u64> {
    let mut last = None;
    let next = |event: &Event| {
        let time = last.map_or(event.time, |last: u64| event.time.max(last.saturating_add(1)));
        last = Some(time);
        time
    };
    events.iter().map(next).collect()
}

fn nanoseconds(index: usize, time: u64) -> Result<i64, Refusal> {
    i64::try_from(time)
        .ok()
        .filter(|&time| time < NEVER)
        .ok_or_else(|| Refusal::at(index, "its time is beyond 2^63 nanoseconds"))
}

/// What a read found; none for what is no read.
fn read(operation: &Operation) -> Option<&Value> {
    match &operation.outcome {
        Outcome::Ok(value) if matches!(operation.f.as_str(), "read" | "get") => Some(value),
        Outcome::Ok(_) | Outcome::Fail { .. } | Outcome::Info { .. } => found(operation),
    }
}

/// None for an operation that says nothing.
fn input(operation: &Operation, texts: &mut Texts) -> Result<Option<Value>, Refusal> {
    let index = operation.invoked;
    let key = operation.key.as_deref().ok_or_else(|| Refusal::at(index, "every operation needs a key"))?;
    let failed = matches!(operation.outcome, Outcome::Fail { .. });
    let differed =
        matches!(&operation.outcome, Outcome::Fail { error: Some(error), .. } if error == "precondition");
    if read(operation).is_some() {
        return Ok(Some(
            json!({"Type": "range", "Range": {"Start": key, "End": "", "Limit": 0, "Revision": 0}}),
        ));
    }
    let step = match operation.f.as_str() {
        "read" | "get" => return Ok(None),
        "put" | "write" | "delete" if failed => return Ok(None),
        "cas" if failed && !differed => return Ok(None),
        "put" | "write" => {
            let text = texts.text(index, &operation.argument)?;
            json!({"Type": "put-operation", "Put": {"Key": key, "Value": {"Value": text, "Hash": 0}, "LeaseID": 0}})
        }
        "delete" => json!({"Type": "delete-operation", "Delete": {"Key": key}}),
        other => {
            return Err(Refusal::at(index, format!("it has get, put and delete, but no {other} by value")));
        }
    };
    let txn = json!({"Conditions": null, "OperationsOnSuccess": [step], "OperationsOnFailure": null});
    Ok(Some(json!({"Type": "txn", "Txn": txn})))
}

fn output(operation: &Operation, texts: &mut Texts) -> Result<Value, Refusal> {
    let key = operation.key.as_deref().unwrap_or_default();
    if let Some(value) = read(operation) {
        let entries = match value {
            Value::Null => json!([]),
            value => {
                let text = texts.text(operation.invoked, value)?;
                json!([{"Key": key, "Value": {"Value": text, "Hash": 0}, "ModRevision": 0}])
            }
        };
        let count = entries.as_array().map_or(0, Vec::len);
        return Ok(json!({"Range": {"KVs": entries, "Count": count}, "Revision": 0, "Error": ""}));
    }
    Ok(match &operation.outcome {
        Outcome::Ok(_) => {
            // Our histories do not say whether a delete found its key.
            let result = if operation.f == "delete" {
                json!({"KVs": null, "Count": 0})
            } else {
                json!({"KVs": null, "Count": 0, "Deleted": 0})
            };
            let results = json!([result]);
            json!({"Txn": {"Failure": false, "Results": results}, "Revision": 0, "Error": ""})
        }
        Outcome::Fail { error, .. } | Outcome::Info { error } => {
            json!({"Revision": 0, "Error": error.as_deref().filter(|error| !error.is_empty()).unwrap_or("unknown")})
        }
    })
}
