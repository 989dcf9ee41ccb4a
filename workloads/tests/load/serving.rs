//! Waiting until the system serves.

use crate::support::{Act, Closed, Memory, Server, only, session};
use std::time::Duration;
use workloads::{PROBE_KEY, ServeError};

#[tokio::test]
async fn system_serves_after_an_unrecorded_write() {
    let slow = |number| if number < 3 { Act::Reply(503, r#"{"applied":false}"#) } else { Act::Serve };
    let server = Server::start(slow).await;
    let memory = Memory::new();
    let session = session(only("write"), &[server.address, server.address], &memory);
    session.wait_until_serving(Duration::from_secs(30)).await.unwrap();
    assert!(memory.events().is_empty());
    let seen = server.seen();
    assert_eq!(seen.len(), 7, "three refusals, a write, a read, and the read that each node answers");
    assert!(seen.iter().all(|request| request.path == format!("/kv/{PROBE_KEY}")));
    assert_ne!(seen[0].client_id, seen[1].client_id, "each attempt is a command of its own");
}

#[tokio::test]
async fn a_replica_that_does_not_listen_is_named() {
    let server = Server::start(|_| Act::Serve).await;
    let closed = Closed::new();
    let session = session(only("write"), &[server.address, closed.address], &Memory::new());
    let error = session.wait_until_serving(Duration::from_millis(100)).await.unwrap_err();
    let ServeError::NotListening { nodes, .. } = &error else { panic!("{error}") };
    assert_eq!(*nodes, [format!("n2 ({})", closed.address)]);
    let expected = format!("no connection to n2 ({}) in 100ms", closed.address);
    assert!(error.to_string().contains(&expected), "{error}");
}

/// What a system that answers everything like this is said to have done first.
async fn first_answers(act: impl Fn(usize) -> Act + Send + Sync + 'static) -> String {
    let server = Server::start(act).await;
    let session = session(only("write"), &[server.address], &Memory::new());
    let error = session.wait_until_serving(Duration::from_millis(300)).await.unwrap_err();
    assert!(matches!(error, ServeError::NotServing { .. }), "{error}");
    error.to_string()
}

#[tokio::test]
async fn first_answers_of_wrong_systems_are_quoted() {
    let put = format!("n1 answered PUT /kv/{PROBE_KEY} with");
    for (status, body) in [
        (404, r#"{"error":"no such path"}"#),
        (501, "not implemented"),
        (200, "OK"),
        (401, "log in first"),
        (503, r#"{"applied":false}"#),
    ] {
        let said = first_answers(move |_| Act::Reply(status, body)).await;
        assert!(said.contains(&format!("{put} {status} \"{body}\"")), "{said}");
        assert!(said.contains("no node applied a write in 300ms"), "{said}");
    }
    let said = first_answers(|_| Act::Silence).await;
    assert!(said.contains("n1 gave no answer (timeout)"), "{said}");
}

#[tokio::test]
async fn a_system_without_reads_does_not_serve() {
    let said = first_answers(|number| if number == 0 { Act::Serve } else { Act::Reply(200, "value") }).await;
    assert!(said.contains("no node answered a read"), "{said}");
    assert!(said.contains(&format!("n1 answered GET /kv/{PROBE_KEY} with 200 \"value\"")), "{said}");
}

#[tokio::test]
async fn writes_must_be_read_back_before_load() {
    for (body, with) in
        [(r#"{"value":null}"#, 404), (r#"{"value":"1"}"#, 200), (r#"{"value":"<html>"}"#, 200)]
    {
        let act = move |number| if number == 0 { Act::Serve } else { Act::Reply(with, body) };
        let server = Server::start(act).await;
        let session = session(only("write"), &[server.address], &Memory::new());
        let error = session.wait_until_serving(Duration::from_millis(300)).await.unwrap_err();
        assert!(matches!(error, ServeError::NotReadBack { .. }), "{error}");
        let said = error.to_string();
        assert!(said.contains(&format!("n1 answered GET /kv/{PROBE_KEY} with {with} \"")), "{said}");
        assert!(said.contains("what the write before had written"), "{said}");
    }
}
