//! Answers of transactions that leave out steps of their requests.

use crate::words;
use history::{Kind, Operation, Operations, Outcome, Step, StepKind, Steps, ToOperations};
use serde_json::Value;

/// Another reading of a history: its answers have the steps that they leave out.
#[derive(Debug, Clone, PartialEq)]
pub struct Completed {
    /// The operations with the steps at their places in the requests.
    pub operations: Vec<Operation>,
    /// The first operation whose answer is another now.
    pub first: usize,
    /// What this reading takes for granted, as a clause that follows "unless".
    pub unless: String,
}

/// The readings of a history in which answers have the writes of their requests, and name keys as these do. A read that
/// several steps of a request may be is the first of them in one reading, and the last in the other. Empty if every answer
/// has all writes of its request.
pub fn completed(operations: &(impl ToOperations + ?Sized)) -> Vec<Completed> {
    let operations = &*operations.to_operations();
    if (0..operations.len()).all(|index| has_all_steps(operations, index)) {
        return Vec::new();
    }
    let mut readings: Vec<Completed> =
        [false, true].into_iter().filter_map(|from_end| reading(operations, from_end)).collect();
    readings.dedup();
    readings
}

/// Whether an answer certainly has every step of its request, and names keys as it does.
fn has_all_steps(operations: &Operations, index: usize) -> bool {
    let answer = operations.transaction(index);
    if answer.kind != Kind::Ok {
        return true;
    }
    let (Steps::Packed(asked), Steps::Packed(answered)) = (operations.request(index), answer.steps) else {
        return false;
    };
    let same = |(asked, answered): (Step<'_>, Step<'_>)| {
        let reads = asked.kind == StepKind::Read;
        (asked.kind, asked.key) == (answered.kind, answered.key)
            && (reads || asked.content == answered.content)
    };
    asked.len() == answered.len() && asked.zip(answered).all(same)
}

fn reading(operations: &Operations, from_end: bool) -> Option<Completed> {
    let mut operations = operations.to_vec();
    let mut first: Option<(usize, String)> = None;
    for (index, operation) in operations.iter_mut().enumerate() {
        let Outcome::Ok(Value::Array(answer)) = &mut operation.outcome else { continue };
        let Some(request) = operation.argument.as_array() else { continue };
        let whole = whole(request, answer, from_end);
        if whole == *answer {
            continue;
        }
        let renamed = answer.iter().find(|step| request.iter().all(|asked| asked[1] != step[1]));
        first.get_or_insert_with(|| (index, clause(index, renamed)));
        *answer = whole;
    }
    first.map(|(first, unless)| Completed { operations, first, unless })
}

fn clause(index: usize, renamed: Option<&Value>) -> String {
    match renamed {
        Some(step) => format!(
            "the key {} in the answer of operation {index} is a key of its request, which has it in another form",
            words::shown(&step[1])
        ),
        None => format!(
            "the steps took effect that answers leave out, the first of them operation {index}'s; an answer should have \
             every step of its request"
        ),
    }
}

fn is_write(step: &Value) -> bool {
    matches!(step[0].as_str(), Some("w" | "write" | "append")) && !step[2].is_null()
}

/// Whether a step of an answer may be this step of the request. Numbers may be text where keys of objects were.
fn answers(step: &Value, asked: &Value) -> bool {
    let text = |key: &Value| key.as_str().map_or_else(|| key.to_string(), str::to_owned);
    let (Some(key), Some(asked_key)) = (step.get(1), asked.get(1)) else { return false };
    let same_key = key == asked_key || text(key) == text(asked_key);
    step[0] == asked[0] && same_key && (!is_write(asked) || step[2] == asked[2])
}

/// An answer with all writes of its request in the order of the request. What is not understood stays, and the writes that
/// it leaves out follow it.
fn whole(request: &[Value], answer: &[Value], from_end: bool) -> Vec<Value> {
    let mut by_request: Vec<Option<&Value>> = vec![None; request.len()];
    let mut open: Vec<usize> = (0..request.len()).collect();
    let mut steps: Vec<&Value> = answer.iter().collect();
    if from_end {
        open.reverse();
        steps.reverse();
    }
    let mut places = open.into_iter();
    let in_order = steps.into_iter().all(|step| {
        let place = places.find(|place| answers(step, &request[*place]));
        place.is_some_and(|place| by_request[place].replace(step).is_none())
    });
    if !in_order {
        let left_out = request.iter().filter(|step| is_write(step) && !answer.contains(step));
        return answer.iter().chain(left_out).cloned().collect();
    }
    let pairs = request.iter().zip(by_request);
    let steps = pairs.filter_map(|(asked, step)| match step {
        Some(step) => {
            let mut step = step.clone();
            step[1] = asked[1].clone();
            Some(step)
        }
        None => is_write(asked).then(|| asked.clone()),
    });
    steps.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use history::{Event, Process, pair};
    use serde_json::json;

    /// The answer of a transaction in each reading.
    fn read(asked: &Value, answered: &Value) -> Vec<Value> {
        let txn = |kind, value: &Value| {
            let mut event = Event::new(Process::Client(0), kind, "txn");
            event.value = value.clone();
            event
        };
        let operations = pair(&[txn(Kind::Invoke, asked), txn(Kind::Ok, answered)]).unwrap();
        let readings = completed(&operations).into_iter().map(|reading| {
            assert_eq!(reading.first, 0);
            match &reading.operations[0].outcome {
                Outcome::Ok(answer) => answer.clone(),
                outcome => panic!("{outcome:?}"),
            }
        });
        readings.collect()
    }

    #[test]
    fn left_out_writes_come_back_in_place() {
        let asked = json!([["append", "x", 1], ["r", "x", null], ["append", "y", 2]]);
        assert_eq!(read(&asked, &asked), [Value::Null; 0]);
        assert_eq!(
            read(&asked, &json!([["append", "x", 1]])),
            [json!([["append", "x", 1], ["append", "y", 2]])]
        );
        assert_eq!(
            read(&asked, &json!([["r", "x", [1]]])),
            [json!([["append", "x", 1], ["r", "x", [1]], ["append", "y", 2]])]
        );
        assert_eq!(read(&json!([["write", 1, 5]]), &json!([])), [json!([["write", 1, 5]])]);
        assert_eq!(read(&json!([["poll"], 7]), &json!([["poll"]])), [Value::Null; 0]);
        // Another order than that of the request.
        assert_eq!(
            read(&asked, &json!([["r", "x", [1]], ["append", "x", 1]])),
            [json!([["r", "x", [1]], ["append", "x", 1], ["append", "y", 2]])]
        );
    }

    #[test]
    fn read_may_be_either_of_two_steps() {
        let asked = json!([["r", "x", null], ["w", "x", 5], ["r", "x", null]]);
        assert_eq!(
            read(&asked, &json!([["r", "x", 5]])),
            [json!([["r", "x", 5], ["w", "x", 5]]), json!([["w", "x", 5], ["r", "x", 5]])]
        );
    }

    #[test]
    fn keys_are_those_of_the_request() {
        assert_eq!(read(&json!([["r", 1, null]]), &json!([["r", "1", [5]]])), [json!([["r", 1, [5]]])]);
    }
}
