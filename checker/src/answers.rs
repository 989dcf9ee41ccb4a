//! Answers of transactions that leave out steps of their requests.

use history::{Operation, Outcome};
use serde_json::Value;

/// The operations with the writes back in their answers that these leave out, and the first operation of that kind. None
/// if every answer has all writes of its request.
pub fn with_left_out_writes(operations: &[Operation]) -> Option<(Vec<Operation>, usize)> {
    let mut completed = operations.to_vec();
    let mut first = None;
    for (index, operation) in completed.iter_mut().enumerate() {
        let Outcome::Ok(Value::Array(answer)) = &mut operation.outcome else { continue };
        let Some(request) = operation.argument.as_array() else { continue };
        let writes = request.iter().filter(|step| {
            matches!(step.get(0).and_then(Value::as_str), Some("w" | "write" | "append"))
                && !step[2].is_null()
        });
        let left_out: Vec<Value> = writes.filter(|step| !answer.contains(step)).cloned().collect();
        if !left_out.is_empty() {
            answer.extend(left_out);
            first.get_or_insert(index);
        }
    }
    first.map(|first| (completed, first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use history::{Event, Kind, Process, pair};
    use serde_json::json;

    #[test]
    fn left_out_writes_come_back() {
        let txn = |kind, value| {
            let mut event = Event::new(Process::Client(0), kind, "txn");
            event.value = value;
            event
        };
        let asked = json!([["append", "x", 1], ["r", "x", null], ["append", "y", 2]]);
        let whole = [txn(Kind::Invoke, asked.clone()), txn(Kind::Ok, asked.clone())];
        assert_eq!(with_left_out_writes(&pair(&whole).unwrap()), None);
        let part = [txn(Kind::Invoke, asked), txn(Kind::Ok, json!([["append", "x", 1]]))];
        let (completed, first) = with_left_out_writes(&pair(&part).unwrap()).unwrap();
        assert_eq!(first, 0);
        assert_eq!(completed[0].outcome, Outcome::Ok(json!([["append", "x", 1], ["append", "y", 2]])));
    }
}
