//! Common part of all faults that hold disks from start to end.
//!
//! Their evidence is the disk's counters: delayed, failed and refused operations of programs.

use crate::disk::Condition;
use crate::fault::proof::{Met, Proof, each};
use crate::fault::stage::{OnDisks, State, Strike};
use crate::process::Excuse;
use crate::testbed::Testbed;
use crate::words::{count, grouped};
use futures_util::future::join_all;
use std::time::Duration;
use tokio::time::Instant;

/// Time for a node to hit the fault of its disk.
const PATIENCE: Duration = Duration::from_secs(1);

/// The counters of these nodes' disks.
async fn counters(testbed: &Testbed, nodes: &[String]) -> OnDisks {
    let counters = join_all(nodes.iter().map(|node| testbed.disk_counters(node))).await;
    nodes.iter().cloned().zip(counters.into_iter().map(Result::unwrap_or_default)).collect()
}

/// Starts a fault of the disks and waits for its evidence.
pub(super) async fn start(
    strike: &Strike<'_>,
    condition: Condition,
    excuse: Option<Excuse>,
    state: &mut State,
) -> (u64, Proof) {
    state.disks = counters(strike.testbed(), strike.nodes()).await;
    let testbed = strike.testbed();
    let applied =
        join_all(strike.nodes().iter().map(|node| testbed.apply_disk(node, strike.claim, condition, excuse)));
    let failed = applied.await.into_iter().find_map(Result::err);
    let at = strike.now_ns();
    let mut proof = of_condition(testbed, condition, &state.disks, strike.length).await;
    proof.notes.extend(failed.map(|error| error.to_string()));
    (at, proof)
}

/// Ends a fault of the disks and restarts the nodes that ended because of it.
pub(super) async fn end(strike: &Strike<'_>, condition: Condition, state: &State) -> (u64, Proof) {
    let testbed = strike.testbed();
    let mut proof = of_healing(testbed, condition, &state.disks).await;
    let released = each(strike.nodes(), |node| testbed.release_disk(node, strike.claim)).await;
    proof.evidence.extend(released.evidence);
    proof.complete = released.complete;
    proof.notes.extend(released.notes);
    (strike.now_ns(), proof)
}

/// Waits until every node has hit the fault, but not beyond the fault's end; describes the evidence.
async fn of_condition(testbed: &Testbed, condition: Condition, before: &OnDisks, lasts: Duration) -> Proof {
    let deadline = Instant::now() + PATIENCE.min(lasts);
    let nodes: Vec<String> = before.keys().cloned().collect();
    loop {
        let now = counters(testbed, &nodes).await;
        let lines: Vec<_> = in_words(condition, before, &now).collect();
        let untouched: Vec<&str> =
            lines.iter().filter(|(_, line)| line.is_none()).map(|(node, _)| *node).collect();
        if untouched.is_empty() || Instant::now() >= deadline {
            let note = (!untouched.is_empty())
                .then(|| format!("{}: no write there that the fault could hit", untouched.join(", ")));
            let evidence = lines.into_iter().filter_map(|(_, line)| line).collect();
            return Proof { evidence, notes: note.into_iter().collect(), complete: true, ..Proof::default() };
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// The node's own operations that hit the fault; or why there were none.
pub(super) async fn met(strike: &Strike<'_>, condition: Condition, state: &State) -> Met {
    let (testbed, before) = (strike.testbed(), &state.disks);
    let nodes: Vec<String> = before.keys().cloned().collect();
    let now = counters(testbed, &nodes).await;
    let lines: Vec<String> = in_words(condition, before, &now).filter_map(|(_, line)| line).collect();
    if lines.is_empty() {
        return Err(format!("no write or sync of {} met the fault of its disk", nodes.join(", ")));
    }
    Ok(lines)
}

/// The total effect of the fault.
async fn of_healing(testbed: &Testbed, condition: Condition, before: &OnDisks) -> Proof {
    let nodes: Vec<String> = before.keys().cloned().collect();
    let now = counters(testbed, &nodes).await;
    let evidence = in_words(condition, before, &now).filter_map(|(_, line)| line).collect();
    Proof { evidence, complete: true, ..Proof::default() }
}

/// Each affected node with the effect of the fault on it.
fn in_words<'a>(
    condition: Condition,
    before: &'a OnDisks,
    now: &OnDisks,
) -> impl Iterator<Item = (&'a str, Option<String>)> {
    before.iter().map(move |(node, before)| {
        let since = now.get(node).copied().unwrap_or(*before) - *before;
        let (hit, line) = match condition {
            Condition::Full => (since.refused, format!("{} got ENOSPC", count(since.refused, "write"))),
            Condition::SyncError => {
                (since.failed, format!("{} of {} got EIO", grouped(since.failed), count(since.syncs, "sync")))
            }
            Condition::HoldSyncs => (since.held, format!("{} held", count(since.held, "sync"))),
            Condition::DelaySyncs(_) => (
                since.delayed,
                format!("{} of {} delayed", grouped(since.delayed), count(since.syncs, "sync")),
            ),
        };
        (node.as_str(), (hit > 0).then(|| format!("{node}: {line}")))
    })
}
