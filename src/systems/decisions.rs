//! Collects the decisions of each replica in `decisions.jsonl`, while the load runs and after it.
//!
//! Replicas keep their last decisions only, so what they decide is fetched as they go; after the load all that they
//! still keep is fetched again, and whatever they then say otherwise is written down too.

use super::http::{HttpClient, HttpError};
use node::status::Status;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long replicas may take to become level before what they have is fetched as it is.
const LEVEL_WITHIN: Duration = Duration::from_secs(5);
/// How often they are asked whether they are level.
const POLL: Duration = Duration::from_millis(50);
/// How long one page may take.
const PAGE_WITHIN: Duration = Duration::from_secs(10);
/// How often a replica is asked for more while the load runs.
const EVERY: Duration = Duration::from_millis(500);
/// Slots a page holds at most; nodes give no more.
const PAGE: u64 = 10_000;

/// One page of `GET /decisions`.
#[derive(Debug, Deserialize)]
struct Page {
    from: u64,
    next: u64,
    slot_out: u64,
    decisions: Vec<Decision>,
}

/// One decided slot; the command is only compared, never read.
#[derive(Debug, Deserialize)]
struct Decision {
    slot: u64,
    command: Value,
}

/// Why the decisions of a node could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// The node did not give them.
    #[error(transparent)]
    Ask(#[from] HttpError),
    /// They could not be written.
    #[error("decisions.jsonl cannot be written: {0}")]
    Write(#[from] io::Error),
}

/// Waits until all replicas have applied the same slots, or for a short while.
///
/// Returns whether they are level.
pub(crate) async fn wait_until_level(replicas: &[(String, SocketAddr)], cancel: &CancellationToken) -> bool {
    let mut clients: Vec<HttpClient> =
        replicas.iter().map(|(_, address)| HttpClient::new(*address)).collect();
    let begun = Instant::now();
    while begun.elapsed() < LEVEL_WITHIN {
        let mut slots = Vec::new();
        for client in &mut clients {
            let status = client.get::<Status>("/status", Duration::from_secs(1)).await;
            slots.push(status.ok().map(|status| status.slot_out));
        }
        if slots.iter().all(|slot| slot.is_some() && slot == &slots[0]) {
            return true;
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = cancel.cancelled() => return false,
        }
    }
    false
}

/// Collects the decisions of one replica.
#[derive(Debug)]
struct Collector {
    client: HttpClient,
    file: BufWriter<File>,
    /// A hash of the command that was written for each slot.
    written: HashMap<u64, u64>,
    next: u64,
    /// Whether it may be that the replica never runs.
    spare: bool,
}

impl Collector {
    /// Fetches from `self.next` on until the replica has no more; returns how many slots are written in all.
    async fn fetch(&mut self) -> Result<u64, FetchError> {
        loop {
            let from = self.next;
            let path = format!("/decisions?from={from}&to={}", from + PAGE);
            let page: Page = self.client.get(&path, PAGE_WITHIN).await?;
            for Decision { slot, command } in &page.decisions {
                let line = format!("{}\n", json!({ "slot": slot, "command": command }));
                let mut hasher = DefaultHasher::new();
                line.hash(&mut hasher);
                if self.written.insert(*slot, hasher.finish()) != Some(hasher.finish()) {
                    self.file.write_all(line.as_bytes())?;
                }
            }
            self.next = page.next.max(from);
            // A page that leads no further would be asked for for ever.
            if page.next >= page.slot_out || page.next <= page.from {
                self.file.flush()?;
                return Ok(self.written.len() as u64);
            }
        }
    }

    /// Fetches new decisions until it is stopped. A replica that does not answer is asked again.
    async fn follow(mut self, stop: CancellationToken) -> Result<u64, FetchError> {
        loop {
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = stop.cancelled() => break,
            }
            if let Err(error @ FetchError::Write(_)) = self.fetch().await {
                return Err(error);
            }
        }
        self.next = 1;
        match self.fetch().await {
            Err(FetchError::Ask(_)) if self.spare => Ok(self.written.len() as u64),
            fetched => fetched,
        }
    }
}

/// Collects the decisions of all replicas, from its start until [`finish`](Self::finish).
#[derive(Debug)]
pub(crate) struct Collection {
    /// Ends the tasks when it is dropped.
    stop: DropGuard,
    tasks: Vec<(String, JoinHandle<Result<u64, FetchError>>)>,
}

impl Collection {
    /// Begins to collect in `folder/nodes/<name>/decisions.jsonl`. Of `spares`, some may never run.
    ///
    /// # Errors
    /// When a file cannot be made.
    pub(crate) fn start(
        replicas: &[(String, SocketAddr)],
        spares: &[String],
        folder: &Path,
    ) -> io::Result<Self> {
        let stop = CancellationToken::new();
        let mut tasks = Vec::new();
        for (name, address) in replicas {
            let path = folder.join("nodes").join(name).join("decisions.jsonl");
            let collector = Collector {
                client: HttpClient::new(*address),
                file: BufWriter::new(File::create(path)?),
                written: HashMap::new(),
                next: 1,
                spare: spares.contains(name),
            };
            tasks.push((name.clone(), tokio::spawn(collector.follow(stop.clone()))));
        }
        Ok(Self { stop: stop.drop_guard(), tasks })
    }

    /// Fetches what is left, and returns for each replica how many slots it said were decided.
    pub(crate) async fn finish(self) -> Vec<(String, Result<u64, FetchError>)> {
        drop(self.stop);
        let mut counts = Vec::new();
        for (name, task) in self.tasks {
            match task.await {
                Ok(count) => counts.push((name, count)),
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
        counts
    }
}
