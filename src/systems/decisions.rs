//! Collects the decisions of each replica in `decisions.jsonl`, while the load runs and after it.
//!
//! Replicas retain only their last decisions, so the bench fetches decisions during the load. After the load it
//! fetches all retained ones again, and writes those that differ.

use super::http::{HttpClient, HttpError};
use node::status::Status;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
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
struct Page<'a> {
    from: u64,
    next: u64,
    slot_out: u64,
    /// The text of each decision, as the node wrote it. A node writes keys in order and no line feeds, so it is a line of
    /// `decisions.jsonl`, and equal commands have equal texts. To make values of them would cost several times as much.
    #[serde(borrow)]
    decisions: Vec<&'a RawValue>,
}

/// One decided slot; the command is never interpreted here.
#[derive(Debug, Deserialize)]
struct Decision {
    slot: u64,
    #[serde(rename = "command")]
    _command: IgnoredAny,
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
            let body = self.client.get_bytes(&path, PAGE_WITHIN).await?;
            let page: Page<'_> = serde_json::from_slice(&body).map_err(HttpError::from)?;
            for text in page.decisions.iter().map(|decision| decision.get()) {
                let Decision { slot, .. } = serde_json::from_str(text).map_err(HttpError::from)?;
                let mut hasher = DefaultHasher::new();
                text.hash(&mut hasher);
                if self.written.insert(slot, hasher.finish()) != Some(hasher.finish()) {
                    self.file.write_all(text.as_bytes())?;
                    self.file.write_all(b"\n")?;
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

#[cfg(test)]
mod tests {
    use super::{Decision, Page};
    use serde_json::{Value, json};

    /// The lines are those that values of the same page give.
    #[test]
    fn lines_are_those_of_the_page() {
        let commands = [json!(null), json!({"b": [1, {"a": "]}\n"}], "a": "\"decisions\":["}), json!("ü\\")];
        let decisions: Vec<Value> =
            (7..).zip(&commands).map(|(slot, command)| json!({"slot": slot, "command": command})).collect();
        let page =
            json!({"first": 1, "from": 7, "next": 10, "slot_out": 10, "decisions": decisions}).to_string();
        let page: Page<'_> = serde_json::from_str(&page).unwrap();
        let lines: Vec<&str> = page.decisions.iter().map(|decision| decision.get()).collect();
        assert_eq!(lines, decisions.iter().map(Value::to_string).collect::<Vec<_>>());
        let slots = lines.iter().map(|line| serde_json::from_str::<Decision>(line).unwrap().slot);
        assert_eq!(slots.collect::<Vec<_>>(), [7, 8, 9]);
        assert!(serde_json::from_str::<Decision>("{\"command\":1}").is_err());
        assert!(serde_json::from_str::<Page<'_>>("{\"from\":1,\"next\":1,\"slot_out\":1}").is_err());
    }
}
