//! What each replica says was decided, slot by slot, fetched after the load into `decisions.jsonl`.

use super::http::{AskError, Asker};
use node::status::Status;
use serde::Deserialize;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How long replicas may take to become level before what they have is fetched as it is.
const LEVEL_WITHIN: Duration = Duration::from_secs(5);
/// How often they are asked whether they are level.
const POLL: Duration = Duration::from_millis(50);
/// How long one page may take.
const PAGE_WITHIN: Duration = Duration::from_secs(10);
/// Slots a page holds at most; nodes give no more.
const PAGE: u64 = 10_000;

/// One page of `GET /decisions`.
#[derive(Debug, Deserialize)]
struct Page {
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
    Ask(#[from] AskError),
    /// They could not be written.
    #[error("decisions.jsonl cannot be written: {0}")]
    Write(#[from] io::Error),
}

/// Waits until all replicas have applied the same slots, or for a short while.
///
/// Returns whether they are level.
pub(crate) async fn wait_until_level(replicas: &[(String, SocketAddr)], cancel: &CancellationToken) -> bool {
    let mut askers: Vec<Asker> = replicas.iter().map(|(_, address)| Asker::new(*address)).collect();
    let begun = Instant::now();
    while begun.elapsed() < LEVEL_WITHIN {
        let mut slots = Vec::new();
        for asker in &mut askers {
            let status = asker.get::<Status>("/status", Duration::from_secs(1)).await;
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

/// Fetches everything one replica has applied into a file, a line per slot. Returns how many slots.
///
/// # Errors
/// When the node does not answer, or the file cannot be written.
pub(crate) async fn fetch(address: SocketAddr, path: &Path) -> Result<u64, FetchError> {
    let mut asker = Asker::new(address);
    let mut file = BufWriter::new(File::create(path)?);
    let (mut from, mut count) = (1, 0);
    loop {
        let page: Page =
            asker.get(&format!("/decisions?from={from}&to={}", from + PAGE), PAGE_WITHIN).await?;
        for Decision { slot, command } in &page.decisions {
            serde_json::to_writer(&mut file, &json!({ "slot": slot, "command": command }))
                .map_err(io::Error::from)?;
            file.write_all(b"\n")?;
            count += 1;
        }
        // A page that leads no further would be asked for for ever.
        if page.next >= page.slot_out || page.next <= from {
            file.flush()?;
            return Ok(count);
        }
        from = page.next;
    }
}
