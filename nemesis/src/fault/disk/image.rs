//! Power losses one after another, each of which leaves another legal state of a disk.
//!
//! *Why one state for each instant*: a node that has restarted has answered others since. Restarted on a second
//! state of the same instant, it would have forgotten that, which no power loss causes.

use super::super::background::{Background, Over};
use super::super::entry::{Entry, FRAMES, Family, OnNodes};
use super::super::fault_kind::FaultKind;
use super::super::flag::{aimed, flag};
use super::super::in_sync;
use super::super::process::restart;
use super::super::proof::Proof;
use super::super::stage::{Stage, State, Strike};
use crate::claim::Claim;
use crate::parameters::{Parameters, Target};
use crate::plan::{Aim, Planning};
use crate::refusal::Refusal;
use crate::testbed::{ENDED_BY_ITSELF, LeftImage};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The time between the first answer of a restarted node and the next power loss.
const WORK: Duration = Duration::from_millis(5);

/// Kills a node and leaves a state on its disk that a power loss may leave, again and again until its end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CrashImage {
    target: Option<Target>,
}

impl FaultKind for CrashImage {
    const ENTRY: Entry = Entry {
        about: "killed in a sync again and again, each time with another state that a power loss may leave",
        evidence: "each state and its hash",
        modes: FRAMES,
        memory_disk: true,
        nodes: OnNodes::Restarted,
        flags: &[flag(
            "crash-image",
            "TARGET",
            "random",
            "Kill nodes again and again, and leave another legal state of their disks each time",
            aimed,
        )],
        ..Entry::new("crash-image", Family::Disk)
    };

    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        Ok(Self { target: parameters.target.clone() })
    }

    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
        planning.on_processes(Self::ENTRY.name, self.target.as_ref())
    }

    async fn start(&self, strike: &Strike<'_>, state: &mut State) -> (u64, Proof) {
        let (shared, targets, claim) = (Arc::clone(strike.stage), strike.nodes().to_vec(), strike.claim);
        let first = lose_power(&shared, &targets[0], claim, 0).await;
        let at = strike.now_ns();
        let (evidence, notes) = (first.evidence, first.notes);
        let proof = Proof { evidence, notes, complete: true, ..Proof::default() };
        state.background =
            Some(Background::begin(async move |over| again(&shared, &targets, claim, over).await));
        (at, proof)
    }

    async fn end(&self, strike: &Strike<'_>, _: &State) -> (u64, Proof) {
        restart(strike).await
    }
}

/// The result of one power loss.
#[derive(Default)]
struct Left {
    evidence: Vec<String>,
    /// The state of its disk, in words.
    image: Option<String>,
    notes: Vec<String>,
}

/// Kills a node, in a sync if one comes soon, and leaves a state that its disk may have.
async fn lose_power(stage: &Stage, node: &str, claim: Claim, turn: u64) -> Left {
    let testbed = &stage.testbed;
    // Most states exist only during a sync. Without one the node still restarts on a legal state.
    let caught = testbed.catch_quickly(node).await;
    let left = testbed.leave_image(node, claim, turn).await;
    let disarmed = testbed.disarm(&[node.to_owned()]).await;
    let mut result = Left::default();
    result.notes.extend(disarmed.err().map(|error| error.to_string()));
    match left {
        Ok(LeftImage { effect, image }) => {
            (result.evidence, result.image) = (effect.evidence, image);
            result.notes.extend(effect.note);
        }
        Err(error) => result.notes.push(error.to_string()),
    }
    if let Ok(open) = caught
        && !open.is_empty()
        && !result.evidence.is_empty()
    {
        result.evidence.push(in_sync::in_words(node, &open));
    }
    result
}

/// Restarts one node after another and loses its power again, until the fault ends.
///
/// A node that ended by itself on an image stays as it is.
async fn again(stage: &Stage, nodes: &[String], claim: Claim, mut over: Over) -> Proof {
    let mut proof = Proof::complete();
    for turn in 0_u64.. {
        let node = &nodes[usize::try_from(turn).unwrap_or(0) % nodes.len()];
        match stage.testbed.restart_damaged(node, claim).await {
            Ok(effect) if effect.evidence.iter().any(|line| line.starts_with(ENDED_BY_ITSELF)) => {
                proof.evidence.extend(effect.evidence.iter().map(|line| format!("{node}: {line}")));
                break;
            }
            Ok(_) => {}
            Err(error) => {
                proof.complete = false;
                proof.notes.push(error.to_string());
                break;
            }
        }
        if over.comes_before(Instant::now() + WORK).await {
            break;
        }
        let next = &nodes[usize::try_from(turn + 1).unwrap_or(0) % nodes.len()];
        let left = lose_power(stage, next, claim, turn + 1).await;
        proof.evidence.extend(left.image.map(|image| format!("{next}: {image}")));
        proof.notes.extend(left.notes);
    }
    proof
}
