//! Responses: JSON bodies, and failures that say whether the command may still be applied.

use crate::store::{ANSWER_MAX, Answer, Value as Stored};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Duration;

/// The error of a command whose result was forgotten.
const FORGOTTEN: &str =
    "this command, or a later one of its client, was applied before; its result is no longer known";

/// The error of a command whose answer was too large to keep.
const NOT_KEPT: &str = "this command was applied; its answer was too large to be kept";
const NOT_KEPT_UNCHANGED: &str =
    "this command was decided before and changed nothing; its answer was too large to be kept";

/// Largest JSON size of a byte of text, and of a decision besides its texts.
pub(super) const WORST: usize = 6;
pub(super) const DECISION: usize = 400;

/// A request that failed, or whose result is unknown.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    error: String,
    /// False if the command was not and never will be proposed; none if unknown.
    applied: Option<bool>,
    header: Option<(HeaderName, &'static str)>,
}

impl Failure {
    fn definite(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into(), applied: Some(false), header: None }
    }

    /// The request does not parse.
    pub(super) fn bad(error: impl Into<String>) -> Self {
        Self::definite(StatusCode::BAD_REQUEST, error)
    }

    /// The request is too large.
    pub(super) fn too_large(limit: usize) -> Self {
        Self::definite(StatusCode::PAYLOAD_TOO_LARGE, format!("the body may have {limit} bytes at most"))
    }

    /// An unknown path.
    pub(super) fn not_found(path: &str) -> Self {
        Self::definite(StatusCode::NOT_FOUND, format!("there is no such path: {path}"))
    }

    /// A method that the path does not support.
    pub(super) fn method(allow: &'static str) -> Self {
        let failure = Self::definite(StatusCode::METHOD_NOT_ALLOWED, format!("this path accepts {allow}"));
        Self { header: Some((ALLOW, allow)), ..failure }
    }

    /// A forbidden sender: a page of another site, a request for another host, or a node that is no member.
    pub(super) fn forbidden(error: impl Into<String>) -> Self {
        Self::definite(StatusCode::FORBIDDEN, error)
    }

    /// A content type that the path does not support.
    pub(super) fn unsupported(error: impl Into<String>) -> Self {
        Self::definite(StatusCode::UNSUPPORTED_MEDIA_TYPE, error)
    }

    /// A body that did not arrive in time; its rest is not awaited.
    pub(super) fn late(after: Duration) -> Self {
        let error = format!("the body did not arrive within {:.0} s", after.as_secs_f64());
        Self { header: Some((CONNECTION, "close")), ..Self::definite(StatusCode::REQUEST_TIMEOUT, error) }
    }

    /// No memory for the request now; it had no effect.
    pub(super) fn busy(reason: &str) -> Self {
        Self::definite(StatusCode::SERVICE_UNAVAILABLE, format!("{reason}; retry later"))
    }

    /// Too many connections to serve this one.
    pub(super) fn crowded() -> Self {
        let failure = Self::busy("too many connections are open");
        Self { header: Some((CONNECTION, "close")), ..failure }
    }

    /// Whether the rest of the request is not worth reading.
    pub(super) fn closes(&self) -> bool {
        self.header.as_ref().is_some_and(|(name, _)| *name == CONNECTION)
    }

    /// The node will not propose the command.
    pub(super) fn refused(reason: &str) -> Self {
        Self::definite(StatusCode::SERVICE_UNAVAILABLE, reason)
    }

    /// The node ends.
    pub(super) fn stopping() -> Self {
        Self { applied: None, ..Self::definite(StatusCode::INTERNAL_SERVER_ERROR, "the node is stopping") }
    }

    /// A command that may still be applied.
    pub(super) fn undecided(deadline: Duration) -> Self {
        let error = format!("undecided after {} s; the command may still be applied", deadline.as_secs_f64());
        Self { applied: None, ..Self::definite(StatusCode::GATEWAY_TIMEOUT, error) }
    }

    /// A command whose result was replaced by that of a later command of the same client.
    pub(super) fn forgotten() -> Self {
        Self { applied: None, ..Self::definite(StatusCode::GONE, FORGOTTEN) }
    }

    /// Its body.
    pub(super) fn body(&self) -> Value {
        match self.applied {
            Some(applied) => json!({ "error": self.error, "applied": applied }),
            None => json!({ "error": self.error }),
        }
    }

    /// Its response.
    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = json(self.status, &self.body());
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// A response with a JSON body.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response<Full<Bytes>> {
    encoded(status, encode(body).into())
}

fn encode(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("bodies are made of types that JSON can hold")
}

/// A response whose body is JSON already.
pub(super) fn encoded(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A response with this constant JSON.
pub(super) fn raw_json(body: &'static str) -> Response<Full<Bytes>> {
    encoded(StatusCode::OK, Bytes::from_static(body.as_bytes()))
}

/// The value of a query parameter.
pub(super) fn query<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// The status and the body for the answer of an applied command.
pub(super) fn outcome(answer: Answer) -> (StatusCode, Value) {
    match answer {
        Answer::Done => (StatusCode::OK, json!({ "applied": true })),
        Answer::Value(None) => (StatusCode::NOT_FOUND, json!({ "value": null })),
        Answer::Value(value) => (StatusCode::OK, json!({ "value": value.as_deref() })),
        Answer::Absent => (StatusCode::NOT_FOUND, json!({ "applied": true, "existed": false })),
        Answer::Differs(actual) => (StatusCode::CONFLICT, json!({ "actual": actual.as_deref() })),
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
            // A sum of many balances may exceed the safe integers of JSON; text is always safe.
            (StatusCode::OK, json!({ "balances": balances, "total": total.to_string() }))
        }
        Answer::Results(answers) => {
            let results: Vec<_> = answers.into_iter().map(|answer| outcome(answer).1).collect();
            (StatusCode::OK, json!({ "applied": true, "results": results }))
        }
        Answer::Aborted(index, answer) => {
            (StatusCode::CONFLICT, json!({ "applied": false, "place": index, "because": outcome(*answer).1 }))
        }
        Answer::Forgotten => (StatusCode::GONE, json!({ "error": FORGOTTEN })),
        Answer::NotKept { changed: true } => {
            (StatusCode::GONE, json!({ "applied": true, "error": NOT_KEPT }))
        }
        Answer::NotKept { changed: false } => {
            (StatusCode::CONFLICT, json!({ "applied": false, "error": NOT_KEPT_UNCHANGED }))
        }
        Answer::TooLarge => {
            let error = format!("the answer would have more than {ANSWER_MAX} bytes; request less at once");
            (StatusCode::PAYLOAD_TOO_LARGE, json!({ "applied": false, "error": error }))
        }
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
    value: Stored,
}

/// The status and the body for the answer of an applied command, with its slot.
pub(super) fn answered(answer: Answer, slot: u64) -> Result<(StatusCode, Vec<u8>), Failure> {
    if answer == Answer::Forgotten {
        return Err(Failure::forgotten());
    }
    // The two most frequent answers avoid building a JSON tree.
    match answer {
        Answer::Done => Ok((StatusCode::OK, encode(&Done { applied: true, slot }))),
        Answer::Value(Some(value)) => Ok((StatusCode::OK, encode(&Found { slot, value }))),
        other => {
            let (status, mut body) = outcome(other);
            body["slot"] = slot.into();
            Ok((status, encode(&body)))
        }
    }
}
