//! Asks every node for its status many times a second, and writes the answers into `samples.csv`.

use super::http::Asker;
use node::status::Status;
use serde::Serialize;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// How often each node is asked.
const EVERY: Duration = Duration::from_millis(50);
/// How long a node may take to answer before it counts as not answering.
const PATIENCE: Duration = Duration::from_millis(250);

/// One row of `samples.csv`; the cells after `up` are empty when the node did not answer.
#[derive(Debug, Clone, Serialize)]
struct Row {
    time_ns: u64,
    node: String,
    up: bool,
    pid: Option<u32>,
    active: Option<bool>,
    round: Option<u64>,
    leader: Option<String>,
    slot_in: Option<u64>,
    slot_out: Option<u64>,
    preemptions: Option<u64>,
    adoptions: Option<u64>,
    backoff_ms: Option<u64>,
    log_bytes: Option<u64>,
}

impl Row {
    fn new(time_ns: u64, node: &str, status: Option<&Status>) -> Self {
        Self {
            time_ns,
            node: node.to_owned(),
            up: status.is_some(),
            pid: status.map(|s| s.pid),
            active: status.map(|s| s.active),
            round: status.map(|s| s.round),
            leader: status.and_then(|s| s.leader.clone()),
            slot_in: status.map(|s| s.slot_in),
            slot_out: status.map(|s| s.slot_out),
            preemptions: status.map(|s| s.preemptions),
            adoptions: status.map(|s| s.adoptions),
            backoff_ms: status.map(|s| s.backoff_ms),
            log_bytes: status.map(|s| s.log_bytes),
        }
    }
}

/// Sampling under way; ends when [`Sampler::stop`] is called or it is dropped.
#[derive(Debug)]
pub(crate) struct Sampler {
    askers: JoinSet<()>,
    writer: tokio::task::JoinHandle<io::Result<()>>,
}

impl Sampler {
    /// Begins to ask `nodes` at their own addresses, so that no fault of the network hides them.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub(crate) fn start(path: &Path, nodes: &[(String, SocketAddr)], start: Instant) -> io::Result<Self> {
        let file = File::create(path)?;
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut askers = JoinSet::new();
        for (name, address) in nodes {
            askers.spawn(ask(name.clone(), *address, start, sender.clone()));
        }
        Ok(Self { askers, writer: tokio::spawn(write(file, receiver)) })
    }

    /// Ends it and writes what is left.
    ///
    /// # Errors
    /// The first error of writing.
    pub(crate) async fn stop(mut self) -> io::Result<()> {
        self.askers.shutdown().await;
        self.writer.await.map_err(io::Error::other)?
    }
}

async fn ask(name: String, address: SocketAddr, start: Instant, rows: mpsc::UnboundedSender<Row>) {
    let mut asker = Asker::new(address);
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tick.tick().await;
        let time_ns = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let status = asker.get::<Status>("/status", PATIENCE).await.ok();
        let row = Row::new(time_ns, &name, status.as_ref());
        if rows.send(row).is_err() {
            return;
        }
    }
}

/// Writes rows as they come, and hands them to the system whenever none is waiting.
async fn write(file: File, mut rows: mpsc::UnboundedReceiver<Row>) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(file);
    while let Some(row) = rows.recv().await {
        csv.serialize(row)?;
        if rows.is_empty() {
            csv.flush()?;
        }
    }
    csv.flush()
}
