//! TCP through a proxy: a cut loses and reorders no bytes, a delay delivers none early.

use super::*;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn link() -> Link {
    Link::new("n1", "n2")
}

fn delay(ms: u64) -> Delay {
    Delay { mean: Duration::from_millis(ms), ..Delay::default() }
}

/// A server that echoes its input, and closes a connection when its client does.
async fn echo_server() -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            connections.spawn(async move {
                let (mut reader, mut writer) = stream.split();
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
            });
        }
    });
    (address, task)
}

/// A proxy in front of `upstream`.
async fn proxy_to(upstream: SocketAddr, base: Delay) -> Proxies {
    let mut proxies = Proxies::default();
    proxies.add(link(), &[Way { port: 0, upstream }], base, 7).await.unwrap();
    proxies
}

async fn dial(proxies: &Proxies) -> TcpStream {
    let stream = TcpStream::connect(proxies.address(&link(), 0)).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

async fn echoed(stream: &mut TcpStream, text: &[u8]) {
    stream.write_all(text).await.unwrap();
    expect(stream, text).await;
}

async fn expect(stream: &mut TcpStream, text: &[u8]) {
    let mut answer = vec![0; text.len()];
    stream.read_exact(&mut answer).await.unwrap();
    assert!(answer == text, "echoed bytes differ from sent bytes");
}

/// Waits until the link's counters satisfy the predicate.
async fn until(proxies: &Proxies, wanted: impl Fn(LinkCounters) -> bool) {
    let look = async {
        while !wanted(proxies.counters(&link())) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), look).await.expect("the counters never got there");
}

#[tokio::test]
async fn sound_link_passes_bytes_and_stream_end() {
    let (server, _task) = echo_server().await;
    let proxies = proxy_to(server, Delay::default()).await;
    let mut stream = dial(&proxies).await;
    echoed(&mut stream, b"hello").await;
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
    until(&proxies, |counters| counters.open == 0).await;
    let counters = proxies.counters(&link());
    assert_eq!((counters.connections, counters.bytes, counters.held_chunks), (1, 10, 0));
}

#[tokio::test]
async fn large_stream_arrives_complete_in_order() {
    let (server, _task) = echo_server().await;
    let proxies = proxy_to(
        server,
        Delay { mean: Duration::from_millis(3), jitter: Duration::from_millis(3), ..Delay::default() },
    )
    .await;
    let (mut reader, mut writer) = dial(&proxies).await.into_split();
    let sent: Vec<u8> = (0..3_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let expected = sent.clone();
    let sending = tokio::spawn(async move {
        writer.write_all(&sent).await.unwrap();
        writer.shutdown().await.unwrap();
    });
    let mut got = Vec::new();
    reader.read_to_end(&mut got).await.unwrap();
    sending.await.unwrap();
    assert!(got == expected, "{} bytes came back, and they differ", got.len());
}

#[tokio::test]
async fn stalled_link_delivers_in_order_after_healing() {
    let (server, _task) = echo_server().await;
    let proxies = proxy_to(server, Delay::default()).await;
    let mut stream = dial(&proxies).await;
    echoed(&mut stream, b"before").await;
    proxies.apply(&link(), 1, LinkFault::Stall);
    stream.write_all(b"one ").await.unwrap();
    until(&proxies, |counters| counters.held_bytes == 4).await;
    stream.write_all(b"two").await.unwrap();
    until(&proxies, |counters| counters.held_bytes == 7).await;
    assert_eq!(proxies.counters(&link()).held_chunks, 2);
    let mut byte = [0];
    let result = tokio::time::timeout(Duration::from_millis(50), stream.read(&mut byte)).await;
    assert!(result.is_err(), "bytes passed a cut link");
    assert!(proxies.release(&link(), 1));
    expect(&mut stream, b"one two").await;
}

#[tokio::test]
async fn connection_made_during_a_cut_works_after_healing() {
    let (server, _task) = echo_server().await;
    let proxies = proxy_to(server, Delay::default()).await;
    proxies.apply(&link(), 1, LinkFault::Stall);
    let mut stream = dial(&proxies).await;
    stream.write_all(b"patience").await.unwrap();
    until(&proxies, |counters| counters.held_bytes == 8).await;
    proxies.release(&link(), 1);
    expect(&mut stream, b"patience").await;
}

#[tokio::test]
async fn cut_link_hides_death_of_node() {
    let (server, task) = echo_server().await;
    let proxies = proxy_to(server, Delay::default()).await;
    let mut stream = dial(&proxies).await;
    echoed(&mut stream, b"before").await;
    proxies.apply(&link(), 1, LinkFault::Stall);
    task.abort();
    let mut byte = [0];
    let result = tokio::time::timeout(Duration::from_millis(50), stream.read(&mut byte)).await;
    assert!(result.is_err(), "the end of the connection passed a cut link");
    proxies.release(&link(), 1);
    assert!(matches!(stream.read(&mut byte).await, Ok(0) | Err(_)));
}

#[tokio::test]
async fn dial_to_dead_node_closes_at_once() {
    let (server, task) = echo_server().await;
    task.abort();
    let _ = task.await;
    let proxies = proxy_to(server, Delay::default()).await;
    let mut stream = dial(&proxies).await;
    assert!(matches!(stream.read(&mut [0]).await, Ok(0) | Err(_)));
}

#[tokio::test]
async fn delayed_chunk_is_never_early() {
    let (server, _task) = echo_server().await;
    let proxies = proxy_to(server, Delay::default()).await;
    let mut stream = dial(&proxies).await;
    echoed(&mut stream, b"warm").await;
    proxies.apply(&link(), 1, LinkFault::Delay(delay(30)));
    let started = Instant::now();
    echoed(&mut stream, b"slow").await;
    assert!(started.elapsed() >= Duration::from_millis(60), "{:?}", started.elapsed());
    assert_eq!(proxies.counters(&link()).delayed_chunks, 2);

    proxies.release(&link(), 1);
    proxies.apply(&link(), 2, LinkFault::Delay(delay(3_600_000)));
    stream.write_all(b"an hour").await.unwrap();
    until(&proxies, |counters| counters.delayed_chunks == 3).await;
    proxies.release(&link(), 2);
    expect(&mut stream, b"an hour").await;
}

#[tokio::test]
async fn delay_does_not_limit_throughput() {
    let (server, _task) = echo_server().await;
    let proxies = proxy_to(server, delay(100)).await;
    let (mut reader, mut writer) = dial(&proxies).await.into_split();
    let started = Instant::now();
    let sending = tokio::spawn(async move {
        for _ in 0..200 {
            writer.write_all(&[7; 100]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let mut got = vec![0; 20_000];
    reader.read_exact(&mut got).await.unwrap();
    sending.await.unwrap();
    // One chunk at a time would take 200 × 200 ms = 40 s.
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[tokio::test]
async fn limited_link_keeps_its_rate() {
    let (server, _task) = echo_server().await;
    let proxies = proxy_to(server, Delay::default()).await;
    proxies.apply(&link(), 1, LinkFault::Rate(100_000));
    let mut stream = dial(&proxies).await;
    let started = Instant::now();
    echoed(&mut stream, &vec![9; 20_000]).await;
    assert!(started.elapsed() >= Duration::from_millis(200), "{:?}", started.elapsed());
    assert!(proxies.counters(&link()).delayed_chunks > 10);
}

#[tokio::test]
async fn reset_ends_open_connections_only() {
    let (server, _task) = echo_server().await;
    let proxies = proxy_to(server, Delay::default()).await;
    let mut stream = dial(&proxies).await;
    echoed(&mut stream, b"before").await;
    assert_eq!(proxies.reset(&link()).await, 1);
    let error = stream.read(&mut [0]).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    echoed(&mut dial(&proxies).await, b"after").await;
}

#[tokio::test]
async fn refused_link_resets_open_and_new_connections() {
    let (server, _task) = echo_server().await;
    let proxies = proxy_to(server, Delay::default()).await;
    let mut stream = dial(&proxies).await;
    echoed(&mut stream, b"before").await;
    proxies.apply(&link(), 1, LinkFault::Refuse);
    assert!(stream.read(&mut [0]).await.is_err());
    assert!(dial(&proxies).await.read(&mut [0]).await.is_err());
    until(&proxies, |counters| counters.refused == 1 && counters.reset == 1).await;
    proxies.release(&link(), 1);
    echoed(&mut dial(&proxies).await, b"after").await;
}

#[tokio::test]
async fn probe_distinguishes_silence_and_is_not_counted() {
    let (server, _task) = echo_server().await;
    let proxies = proxy_to(server, Delay::default()).await;
    assert!(proxies.probe(&link(), b"ping", Duration::from_secs(5)).await.answered());
    proxies.apply(&link(), 1, LinkFault::Stall);
    let patience = Duration::from_millis(50);
    assert_eq!(proxies.probe(&link(), b"ping", patience).await, Probe::Silent(patience));
    proxies.apply(&link(), 2, LinkFault::Refuse);
    assert_eq!(proxies.probe(&link(), b"ping", Duration::from_secs(5)).await, Probe::Refused);
    assert_eq!(proxies.counters(&link()), LinkCounters::default());
}
