//! The HTTP interface of the bench's own replicated store.

use crate::adapter::{Adapter, CommandName};
use crate::operation::{Function, Operation};
use crate::outcome::Answer;
use crate::spec::Workload;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HOST, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode};
use serde_json::{Map, Value, json};

/// Header with the client id of a command's name.
const CLIENT_ID: HeaderName = HeaderName::from_static("x-client-id");
/// Header with the sequence number of a command's name.
const SEQUENCE: HeaderName = HeaderName::from_static("x-sequence");

/// Speaks to the nodes of the bench's own store (`/kv/{key}`).
#[derive(Debug, Clone, Copy)]
pub struct PaxosHttp {
    workload: Workload,
}

impl PaxosHttp {
    /// For this workload, which says whether the store's texts are integers or strings.
    pub fn new(workload: Workload) -> Self {
        Self { workload }
    }

    /// A text of the store as a value of the history.
    ///
    /// Only a text that an integer of ours could have made becomes an integer: `007` stays a string.
    fn value(self, text: String) -> Value {
        match self.workload {
            Workload::Register => match text.parse::<i64>() {
                Ok(number) if number.to_string() == text => json!(number),
                Ok(_) | Err(_) => Value::String(text),
            },
            Workload::Kv => Value::String(text),
        }
    }

    /// The value under `name` in an answer: a text or null. None if it is absent or something else.
    fn field(self, answer: &mut Map<String, Value>, name: &str) -> Option<Value> {
        match answer.remove(name)? {
            Value::Null => Some(Value::Null),
            Value::String(text) => Some(self.value(text)),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

/// A value of the history as a text of the store.
fn text(value: &Value) -> String {
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

impl Adapter for PaxosHttp {
    fn request(&self, operation: &Operation, name: &CommandName, host: &HeaderValue) -> Request<Full<Bytes>> {
        let key = &operation.key;
        let (method, uri, body) = match operation.function {
            Function::Read | Function::Get => (Method::GET, format!("/kv/{key}"), String::new()),
            Function::Write | Function::Put => (Method::PUT, format!("/kv/{key}"), text(&operation.argument)),
            Function::Delete => (Method::DELETE, format!("/kv/{key}"), String::new()),
            Function::Cas => (Method::POST, format!("/kv/{key}/cas"), cas_body(&operation.argument)),
            Function::Append => (Method::POST, format!("/kv/{key}/append"), text(&operation.argument)),
        };
        Request::builder()
            .method(method)
            .uri(uri)
            .header(HOST, host)
            .header(CLIENT_ID, &name.client)
            .header(SEQUENCE, HeaderValue::from(name.sequence))
            .body(Full::new(Bytes::from(body)))
            .expect("our own key names fit into a path")
    }

    fn answer(&self, operation: &Operation, status: StatusCode, body: &[u8]) -> Answer {
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
        let decided = applied == Some(true) || answer.contains_key("slot");
        match status {
            StatusCode::OK if function.is_read() => {
                self.field(&mut answer, "value").map_or(Answer::Unreadable, Answer::Value)
            }
            StatusCode::OK if applied != Some(false) => Answer::Applied,
            // Only a definite absence counts: a 404 that says nothing of the value may be anybody's.
            StatusCode::NOT_FOUND if function.is_read() => match self.field(&mut answer, "value") {
                Some(Value::Null) => Answer::Value(Value::Null),
                Some(_) | None => Answer::Unreadable,
            },
            StatusCode::NOT_FOUND if function == Function::Delete && decided => Answer::Applied,
            StatusCode::CONFLICT if function == Function::Cas => {
                self.field(&mut answer, "actual").map_or(Answer::Unreadable, Answer::Precondition)
            }
            StatusCode::SERVICE_UNAVAILABLE if applied == Some(false) => Answer::NotApplied,
            other => Answer::Unlisted(other.as_u16()),
        }
    }
}
