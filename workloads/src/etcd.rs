//! The HTTP gateway of etcd: `/v3/kv/…`, keys and values in base64.

use crate::adapter::{CommandName, Protocol};
use crate::operation::{Function, Operation};
use crate::outcome::Answer;
use crate::paxos::{text, value};
use crate::spec::Workload;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Request, StatusCode};
use serde_json::{Value, json};

/// Speaks to the members of an etcd cluster, version 3.4 and up. Reads are linearizable ones.
///
/// etcd knows no names of commands, so a command must not be sent twice.
#[derive(Debug, Clone, Copy)]
pub struct EtcdHttp {
    workload: Workload,
}

impl EtcdHttp {
    /// For this workload, which says whether the texts that etcd keeps are integers or strings.
    pub fn new(workload: Workload) -> Self {
        Self { workload }
    }

    /// What the first key of a range holds; null if there is none. None if that cannot be read.
    fn found(self, range: &Value) -> Option<Value> {
        let Some(first) = range.get("kvs").and_then(|keys| keys.get(0)) else { return Some(Value::Null) };
        // Protocol buffers leave out what is empty.
        let encoded = first.get("value").map_or(Some(""), Value::as_str)?;
        let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
        Some(value(self.workload, text))
    }
}

fn encoded(text: &str) -> String {
    STANDARD.encode(text)
}

/// A transaction that writes if the key holds what is expected, and reads it if not.
fn compare_and_set(key: &str, argument: &Value) -> Value {
    let holds = match &argument[0] {
        Value::Null => json!({"key": key, "target": "CREATE", "result": "EQUAL", "create_revision": "0"}),
        from => json!({"key": key, "target": "VALUE", "result": "EQUAL", "value": encoded(&text(from))}),
    };
    json!({
        "compare": [holds],
        "success": [{"requestPut": {"key": key, "value": encoded(&text(&argument[1]))}}],
        "failure": [{"requestRange": {"key": key}}],
    })
}

impl Protocol for EtcdHttp {
    fn request(
        &self,
        operation: &Operation,
        _name: Option<&CommandName>,
        host: &HeaderValue,
    ) -> Request<Full<Bytes>> {
        let key = encoded(&operation.key);
        let (uri, body) = match operation.function {
            Function::Read | Function::Get => ("/v3/kv/range", json!({ "key": key })),
            Function::Write | Function::Put => {
                ("/v3/kv/put", json!({"key": key, "value": encoded(&text(&operation.argument))}))
            }
            Function::Delete => ("/v3/kv/deleterange", json!({ "key": key })),
            Function::Cas => ("/v3/kv/txn", compare_and_set(&key, &operation.argument)),
            Function::Append | Function::Txn | Function::Transfer | Function::Total => {
                unreachable!("a load that etcd cannot take is refused before it starts")
            }
        };
        Request::post(uri)
            .header(HOST, host)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .expect("the paths are our own")
    }

    /// Only status 200 with a header says anything: every error of etcd may come after the command was proposed.
    fn answer(&self, operation: &Operation, status: StatusCode, body: &[u8]) -> Answer {
        match status {
            StatusCode::OK => {}
            StatusCode::BAD_REQUEST => return Answer::Rejected,
            other => return Answer::Unlisted(other.as_u16()),
        }
        let answer: Value = match serde_json::from_slice(body) {
            Ok(answer @ Value::Object(_)) => answer,
            Ok(_) | Err(_) => return Answer::Unreadable,
        };
        if answer.get("header").is_none() {
            return Answer::Unreadable;
        }
        match operation.function {
            Function::Read | Function::Get => self.found(&answer).map_or(Answer::Unreadable, Answer::Value),
            Function::Write | Function::Put | Function::Delete => Answer::Applied,
            Function::Cas if answer.get("succeeded") == Some(&Value::Bool(true)) => Answer::Applied,
            Function::Cas => {
                let range = answer.pointer("/responses/0/response_range");
                let actual = range.and_then(|range| self.found(range));
                actual.map_or(Answer::Unreadable, Answer::Precondition)
            }
            Function::Append | Function::Txn | Function::Transfer | Function::Total => Answer::Unreadable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    fn operation(function: Function) -> Operation {
        let argument = if function == Function::Cas { json!([1, 2]) } else { json!(2) };
        Operation { function, key: "k1".to_owned(), argument }
    }

    fn answer(function: Function, status: u16, body: &Value) -> Answer {
        let status = StatusCode::from_u16(status).unwrap();
        EtcdHttp::new(Workload::Register).answer(&operation(function), status, body.to_string().as_bytes())
    }

    fn body(operation: &Operation) -> (String, Value) {
        let name = CommandName { client: HeaderValue::from_static("run-3"), sequence: 8 };
        let host = HeaderValue::from_static("127.0.0.1:1");
        let request = EtcdHttp::new(Workload::Register).request(operation, Some(&name), &host);
        let path = request.uri().path().to_owned();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let bytes = runtime.block_on(request.into_body().collect()).unwrap().to_bytes();
        (path, serde_json::from_slice(&bytes).unwrap())
    }

    #[test]
    fn gateway_requests_are_base64() {
        let (path, read) = body(&operation(Function::Read));
        assert_eq!((path.as_str(), read), ("/v3/kv/range", json!({"key": "azE="})));
        let (path, write) = body(&operation(Function::Write));
        assert_eq!((path.as_str(), write), ("/v3/kv/put", json!({"key": "azE=", "value": "Mg=="})));
        let (path, cas) = body(&operation(Function::Cas));
        assert_eq!((path.as_str(), &cas["compare"][0]["value"]), ("/v3/kv/txn", &json!("MQ==")));
        let absent = Operation { argument: json!([null, 2]), ..operation(Function::Cas) };
        assert_eq!(body(&absent).1["compare"][0]["target"], "CREATE");
    }

    #[test]
    fn answers_mean_what_etcd_means_by_them() {
        let found = json!({"header": {}, "kvs": [{"key": "azE=", "value": "Nw=="}], "count": "1"});
        assert_eq!(answer(Function::Read, 200, &found), Answer::Value(json!(7)));
        assert_eq!(answer(Function::Read, 200, &json!({"header": {}})), Answer::Value(Value::Null));
        assert_eq!(answer(Function::Write, 200, &json!({"header": {}})), Answer::Applied);
        let done = json!({"header": {}, "succeeded": true});
        assert_eq!(answer(Function::Cas, 200, &done), Answer::Applied);
        let refused = json!({"header": {}, "responses": [{"response_range": found}]});
        assert_eq!(answer(Function::Cas, 200, &refused), Answer::Precondition(json!(7)));
        let absent = json!({"header": {}, "responses": [{"response_range": {"header": {}}}]});
        assert_eq!(answer(Function::Cas, 200, &absent), Answer::Precondition(Value::Null));
    }

    #[test]
    fn uncertain_answers_are_unknown() {
        for function in [Function::Read, Function::Write, Function::Cas, Function::Delete] {
            assert_eq!(
                answer(function, 503, &json!({"error": "etcdserver: request timed out"})),
                Answer::Unlisted(503)
            );
            assert_eq!(answer(function, 200, &json!({"error": "?"})), Answer::Unreadable);
        }
        let strange = json!({"header": {}, "kvs": [{"value": "not base64!"}]});
        assert_eq!(answer(Function::Read, 200, &strange), Answer::Unreadable);
        assert_eq!(answer(Function::Cas, 200, &json!({"header": {}})), Answer::Unreadable);
    }
}
