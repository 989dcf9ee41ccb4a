//! The lines between the bench and a helper: a request, and what its answer means.
//!
//! An answer is believed only if it says all that such an answer must. A read without a value, a transaction with other
//! steps than those that were asked for, a word that is none: all of that is nonsense, and its operation is unknown.

use crate::operation::{Function, Operation};
use crate::outcome::Answer;
use crate::paxos;
use crate::requests::{fits, shaped};
use crate::session::Target;
use crate::spec::Workload;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::net::SocketAddr;
use std::time::Duration;

/// The longest error of a helper that goes into the history, in characters.
const ERROR_MAX: usize = 80;

/// What a helper must know to understand all requests.
#[derive(Debug)]
pub(super) struct Language {
    pub(super) workload: Workload,
    /// The accounts of a bank; empty for other workloads.
    pub(super) accounts: Vec<String>,
    /// The time of each operation.
    pub(super) timeout: Duration,
}

#[derive(Serialize)]
struct Request<'a> {
    id: u64,
    f: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    key: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    keys: &'a [String],
    value: &'a Value,
    node: &'a str,
    address: SocketAddr,
    deadline_ms: u64,
}

/// An answer, of which only the id was looked at.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) id: u64,
    fields: Map<String, Value>,
}

impl Reply {
    /// Reads a line; none if it is no answer at all.
    pub(super) fn read(line: &[u8]) -> Option<Self> {
        let fields: Map<String, Value> = serde_json::from_slice(line).ok()?;
        let id = fields.get("id")?.as_u64()?;
        matches!(fields.get("type")?.as_str()?, "ok" | "fail" | "info").then_some(Self { id, fields })
    }

    fn text(&self, name: &str) -> &str {
        self.fields.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The error in a form that fits into a history.
    fn error(&self, otherwise: &str) -> String {
        let error = self.text("error").trim();
        let error = if error.is_empty() { otherwise } else { error };
        error.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(ERROR_MAX).collect()
    }
}

impl Language {
    /// The line that asks for an operation at a node.
    pub(super) fn request(&self, id: u64, operation: &Operation, target: &Target) -> Vec<u8> {
        let request = Request {
            id,
            f: operation.function.name(),
            key: &operation.key,
            keys: if operation.function == Function::Total { &self.accounts } else { &[] },
            value: &operation.argument,
            node: &target.name,
            address: target.address,
            deadline_ms: u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX),
        };
        let mut line = serde_json::to_vec(&request).expect("a request has only texts and numbers");
        line.push(b'\n');
        line
    }

    /// What an answer says of the operation; none if it is nonsense.
    pub(super) fn answer(&self, operation: &Operation, reply: &Reply) -> Option<Answer> {
        let function = operation.function;
        let refused = reply.fields.contains_key("actual") || reply.text("error") == "precondition";
        match reply.text("type") {
            "ok" => self.result(operation, reply.fields.get("value")),
            "info" => Some(Answer::Unknown(reply.error("unknown"))),
            _ if refused => match (function, reply.fields.get("actual")) {
                (Function::Cas, Some(actual)) => self.scalar(actual).map(Answer::Precondition),
                (Function::Cas, None) | (Function::Acquire | Function::Release, _) => Some(Answer::Differs),
                (Function::Transfer, _) => Some(Answer::Precondition(Value::Null)),
                _ => None,
            },
            _ if reply.text("error") == "standby" => Some(Answer::Standby),
            _ => Some(Answer::Failed(reply.error("unavailable"))),
        }
    }

    fn result(&self, operation: &Operation, value: Option<&Value>) -> Option<Answer> {
        match operation.function {
            Function::Read | Function::Get => self.scalar(value?).map(Answer::Value),
            Function::Dequeue => {
                let element = self.scalar(value?).filter(|element| fits(self.workload, element));
                element.map(Answer::Value)
            }
            Function::Txn => self.steps(&operation.argument, value?).map(Answer::Value),
            Function::Total if self.workload == Workload::Bank => self.balances(value?).map(Answer::Value),
            Function::Total | Function::Generate | Function::Send | Function::Poll => {
                shaped(self.workload, operation.function, value?).map(Answer::Value)
            }
            Function::Write
            | Function::Cas
            | Function::Put
            | Function::Delete
            | Function::Append
            | Function::Enqueue
            | Function::Add
            | Function::Acquire
            | Function::Release
            | Function::Transfer => Some(Answer::Applied),
            // Refused before a load begins.
            Function::Echo => None,
        }
    }

    /// One value as the history has it: null, a text or an integer; a text that is an integer counts as one where the
    /// workload has integers.
    fn scalar(&self, value: &Value) -> Option<Value> {
        match value {
            Value::Null => Some(Value::Null),
            Value::String(text) => Some(paxos::value(self.workload, text.clone())),
            Value::Number(number) if !number.is_f64() && self.workload.has_text_values() => {
                Some(Value::String(number.to_string()))
            }
            Value::Number(number) if !number.is_f64() => Some(value.clone()),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// The steps of a transaction with what its reads saw.
    fn steps(&self, asked: &Value, answered: &Value) -> Option<Value> {
        let (asked, answered) = (asked.as_array()?, answered.as_array()?);
        let seen = |(step, said): (&Value, &Value)| {
            let [function, key, found] = said.as_array()?.as_slice() else { return None };
            if *function != step[0] || *key != step[1] {
                return None;
            }
            if step[0] != "r" {
                return Some(step.clone());
            }
            let found = match (self.workload, found) {
                (Workload::ListAppend, Value::Null) => Value::Null,
                // An absent list and an empty one are the same.
                (Workload::ListAppend, Value::Array(list)) if list.is_empty() => Value::Null,
                (Workload::ListAppend, Value::Array(list)) => {
                    list.iter().map(|element| self.scalar(element)).collect::<Option<Value>>()?
                }
                (Workload::ListAppend, _) => return None,
                (_, found) => self.scalar(found)?,
            };
            Some(json!(["r", step[1], found]))
        };
        (asked.len() == answered.len()).then(|| asked.iter().zip(answered).map(seen).collect())?
    }

    /// What the accounts of a bank hold, all of them.
    fn balances(&self, value: &Value) -> Option<Value> {
        let found = value.as_object()?;
        if self.accounts.iter().any(|account| !found.contains_key(account)) {
            return None;
        }
        let balance = |(account, held): (&String, &Value)| Some((account.clone(), self.scalar(held)?));
        found.iter().map(balance).collect::<Option<Map<_, _>>>().map(Value::Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn language(workload: Workload) -> Language {
        let accounts =
            if workload == Workload::Bank { vec!["k1".to_owned(), "k2".to_owned()] } else { Vec::new() };
        Language { workload, accounts, timeout: Duration::from_millis(1500) }
    }

    fn operation(function: Function) -> Operation {
        let (key, argument) = match function {
            Function::Txn => ("", json!([["r", "k1", null], ["append", "k2", 3]])),
            Function::Transfer => ("", json!({ "from": "k1", "to": "k2", "amount": 2 })),
            Function::Total => ("", Value::Null),
            Function::Cas => ("k1", json!([null, 2])),
            Function::Read | Function::Get | Function::Delete | Function::Dequeue => ("k1", Value::Null),
            Function::Write
            | Function::Put
            | Function::Append
            | Function::Enqueue
            | Function::Add
            | Function::Generate
            | Function::Echo
            | Function::Send
            | Function::Poll => ("k1", json!(7)),
            Function::Acquire | Function::Release => ("k1", json!({ "client": 3 })),
        };
        Operation { function, key: key.to_owned(), argument }
    }

    fn answer(workload: Workload, function: Function, line: &str) -> Option<Answer> {
        language(workload).answer(&operation(function), &Reply::read(line.as_bytes())?)
    }

    #[test]
    fn requests_have_the_shape_of_the_page() {
        let target = Target { name: "n1".to_owned(), address: ([10, 117, 0, 1], 2379).into(), spare: false };
        let line = |workload, function| {
            String::from_utf8(language(workload).request(4, &operation(function), &target)).unwrap()
        };
        let end = r#""node":"n1","address":"10.117.0.1:2379","deadline_ms":1500}"#.to_owned() + "\n";
        for (workload, function, begin) in [
            (Workload::Register, Function::Read, r#"{"id":4,"f":"read","key":"k1","value":null,"#),
            (Workload::Register, Function::Cas, r#"{"id":4,"f":"cas","key":"k1","value":[null,2],"#),
            (Workload::Bank, Function::Total, r#"{"id":4,"f":"read","keys":["k1","k2"],"value":null,"#),
            (
                Workload::ListAppend,
                Function::Txn,
                r#"{"id":4,"f":"txn","value":[["r","k1",null],["append","k2",3]],"#,
            ),
        ] {
            assert_eq!(line(workload, function), format!("{begin}{end}"));
        }
    }

    #[test]
    fn values_are_those_of_the_workload() {
        let read = |workload, line| {
            let function = if workload == Workload::Kv { Function::Get } else { Function::Read };
            answer(workload, function, &format!(r#"{{"id":1,"type":"ok","value":{line}}}"#))
        };
        let (register, kv) = (Workload::Register, Workload::Kv);
        assert_eq!(read(register, "7"), Some(Answer::Value(json!(7))));
        assert_eq!(read(register, "\"7\""), Some(Answer::Value(json!(7))));
        assert_eq!(read(register, "null"), Some(Answer::Value(Value::Null)));
        assert_eq!(read(register, "\"x\""), Some(Answer::Value(json!("x"))));
        assert_eq!(read(kv, "7"), Some(Answer::Value(json!("7"))));
        for odd in ["true", "7.5", "[]", "{}"] {
            assert_eq!(read(register, odd), None, "{odd}");
        }
        let ok = r#"{"id":1,"type":"ok"}"#;
        assert_eq!(answer(register, Function::Read, ok), None, "a read without a value says nothing");
        assert_eq!(answer(register, Function::Write, ok), Some(Answer::Applied));
        let dequeue = |line: &str| {
            let line = format!(r#"{{"id":1,"type":"ok"{line}}}"#);
            answer(Workload::Queue, Function::Dequeue, &line)
        };
        assert_eq!(dequeue(r#","value":"7""#), Some(Answer::Value(json!(7))));
        assert_eq!(dequeue(r#","value":null"#), Some(Answer::Value(Value::Null)));
        assert_eq!(dequeue(r#","value":"OK""#), None, "no element of a load is a text");
        assert_eq!(dequeue(""), None, "silence does not mean that the queue is empty");
    }

    #[test]
    fn transactions_answer_the_steps_that_were_asked() {
        let txn = |workload, steps: &str| {
            answer(workload, Function::Txn, &format!(r#"{{"id":1,"type":"ok","value":{steps}}}"#))
        };
        let lists = Workload::ListAppend;
        let seen = |found: Value| Some(Answer::Value(json!([["r", "k1", found], ["append", "k2", 3]])));
        assert_eq!(txn(lists, r#"[["r","k1",[1,"2"]],["append","k2",3]]"#), seen(json!([1, 2])));
        assert_eq!(txn(lists, r#"[["r","k1",[]],["append","k2",null]]"#), seen(Value::Null));
        assert_eq!(txn(Workload::RwRegister, r#"[["r","k1","5"],["append","k2",3]]"#), seen(json!(5)));
        for odd in [
            "null",
            "[]",
            r#"[["r","k1",[1]]]"#,
            r#"[["r","k2",[1]],["append","k2",3]]"#,
            r#"[["r","k1",1],["append","k2",3]]"#,
            r#"[["r","k1",[[1]]],["append","k2",3]]"#,
        ] {
            assert_eq!(txn(lists, odd), None, "{odd}");
        }
        let total = |value: &str| {
            answer(Workload::Bank, Function::Total, &format!(r#"{{"id":1,"type":"ok","value":{value}}}"#))
        };
        assert_eq!(total(r#"{"k1":"3","k2":null}"#), Some(Answer::Value(json!({ "k1": 3, "k2": null }))));
        assert_eq!(total(r#"{"k1":3}"#), None, "an account is missing");
    }

    #[test]
    fn failures_and_doubts_carry_their_errors() {
        let said =
            |function, rest: &str| answer(Workload::Register, function, &format!(r#"{{"id":1,{rest}}}"#));
        let (read, cas) = (Function::Read, Function::Cas);
        assert_eq!(said(read, r#""type":"fail""#), Some(Answer::Failed("unavailable".into())));
        assert_eq!(said(read, r#""type":"fail","error":"a\nb""#), Some(Answer::Failed("a b".into())));
        assert_eq!(said(read, r#""type":"fail","error":"standby""#), Some(Answer::Standby));
        assert_eq!(said(read, r#""type":"info","error":"reset""#), Some(Answer::Unknown("reset".into())));
        assert_eq!(said(cas, r#""type":"info""#), Some(Answer::Unknown("unknown".into())));
        assert_eq!(said(cas, r#""type":"fail","actual":null"#), Some(Answer::Precondition(Value::Null)));
        assert_eq!(said(cas, r#""type":"fail","error":"precondition""#), Some(Answer::Differs));
        assert_eq!(said(read, r#""type":"fail","error":"precondition""#), None);
        let refused = said(Function::Transfer, r#""type":"fail","error":"precondition""#);
        assert_eq!(refused, Some(Answer::Precondition(Value::Null)));
        for odd in ["", "7", "[]", "{}", r#"{"id":-1,"type":"ok"}"#, r#"{"id":1}"#, r#"{"id":1,"type":"OK"}"#]
        {
            assert!(Reply::read(odd.as_bytes()).is_none(), "{odd}");
        }
    }
}
