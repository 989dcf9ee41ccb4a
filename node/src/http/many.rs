//! Requests with several operations: transactions, batches of commands, and the bank.

use super::Server;
use super::answers::{NO_ROOM, answered, weight};
use super::body::{self, Text};
use super::budget::{Held, SMALL};
use super::kv::{KEY_MAX, check_client, client_name, name, parse, propose};
use super::origin::expect_json;
use super::respond::{Failure, encoded, outcome};
use crate::driver::{Input, Reply};
use crate::paxos::message::Command;
use crate::store::{ANSWER_MAX, Answer, MANY, Operation, limited};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::oneshot;

const TRANSACTION: &str =
    r#"{"operations": [{"get": {"key": "a"}}, {"append": {"key": "b", "value": "1"}}]}"#;
const COMMANDS: &str =
    r#"{"commands": [{"client": "c1", "sequence": 7, "operation": {"put": {"key": "a", "value": "1"}}}]}"#;
const TRANSFER: &str = r#"{"from": "a", "to": "b", "amount": 1}"#;
const TOTAL: &str = r#"{"accounts": ["a", "b"]}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Transaction {
    #[serde(deserialize_with = "limited::deserialize")]
    operations: Vec<Operation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    #[serde(deserialize_with = "limited::deserialize")]
    commands: Vec<Named>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    client: String,
    #[serde(deserialize_with = "crate::json_integer::deserialize")]
    sequence: u64,
    operation: Operation,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Transfer {
    from: String,
    to: String,
    #[serde(deserialize_with = "crate::json_integer::deserialize")]
    amount: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Total {
    #[serde(deserialize_with = "limited::deserialize")]
    accounts: Vec<String>,
}

type Answered = Result<Response<Full<Bytes>>, Failure>;

/// `POST /txn`: several operations, applied atomically.
pub(super) async fn transaction(server: &Server, request: &mut Request<Incoming>) -> Answered {
    let read = |Transaction { operations }| {
        check_count("operations", operations.len())?;
        operations.iter().enumerate().try_for_each(|(index, operation)| check(index, operation))?;
        Ok(Operation::Transaction { operations })
    };
    one(server, request, TRANSACTION, read).await
}

/// `POST /bank/transfer`.
pub(super) async fn transfer(server: &Server, request: &mut Request<Incoming>) -> Answered {
    let read = |Transfer { from, to, amount }| {
        let operation = Operation::Transfer { from, to, amount };
        check(0, &operation).map(|()| operation)
    };
    one(server, request, TRANSFER, read).await
}

/// `POST /bank/total`: the sum of all balances, read atomically.
pub(super) async fn total(server: &Server, request: &mut Request<Incoming>) -> Answered {
    let read = |Total { accounts }: Total| {
        check_count("accounts", accounts.len())?;
        let operation = Operation::Total { accounts };
        check(0, &operation).map(|()| operation)
    };
    one(server, request, TOTAL, read).await
}

/// Proposes one command that is built from a body.
async fn one<T: DeserializeOwned>(
    server: &Server,
    request: &mut Request<Incoming>,
    expected: &str,
    read: impl FnOnce(T) -> Result<Operation, Failure>,
) -> Answered {
    only_post(request)?;
    let (client, sequence) = name(request.headers())?;
    let Text { text, held } = body::read(server, request).await?;
    let operation = read(parse(&text, expected)?)?;
    drop(text);
    let reads = operation.only_reads();
    let applied = propose(server, Command { client, sequence, operation }, None).await?;
    drop(held);
    answered(server, applied, reads).await
}

/// `POST /commands`: commands with their clients' names, answered in order.
///
/// Each is independent: one may be applied and another not.
pub(super) async fn commands(server: &Server, request: &mut Request<Incoming>) -> Answered {
    only_post(request)?;
    let Text { text, held } = body::read(server, request).await?;
    let Batch { commands } = parse(&text, COMMANDS)?;
    drop(text);
    check_count("commands", commands.len())?;
    for (index, Named { client, operation, .. }) in commands.iter().enumerate() {
        check_client(client).ok_or_else(|| client_name(&format!("command {index}: client")))?;
        let mut parts = match operation {
            Operation::Transaction { operations } => operations.iter(),
            one => std::slice::from_ref(one).iter(),
        };
        parts.try_for_each(|operation| check(index, operation))?;
    }
    let mut replies = Vec::with_capacity(commands.len());
    for Named { client, sequence, operation } in commands {
        let (reply, answer) = oneshot::channel();
        let reads = operation.only_reads();
        let command = Command { client: client.into(), sequence, operation };
        server.inbox.send(Input::Request { command, read: None, reply }).map_err(|_| Failure::stopping())?;
        replies.push((answer, reads));
    }
    let mut results = Vec::with_capacity(replies.len());
    for (reply, reads) in replies {
        results.push(BatchResult { reply: reply.await, reads });
    }
    drop(held);
    let held = make_room(server, &mut results).await;
    let results: Vec<_> = results.into_iter().map(result).collect();
    let body = json!({ "results": results }).to_string().into_bytes();
    Ok(encoded(StatusCode::OK, held.around(body)))
}

/// The result of a command in a batch, and whether the client may repeat it.
struct BatchResult {
    reply: Result<Reply, oneshot::error::RecvError>,
    reads: bool,
}

impl BatchResult {
    fn answer(&self) -> Option<&Answer> {
        if let Ok(Reply::Applied(answer, _)) = &self.reply { Some(answer) } else { None }
    }
}

/// Drops answers that exceed the size of one response or the budget.
async fn make_room(server: &Server, results: &mut [BatchResult]) -> Held {
    leave_out(results, ANSWER_MAX);
    let weight =
        |results: &[BatchResult]| results.iter().map(|it| it.answer().map_or(0, weight) + SLACK).sum();
    let size = results.iter().filter_map(BatchResult::answer).map(Answer::size).sum();
    if let Some(held) = server.answers.hold(weight(results), size).await {
        return held;
    }
    leave_out(results, SMALL);
    Held::default()
}

/// JSON overhead of a result without its answer, in bytes.
const SLACK: usize = 200;

fn leave_out(results: &mut [BatchResult], mut room: usize) {
    for result in results {
        let Ok(Reply::Applied(answer, _)) = &mut result.reply else { continue };
        let size = answer.size();
        if size <= room {
            room -= size;
        } else if result.reads {
            result.reply = Ok(Reply::Refused(NO_ROOM));
        } else {
            *answer = answer.left_out();
        }
    }
}

/// One line of the answer to a batch: the status and body that the command alone would get.
fn result(batch_result: BatchResult) -> Value {
    let (status, mut body) = match batch_result.reply {
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

/// Refuses other methods, and bodies with another content type than JSON.
fn only_post(request: &Request<Incoming>) -> Result<(), Failure> {
    if request.method() != Method::POST {
        return Err(Failure::method("POST"));
    }
    expect_json(request.headers())
}

fn check_count(noun: &str, count: usize) -> Result<(), Failure> {
    if (1..=MANY).contains(&count) {
        return Ok(());
    }
    Err(Failure::bad(format!("{count} {noun}; there must be 1 to {MANY}")))
}

/// Refuses anything but operations on keys, and keys that no path could contain.
fn check(index: usize, operation: &Operation) -> Result<(), Failure> {
    if !operation.fits_a_transaction() {
        return Err(Failure::bad(format!("operation {index} is not allowed here")));
    }
    let keys = operation.keys();
    match keys.into_iter().find(|key| !(1..=KEY_MAX).contains(&key.chars().count())) {
        None => Ok(()),
        Some(_) => Err(Failure::bad(format!("operation {index}: a key must have 1 to {KEY_MAX} characters"))),
    }
}
