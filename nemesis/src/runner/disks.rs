//! Proves that faults of disks are in force: they show in what a disk did to the programs that use it.

use super::evidence::{Proof, all};
use crate::disk::{Condition, DiskCounters};
use crate::lab::Lab;
use crate::words::{count, grouped};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// How long a node is given to run into what is wrong with its disk.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the disks had done when a fault started, by node.
pub(super) type OnDisks = BTreeMap<String, DiskCounters>;

/// What the disks of these nodes have done.
pub(super) async fn counters(lab: &Lab, nodes: &[String]) -> OnDisks {
    let asked = all(nodes.iter().map(|node| lab.disk_counters(node))).await;
    nodes.iter().cloned().zip(asked.into_iter().map(Result::unwrap_or_default)).collect()
}

/// Waits until every node has run into the fault, though not longer than it lasts, and says how.
pub(super) async fn of_condition(
    lab: &Lab,
    condition: Condition,
    before: &OnDisks,
    lasts: Duration,
) -> Proof {
    let deadline = Instant::now() + PATIENCE.min(lasts);
    let nodes: Vec<String> = before.keys().cloned().collect();
    loop {
        let now = counters(lab, &nodes).await;
        let lines: Vec<_> = in_words(condition, before, &now).collect();
        let untouched: Vec<&str> =
            lines.iter().filter(|(_, line)| line.is_none()).map(|(node, _)| *node).collect();
        if untouched.is_empty() || Instant::now() >= deadline {
            let note = (!untouched.is_empty()).then(|| {
                format!("{}: nothing was written there that the fault could hit", untouched.join(", "))
            });
            let evidence = lines.into_iter().filter_map(|(_, line)| line).collect();
            return Proof { evidence, notes: note.into_iter().collect(), complete: true };
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// What the fault has done in all.
pub(super) async fn of_healing(lab: &Lab, condition: Condition, before: &OnDisks) -> Proof {
    let nodes: Vec<String> = before.keys().cloned().collect();
    let now = counters(lab, &nodes).await;
    let evidence = in_words(condition, before, &now).filter_map(|(_, line)| line).collect();
    Proof { evidence, notes: Vec::new(), complete: true }
}

/// Each node with what the fault did to it, if it did anything.
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
            Condition::SlowSync(_) => (
                since.delayed,
                format!("{} of {} delayed", grouped(since.delayed), count(since.syncs, "sync")),
            ),
        };
        (node.as_str(), (hit > 0).then(|| format!("{node}: {line}")))
    })
}
