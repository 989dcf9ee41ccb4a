//! The HTTP interface of the bench's own replicated store.

use crate::adapter::{CommandName, Dialogue, Protocol, Reply};
use crate::operation::{Function, Operation};
use crate::outcome::Answer;
use crate::spec::{LoadSpec, Workload};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Map, Value, json};

/// Header with the client id of a command's name.
const CLIENT_ID: HeaderName = HeaderName::from_static("x-client-id");
/// Header with the sequence number of a command's name.
const SEQUENCE: HeaderName = HeaderName::from_static("x-sequence");

/// Speaks to the nodes of the bench's own store (`/kv/{key}`).
#[derive(Debug, Clone, Copy)]
pub struct PaxosHttp {
    workload: Workload,
    /// How many accounts a bank has.
    keys: u32,
}

impl PaxosHttp {
    /// For this workload, which says whether the store's texts are integers or strings, on this number of keys.
    pub fn new(workload: Workload, keys: u32) -> Self {
        Self { workload, keys }
    }

    /// The value under `name` in an answer: a text or null. None if it is absent or something else.
    fn field(self, answer: &mut Map<String, Value>, name: &str) -> Option<Value> {
        match answer.remove(name)? {
            Value::Null => Some(Value::Null),
            Value::String(text) => Some(value(self.workload, text)),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

/// A text of the store as a value of the history.
///
/// Only a text that an integer of ours could have made becomes an integer: `007` stays a string.
pub fn value(workload: Workload, text: String) -> Value {
    match text.parse::<i64>() {
        Ok(number) if !workload.has_text_values() && number.to_string() == text => json!(number),
        Ok(_) | Err(_) => Value::String(text),
    }
}

/// A value of the history as a text of the store.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}

/// The body of a `cas`.
fn cas_body(argument: &Value) -> String {
    let from = Some(&argument[0]).filter(|from| !from.is_null()).map(text);
    json!({ "from": from, "to": text(&argument[1]) }).to_string()
}

/// The body of a transaction. A list is kept as its elements, each behind a comma.
fn transaction_body(steps: &Value) -> String {
    let operation = |step: &Value| {
        let key = &step[1];
        match step[0].as_str() {
            Some("append") => json!({ "append": { "key": key, "value": format!(",{}", text(&step[2])) } }),
            Some("w") => json!({ "put": { "key": key, "value": text(&step[2]) } }),
            Some(_) | None => json!({ "get": { "key": key } }),
        }
    };
    let operations: Vec<_> = steps.as_array().into_iter().flatten().map(operation).collect();
    json!({ "operations": operations }).to_string()
}

/// The steps of a transaction with what its reads saw; none if the answer does not fit them.
fn transaction_results(workload: Workload, steps: &Value, results: Option<&Value>) -> Option<Value> {
    let (steps, results) = (steps.as_array()?, results?.as_array()?);
    let seen = |(step, result): (&Value, &Value)| {
        if step[0] != "r" {
            return Some(step.clone());
        }
        let element = |text: &str| value(workload, text.to_owned());
        let found = match (result.get("value")?, workload) {
            (Value::Null, _) => Value::Null,
            (Value::String(list), Workload::ListAppend) => {
                list.strip_prefix(',')?.split(',').map(element).collect()
            }
            (Value::String(text), _) => element(text),
            (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_), _) => return None,
        };
        Some(json!(["r", step[1], found]))
    };
    (steps.len() == results.len()).then(|| steps.iter().zip(results).map(seen).collect())?
}

impl PaxosHttp {
    /// What an answer says.
    fn answer(self, operation: &Operation, status: StatusCode, body: &[u8]) -> Answer {
        let function = operation.function;
        match status {
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => return Answer::Rejected,
            StatusCode::OK
            | StatusCode::NOT_FOUND
            | StatusCode::CONFLICT
            | StatusCode::SERVICE_UNAVAILABLE => {}
            other => return Answer::Unlisted(other.as_u16()),
        }
        let Ok(Value::Object(mut answer)) = serde_json::from_slice(body) else {
            return Answer::Unreadable;
        };
        let applied = answer.get("applied").and_then(Value::as_bool);
        match status {
            StatusCode::OK if function.is_read() => {
                self.field(&mut answer, "value").map_or(Answer::Unreadable, Answer::Value)
            }
            StatusCode::OK if function == Function::Txn => {
                let results = transaction_results(self.workload, &operation.argument, answer.get("results"));
                results.map_or(Answer::Unreadable, Answer::Value)
            }
            StatusCode::OK if function == Function::Total => {
                answer.remove("balances").map_or(Answer::Unreadable, Answer::Value)
            }
            StatusCode::OK if applied != Some(false) => Answer::Applied,
            // Only a definite absence counts: a 404 that says nothing of the value may be anybody's.
            StatusCode::NOT_FOUND if function.is_read() => match self.field(&mut answer, "value") {
                Some(Value::Null) => Answer::Value(Value::Null),
                Some(_) | None => Answer::Unreadable,
            },
            StatusCode::NOT_FOUND if function == Function::Delete && applied == Some(true) => Answer::Applied,
            StatusCode::CONFLICT if function == Function::Cas => {
                self.field(&mut answer, "actual").map_or(Answer::Unreadable, Answer::Precondition)
            }
            StatusCode::CONFLICT if function == Function::Transfer && applied == Some(false) => {
                Answer::Precondition(Value::Null)
            }
            StatusCode::SERVICE_UNAVAILABLE if applied == Some(false) => Answer::NotApplied,
            other => Answer::Unlisted(other.as_u16()),
        }
    }
}

impl Protocol for PaxosHttp {
    fn request(
        &self,
        operation: &Operation,
        name: Option<&CommandName>,
        host: &HeaderValue,
        _dialogue: &Dialogue,
    ) -> Option<Request<Full<Bytes>>> {
        let key = &operation.key;
        let (method, uri, body) = match operation.function {
            Function::Read | Function::Get => (Method::GET, format!("/kv/{key}"), String::new()),
            Function::Write | Function::Put => (Method::PUT, format!("/kv/{key}"), text(&operation.argument)),
            Function::Delete => (Method::DELETE, format!("/kv/{key}"), String::new()),
            Function::Cas => (Method::POST, format!("/kv/{key}/cas"), cas_body(&operation.argument)),
            Function::Append => (Method::POST, format!("/kv/{key}/append"), text(&operation.argument)),
            Function::Txn => (Method::POST, "/txn".to_owned(), transaction_body(&operation.argument)),
            Function::Transfer => (Method::POST, "/bank/transfer".to_owned(), operation.argument.to_string()),
            Function::Total => {
                let accounts: Vec<_> = (0..self.keys).map(LoadSpec::key_name).collect();
                (Method::POST, "/bank/total".to_owned(), json!({ "accounts": accounts }).to_string())
            }
            // The store has no queues.
            Function::Enqueue
            | Function::Dequeue
            | Function::Add
            | Function::Generate
            | Function::Echo
            | Function::Send
            | Function::Poll
            | Function::Acquire
            | Function::Release => return None,
        };
        let mut request = Request::builder().method(method).uri(uri).header(HOST, host);
        if matches!(operation.function, Function::Cas | Function::Txn | Function::Transfer | Function::Total)
        {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(name) = name {
            request =
                request.header(CLIENT_ID, &name.client).header(SEQUENCE, HeaderValue::from(name.sequence));
        }
        Some(request.body(Full::new(Bytes::from(body))).expect("our own key names fit into a path"))
    }

    fn reply(&self, operation: &Operation, response: &Response<Bytes>, _dialogue: &mut Dialogue) -> Reply {
        Reply::Said(self.answer(operation, response.status(), response.body()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(function: Function) -> Operation {
        let argument = if function == Function::Cas { json!([1, 2]) } else { json!(2) };
        Operation { function, key: "k1".to_owned(), argument }
    }

    fn answer(function: Function, status: u16, body: &str) -> Answer {
        let status = StatusCode::from_u16(status).expect("a status");
        PaxosHttp::new(Workload::Register, 3).answer(&operation(function), status, body.as_bytes())
    }

    #[test]
    fn requests_are_those_of_the_interface() {
        let name = CommandName { client: HeaderValue::from_static("run-3"), sequence: 8 };
        let host = HeaderValue::from_static("127.0.0.1:1");
        for (function, method, path) in [
            (Function::Read, "GET", "/kv/k1"),
            (Function::Get, "GET", "/kv/k1"),
            (Function::Write, "PUT", "/kv/k1"),
            (Function::Put, "PUT", "/kv/k1"),
            (Function::Delete, "DELETE", "/kv/k1"),
            (Function::Cas, "POST", "/kv/k1/cas"),
            (Function::Append, "POST", "/kv/k1/append"),
            (Function::Txn, "POST", "/txn"),
            (Function::Transfer, "POST", "/bank/transfer"),
            (Function::Total, "POST", "/bank/total"),
        ] {
            let adapter = PaxosHttp::new(Workload::Kv, 3);
            let request =
                adapter.request(&operation(function), Some(&name), &host, &Dialogue::default()).unwrap();
            assert_eq!((request.method().as_str(), request.uri().path()), (method, path));
            assert_eq!(request.headers()["x-client-id"], "run-3");
            assert_eq!(request.headers()["x-sequence"], "8");
            assert_eq!(request.headers()["host"], "127.0.0.1:1");
            let is_json = path.ends_with("/cas") || path == "/txn" || path.starts_with("/bank");
            assert_eq!(request.headers().contains_key(CONTENT_TYPE), is_json, "{path}");
        }
    }

    #[test]
    fn every_function_and_status_has_a_meaning() {
        let body = r#"{"applied":true,"slot":4,"value":"7","actual":"7"}"#;
        for function in Function::ALL {
            for status in 100..1000 {
                let expected = match (status, function) {
                    (200, Function::Read | Function::Get) => Answer::Value(json!(7)),
                    (404, Function::Read | Function::Get) | (200, Function::Txn | Function::Total) => {
                        Answer::Unreadable
                    }
                    (200, _) | (404, Function::Delete) => Answer::Applied,
                    (409, Function::Cas) => Answer::Precondition(json!(7)),
                    (400 | 413, _) => Answer::Rejected,
                    (other, _) => Answer::Unlisted(other),
                };
                assert_eq!(answer(function, status, body), expected, "{function} {status}");
            }
        }
    }

    #[test]
    fn absent_key_is_definite_only_with_body() {
        let absent = r#"{"value":null,"slot":4}"#;
        assert_eq!(answer(Function::Read, 404, absent), Answer::Value(Value::Null));
        assert_eq!(answer(Function::Read, 404, "{}"), Answer::Unreadable);
        assert_eq!(answer(Function::Read, 404, "Not Found"), Answer::Unreadable);
        assert_eq!(answer(Function::Delete, 404, "{}"), Answer::Unlisted(404));
        assert_eq!(answer(Function::Cas, 409, r#"{"actual":null}"#), Answer::Precondition(Value::Null));
    }

    #[test]
    fn transaction_answer_has_the_values_read() {
        let steps = json!([["r", "k1", null], ["append", "k2", 7], ["r", "k3", null]]);
        assert_eq!(
            transaction_body(&steps),
            r#"{"operations":[{"get":{"key":"k1"}},{"append":{"key":"k2","value":",7"}},{"get":{"key":"k3"}}]}"#
        );
        let results = json!([{"value": ",4,7"}, {"applied": true}, {"value": null}]);
        let seen = transaction_results(Workload::ListAppend, &steps, Some(&results));
        assert_eq!(seen, Some(json!([["r", "k1", [4, 7]], ["append", "k2", 7], ["r", "k3", null]])));
        for odd in [json!([]), json!([{"value": "4"}, {}, {"value": null}]), json!(3)] {
            assert_eq!(transaction_results(Workload::ListAppend, &steps, Some(&odd)), None, "{odd}");
        }
    }

    #[test]
    fn transfer_without_cover_is_a_definite_failure() {
        let refused = r#"{"applied":false,"error":"k1 has 3, and that is less than 4"}"#;
        assert_eq!(answer(Function::Transfer, 409, refused), Answer::Precondition(Value::Null));
        assert_eq!(answer(Function::Transfer, 409, "{}"), Answer::Unlisted(409));
        let balances = r#"{"balances":{"k1":3},"total":"3"}"#;
        assert_eq!(answer(Function::Total, 200, balances), Answer::Value(json!({"k1": 3})));
    }

    #[test]
    fn unavailable_is_definite_only_with_body() {
        assert_eq!(answer(Function::Write, 503, r#"{"applied":false}"#), Answer::NotApplied);
        for body in ["{}", r#"{"applied":true}"#, r#"{"applied":"false"}"#] {
            assert_eq!(answer(Function::Write, 503, body), Answer::Unlisted(503), "{body}");
        }
        assert_eq!(answer(Function::Write, 503, "busy"), Answer::Unreadable);
    }

    #[test]
    fn bodies_that_make_no_sense_are_unreadable() {
        for body in ["", "[]", "{", "null", r#"{"value":17}"#, r#"{"other":"17"}"#] {
            assert_eq!(answer(Function::Read, 200, body), Answer::Unreadable, "{body}");
        }
        assert_eq!(answer(Function::Cas, 409, "{}"), Answer::Unreadable);
        assert_eq!(answer(Function::Write, 200, r#"{"applied":false}"#), Answer::Unlisted(200));
    }

    #[test]
    fn only_register_texts_become_integers() {
        let value = |workload, text: &str| super::value(workload, text.to_owned());
        assert_eq!(value(Workload::Register, "-17"), json!(-17));
        for text in ["007", "+1", "1.5", "", "99999999999999999999"] {
            assert_eq!(value(Workload::Register, text), json!(text));
        }
        assert_eq!(value(Workload::Kv, "17"), json!("17"));
    }
}
