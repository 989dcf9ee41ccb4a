//! Samples the status of every node many times a second into `samples.csv`.

use super::last_slots::LastSlots;
use super::observe::{Observation, Watched};
use serde::Serialize;
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// Interval of samples per node.
const EVERY: Duration = Duration::from_millis(50);
/// Time limit of a node's answer; without one it counts as down.
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
    from_log: Option<u64>,
    from_peers: Option<u64>,
    level_us: Option<u64>,
}

impl Row {
    fn new(time_ns: u64, node: &str, seen: Option<Observation>) -> Self {
        let up = seen.is_some();
        let seen = seen.unwrap_or_default();
        Self {
            time_ns,
            node: node.to_owned(),
            up,
            pid: seen.pid,
            active: seen.active,
            round: seen.round,
            leader: seen.leader,
            slot_in: seen.slot_in,
            slot_out: seen.slot_out,
            preemptions: seen.preemptions,
            adoptions: seen.adoptions,
            backoff_ms: seen.backoff_ms,
            log_bytes: seen.log_bytes,
            from_log: seen.from_log,
            from_peers: seen.from_peers,
            level_us: seen.level_us,
        }
    }
}

/// Running sampling; it ends when [`Sampler::stop`] is called or this is dropped.
#[derive(Debug)]
pub(crate) struct Sampler {
    tasks: JoinSet<()>,
    writer: tokio::task::JoinHandle<io::Result<()>>,
}

impl Sampler {
    /// Starts to sample `nodes` at their own addresses, so that no fault of the network hides them.
    ///
    /// `last` gets their progress.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub(crate) fn start(
        path: &Path,
        nodes: Vec<Watched>,
        start: Instant,
        last: &LastSlots,
    ) -> io::Result<Self> {
        let file = File::create(path)?;
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        for node in nodes {
            tasks.spawn(ask(node, start, sender.clone(), last.clone()));
        }
        Ok(Self { tasks, writer: tokio::spawn(write(file, receiver)) })
    }

    /// Ends the sampling and writes the rest.
    ///
    /// # Errors
    /// The first write error.
    pub(crate) async fn stop(mut self) -> io::Result<()> {
        self.tasks.shutdown().await;
        self.writer.await.map_err(io::Error::other)?
    }
}

async fn ask(mut node: Watched, start: Instant, rows: mpsc::UnboundedSender<Row>, last: LastSlots) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tick.tick().await;
        let time_ns = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let seen = node.observe(PATIENCE).await;
        if let Some(slot) = seen.as_ref().and_then(|seen| seen.slot_out) {
            last.saw(&node.name, time_ns, slot.saturating_sub(1));
        }
        let row = Row::new(time_ns, &node.name, seen);
        if rows.send(row).is_err() {
            return;
        }
    }
}

/// Writes rows as they arrive, and flushes the file whenever none is waiting.
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
