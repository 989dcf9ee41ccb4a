//! Faults of disks, and their proof: they show in what a disk did to the programs that use it, and in what these do.

use super::Stage;
use super::act::each;
use super::evidence::{Met, Proof, all};
use crate::disk::{Condition, DiskCounters};
use crate::lab::Lab;
use crate::network::Claim;
use crate::process::Effect;
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

/// Puts a fault on the disks, and waits until it shows.
pub(super) async fn start(
    stage: &Stage,
    nodes: &[String],
    claim: Claim,
    condition: Condition,
    before: &OnDisks,
    lasts: Duration,
) -> (u64, Proof) {
    let applied = all(nodes.iter().map(|node| stage.lab.apply_disk(node, claim, condition)));
    let failed = applied.await.into_iter().find_map(Result::err);
    let at = stage.recorder.now_ns();
    let mut proof = of_condition(&stage.lab, condition, before, lasts).await;
    proof.notes.extend(failed.map(|error| error.to_string()));
    (at, proof)
}

/// Waits until every node has run into the fault, though not longer than it lasts, and says how.
async fn of_condition(lab: &Lab, condition: Condition, before: &OnDisks, lasts: Duration) -> Proof {
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

/// What of the nodes' own work met the fault; or why nothing did.
pub(super) async fn met(lab: &Lab, condition: Condition, before: &OnDisks) -> Met {
    let nodes: Vec<String> = before.keys().cloned().collect();
    let now = counters(lab, &nodes).await;
    let lines: Vec<String> = in_words(condition, before, &now).filter_map(|(_, line)| line).collect();
    if lines.is_empty() {
        return Err(format!("no write or sync of {} met the fault of its disk", nodes.join(", ")));
    }
    Ok(lines)
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

/// Lets nodes start on the disks of one another, and sees what each does with what it finds.
pub(super) async fn swap(stage: &Stage, nodes: &[String], claim: Claim) -> Proof {
    let effects = match swapped(stage, nodes, claim).await {
        Ok(effects) => effects,
        Err(reasons) => return Proof { notes: reasons, ..Proof::default() },
    };
    let mut proof = Proof { complete: true, ..Proof::default() };
    for (node, effect) in nodes.iter().zip(effects) {
        proof.evidence.extend(effect.evidence.into_iter().map(|line| format!("{node}: {line}")));
        proof.notes.extend(effect.note);
    }
    let seen = each(nodes, |node| stage.lab.restart_damaged(node, claim)).await;
    if proof.evidence.is_empty() {
        // How they came back proves nothing where nothing was swapped.
        proof.notes.extend(seen.evidence);
    } else {
        proof.evidence.extend(seen.evidence);
    }
    proof.notes.extend(seen.notes);
    proof
}

/// Lets nodes start on their own disks again.
pub(super) async fn swap_back(stage: &Stage, nodes: &[String], claim: Claim) -> (u64, Proof) {
    // The other way round each gets from the next what that had from it. Who had ended was said when it did.
    let turned: Vec<String> = nodes.iter().rev().cloned().collect();
    let swapped = swapped(stage, &turned, claim).await;
    let mut proof = each(nodes, |node| stage.lab.restart(node, claim)).await;
    match swapped {
        Ok(_) => proof.evidence.insert(0, "each has its own data again".to_owned()),
        Err(reasons) => {
            proof.complete = false;
            proof.notes.extend(reasons);
        }
    }
    (stage.recorder.now_ns(), proof)
}

/// Swaps disks; what was done to each node, or why nothing was.
async fn swapped(stage: &Stage, nodes: &[String], claim: Claim) -> Result<Vec<Effect>, Vec<String>> {
    match stage.lab.swap_disks(nodes, claim).await {
        Ok(effects) if effects.len() == nodes.len() => Ok(effects),
        Ok(effects) => Err(effects.into_iter().filter_map(|effect| effect.note).collect()),
        Err(error) => Err(vec![error.to_string()]),
    }
}
