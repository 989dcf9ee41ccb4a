//! `/config`: the membership and its changes.

use super::Server;
use super::answers::answered;
use super::body::{self, Text};
use super::kv::{name, parse, propose};
use super::origin::expect_json;
use super::respond::{Failure, json};
use crate::driver::Input;
use crate::paxos::membership::Change;
use crate::paxos::message::Command;
use crate::store::Operation;
use crate::transport::identity::{MEMBERS, hex, unhex};
use crate::transport::{NONCE, PROOF};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use tokio::sync::oneshot;

/// The format of a change.
const CHANGE: &str = r#"{"add": [{"name": "n4", "address": "127.0.0.1:7004", "roles": ["replica", "leader", "acceptor"]}], "remove": ["n3"]}, where one of both may be absent"#;

/// Answers a request for `/config`.
pub(super) async fn answer(
    server: &Server,
    request: &mut Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Failure> {
    match *request.method() {
        Method::GET => {
            let (reply, members) = oneshot::channel();
            server.inbox.send(Input::Members(reply)).map_err(|_| Failure::stopping())?;
            let mut response = json(StatusCode::OK, &members.await.map_err(|_| Failure::stopping())?);
            prove(server, request.headers(), &mut response).await;
            Ok(response)
        }
        Method::POST => {
            let (client, sequence) = name(request.headers())?;
            expect_json(request.headers())?;
            let Text { text, held: _held } = body::read(server, request).await?;
            let change: Change = parse(&text, CHANGE)?;
            let command = Command { client, sequence, operation: Operation::Reconfigure { change } };
            let applied = propose(server, command, None).await?;
            answered(server, applied, false).await
        }
        _ => Err(Failure::method("GET, POST")),
    }
}

/// Proves to a joining node, which sends a nonce, that the answer is authentic and a member's.
async fn prove(server: &Server, headers: &HeaderMap, response: &mut Response<Full<Bytes>>) {
    let nonce = headers.get(NONCE).and_then(|value| unhex::<16>(value.to_str().ok()?));
    let Some(nonce) = nonce else { return };
    let Ok(body) = response.body().clone().collect().await;
    let proof = hex(&server.identity.key().prove(MEMBERS, &[&nonce, &body.to_bytes()]));
    if let Ok(proof) = HeaderValue::from_str(&proof) {
        response.headers_mut().insert(PROOF, proof);
    }
}
