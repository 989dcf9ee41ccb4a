//! Between the operations of the clients and the commands of the store: what HTTP does in a real run.

use node::core::Reply;
use node::store::{Answer as Stored, Operation as Command};
use serde_json::{Value, json};
use std::sync::Arc;
use workloads::outcome::{Answer, Happened};
use workloads::{Function, LoadSpec, Operation, Workload, history_value, stored_text};

/// The command that an operation is for the store; `keys` is how many accounts a bank has.
pub(super) fn command(operation: &Operation, keys: u32) -> Command {
    let key = operation.key.clone();
    let argument = &operation.argument;
    match operation.function {
        Function::Read | Function::Get => Command::Get { key },
        Function::Write | Function::Put => Command::Put { key, value: Arc::new(stored_text(argument)) },
        Function::Delete => Command::Delete { key },
        Function::Cas => {
            let from = Some(&argument[0]).filter(|from| !from.is_null()).map(stored_text);
            Command::Cas { key, from, to: stored_text(&argument[1]) }
        }
        Function::Append => Command::Append { key, value: stored_text(argument) },
        Function::Txn => {
            Command::Transaction { operations: argument.as_array().into_iter().flatten().map(step).collect() }
        }
        Function::Transfer => {
            let end = |name: &str| argument[name].as_str().unwrap_or_default().to_owned();
            let amount = argument["amount"].as_u64().unwrap_or_default();
            Command::Transfer { from: end("from"), to: end("to"), amount }
        }
        Function::Total => Command::Total { accounts: (0..keys).map(LoadSpec::key_name).collect() },
        Function::Enqueue
        | Function::Dequeue
        | Function::Add
        | Function::Generate
        | Function::Echo
        | Function::Send
        | Function::Poll
        | Function::Acquire
        | Function::Release => unreachable!("the store has no such operation, and its specs are refused"),
    }
}

/// A step of a transaction. A list is kept as its elements, each behind a comma.
fn step(step: &Value) -> Command {
    let key = stored_text(&step[1]);
    match step[0].as_str() {
        Some("append") => Command::Append { key, value: format!(",{}", stored_text(&step[2])) },
        Some("w") => Command::Put { key, value: Arc::new(stored_text(&step[2])) },
        Some(_) | None => Command::Get { key },
    }
}

/// What a reply means for an operation.
pub(super) fn happened(workload: Workload, operation: &Operation, reply: Reply) -> Happened {
    Happened::Answered(match reply {
        Reply::Applied(answer, _) => meaning(workload, operation, answer),
        Reply::Refused(_) => Answer::NotApplied,
        Reply::Undecided(_) => Answer::Unlisted(504),
    })
}

fn meaning(workload: Workload, operation: &Operation, answer: Stored) -> Answer {
    let value = |value: Option<Arc<String>>| {
        value.map_or(Value::Null, |text| history_value(workload, Arc::unwrap_or_clone(text)))
    };
    let function = operation.function;
    match answer {
        Stored::Value(found) if function.is_read() => Answer::Value(value(found)),
        Stored::Differs(found) if function == Function::Cas => Answer::Precondition(value(found)),
        Stored::Results(answers) if function == Function::Txn => {
            results(workload, &operation.argument, answers).map_or(Answer::Unreadable, Answer::Value)
        }
        Stored::Balances(balances) => {
            let balances: serde_json::Map<_, _> =
                balances.into_iter().map(|(account, balance)| (account, balance.into())).collect();
            Answer::Value(Value::Object(balances))
        }
        Stored::Refused(_) | Stored::NotKept { changed: false } if function == Function::Transfer => {
            Answer::Precondition(Value::Null)
        }
        Stored::Done => Answer::Applied,
        Stored::Absent if function == Function::Delete => Answer::Applied,
        Stored::TooLarge => Answer::Rejected,
        Stored::Forgotten | Stored::NotKept { changed: true } => Answer::Unlisted(410),
        Stored::Value(_)
        | Stored::Differs(_)
        | Stored::Results(_)
        | Stored::Absent
        | Stored::NotANumber(_)
        | Stored::Refused(_)
        | Stored::Aborted(..)
        | Stored::Reconfigured { .. }
        | Stored::NotKept { changed: false } => Answer::Unlisted(409),
    }
}

/// The steps of a transaction with what its reads saw; none if the answer does not fit them.
fn results(workload: Workload, steps: &Value, answers: Vec<Stored>) -> Option<Value> {
    let steps = steps.as_array()?;
    let element = |text: &str| history_value(workload, text.to_owned());
    let seen = |(step, answer): (&Value, Stored)| {
        if step[0] != "r" {
            return Some(step.clone());
        }
        let found = match (answer, workload) {
            (Stored::Value(None), _) => Value::Null,
            (Stored::Value(Some(list)), Workload::ListAppend) => {
                list.strip_prefix(',')?.split(',').map(element).collect()
            }
            (Stored::Value(Some(text)), _) => element(&text),
            _ => return None,
        };
        Some(json!(["r", step[1], found]))
    };
    (steps.len() == answers.len()).then(|| steps.iter().zip(answers).map(seen).collect())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(function: Function, argument: Value) -> Operation {
        Operation { function, key: "k1".to_owned(), argument }
    }

    #[test]
    fn answers_mean_what_http_says() {
        let text = |text: &str| Some(Arc::new(text.to_owned()));
        let means = |function, argument, answer| {
            happened(Workload::Register, &operation(function, argument), Reply::Applied(answer, 1))
        };
        let seven = Answer::Value(json!(7));
        assert_eq!(means(Function::Read, Value::Null, Stored::Value(text("7"))), Happened::Answered(seven));
        let absent = Answer::Value(Value::Null);
        assert_eq!(means(Function::Read, Value::Null, Stored::Value(None)), Happened::Answered(absent));
        let differs = means(Function::Cas, json!([1, 2]), Stored::Differs(text("7")));
        assert_eq!(differs, Happened::Answered(Answer::Precondition(json!(7))));
        let forgotten = means(Function::Write, json!(1), Stored::Forgotten);
        assert_eq!(forgotten, Happened::Answered(Answer::Unlisted(410)));
    }

    #[test]
    fn commands_are_those_of_http() {
        let cas = command(&operation(Function::Cas, json!([null, 2])), 3);
        assert_eq!(cas, Command::Cas { key: "k1".to_owned(), from: None, to: "2".to_owned() });
        let steps = json!([["append", "k2", 7], ["r", "k3", null]]);
        let Command::Transaction { operations } = command(&operation(Function::Txn, steps.clone()), 3) else {
            panic!("a transaction becomes one");
        };
        assert_eq!(operations[0], Command::Append { key: "k2".to_owned(), value: ",7".to_owned() });
        let answers = vec![Stored::Done, Stored::Value(Some(Arc::new(",4,7".to_owned())))];
        let seen = results(Workload::ListAppend, &steps, answers);
        assert_eq!(seen, Some(json!([["append", "k2", 7], ["r", "k3", [4, 7]]])));
    }
}
