//! Collects the decisions of each replica in `decisions.jsonl`, while the load runs and after it.
//!
//! Replicas retain only their last decisions, so the bench fetches decisions during the load. After the load it
//! fetches all retained ones again, and writes those that differ.

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

/// Time for replicas to become level before their decisions are fetched in any case.
const LEVEL_WITHIN: Duration = Duration::from_secs(5);
/// Interval of checks whether they are level.
const POLL: Duration = Duration::from_millis(50);
/// Time limit of one page.
const PAGE_WITHIN: Duration = Duration::from_secs(10);
/// Interval of requests to a replica during the load.
const EVERY: Duration = Duration::from_millis(500);
/// Largest number of slots in a page, which is the nodes' own limit.
const PAGE: u64 = 10_000;

/// One page of `GET /decisions`.
#[derive(Debug, Deserialize)]
struct Page {
    from: u64,
    next: u64,
    slot_out: u64,
    decisions: Vec<Decision>,
}

/// One decided slot; the command is only compared, never interpreted.
#[derive(Debug, Deserialize)]
struct Decision {
    slot: u64,
    command: Value,
}

/// The reason why a node's decisions are not available.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// The node did not return them.
    #[error(transparent)]
    Ask(#[from] HttpError),
    /// They could not be written.
    #[error("decisions.jsonl cannot be written: {0}")]
    Write(#[from] io::Error),
}

/// Waits until all replicas have applied the same slots, up to a time limit.
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
    /// A hash of the written command of each slot.
    written: HashMap<u64, u64>,
    next: u64,
    /// Whether the replica may never run.
    spare: bool,
}

impl Collector {
    /// Fetches from `self.next` on until the replica has no more; returns the number of written slots.
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
            // A page without progress would be requested for ever.
            if page.next >= page.slot_out || page.next <= page.from {
                self.file.flush()?;
                return Ok(self.written.len() as u64);
            }
        }
    }

    /// Fetches new decisions until stopped. Retries a replica that does not answer.
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
    /// Ends the tasks when dropped.
    stop: DropGuard,
    tasks: Vec<(String, JoinHandle<Result<u64, FetchError>>)>,
}

impl Collection {
    /// Starts to collect in `folder/nodes/<name>/decisions.jsonl`. Nodes in `spares` may never run.
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

    /// Fetches the rest, and returns the number of decided slots of each replica.
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
