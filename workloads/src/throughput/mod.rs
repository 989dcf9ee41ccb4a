//! Load that is counted and timed, but not recorded: for measurements of speed.
//!
//! To record and judge every operation takes more processor time than a fast system needs to carry it out. Here every
//! request is made before the load begins, and of an answer no more is read than whether it is a success.

mod client;
mod wire;

use crate::adapter::Protocol;
use crate::generator::{Choices, Generator};
use crate::phase::nanoseconds;
use crate::seed::client_seeds;
use crate::session::Target;
use crate::spec::{LoadSpec, SpecError};
use client::{Client, Work};
use hdrhistogram::Histogram;
use mio::{Events, Poll};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use wire::Requests;

/// How long the filling of the store may take beyond the timeout of one operation.
const FILL_WITHIN: Duration = Duration::from_secs(30);
/// Clients that fill the store, unless it has more nodes.
const FILLING: usize = 16;
/// How long a client rests after an error, lest it spin on a node that refuses.
const REST: Duration = Duration::from_millis(10);
/// How often it is looked whether the time is over, where nothing happens.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The clients of one measurement. All share the thread that drives them, so that they take little from the nodes.
#[derive(Debug)]
pub struct ThroughputMeter {
    load: LoadSpec,
    targets: Vec<Target>,
    requests: Requests,
    choices: Arc<Choices>,
    seeds: Vec<u64>,
}

/// What a measurement gave.
#[derive(Debug, Clone)]
pub struct ThroughputReport {
    /// How long operations were begun, in seconds.
    pub seconds: f64,
    /// Operations that succeeded.
    pub ok: u64,
    /// Those that did not, by what they ended with: a status, `closed`, `refused`, ….
    pub failed: BTreeMap<String, u64>,
    /// How long those took that succeeded, in nanoseconds.
    latencies: Histogram<u64>,
    /// The longest of them.
    slowest: Duration,
}

impl ThroughputReport {
    /// The latency that this share of the operations did not exceed, in milliseconds to three digits; none if none
    /// succeeded.
    pub fn quantile_ms(&self, share: f64) -> Option<f64> {
        let slowest = nanoseconds(self.slowest);
        (self.ok > 0).then(|| self.latencies.value_at_quantile(share).min(slowest) as f64 / 1e6)
    }

    /// The latency of the slowest operation that succeeded, exactly.
    pub fn max_ms(&self) -> Option<f64> {
        (self.ok > 0).then(|| nanoseconds(self.slowest) as f64 / 1e6)
    }

    /// Operations that did not succeed.
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    fn new(seconds: f64) -> Self {
        let latencies = Histogram::new(3).expect("three digits are a precision that hdrhistogram allows");
        Self { seconds, ok: 0, failed: BTreeMap::new(), latencies, slowest: Duration::ZERO }
    }

    fn succeed(&mut self, took: Duration) {
        self.ok += 1;
        self.latencies.record(nanoseconds(took)).expect("the histogram grows by itself");
        self.slowest = self.slowest.max(took);
    }

    fn fail(&mut self, error: &str, count: u64) {
        *self.failed.entry(error.to_owned()).or_default() += count;
    }
}

impl ThroughputMeter {
    /// The clients of a load with `record = false`; client `n` keeps a connection to target `n mod targets`.
    ///
    /// # Panics
    /// If there is no target but spare ones.
    pub fn new(
        load: &LoadSpec,
        protocol: &dyn Protocol,
        mut targets: Vec<Target>,
        seed: u64,
    ) -> Result<Self, SpecError> {
        targets.retain(|target| !target.spare);
        let targets: Vec<_> = targets.into_iter().filter(|target| !target.spare).collect();
        assert!(!targets.is_empty(), "a load needs a node to send to");
        let choices = Arc::new(Choices::new(load)?);
        let requests = Requests::new(load, protocol);
        Ok(Self { load: load.clone(), targets, requests, choices, seeds: client_seeds(seed, load.clients) })
    }

    /// Writes every key once, so that reads find something. False if it was cancelled.
    ///
    /// # Errors
    /// When not all could be written, or the system gives us no way to wait for many connections.
    pub fn fill(&self, cancel: &CancellationToken) -> io::Result<bool> {
        let count = u32::try_from(FILLING.max(self.targets.len())).expect("there are few targets");
        let (step, end) = (count.min(self.load.keys), self.load.keys);
        let work = |next| Work::Keys { next, step, end };
        let clients = (0..step).map(|number| self.client(number, work(number)));
        let patience = Instant::now() + FILL_WITHIN + self.load.timeout;
        let Some((written, open)) = self.drive(clients.collect(), patience, cancel)? else {
            return Ok(false);
        };
        if open > 0 {
            let errors: Vec<_> = written.failed.into_keys().collect();
            let ended = if errors.is_empty() { "no answer".to_owned() } else { errors.join(", ") };
            let what = format!("not every key was written in {FILL_WITHIN:?}; attempts ended with {ended}");
            return Err(io::Error::new(ErrorKind::TimedOut, what));
        }
        Ok(true)
    }

    /// Lets all clients work for this long, each beginning its next operation when its last one has ended. Operations
    /// that are open at the end may take the timeout of one; none if it was cancelled before.
    ///
    /// # Errors
    /// When the system gives us no way to wait for many connections.
    pub fn run(
        &self,
        duration: Duration,
        cancel: &CancellationToken,
    ) -> io::Result<Option<ThroughputReport>> {
        let until = Instant::now() + duration;
        let client = |(number, seed): (u32, &u64)| {
            let operations = Box::new(Generator::new(Arc::clone(&self.choices), number, *seed));
            self.client(number, Work::Until(until, operations))
        };
        let clients = (0..).zip(&self.seeds).map(client).collect();
        let Some((mut report, open)) = self.drive(clients, until + self.load.timeout, cancel)? else {
            return Ok(None);
        };
        report.seconds = nanoseconds(duration) as f64 / 1e9;
        if open > 0 {
            report.fail("timeout", open);
        }
        Ok(Some(report))
    }

    fn client(&self, number: u32, work: Work) -> Client {
        let number = number as usize;
        Client::new(number, self.targets[number % self.targets.len()].address, work)
    }

    /// Drives clients until none has anything to do, or until `patience`: what they saw, and how many operations were
    /// still open then. None if it was cancelled.
    fn drive(
        &self,
        mut clients: Vec<Client>,
        patience: Instant,
        cancel: &CancellationToken,
    ) -> io::Result<Option<(ThroughputReport, u64)>> {
        let mut poll = Poll::new()?;
        let mut events = Events::with_capacity(clients.len());
        let mut seen = ThroughputReport::new(0.0);
        let mut busy = clients.len() as u64;
        let mut resting: Vec<(Instant, usize)> = (0..clients.len()).map(|it| (Instant::now(), it)).collect();
        while busy > 0 && Instant::now() < patience {
            if cancel.is_cancelled() {
                return Ok(None);
            }
            let now = Instant::now();
            let (due, later): (Vec<_>, _) = resting.into_iter().partition(|(until, _)| *until <= now);
            resting = later;
            let mut begin: Vec<usize> = due.into_iter().map(|(_, client)| client).collect();
            for event in &events {
                let (index, now) = (event.token().0, Instant::now());
                match clients[index].go_on(&self.requests) {
                    None => {}
                    Some(Ok(())) => {
                        seen.succeed(now - clients[index].begun);
                        begin.push(index);
                    }
                    Some(Err(error)) => {
                        seen.fail(error, 1);
                        resting.push((now + REST, index));
                    }
                }
            }
            for index in begin {
                match clients[index].begin(Instant::now(), &self.requests, poll.registry()) {
                    Ok(true) => {}
                    Ok(false) => busy -= 1,
                    Err(error) => {
                        seen.fail(error, 1);
                        resting.push((Instant::now() + REST, index));
                    }
                }
            }
            events.clear();
            match poll.poll(&mut events, Some(LOOK_EVERY)) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(Some((seen, busy)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paxos::PaxosHttp;
    use crate::spec::Workload;
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener};

    /// A node that answers every request with these bytes, in two pieces.
    fn node(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                std::thread::spawn(move || {
                    let mut buffer = vec![0; 4096];
                    while stream.read(&mut buffer).is_ok_and(|read| read > 0) {
                        let (first, second) = answer.split_at(answer.len() / 2);
                        for piece in [first, second] {
                            let _ = stream.write_all(piece.as_bytes());
                        }
                    }
                });
            }
        });
        address
    }

    fn measured(answer: &'static str, mix: &str) -> (bool, ThroughputReport) {
        let text = format!(
            "workload = \"kv\"\nclients = 3\nkeys = 5\nrecord = false\ntimeout = \"100ms\"\nmix = {{ {mix} = 1 }}"
        );
        let load: LoadSpec = toml::from_str(&text).unwrap();
        let target = Target { name: "n1".to_owned(), address: node(answer), spare: false };
        let meter = ThroughputMeter::new(&load, &PaxosHttp::new(Workload::Kv, 2), vec![target], 7).unwrap();
        let cancel = CancellationToken::new();
        let filled = answer.starts_with("HTTP/1.1 200") && meter.fill(&cancel).unwrap();
        (filled, meter.run(Duration::from_millis(100), &cancel).unwrap().unwrap())
    }

    #[test]
    fn successes_are_counted_with_length_or_chunks() {
        for answer in [
            "HTTP/1.1 200 OK\r\ncontent-length: 16\r\n\r\n{\"applied\":true}",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n0\r\n\r\n",
        ] {
            let (filled, report) = measured(answer, "put");
            assert_eq!((filled, report.failures()), (true, 0));
            assert!(report.ok >= 3, "every client works at least once: {report:?}");
            assert!(report.quantile_ms(0.5) <= report.quantile_ms(0.99));
        }
    }

    #[test]
    fn failures_are_counted_by_kind() {
        let (_, report) = measured("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", "get");
        assert_eq!((report.ok, report.quantile_ms(0.5)), (0, None));
        assert_eq!(report.failed.keys().collect::<Vec<_>>(), ["status 503"]);
    }

    #[test]
    fn maximum_is_exact_and_bounds_quantiles() {
        let mut report = ThroughputReport::new(1.0);
        assert_eq!(report.max_ms(), None);
        for microseconds in [1, 6_230_123] {
            report.succeed(Duration::from_micros(microseconds));
        }
        assert_eq!((report.max_ms(), report.quantile_ms(0.999)), (Some(6230.123), Some(6230.123)));
    }

    #[test]
    fn a_measurement_that_is_cancelled_gives_nothing() {
        let load: LoadSpec = toml::from_str("workload = \"kv\"\nrecord = false\nmix = { put = 1 }").unwrap();
        let target = Target { name: "n1".to_owned(), address: node(""), spare: false };
        let meter = ThroughputMeter::new(&load, &PaxosHttp::new(Workload::Kv, 2), vec![target], 7).unwrap();
        let cancel = CancellationToken::new();
        cancel.cancel();
        assert!(!meter.fill(&cancel).unwrap());
        assert!(meter.run(Duration::from_secs(60), &cancel).unwrap().is_none());
    }

    #[test]
    fn silent_node_costs_one_timeout() {
        let (_, report) = measured("", "get");
        assert_eq!(report.failed, BTreeMap::from([("timeout".to_owned(), 3)]));
    }
}
