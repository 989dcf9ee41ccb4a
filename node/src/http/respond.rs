//! Responses: JSON bodies, and failures that say whether the command can still happen.

use crate::store::Answer;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Duration;

/// What is said of a command whose result is gone.
const FORGOTTEN: &str =
    "a later command of this client was applied; the result of this one is no longer known";

/// A request that comes to nothing, or to nobody knows what.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    error: String,
    /// False if the command certainly was not, and will not be, proposed; none if nobody knows.
    applied: Option<bool>,
    allow: Option<&'static str>,
}

impl Failure {
    fn definite(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into(), applied: Some(false), allow: None }
    }

    /// The request does not parse.
    pub(super) fn bad(error: impl Into<String>) -> Self {
        Self::definite(StatusCode::BAD_REQUEST, error)
    }

    /// Whoever asks may not.
    pub(super) fn forbidden(error: impl Into<String>) -> Self {
        Self::definite(StatusCode::FORBIDDEN, error)
    }

    /// The request is too large.
    pub(super) fn too_large(limit: usize) -> Self {
        Self::definite(StatusCode::PAYLOAD_TOO_LARGE, format!("the body may have {limit} bytes at most"))
    }

    /// There is nothing at this path.
    pub(super) fn not_found(path: &str) -> Self {
        Self::definite(StatusCode::NOT_FOUND, format!("there is nothing at {path}"))
    }

    /// The path knows other methods.
    pub(super) fn method(allow: &'static str) -> Self {
        let failure = Self::definite(StatusCode::METHOD_NOT_ALLOWED, format!("this path takes {allow}"));
        Self { allow: Some(allow), ..failure }
    }

    /// The node will not propose the command.
    pub(super) fn refused(why: &str) -> Self {
        Self::definite(StatusCode::SERVICE_UNAVAILABLE, why)
    }

    /// The node ends.
    pub(super) fn stopping() -> Self {
        Self { applied: None, ..Self::definite(StatusCode::INTERNAL_SERVER_ERROR, "the node is stopping") }
    }

    /// The command may or may not happen yet.
    pub(super) fn undecided(deadline: Duration) -> Self {
        let error = format!("undecided after {} s; the command may still be applied", deadline.as_secs_f64());
        Self { applied: None, ..Self::definite(StatusCode::GATEWAY_TIMEOUT, error) }
    }

    /// A later command of the same client was applied, so the result of this one is gone.
    pub(super) fn forgotten() -> Self {
        Self { applied: None, ..Self::definite(StatusCode::GONE, FORGOTTEN) }
    }

    /// The body that says so.
    pub(super) fn body(&self) -> Value {
        match self.applied {
            Some(applied) => json!({ "error": self.error, "applied": applied }),
            None => json!({ "error": self.error }),
        }
    }

    /// The response that says so.
    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = json(self.status, &self.body());
        if let Some(allow) = self.allow {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
        }
        response
    }
}

/// A response with a JSON body.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response<Full<Bytes>> {
    let body = serde_json::to_vec(body).expect("bodies are made of types that JSON can hold");
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A response whose body is JSON already.
pub(super) fn raw_json(body: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The value of a query parameter.
pub(super) fn query<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// The status and the body for what an applied command came to.
pub(super) fn outcome(answer: Answer) -> (StatusCode, Value) {
    match answer {
        Answer::Done => (StatusCode::OK, json!({ "applied": true })),
        Answer::Value(None) => (StatusCode::NOT_FOUND, json!({ "value": null })),
        Answer::Value(value) => (StatusCode::OK, json!({ "value": value })),
        Answer::Absent => (StatusCode::NOT_FOUND, json!({ "applied": true, "existed": false })),
        Answer::Differs(actual) => (StatusCode::CONFLICT, json!({ "actual": actual })),
        Answer::NotANumber(actual) => {
            let error = "the value is not a number, or the sum is too large for 64 bits";
            (StatusCode::CONFLICT, json!({ "error": error, "actual": actual }))
        }
        Answer::Refused(error) => (StatusCode::CONFLICT, json!({ "applied": false, "error": error })),
        Answer::Reconfigured { version, from } => {
            (StatusCode::OK, json!({ "applied": true, "version": version, "from": from }))
        }
        Answer::Balances(balances) => {
            let total: i128 = balances.iter().map(|(_, balance)| i128::from(*balance)).sum();
            let balances: serde_json::Map<_, _> =
                balances.into_iter().map(|(account, balance)| (account, balance.into())).collect();
            // A sum of many balances may be larger than a number of JSON is safe for; as text it never is.
            (StatusCode::OK, json!({ "balances": balances, "total": total.to_string() }))
        }
        Answer::Results(answers) => {
            let results: Vec<_> = answers.into_iter().map(|answer| outcome(answer).1).collect();
            (StatusCode::OK, json!({ "applied": true, "results": results }))
        }
        Answer::Aborted(place, answer) => {
            (StatusCode::CONFLICT, json!({ "applied": false, "place": place, "because": outcome(*answer).1 }))
        }
        Answer::Forgotten => (StatusCode::GONE, json!({ "error": FORGOTTEN })),
    }
}

#[derive(Serialize)]
struct Done {
    applied: bool,
    slot: u64,
}

#[derive(Serialize)]
struct Found {
    slot: u64,
    value: String,
}

/// The response for what an applied command came to, in which slot.
pub(super) fn answered(answer: Answer, slot: u64) -> Result<Response<Full<Bytes>>, Failure> {
    if answer == Answer::Forgotten {
        return Err(Failure::forgotten());
    }
    // The two that are asked for most often do without the detour over a tree.
    match answer {
        Answer::Done => Ok(json(StatusCode::OK, &Done { applied: true, slot })),
        Answer::Value(Some(value)) => Ok(json(StatusCode::OK, &Found { slot, value })),
        other => {
            let (status, mut body) = outcome(other);
            body["slot"] = slot.into();
            Ok(json(status, &body))
        }
    }
}
