//! Several things at once: transactions, batches of commands, and the bank.

use super::Server;
use super::kv::{CLIENT_MAX, KEY_MAX, body, name, parse, propose};
use super::respond::{Failure, answered, json, outcome};
use crate::driver::{Input, Reply};
use crate::paxos::message::Command;
use crate::store::Operation;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// Operations of a transaction, and commands of a batch, at most.
const MANY: usize = 1_000;

const TRANSACTION: &str =
    r#"{"operations": [{"get": {"key": "a"}}, {"append": {"key": "b", "value": "1"}}]}"#;
const COMMANDS: &str =
    r#"{"commands": [{"client": "c1", "sequence": 7, "operation": {"put": {"key": "a", "value": "1"}}}]}"#;
const TRANSFER: &str = r#"{"from": "a", "to": "b", "amount": 1}"#;
const TOTAL: &str = r#"{"accounts": ["a", "b"]}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Transaction {
    operations: Vec<Operation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    commands: Vec<Named>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    client: String,
    #[serde(deserialize_with = "crate::whole::deserialize")]
    sequence: u64,
    operation: Operation,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Transfer {
    from: String,
    to: String,
    #[serde(deserialize_with = "crate::whole::deserialize")]
    amount: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Total {
    accounts: Vec<String>,
}

type Answered = Result<Response<Full<Bytes>>, Failure>;

/// `POST /txn`: several operations, all of them or none.
pub(super) async fn transaction(server: &Server, request: Request<Incoming>) -> Answered {
    let read = |Transaction { operations }| {
        check_count("operations", operations.len())?;
        operations.iter().enumerate().try_for_each(|(place, operation)| check(place, operation))?;
        Ok(Operation::Transaction { operations })
    };
    one(server, request, TRANSACTION, read).await
}

/// `POST /bank/transfer`.
pub(super) async fn transfer(server: &Server, request: Request<Incoming>) -> Answered {
    let read = |Transfer { from, to, amount }| {
        let operation = Operation::Transfer { from, to, amount };
        check(0, &operation).map(|()| operation)
    };
    one(server, request, TRANSFER, read).await
}

/// `POST /bank/total`: what accounts hold, all at one moment.
pub(super) async fn total(server: &Server, request: Request<Incoming>) -> Answered {
    let read = |Total { accounts }: Total| {
        check_count("accounts", accounts.len())?;
        let operation = Operation::Total { accounts };
        check(0, &operation).map(|()| operation)
    };
    one(server, request, TOTAL, read).await
}

/// One command, made of a body.
async fn one<T: DeserializeOwned>(
    server: &Server,
    request: Request<Incoming>,
    expected: &str,
    read: impl FnOnce(T) -> Result<Operation, Failure>,
) -> Answered {
    only_post(&request)?;
    let (client, sequence) = name(server, request.headers())?;
    let body = body(request.into_body()).await?;
    let operation = read(parse(&body, expected)?)?;
    let (answer, slot) = propose(server, Command { client, sequence, operation }, None).await?;
    answered(answer, slot)
}

/// `POST /commands`: commands with the names that their clients gave them, answered in order. Each stands for itself:
/// one may be applied and another not.
pub(super) async fn commands(server: &Server, request: Request<Incoming>) -> Answered {
    only_post(&request)?;
    let body = body(request.into_body()).await?;
    let Batch { commands } = parse(&body, COMMANDS)?;
    check_count("commands", commands.len())?;
    for (place, Named { client, operation, .. }) in commands.iter().enumerate() {
        if !(1..=CLIENT_MAX).contains(&client.chars().count()) {
            return Err(Failure::bad(format!(
                "command {place}: client must be 1 to {CLIENT_MAX} characters"
            )));
        }
        let mut parts = match operation {
            Operation::Transaction { operations } => operations.iter(),
            one => std::slice::from_ref(one).iter(),
        };
        parts.try_for_each(|operation| check(place, operation))?;
    }
    let mut replies = Vec::with_capacity(commands.len());
    for Named { client, sequence, operation } in commands {
        let (reply, answer) = oneshot::channel();
        let command = Command { client: client.into(), sequence, operation };
        server.inbox.send(Input::Request { command, read: None, reply }).map_err(|_| Failure::stopping())?;
        replies.push(answer);
    }
    let mut results = Vec::with_capacity(replies.len());
    for reply in replies {
        results.push(result(reply.await));
    }
    Ok(json(StatusCode::OK, &json!({ "results": results })))
}

/// One line of the answer to a batch: the status and the body that the command would have got alone.
fn result(reply: Result<Reply, oneshot::error::RecvError>) -> Value {
    let (status, mut body) = match reply {
        Ok(Reply::Applied(answer, slot)) => {
            let (status, mut body) = outcome(answer);
            body["slot"] = slot.into();
            (status, body)
        }
        Ok(Reply::Refused(why)) => (StatusCode::SERVICE_UNAVAILABLE, Failure::refused(why).body()),
        Ok(Reply::Undecided(deadline)) => (StatusCode::GATEWAY_TIMEOUT, Failure::undecided(deadline).body()),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, Failure::stopping().body()),
    };
    body["status"] = status.as_u16().into();
    body
}

fn only_post(request: &Request<Incoming>) -> Result<(), Failure> {
    if request.method() == Method::POST { Ok(()) } else { Err(Failure::method("POST")) }
}

fn check_count(what: &str, count: usize) -> Result<(), Failure> {
    if (1..=MANY).contains(&count) {
        return Ok(());
    }
    Err(Failure::bad(format!("{count} {what}; there must be 1 to {MANY}")))
}

/// Refuses what is no operation on keys, and keys that no path could name.
fn check(place: usize, operation: &Operation) -> Result<(), Failure> {
    if !operation.fits_a_transaction() {
        return Err(Failure::bad(format!("operation {place} is none that clients may ask for here")));
    }
    let keys = operation.keys();
    match keys.into_iter().find(|key| !(1..=KEY_MAX).contains(&key.chars().count())) {
        None => Ok(()),
        Some(_) => Err(Failure::bad(format!("operation {place}: a key must have 1 to {KEY_MAX} characters"))),
    }
}
