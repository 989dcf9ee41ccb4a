//! Waiting until the system serves.

use crate::support::{Act, Memory, Nobody, Server, only, session};
use std::time::Duration;
use workloads::{PROBE_KEY, ServeError};

#[tokio::test]
async fn a_system_serves_when_it_has_applied_a_write_that_no_history_knows() {
    let slow = |number| if number < 3 { Act::Reply(503, r#"{"applied":false}"#) } else { Act::Serve };
    let (one, two) = (Server::start(slow).await, Server::start(slow).await);
    let memory = Memory::new();
    let session = session(only("write"), &[one.address, two.address], &memory);
    session.wait_until_serving(Duration::from_secs(30)).await.unwrap();
    assert!(memory.events().is_empty());
    let seen = one.seen();
    assert_eq!(seen.len(), 4);
    assert!(seen.iter().all(|request| request.path == format!("/kv/{PROBE_KEY}")));
    assert_ne!(seen[0].client_id, seen[1].client_id, "each attempt is a command of its own");
}

#[tokio::test]
async fn a_replica_that_does_not_listen_is_named() {
    let server = Server::start(|_| Act::Serve).await;
    let nobody = Nobody::new();
    let session = session(only("write"), &[server.address, nobody.address], &Memory::new());
    let error = session.wait_until_serving(Duration::from_millis(100)).await.unwrap_err();
    let ServeError::NotListening { nodes, .. } = &error else { panic!("{error}") };
    assert_eq!(*nodes, ["n2"]);
    assert!(error.to_string().contains("no connection to n2 in 100ms"), "{error}");
}

#[tokio::test]
async fn a_system_that_applies_nothing_does_not_serve() {
    let server = Server::start(|_| Act::Reply(503, r#"{"applied":false}"#)).await;
    let session = session(only("write"), &[server.address], &Memory::new());
    let error = session.wait_until_serving(Duration::from_millis(100)).await.unwrap_err();
    let ServeError::NotServing { errors, .. } = &error else { panic!("{error}") };
    assert!(errors.contains(&"unavailable".to_owned()), "{error}");
}
