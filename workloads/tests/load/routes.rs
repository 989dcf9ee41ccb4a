//! Which node clients ask after an error.

use crate::support::{Act, Closed, Memory, Server, only, raw_server, session, targets};
use history::{Kind, Phase, Recorder};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use workloads::{CancellationToken, ClientSpec, LeaderSource, LoadSpec, Requesting, Route, Session};

const LONG: Duration = Duration::from_secs(60);

fn spec(route: Route) -> LoadSpec {
    LoadSpec { route, ..only("write") }
}

/// The node of each operation of one client, and whether it succeeded.
async fn asked(mut session: Session, memory: &Memory, cancel: &CancellationToken) -> Vec<(String, bool)> {
    session.run(Phase::Load, LONG, cancel).await.unwrap();
    let operations = memory.completed().into_iter();
    operations.map(|(begin, end)| (begin.node.unwrap(), end.kind == Kind::Ok)).collect()
}

#[tokio::test]
async fn pinned_client_returns_to_a_broken_node() {
    let cancel = CancellationToken::new();
    let fails_twice = |number| if number < 2 { Act::Close } else { Act::Serve };
    let home = Server::until(4, &cancel, fails_twice).await;
    let other = Server::start(|_| Act::Serve).await;
    let memory = Memory::new();
    let session = session(spec(Route::Pinned), &[home.address, other.address], &memory);
    let asked = asked(session, &memory, &cancel).await;
    let expected = [false, false, true].map(|ok| ("n1".to_owned(), ok));
    assert_eq!(asked[..3], expected);
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn mixed_load_asks_a_node_that_is_down_and_others() {
    let cancel = CancellationToken::new();
    let closed = Closed::new();
    let serving = Server::until(20, &cancel, |_| Act::Serve).await;
    let memory = Memory::new();
    let load = LoadSpec { clients: 4, ..spec(Route::Mixed) };
    let session = session(load, &[closed.address, serving.address], &memory);
    asked(session, &memory, &cancel).await;
    let of = |client: u32| {
        let all = memory.completed().into_iter().filter(move |(begin, _)| begin.client == Some(client));
        all.map(|(begin, _)| begin.node.unwrap()).collect::<Vec<_>>()
    };
    assert!(of(0)[1..].iter().all(|node| node == "n2"), "it moves on: {:?}", of(0));
    assert!(of(2).iter().all(|node| node == "n1"), "it is pinned: {:?}", of(2));
}

#[tokio::test]
async fn pinned_client_leaves_a_node_that_stands_by() {
    let cancel = CancellationToken::new();
    let standing_by = raw_server(
        b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        false,
    )
    .await;
    let serving =
        raw_server(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", false).await;
    let client: ClientSpec = toml::from_str(
        r#"
        kind = "http"
        answers = [{ when.status = 503, standby = true }]
        read = { request = "GET /{key}", answers = [{ when.status = 200, ok = "text" }] }
        write = { request = "POST /{key}?to={value}", answers = [{ when.status = 200, ok = true }] }
        "#,
    )
    .unwrap();
    let load = spec(Route::Pinned);
    let adapter = Box::new(Requesting::new(client.table(&load).unwrap()));
    let memory = Memory::new();
    let recorder: Arc<dyn Recorder> = Arc::<Memory>::clone(&memory);
    let targets = targets(&[standing_by, serving]);
    let session = Session::with_adapter(load, 7, targets, recorder, adapter).unwrap();
    let stop = cancel.clone();
    let stopping = async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        stop.cancel();
    };
    let (asked, ()) = tokio::join!(asked(session, &memory, &cancel), stopping);
    assert_eq!(asked[0], ("n1".to_owned(), false));
    // The last one is open when the load is cancelled.
    let (_, served) = asked[1..].split_last().unwrap();
    assert!(!served.is_empty() && served.iter().all(|one| *one == ("n2".to_owned(), true)), "{asked:?}");
}

struct Names(&'static str);

impl LeaderSource for Names {
    fn leader(&self) -> Pin<Box<dyn Future<Output = Option<String>> + Send + '_>> {
        Box::pin(async { Some(self.0.to_owned()) })
    }
}

#[tokio::test]
async fn clients_ask_the_leader_that_is_named() {
    let cancel = CancellationToken::new();
    let follower = Server::start(|_| Act::Serve).await;
    let leader = Server::until(5, &cancel, |_| Act::Serve).await;
    let memory = Memory::new();
    let session = session(spec(Route::Leader), &[follower.address, leader.address], &memory)
        .with_leader_source(Arc::new(Names("n2")));
    let asked = asked(session, &memory, &cancel).await;
    assert!(asked.len() >= 5 && asked.iter().all(|(node, _)| node == "n2"), "{asked:?}");
    assert!(follower.seen().is_empty());
}
