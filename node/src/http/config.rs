//! `/config`: who the members are, and changes of them.

use super::Server;
use super::kv::{body, name, parse, propose};
use super::respond::{Failure, answered, json};
use crate::driver::Input;
use crate::paxos::membership::Change;
use crate::paxos::message::Command;
use crate::store::Operation;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::oneshot;

/// What a change looks like.
const CHANGE: &str = r#"{"add": [{"name": "n4", "address": "127.0.0.1:7004", "roles": ["replica", "leader", "acceptor"]}], "remove": ["n3"]}, where one of both may be absent"#;

/// Answers a request for `/config`.
pub(super) async fn answer(
    server: &Server,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Failure> {
    match *request.method() {
        Method::GET => {
            let (reply, members) = oneshot::channel();
            server.inbox.send(Input::Members(reply)).map_err(|_| Failure::stopping())?;
            Ok(json(StatusCode::OK, &members.await.map_err(|_| Failure::stopping())?))
        }
        Method::POST => {
            let (client, sequence) = name(server, request.headers())?;
            let body = body(request.into_body()).await?;
            let change: Change = parse(&body, CHANGE)?;
            let command = Command { client, sequence, operation: Operation::Reconfigure { change } };
            let (answer, slot) = propose(server, command, None).await?;
            answered(answer, slot)
        }
        _ => Err(Failure::method("GET, POST")),
    }
}
