//! One closed-loop client that keeps its connection, its tally, and nothing else.

use super::wire::{Head, Requests};
use crate::generator::Generator;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a client rests after an error, lest it spin on a node that refuses.
const REST: Duration = Duration::from_millis(10);

/// What one client saw.
pub(super) struct Tally {
    pub(super) ok: u64,
    pub(super) failed: BTreeMap<&'static str, u64>,
    pub(super) latencies: Histogram<u64>,
}

/// Latencies in nanoseconds; three digits are kept.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new(3).expect("three digits are a precision that hdrhistogram allows")
}

/// A client with the connection it keeps.
pub(super) struct Client {
    address: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Client {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, stream: None, buffer: Vec::with_capacity(4096) }
    }

    /// Works until then.
    pub(super) async fn work(&mut self, operations: Generator, requests: &Requests, until: Instant) -> Tally {
        let mut tally = Tally { ok: 0, failed: BTreeMap::new(), latencies: histogram() };
        let mut begun = Instant::now();
        for draft in operations {
            if begun >= until {
                break;
            }
            match self.exchange(requests, requests.of(draft.function, draft.key)).await {
                Ok(()) => {
                    let ended = Instant::now();
                    let took = u64::try_from((ended - begun).as_nanos()).unwrap_or(u64::MAX);
                    tally.latencies.record(took).expect("the histogram grows by itself");
                    tally.ok += 1;
                    begun = ended;
                }
                Err(error) => {
                    *tally.failed.entry(error).or_default() += 1;
                    self.rest().await;
                    begun = Instant::now();
                }
            }
        }
        tally
    }

    pub(super) async fn rest(&self) {
        tokio::time::sleep(REST).await;
    }

    /// Sends a request and reads its answer; what it was if it is no success. A connection that broke is opened again.
    pub(super) async fn exchange(&mut self, requests: &Requests, request: &[u8]) -> Result<(), &'static str> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.address).await?,
        };
        stream.write_all(request).await.map_err(|_| "reset")?;
        self.buffer.clear();
        let status = loop {
            match stream.read_buf(&mut self.buffer).await {
                Ok(0) => return Err("closed"),
                Ok(_) => {}
                Err(_) => return Err("reset"),
            }
            match requests.head(&self.buffer)? {
                Head::Unfinished => {}
                Head::Answered(status) => break status,
            }
        };
        self.stream = Some(stream);
        match status {
            200 => Ok(()),
            404 => Err("status 404"),
            429 => Err("status 429"),
            500 => Err("status 500"),
            503 => Err("status 503"),
            504 => Err("status 504"),
            _ => Err("another status"),
        }
    }
}

async fn connect(address: SocketAddr) -> Result<TcpStream, &'static str> {
    let stream = TcpStream::connect(address).await.map_err(|_| "refused")?;
    stream.set_nodelay(true).map_err(|_| "refused")?;
    Ok(stream)
}
