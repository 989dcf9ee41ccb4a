//! Changes the members of the cluster, and reads the configuration back from the cluster.

use super::changes::{Changes, Wanted};
use crate::claim::Claim;
use crate::directory::Members;
use crate::fault::answering::answers_within;
use crate::fault::proof::{Proof, each};
use crate::fault::stage::{Stage, Strike};
use crate::parameters::MemberChange;
use crate::process::Effect;
use futures_util::future::join_all;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Longest time to retry a change: at the start of a fault, but not beyond its end, and at its end.
const PATIENCE: Duration = Duration::from_secs(5);
const HEALING: Duration = Duration::from_secs(10);
/// The same for other systems.
///
/// They may refuse a change until their members have been connected for a while.
const LATE_PATIENCE: Duration = Duration::from_secs(15);
/// Longest wait until the old configuration is no longer needed and the new members answer.
const SETTLING: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(20);
/// Time for an unacknowledged change to appear.
const LATE: Duration = Duration::from_millis(200);

/// The deadline of retries.
#[derive(Debug, Clone, Copy)]
enum Until {
    Then(Instant),
    /// For a while after the last other fault was healed: before that, the cluster may have no quorum.
    Healed,
}

impl Until {
    fn is_over(self, stage: &Stage, began: Instant) -> bool {
        match self {
            Self::Then(deadline) => Instant::now() >= deadline,
            Self::Healed => {
                let quiet = stage.quiet_for();
                began.elapsed() >= HEALING && quiet.is_some_and(|quiet| quiet >= HEALING)
            }
        }
    }
}

fn changes(stage: &Stage) -> MutexGuard<'_, Changes> {
    locked(&stage.changes)
}

fn locked(changes: &Mutex<Changes>) -> MutexGuard<'_, Changes> {
    changes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the nodes to add, changes the members, and proves the change.
pub(super) async fn start(strike: &Strike<'_>, change: MemberChange, instead: &[String]) -> (u64, Proof) {
    let (stage, nodes, claim) = (strike.stage, strike.nodes(), strike.claim);
    let about = nodes.iter().chain(instead).cloned().collect();
    let wanted = {
        let mut changes = changes(stage);
        changes.begin(claim, change, nodes, instead);
        changes.wanted(&about, stage.testbed.topology())
    };
    // If nodes join a running system, the bench starts them once they are members.
    let woken = if stage.directory.starts_members_late() {
        Proof::default()
    } else {
        each(&wanted.inside, |node| stage.testbed.wake(node)).await
    };
    let patience = if stage.directory.starts_members_late() { LATE_PATIENCE } else { PATIENCE };
    let until = Until::Then(Instant::now() + patience.min(strike.length));
    let (at, mut proof) = reach(stage, claim, &wanted, until).await;
    if proof.complete {
        proof.evidence.extend(woken.evidence);
    }
    proof.notes.extend(woken.notes);
    (at, proof)
}

/// Ends a change: the members become those that the other changes in force want. Proves it.
pub(super) async fn end(strike: &Strike<'_>) -> (u64, Proof) {
    let (stage, claim) = (strike.stage, strike.claim);
    let wanted = {
        let mut changes = changes(stage);
        let about = changes.end(claim);
        changes.wanted(&about, stage.testbed.topology())
    };
    let (at, mut proof) = reach(stage, claim, &wanted, Until::Healed).await;
    let ended = stage.testbed.gone();
    if !proof.complete && !ended.is_empty() {
        proof.beyond_help = true;
        proof.notes.push(format!("{} ended by themselves and stay down", ended.join(", ")));
    }
    (at, proof)
}

/// Restores the initial members once everything is healed.
///
/// A change whose result is unknown may still have been decided late.
pub(crate) async fn settle(stage: &Stage) -> Result<(), String> {
    let all: BTreeSet<String> = stage.testbed.topology().names().map(str::to_owned).collect();
    let wanted = {
        let mut changes = changes(stage);
        changes.clear();
        changes.wanted(&all, stage.testbed.topology())
    };
    // With other nodes down, the remaining ones may have no quorum.
    let patience = if stage.testbed.gone().is_empty() { HEALING } else { SETTLING };
    let until = Until::Then(Instant::now() + patience);
    for _ in 0..2 {
        let before = stage.directory.members().await;
        let is_right = |members: &Members| wanted.missing(members) == (Vec::new(), Vec::new());
        if !before.as_ref().is_some_and(is_right) {
            excuse(stage, Claim::MAX, &wanted).await;
            let members = until_changed(stage, &wanted, until).await?;
            let moved = move_nodes(stage, &wanted, &members).await;
            if let Some(note) = moved.notes.first() {
                return Err(note.clone());
            }
        }
        tokio::time::sleep(LATE).await;
    }
    Ok(())
}

/// Excuses the exit of nodes that are to be removed.
async fn excuse(stage: &Stage, claim: Claim, wanted: &Wanted) {
    if stage.directory.starts_members_late() {
        for node in &wanted.outside {
            stage.testbed.may_leave(node, claim).await;
        }
    }
}

/// Empties nodes that are to join as new ones.
async fn fresh(stage: &Stage, add: &[String]) -> Result<(), String> {
    for node in add.iter().filter(|_| stage.directory.starts_members_late()) {
        if !stage.testbed.is_waiting(node).await {
            stage.testbed.retire(node).await.map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

/// Stops the nodes that are no longer members, and starts the new members.
async fn move_nodes(stage: &Stage, wanted: &Wanted, members: &Members) -> Proof {
    let mut proof = Proof { complete: true, ..Proof::default() };
    if !stage.directory.starts_members_late() {
        return proof;
    }
    let mut note = |node: &String, done: Result<Effect, String>| match done {
        Ok(effect) => {
            proof.evidence.extend(effect.evidence);
            proof.notes.extend(effect.note);
        }
        Err(reason) => {
            proof.complete = false;
            proof.notes.push(format!("{node}: {reason}"));
        }
    };
    for node in &wanted.outside {
        if !stage.testbed.is_waiting(node).await {
            let retired = stage.testbed.retire(node).await;
            note(node, retired.map_err(|error| error.to_string()));
        }
    }
    for node in &wanted.inside {
        if !stage.testbed.is_waiting(node).await {
            continue;
        }
        let joined = match stage.directory.joining(node, &members.names) {
            Ok(command) => stage.testbed.join(node, command).await.map_err(|error| error.to_string()),
            Err(reason) => Err(reason),
        };
        note(node, joined);
    }
    proof
}

async fn reach(stage: &Stage, claim: Claim, wanted: &Wanted, until: Until) -> (u64, Proof) {
    let requested = Instant::now();
    excuse(stage, claim, wanted).await;
    let made = until_changed(stage, wanted, until).await;
    let at = stage.recorder.now_ns();
    let members = match made {
        Ok(members) => members,
        Err(reason) => {
            let patience = requested.elapsed().as_secs_f64();
            let note = format!("the members are not the wanted ones after {patience:.1} s: {reason}");
            return (at, Proof { notes: vec![note], ..Proof::default() });
        }
    };
    let moved = move_nodes(stage, wanted, &members).await;
    let mut proof = Proof { evidence: vec![read_back(&members)], ..moved };
    proof.evidence.extend(moved.evidence);
    let began = Instant::now();
    let answer = async |node: &String| (node.clone(), answers_within(stage, node, SETTLING).await);
    let (settled, answering) =
        tokio::join!(until_settled(stage, members), join_all(wanted.inside.iter().map(answer)));
    match settled {
        Some(members) => proof.evidence.push(format!(
            "the old configuration is no longer needed after {:.2} s: {}",
            began.elapsed().as_secs_f64(),
            members.source
        )),
        None => proof.notes.push(format!("the old configuration was still needed after {SETTLING:?}")),
    }
    for (node, answers) in answering {
        if answers {
            proof.evidence.push(format!("{node} answers"));
        } else {
            proof.notes.push(format!("{node} did not answer within {SETTLING:?} of becoming a member"));
        }
    }
    (at, proof)
}

/// Retries the change until the cluster reports it.
async fn until_changed(stage: &Stage, wanted: &Wanted, until: Until) -> Result<Members, String> {
    let began = Instant::now();
    loop {
        let failed = match stage.directory.members().await {
            None => "no node reports the members".to_owned(),
            Some(members) if !changes(stage).is_newest(&members) => {
                "the nodes with the newest configuration do not answer".to_owned()
            }
            Some(members) => {
                let (add, remove) = wanted.missing(&members);
                if add.is_empty() && remove.is_empty() {
                    return Ok(members);
                }
                let changed = match fresh(stage, &add).await {
                    Ok(()) => stage.directory.change_members(&add, &remove).await,
                    Err(reason) => Err(reason),
                };
                changed
                    .err()
                    .unwrap_or_else(|| "the cluster accepted the change, but does not report it".to_owned())
            }
        };
        if until.is_over(stage, began) {
            return Err(failed);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits until the old configuration is no longer needed; none after a time limit.
async fn until_settled(stage: &Stage, first: Members) -> Option<Members> {
    let deadline = Instant::now() + SETTLING;
    let mut last = Some(first);
    loop {
        match last {
            Some(members) if !members.under_way => return Some(members),
            Some(_) | None if Instant::now() >= deadline => return None,
            Some(_) | None => tokio::time::sleep(PAUSE).await,
        }
        last = stage.directory.members().await;
    }
}

fn read_back(members: &Members) -> String {
    format!("members read back: {} ({})", members.names.join(", "), members.source)
}
