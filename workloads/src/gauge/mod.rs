//! Load that is counted and timed, but not recorded: for measurements of speed.
//!
//! To record and judge every operation takes more processor time than a fast system needs to carry it out. Here every
//! request is made before the load begins, and of an answer no more is read than whether it is a success.

mod client;
mod wire;

use crate::api::Api;
use crate::generator::{Choices, Generator};
use crate::operation::Function;
use crate::phase::nanoseconds;
use crate::seed::client_seeds;
use crate::session::Target;
use crate::spec::{LoadSpec, SpecError};
use client::{Client, Tally};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wire::Requests;

/// How long the filling of the store may take beyond the timeout of one operation.
const FILL_WITHIN: Duration = Duration::from_secs(30);

/// The clients of one measurement. Its futures stay on one thread: drive them in a [`tokio::task::LocalSet`].
#[derive(Debug)]
pub struct Gauge {
    load: LoadSpec,
    targets: Vec<Target>,
    requests: Rc<Requests>,
    choices: Arc<Choices>,
    seeds: Vec<u64>,
}

/// What a measurement gave.
#[derive(Debug, Clone)]
pub struct Gauged {
    /// How long operations were begun, in seconds.
    pub seconds: f64,
    /// Operations that succeeded.
    pub ok: u64,
    /// Those that did not, by what they ended with: a status, `closed`, `refused`, ….
    pub failed: BTreeMap<String, u64>,
    /// How long those took that succeeded, in nanoseconds.
    latencies: Histogram<u64>,
}

impl Gauged {
    /// The latency that this share of the operations did not exceed, in milliseconds; none if none succeeded.
    pub fn quantile_ms(&self, share: f64) -> Option<f64> {
        (self.ok > 0).then(|| self.latencies.value_at_quantile(share) as f64 / 1e6)
    }

    /// Operations that did not succeed.
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    fn add(&mut self, tally: Tally) {
        self.ok += tally.ok;
        for (error, count) in tally.failed {
            self.fail(error, count);
        }
        self.latencies.add(&tally.latencies).expect("histograms of the same kind can be added");
    }

    fn fail(&mut self, error: &str, count: u64) {
        *self.failed.entry(error.to_owned()).or_default() += count;
    }
}

impl Gauge {
    /// The clients of a load with `record = false`; client `n` keeps a connection to target `n mod targets`.
    ///
    /// # Panics
    /// If there is no target.
    pub fn new(load: &LoadSpec, api: Api, mut targets: Vec<Target>, seed: u64) -> Result<Self, SpecError> {
        targets.retain(|target| !target.spare);
        assert!(!targets.is_empty(), "a load needs a node to send to");
        let choices = Arc::new(Choices::new(load)?);
        let requests = Rc::new(Requests::new(load, api));
        Ok(Self { load: load.clone(), targets, requests, choices, seeds: client_seeds(seed, load.clients) })
    }

    /// Writes every key once, so that reads find something. What went wrong, if not all could be written.
    pub async fn fill(&self) -> Result<(), String> {
        let mut client = Client::new(self.targets[0].address);
        let until = Instant::now() + FILL_WITHIN + self.load.timeout;
        for key in 0..self.load.keys {
            let request = self.requests.of(Function::Put, key);
            while let Err(error) = client.exchange(&self.requests, request).await {
                if Instant::now() >= until {
                    return Err(format!(
                        "{} was not written: {error}; the load needs every key",
                        LoadSpec::key_name(key)
                    ));
                }
                client.rest().await;
            }
        }
        Ok(())
    }

    /// Lets all clients work for this long, each beginning its next operation when its last one has ended. Operations
    /// that are open at the end may take the timeout of one; none if it was cancelled before.
    pub async fn run(&self, duration: Duration, cancel: &CancellationToken) -> Option<Gauged> {
        let begun = Instant::now();
        let until = begun + duration;
        let mut clients = JoinSet::new();
        for (number, seed) in (0..).zip(&self.seeds) {
            let target = &self.targets[number as usize % self.targets.len()];
            let operations = Generator::new(Arc::clone(&self.choices), number, *seed);
            let (mut client, requests) = (Client::new(target.address), Rc::clone(&self.requests));
            clients.spawn_local(async move { client.work(operations, &requests, until).await });
        }
        let mut gauged = Gauged {
            seconds: nanoseconds(duration) as f64 / 1e9,
            ok: 0,
            failed: BTreeMap::new(),
            latencies: client::histogram(),
        };
        let patience = tokio::time::sleep_until((until + self.load.timeout).into());
        tokio::pin!(patience);
        let open = loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => return None,
                ended = clients.join_next() => match ended {
                    None => break 0,
                    Some(Ok(tally)) => gauged.add(tally),
                    Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
                },
                () = &mut patience => break clients.len(),
            }
        };
        if open > 0 {
            gauged.fail("timeout", open as u64);
        }
        Some(gauged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// A node that answers every request with these bytes, in two pieces.
    async fn node(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::task::spawn_local(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::task::spawn_local(async move {
                    let mut buffer = vec![0; 4096];
                    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                        let (first, second) = answer.split_at(answer.len() / 2);
                        for piece in [first, second] {
                            let _ = stream.write_all(piece.as_bytes()).await;
                            let _ = stream.flush().await;
                        }
                    }
                });
            }
        });
        address
    }

    fn measured(answer: &'static str, mix: &str) -> (Result<(), String>, Option<Gauged>) {
        let text = format!(
            "workload = \"kv\"\nclients = 3\nkeys = 5\nrecord = false\ntimeout = \"100ms\"\nmix = {{ {mix} = 1 }}"
        );
        let load: LoadSpec = toml::from_str(&text).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let target = Target { name: "n1".to_owned(), address: node(answer).await, spare: false };
            let gauge = Gauge::new(&load, Api::Kv, vec![target], 7).unwrap();
            let filled = if answer.starts_with("HTTP/1.1 200") { gauge.fill().await } else { Ok(()) };
            (filled, gauge.run(Duration::from_millis(100), &CancellationToken::new()).await)
        })
    }

    #[test]
    fn successes_are_counted_and_timed_whether_an_answer_has_a_length_or_comes_in_chunks() {
        for answer in [
            "HTTP/1.1 200 OK\r\ncontent-length: 16\r\n\r\n{\"applied\":true}",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n0\r\n\r\n",
        ] {
            let (filled, gauged) = measured(answer, "put");
            let gauged = gauged.unwrap();
            assert_eq!((filled, gauged.failures()), (Ok(()), 0));
            assert!(gauged.ok >= 3, "every client works at least once: {gauged:?}");
            assert!(gauged.quantile_ms(0.5) <= gauged.quantile_ms(0.99));
        }
    }

    #[test]
    fn what_is_no_success_is_counted_by_what_it_is() {
        let (_, gauged) = measured("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", "get");
        let gauged = gauged.unwrap();
        assert_eq!((gauged.ok, gauged.quantile_ms(0.5)), (0, None));
        assert_eq!(gauged.failed.keys().collect::<Vec<_>>(), ["status 503"]);
    }

    #[test]
    fn a_node_that_is_silent_costs_the_timeout_of_one_operation() {
        let (_, gauged) = measured("", "get");
        assert_eq!(gauged.unwrap().failed, BTreeMap::from([("timeout".to_owned(), 3)]));
    }
}
