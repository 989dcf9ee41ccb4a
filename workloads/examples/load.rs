//! The crate as a library: draws operations from a seed, or sends them to a store and counts what came of them.
//!
//! `cargo run -p workloads --example load` prints the first operations of two clients.
//! `cargo run -p workloads --example load -- 127.0.0.1:7001` sends a load of two seconds to a store that listens there
//! and speaks workloads/protocol.md.

use history::{Event, Kind, Phase, Recorder};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use workloads::{CancellationToken, Choices, Generator, LoadSpec, Session, Target, client_seeds};

/// The section `[load]` of a spec.
const LOAD: &str = "workload = \"kv\"\nclients = 2\nkeys = 3\nmix = { get = 1, put = 1 }";
const SEED: u64 = 7;

/// Counts events by kind, and does not keep them.
struct Counter {
    start: Instant,
    counts: Mutex<BTreeMap<&'static str, u64>>,
}

impl Recorder for Counter {
    fn record(&self, event: Event) -> u64 {
        let kind = match event.kind {
            Kind::Invoke => "invoked",
            Kind::Ok => "ok",
            Kind::Fail => "fail",
            Kind::Info => "info",
        };
        *self.counts.lock().expect("no thread panics while it counts").entry(kind).or_default() += 1;
        self.now_ns()
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).expect("an example ends before 584 years are over")
    }
}

fn print_operations(load: &LoadSpec) -> Result<(), Box<dyn std::error::Error>> {
    let choices = Arc::new(Choices::new(load)?);
    for (client, seed) in (0..).zip(client_seeds(SEED, load.clients)) {
        for draft in Generator::new(Arc::clone(&choices), client, seed).take(5) {
            let operation = draft.operation(&Value::Null);
            println!(
                "client {client}: {} {} {}",
                operation.function.name(),
                operation.key,
                operation.argument
            );
        }
    }
    Ok(())
}

async fn send_operations(load: LoadSpec, address: SocketAddr) -> Result<(), Box<dyn std::error::Error>> {
    let recorder = Arc::new(Counter { start: Instant::now(), counts: Mutex::default() });
    let target = Target { name: "n1".to_owned(), address, spare: false };
    let shared = Arc::clone(&recorder) as Arc<dyn Recorder>;
    let mut session = Session::new(load, SEED, vec![target], shared)?;
    session.wait_until_serving(Duration::from_secs(5)).await?;
    session.run(Phase::Load, Duration::from_secs(2), &CancellationToken::new()).await?;
    println!("{:?}", recorder.counts.lock().expect("no thread panics while it counts"));
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let load: LoadSpec = toml::from_str(LOAD)?;
    match std::env::args().nth(1) {
        Some(address) => send_operations(load, address.parse()?).await,
        None => print_operations(&load),
    }
}
