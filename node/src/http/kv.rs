//! `/kv/{key}`: one operation on one key.

use super::Server;
use super::answers::answered;
use super::body::{self, Text};
use super::origin::expect_json;
use super::respond::{Failure, query};
use crate::config::Read;
use crate::driver::{Input, Reply};
use crate::paxos::message::{ANONYMOUS, Command, Slot};
use crate::store::{Answer, Operation};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{HeaderMap, Method, Request, Response};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Largest number of characters in a key.
pub(super) const KEY_MAX: usize = 256;

/// Largest number of bytes in a client's name.
pub(super) const CLIENT_MAX: usize = 64;

/// The operation that a path behind `/kv/` requests.
#[derive(Clone, Copy)]
enum Action {
    Plain,
    Cas,
    Append,
    Incr,
    Deposit,
    Withdraw,
}

impl Action {
    fn takes_json(self) -> bool {
        match self {
            Self::Plain | Self::Append => false,
            Self::Cas | Self::Incr | Self::Deposit | Self::Withdraw => true,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cas {
    from: Option<String>,
    to: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Incr {
    #[serde(deserialize_with = "crate::json_integer::deserialize")]
    by: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Money {
    #[serde(deserialize_with = "crate::json_integer::deserialize")]
    amount: u64,
}

/// Answers a request for `/kv/` and `rest`.
pub(super) async fn answer(
    server: &Server,
    rest: &str,
    request: &mut Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Failure> {
    let (key, action) = target(rest)?;
    let read = read(request.uri().query().unwrap_or_default())?;
    let (client, sequence) = name(request.headers())?;
    if action.takes_json() {
        expect_json(request.headers())?;
    }
    let Text { text, held } = body::read(server, request).await?;
    let operation = operation(request.method(), action, key, text)?;
    let reads = operation.only_reads();
    let applied = propose(server, Command { client, sequence, operation }, read).await?;
    drop(held);
    answered(server, applied, reads).await
}

/// Proposes a command; returns its answer and its slot once it is applied.
pub(super) async fn propose(
    server: &Server,
    command: Command,
    read: Option<Read>,
) -> Result<(Answer, Slot), Failure> {
    let (reply, answer) = oneshot::channel();
    server.inbox.send(Input::Request { command, read, reply }).map_err(|_| Failure::stopping())?;
    match answer.await {
        Ok(Reply::Applied(answer, slot)) => Ok((answer, slot)),
        Ok(Reply::Refused(why)) => Err(Failure::refused(why)),
        Ok(Reply::Undecided(deadline)) => Err(Failure::undecided(deadline)),
        Err(_) => Err(Failure::stopping()),
    }
}

fn target(rest: &str) -> Result<(String, Action), Failure> {
    let (key, action) = match rest.split_once('/') {
        None => (rest, Action::Plain),
        Some((key, "cas")) => (key, Action::Cas),
        Some((key, "append")) => (key, Action::Append),
        Some((key, "incr")) => (key, Action::Incr),
        Some((key, "deposit")) => (key, Action::Deposit),
        Some((key, "withdraw")) => (key, Action::Withdraw),
        Some(_) => return Err(Failure::not_found(&format!("/kv/{rest}"))),
    };
    let key = percent_decode_str(key).decode_utf8().map_err(|_| Failure::bad("the key is not UTF-8"))?;
    match key.chars().count() {
        0 => Err(Failure::bad("the key is empty; the path is /kv/{key}")),
        1..=KEY_MAX => Ok((key.into_owned(), action)),
        _ => Err(Failure::bad(format!("the key may have {KEY_MAX} characters at most"))),
    }
}

fn read(parameters: &str) -> Result<Option<Read>, Failure> {
    match query(parameters, "read") {
        None => Ok(None),
        Some("log") => Ok(Some(Read::Log)),
        Some("quorum") => Ok(Some(Read::Quorum)),
        Some("lease") => Ok(Some(Read::Lease)),
        Some("local") => Ok(Some(Read::Local)),
        Some(other) => {
            Err(Failure::bad(format!("read={other} is not known; reads are log, quorum, lease and local")))
        }
    }
}

/// The command's name: the client's own, or an anonymous one.
pub(super) fn name(headers: &HeaderMap) -> Result<(Arc<str>, u64), Failure> {
    let Some(client) = headers.get("x-client-id") else { return Ok(Default::default()) };
    let client = client.to_str().map_err(|_| client_name("x-client-id"))?;
    check_client(client).ok_or_else(|| client_name("x-client-id"))?;
    let sequence = headers.get("x-sequence").and_then(|value| value.to_str().ok()?.parse().ok());
    let sequence = sequence.ok_or_else(|| Failure::bad("x-client-id needs x-sequence, a rising number"))?;
    Ok((client.into(), sequence))
}

/// The error of an invalid client name.
pub(super) fn client_name(header: &str) -> Failure {
    Failure::bad(format!("{header} must be 1 to {CLIENT_MAX} bytes of ASCII, and not begin with {ANONYMOUS}"))
}

/// Accepts valid client names; the first character of anonymous names is reserved for replicas.
pub(super) fn check_client(client: &str) -> Option<()> {
    let fits = (1..=CLIENT_MAX).contains(&client.len());
    (fits && client.is_ascii() && !client.starts_with(ANONYMOUS)).then_some(())
}

fn operation(method: &Method, action: Action, key: String, body: String) -> Result<Operation, Failure> {
    match (method, action) {
        (&Method::GET, Action::Plain) => Ok(Operation::Get { key }),
        (&Method::PUT, Action::Plain) => Ok(Operation::Put { key, value: Arc::new(body) }),
        (&Method::DELETE, Action::Plain) => Ok(Operation::Delete { key }),
        (&Method::POST, Action::Cas) => {
            let Cas { from, to } = parse(&body, r#"{"from": "1", "to": "2"}, where from may be null"#)?;
            Ok(Operation::Cas { key, from, to })
        }
        (&Method::POST, Action::Append) => Ok(Operation::Append { key, value: body }),
        (&Method::POST, Action::Incr) => {
            let Incr { by } = parse(&body, r#"{"by": 1}"#)?;
            Ok(Operation::Incr { key, by })
        }
        (&Method::POST, Action::Deposit) => {
            let Money { amount } = parse(&body, r#"{"amount": 1}"#)?;
            Ok(Operation::Deposit { key, amount })
        }
        (&Method::POST, Action::Withdraw) => {
            let Money { amount } = parse(&body, r#"{"amount": 1}"#)?;
            Ok(Operation::Withdraw { key, amount })
        }
        (_, Action::Plain) => Err(Failure::method("GET, PUT, DELETE")),
        (_, Action::Cas | Action::Append | Action::Incr | Action::Deposit | Action::Withdraw) => {
            Err(Failure::method("POST"))
        }
    }
}

/// Parses a body as JSON; the error has the expected form and the position.
pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a str, expected: &str) -> Result<T, Failure> {
    serde_json::from_str(body)
        .map_err(|error| Failure::bad(format!("the body should be {expected}: {error}")))
}
