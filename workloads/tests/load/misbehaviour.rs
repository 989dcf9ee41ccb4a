//! What the history says when a node misbehaves in a known way.

use crate::support::{Act, Closed, Memory, Server, only, raw_server, session};
use history::{Event, Kind, Phase, Process};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use workloads::{CancellationToken, LoadSpec};

/// Longer than any test lasts; the tests end by what the servers have seen.
const LONG: Duration = Duration::from_secs(60);

/// Runs closed-loop load until the token is cancelled; the completed operations.
async fn load(spec: LoadSpec, nodes: &[SocketAddr], cancel: &CancellationToken) -> Vec<(Event, Event)> {
    let memory = Memory::new();
    let report = session(spec, nodes, &memory).run(Phase::Load, LONG, cancel).await.unwrap();
    assert!(report.cancelled);
    memory.completed()
}

/// Runs load against a server that does this to the first request and serves the next ones.
async fn first(act: Act, spec: LoadSpec) -> (Vec<(Event, Event)>, Server) {
    let cancel = CancellationToken::new();
    let script = move |number| if number == 0 { act.clone() } else { Act::Serve };
    let server = Server::until(4, &cancel, script).await;
    (load(spec, &[server.address], &cancel).await, server)
}

/// The kind and the error of a completion.
fn ending((_, end): &(Event, Event)) -> (Kind, Option<&str>) {
    (end.kind, end.error.as_deref())
}

#[tokio::test]
async fn timeout_is_unknown_and_starts_a_new_process() {
    let spec = LoadSpec { timeout: Duration::from_millis(300), ..only("write") };
    let (operations, server) = first(Act::Silence, spec).await;
    assert_eq!(ending(&operations[0]), (Kind::Info, Some("timeout")));
    assert_eq!(operations[0].0.process, Process::Client(0));
    assert_eq!(operations[1].0.process, Process::Client(1));
    assert_eq!(operations[1].0.client, Some(0));
    let seen = server.seen();
    assert_ne!(seen[0].client_id, seen[1].client_id);
    assert!(seen[1].client_id.ends_with("-1"), "{}", seen[1].client_id);
}

#[tokio::test]
async fn closed_connection_leaves_the_outcome_unknown() {
    let (operations, server) = first(Act::Close, only("write")).await;
    assert_eq!(ending(&operations[0]), (Kind::Info, Some("closed")));
    assert_eq!(operations[0].1.value, operations[0].0.value);
    assert_ne!(operations[0].0.process, operations[1].0.process);
    let seen = server.seen();
    assert_ne!(seen[0].body, seen[1].body, "an operation is never sent twice");
}

#[tokio::test]
async fn retry_sends_the_same_command_once_recorded() {
    let retry = Some(Duration::from_millis(200));
    for act in [Act::Close, Act::Silence] {
        let spec = LoadSpec { timeout: Duration::from_secs(30), retry, ..only("write") };
        let (operations, server) = first(act, spec).await;
        assert_eq!(ending(&operations[0]), (Kind::Ok, None));
        let seen = server.seen();
        let name = |number: usize| (&seen[number].client_id, seen[number].sequence, &seen[number].body);
        assert_eq!(name(0), name(1), "the retry goes by the same name");
        assert_ne!(name(1), name(2));
    }
}

#[tokio::test]
async fn a_read_without_an_answer_is_unknown_too() {
    let (operations, _server) = first(Act::Close, only("read")).await;
    assert_eq!(ending(&operations[0]), (Kind::Info, Some("closed")));
    assert_eq!(operations[0].1.value, Value::Null);
}

#[tokio::test]
async fn answer_without_json_is_unknown() {
    let (operations, _server) = first(Act::Reply(200, "certainly!"), only("write")).await;
    assert_eq!(ending(&operations[0]), (Kind::Info, Some("garbled")));
    assert_ne!(operations[0].0.process, operations[1].0.process);
}

#[tokio::test]
async fn unlisted_status_is_unknown() {
    let (operations, _server) = first(Act::Reply(504, "{}"), only("write")).await;
    assert_eq!(ending(&operations[0]), (Kind::Info, Some("http-504")));
}

#[tokio::test]
async fn definite_refusal_fails_and_moves_the_client() {
    let cancel = CancellationToken::new();
    let refusing = Server::start(|_| Act::Reply(503, r#"{"applied":false,"error":"stopping"}"#)).await;
    let serving = Server::until(3, &cancel, |_| Act::Serve).await;
    let operations = load(only("write"), &[refusing.address, serving.address], &cancel).await;
    assert_eq!(ending(&operations[0]), (Kind::Fail, Some("unavailable")));
    assert_eq!(ending(&operations[1]), (Kind::Ok, None));
    let nodes: Vec<_> = operations.iter().map(|(begin, _)| begin.node.as_deref().unwrap()).collect();
    assert_eq!(nodes[..3], ["n1", "n2", "n2"], "it stays where it is served");
    assert_eq!(operations[0].0.process, operations[1].0.process);
    let (refused, served) = (refusing.seen(), serving.seen());
    assert_eq!(refused[0].client_id, served[0].client_id);
    assert!(refused[0].sequence < served[0].sequence && served[0].sequence < served[1].sequence);
}

#[tokio::test]
async fn refused_connection_is_a_failure() {
    let cancel = CancellationToken::new();
    let server = Server::until(3, &cancel, |_| Act::Serve).await;
    let closed = Closed::new();
    let operations = load(only("write"), &[closed.address, server.address], &cancel).await;
    assert_eq!(ending(&operations[0]), (Kind::Fail, Some("connection-refused")));
    assert_eq!(operations[0].0.node.as_deref(), Some("n1"));
    assert_eq!(ending(&operations[1]), (Kind::Ok, None));
    assert_eq!(operations[1].0.node.as_deref(), Some("n2"));
    assert_eq!(operations[0].0.process, operations[1].0.process);
}

#[tokio::test]
async fn next_cas_expects_what_was_found() {
    let (operations, server) = first(Act::Reply(409, r#"{"actual":"77"}"#), only("cas")).await;
    assert_eq!(operations[0].0.value, json!([null, 1]));
    assert_eq!(ending(&operations[0]), (Kind::Fail, Some("precondition")));
    assert_eq!(operations[0].1.actual, Some(json!(77)));
    assert_eq!(operations[1].0.value, json!([77, 2]));
    let body = |number: usize| serde_json::from_str::<Value>(&server.seen()[number].body).unwrap();
    assert_eq!(body(0), json!({"from": null, "to": "1"}));
    assert_eq!(body(1), json!({"from": "77", "to": "2"}));
    // The store is empty, and that too is an answer to learn from.
    assert_eq!(operations[1].1.actual, Some(Value::Null));
    assert_eq!(operations[2].0.value, json!([null, 3]));
    assert_eq!(ending(&operations[2]), (Kind::Ok, None));
}

#[tokio::test]
async fn broken_http_leaves_the_outcome_unknown() {
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"applied\":";
    for (bytes, reset, error) in [
        (b"what?\r\n\r\n".as_slice(), false, "garbled"),
        (cut.as_slice(), false, "closed"),
        (b"".as_slice(), true, "reset"),
    ] {
        let cancel = CancellationToken::new();
        let server = Server::until(2, &cancel, |_| Act::Serve).await;
        let raw = raw_server(bytes, reset).await;
        let operations = load(only("read"), &[raw, server.address], &cancel).await;
        assert_eq!(ending(&operations[0]), (Kind::Info, Some(error)));
        assert_eq!(operations[0].0.node.as_deref(), Some("n1"));
        assert_eq!(operations[1].0.node.as_deref(), Some("n2"));
    }
}

#[tokio::test]
async fn connection_closed_between_operations_costs_none() {
    let cancel = CancellationToken::new();
    let server = Server::until(5, &cancel, |_| Act::ServeAndClose).await;
    let operations = load(only("write"), &[server.address], &cancel).await;
    assert!(operations.len() >= 5);
    assert!(operations[..4].iter().all(|operation| ending(operation) == (Kind::Ok, None)));
}

#[tokio::test]
async fn interrupt_ends_open_operations_as_unknown() {
    let cancel = CancellationToken::new();
    let server = Server::until(1, &cancel, |_| Act::Silence).await;
    let operations = load(only("write"), &[server.address], &cancel).await;
    assert_eq!(operations.len(), 1);
    assert_eq!(ending(&operations[0]), (Kind::Info, Some("cancelled")));
}
