//! Faults of disks, and their proof: they show in what a disk did to the programs that use it, and in what these do.

use super::Stage;
use super::act::each;
use super::evidence::{Met, Proof, all};
use crate::claim::Claim;
use crate::disk::{Condition, DiskCounters};
use crate::testbed::Testbed;
use crate::words::{count, grouped};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// How long a node is given to run into what is wrong with its disk.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the disks had done when a fault started, by node.
pub(super) type OnDisks = BTreeMap<String, DiskCounters>;

/// What the disks of these nodes have done.
pub(super) async fn counters(testbed: &Testbed, nodes: &[String]) -> OnDisks {
    let asked = all(nodes.iter().map(|node| testbed.disk_counters(node))).await;
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
    let applied = all(nodes.iter().map(|node| stage.testbed.apply_disk(node, claim, condition)));
    let failed = applied.await.into_iter().find_map(Result::err);
    let at = stage.recorder.now_ns();
    let mut proof = of_condition(&stage.testbed, condition, before, lasts).await;
    proof.notes.extend(failed.map(|error| error.to_string()));
    (at, proof)
}

/// Waits until every node has run into the fault, though not longer than it lasts, and says how.
async fn of_condition(testbed: &Testbed, condition: Condition, before: &OnDisks, lasts: Duration) -> Proof {
    let deadline = Instant::now() + PATIENCE.min(lasts);
    let nodes: Vec<String> = before.keys().cloned().collect();
    loop {
        let now = counters(testbed, &nodes).await;
        let lines: Vec<_> = in_words(condition, before, &now).collect();
        let untouched: Vec<&str> =
            lines.iter().filter(|(_, line)| line.is_none()).map(|(node, _)| *node).collect();
        if untouched.is_empty() || Instant::now() >= deadline {
            let note = (!untouched.is_empty()).then(|| {
                format!("{}: nothing was written there that the fault could hit", untouched.join(", "))
            });
            let evidence = lines.into_iter().filter_map(|(_, line)| line).collect();
            return Proof { evidence, notes: note.into_iter().collect(), complete: true, ..Proof::default() };
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// What of the nodes' own work met the fault; or why nothing did.
pub(super) async fn met(testbed: &Testbed, condition: Condition, before: &OnDisks) -> Met {
    let nodes: Vec<String> = before.keys().cloned().collect();
    let now = counters(testbed, &nodes).await;
    let lines: Vec<String> = in_words(condition, before, &now).filter_map(|(_, line)| line).collect();
    if lines.is_empty() {
        return Err(format!("no write or sync of {} met the fault of its disk", nodes.join(", ")));
    }
    Ok(lines)
}

/// What the fault has done in all.
pub(super) async fn of_healing(testbed: &Testbed, condition: Condition, before: &OnDisks) -> Proof {
    let nodes: Vec<String> = before.keys().cloned().collect();
    let now = counters(testbed, &nodes).await;
    let evidence = in_words(condition, before, &now).filter_map(|(_, line)| line).collect();
    Proof { evidence, complete: true, ..Proof::default() }
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
    let moved = match stage.testbed.swap_disks(nodes, claim).await {
        Ok(moved) => moved,
        Err(error) => return Proof { notes: vec![error.to_string()], ..Proof::default() },
    };
    let mut proof = Proof { complete: true, ..Proof::default() };
    for (node, effect) in moved {
        proof.evidence.extend(effect.evidence.into_iter().map(|line| format!("{node}: {line}")));
        proof.notes.extend(effect.note);
    }
    let seen = each(nodes, |node| stage.testbed.restart_damaged(node, claim)).await;
    if proof.evidence.is_empty() {
        // How they came back proves nothing where nothing was swapped.
        proof.notes.extend(seen.evidence);
    } else {
        proof.evidence.extend(seen.evidence);
    }
    proof.notes.extend(seen.notes);
    proof
}

/// Lets nodes start on the disks that they have without this swap: on their own, unless another swap is in force.
pub(super) async fn swap_back(stage: &Stage, nodes: &[String], claim: Claim) -> (u64, Proof) {
    let moved = stage.testbed.swap_back(claim).await;
    let mut hurt: BTreeSet<String> = nodes.iter().cloned().collect();
    hurt.extend(moved.iter().flatten().map(|(node, _)| node.clone()));
    let hurt: Vec<String> = hurt.into_iter().collect();
    let mut proof = each(&hurt, |node| stage.testbed.restart(node, claim)).await;
    match moved {
        Ok(moved) if moved.is_empty() => proof.evidence.insert(0, "nothing had been swapped".to_owned()),
        Ok(_) => drop(proof.evidence.splice(0..0, whose_data(stage, nodes))),
        Err(error) => {
            proof.complete = false;
            proof.notes.push(error.to_string());
        }
    }
    (stage.recorder.now_ns(), proof)
}

/// Whose data the nodes of a swap have after it.
fn whose_data(stage: &Stage, nodes: &[String]) -> Vec<String> {
    let others: Vec<String> = nodes
        .iter()
        .filter_map(|node| {
            let (owner, swap) = stage.testbed.has_data_of(node)?;
            let until = swap.map_or(String::new(), |swap| format!(" until fault {swap} ends"));
            Some(format!("{node} has the data of {owner}{until}"))
        })
        .collect();
    if others.is_empty() { vec!["each has its own data again".to_owned()] } else { others }
}
