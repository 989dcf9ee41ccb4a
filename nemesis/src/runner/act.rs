//! Starts and ends one fault on the lab.

use super::background::{self, Background};
use super::clocks::{self, OnClocks};
use super::disks::{self, OnDisks};
use super::evidence::{self, Met, OnLinks, Proof};
use super::{FaultRecord, Moment, Stage, members};
use crate::claim::Claim;
use crate::disk::Condition;
use crate::network::LinkFault;
use crate::plan::{Action, Hit, PlannedFault};
use crate::process::Effect;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a fault on the leader waits for somebody to lead: half of its own time, and at least so long.
const LEADER_PATIENCE: Duration = Duration::from_secs(1);
const LEADER_PAUSE: Duration = Duration::from_millis(20);

/// What links and disks had done, and clocks said, when the fault started.
#[derive(Debug, Default)]
pub(super) struct Before {
    links: OnLinks,
    disks: OnDisks,
    clocks: OnClocks,
}

/// A fault between its start and its end.
pub(super) struct InForce {
    pub(super) hit: Hit,
    before: Before,
    background: Option<Background>,
}

/// What came of starting a fault.
pub(super) struct Started {
    pub(super) record: FaultRecord,
    /// What must be healed; none if there was nothing to hit, and the fault is over.
    pub(super) in_force: Option<InForce>,
}

/// Starts a fault, proves it and records it, with a note of what happened before.
pub(super) async fn start(stage: &Arc<Stage>, fault: &PlannedFault, note: Option<String>) -> Started {
    let found = match find(stage, fault).await {
        Ok(hit) => hit,
        Err(reason) => return nothing_to_hit(stage, fault, reason),
    };
    let nodes = fault.nodes.clone().unwrap_or_else(|| found.nodes.clone());
    let links = found.links.iter().map(|link| (link.clone(), stage.testbed.counters(link))).collect();
    let of_disks = matches!(fault.action, Action::Disk(_));
    let disks = if of_disks { disks::counters(&stage.testbed, &found.nodes).await } else { OnDisks::new() };
    let of_clocks = matches!(fault.action, Action::Clock(_));
    let clocks = if of_clocks { clocks::readings(stage, &found.nodes).await } else { OnClocks::new() };
    let before = Before { links, disks, clocks };
    let (at, proof, background) = begin(stage, fault, &found, &before).await;
    let record = FaultRecord {
        fault: fault.fault,
        kind: fault.kind,
        label: fault.label_with(&nodes),
        nodes,
        started: Some(at),
        ended: None,
        evidence: proof.evidence,
        healing: Vec::new(),
        healed: false,
        met: None,
        beyond_help: false,
        notes: note.into_iter().chain(proof.notes).collect(),
    };
    stage.record(fault, &record, Moment::Start, at);
    Started { record, in_force: Some(InForce { hit: found, before, background }) }
}

/// Puts a fault in force; gives when it was, the proof, and what goes on until it ends.
async fn begin(
    stage: &Arc<Stage>,
    fault: &PlannedFault,
    found: &Hit,
    before: &Before,
) -> (u64, Proof, Option<Background>) {
    let claim = fault.fault;
    let nodes = &found.nodes;
    let length = Duration::from_nanos(fault.end - fault.start);
    let began = Instant::now();
    let mut background = None;
    let proof = match &fault.action {
        Action::Kill => each(nodes, |node| stage.testbed.kill(node, claim)).await,
        Action::Stop => each(nodes, |node| stage.testbed.stop_node(node, claim)).await,
        Action::LoseNode => each(nodes, |node| stage.testbed.lose(node, claim)).await,
        Action::Pause => each(nodes, |node| stage.testbed.pause(node, claim)).await,
        Action::Damage(damage) => each(nodes, |node| stage.testbed.damage(node, claim, damage)).await,
        Action::SwapDisks => disks::swap(stage, nodes, claim).await,
        Action::PowerLoss { torn } => {
            if *torn {
                // All are caught before the first is killed, so that they lose their power together.
                evidence::all(nodes.iter().map(|node| stage.testbed.catch_sync(node))).await;
            }
            each(nodes, |node| stage.testbed.lose_power(node, claim, *torn)).await
        }
        Action::Disk(condition) => {
            let (at, proof) = disks::start(stage, nodes, claim, *condition, &before.disks, length).await;
            return (at, proof, None);
        }
        Action::Clock(clock_fault) => {
            let (at, proof) = clocks::start(stage, claim, *clock_fault, &before.clocks, length).await;
            return (at, proof, None);
        }
        Action::Slow(duty) => {
            let proof = each(nodes, |node| stage.testbed.pause(node, claim)).await;
            background = Some(Background::slow(stage, nodes, claim, *duty));
            proof
        }
        Action::Roll => {
            let mut proof = Proof { complete: true, ..Proof::default() };
            let seen = each(&nodes[..1], |node| stage.testbed.stop_node(node, claim)).await;
            proof.add(&nodes[0], seen);
            background = Some(Background::roll(stage, nodes, claim, began, length));
            proof
        }
        Action::Links(link_fault) => {
            for link in &found.links {
                stage.testbed.apply(link, claim, *link_fault);
            }
            let at = stage.recorder.now_ns();
            return (at, evidence::of_links(&stage.testbed, *link_fault, &before.links).await, None);
        }
        Action::Swizzle { chance } => {
            let pairs = background::pairs(&found.links, *chance);
            let (at, proof) = background::first_cut(stage, &pairs, claim, &before.links).await;
            return (at, proof, Some(Background::swizzle(stage, pairs, claim, began, length, *chance)));
        }
        Action::Reconfigure { change, instead } => {
            let (at, proof) = members::start(stage, claim, *change, nodes, instead, length).await;
            return (at, proof, None);
        }
        Action::Reset => {
            let mut reset = Vec::new();
            for link in &found.links {
                reset.push((link, stage.testbed.reset(link).await));
            }
            evidence::of_resets(&reset)
        }
    };
    (stage.recorder.now_ns(), proof, background)
}

/// Ends a fault, makes sure that it is over and records it.
pub(super) async fn end(
    stage: &Stage,
    fault: &PlannedFault,
    in_force: InForce,
    mut record: FaultRecord,
) -> FaultRecord {
    let InForce { hit, before, background } = in_force;
    let went_on = match background {
        Some(background) => background.finish().await,
        None => Proof { complete: true, ..Proof::default() },
    };
    let claim = fault.fault;
    let met = met(stage, &fault.action, &before).await;
    let (at, proof) = match &fault.action {
        Action::Kill | Action::Stop | Action::LoseNode | Action::PowerLoss { .. } => {
            let proof = each(&hit.nodes, |node| stage.testbed.restart(node, claim)).await;
            (stage.recorder.now_ns(), proof)
        }
        Action::Pause | Action::Slow(_) => {
            let proof = each(&hit.nodes, |node| stage.testbed.resume(node, claim)).await;
            (stage.recorder.now_ns(), proof)
        }
        // The last node came back before the end of what went on.
        Action::Roll => (stage.recorder.now_ns(), Proof { complete: true, ..Proof::default() }),
        Action::Damage(_) => {
            let proof = each(&hit.nodes, |node| stage.testbed.restart_damaged(node, claim)).await;
            (stage.recorder.now_ns(), proof)
        }
        Action::SwapDisks => disks::swap_back(stage, &hit.nodes, claim).await,
        Action::Disk(condition) => relieve(stage, claim, &hit, &before, *condition).await,
        Action::Clock(_) => clocks::end(stage, claim, &hit.nodes).await,
        Action::Links(link_fault) => heal(stage, claim, &hit, &before, *link_fault).await,
        Action::Swizzle { .. } => heal(stage, claim, &hit, &before, LinkFault::Stall).await,
        Action::Reconfigure { .. } => members::end(stage, claim).await,
        Action::Reset => {
            let note = "connections may be made anew at once".to_owned();
            (stage.recorder.now_ns(), Proof { evidence: vec![note], complete: true, ..Proof::default() })
        }
    };
    record.healed = proof.complete && went_on.complete;
    record.beyond_help = !record.healed && proof.beyond_help;
    record.healing = [went_on.evidence, proof.evidence].concat();
    record.judge(met);
    record.notes.extend(went_on.notes);
    record.ended = Some(at);
    record.notes.extend(proof.notes);
    stage.record(fault, &record, Moment::End, at);
    record
}

/// What of the system under test met a fault that shows only in that; none for a fault that shows by itself.
async fn met(stage: &Stage, action: &Action, before: &Before) -> Option<Met> {
    match action {
        Action::Links(fault) => Some(evidence::met(&stage.testbed, *fault, &before.links)),
        Action::Swizzle { .. } => Some(evidence::met(&stage.testbed, LinkFault::Stall, &before.links)),
        Action::Disk(condition) => Some(disks::met(&stage.testbed, *condition, &before.disks).await),
        Action::Kill
        | Action::Stop
        | Action::LoseNode
        | Action::Pause
        | Action::Damage(_)
        | Action::SwapDisks
        | Action::PowerLoss { .. }
        | Action::Clock(_)
        | Action::Slow(_)
        | Action::Roll
        | Action::Reconfigure { .. }
        | Action::Reset => None,
    }
}

/// Takes a fault off the links and makes sure that they carry bytes again.
async fn heal(stage: &Stage, claim: Claim, hit: &Hit, before: &Before, fault: LinkFault) -> (u64, Proof) {
    let carried = evidence::carried(&stage.testbed, fault, &before.links);
    for link in hit.links.iter().rev() {
        stage.testbed.release(link, claim);
    }
    let at = stage.recorder.now_ns();
    let mut proof = evidence::of_healing(&stage.testbed, fault, &hit.links).await;
    proof.evidence.splice(0..0, carried);
    (at, proof)
}

/// Takes a fault off the disks, and starts again the nodes that ended because of it.
async fn relieve(
    stage: &Stage,
    claim: Claim,
    hit: &Hit,
    before: &Before,
    condition: Condition,
) -> (u64, Proof) {
    let mut proof = disks::of_healing(&stage.testbed, condition, &before.disks).await;
    let released = each(&hit.nodes, |node| stage.testbed.release_disk(node, claim)).await;
    proof.evidence.extend(released.evidence);
    proof.complete = released.complete;
    proof.notes.extend(released.notes);
    (stage.recorder.now_ns(), proof)
}

/// Finds whom the fault hits, and waits a moment for a leader where it needs one.
async fn find(stage: &Stage, fault: &PlannedFault) -> Result<Hit, String> {
    let topology = stage.testbed.topology();
    if !fault.scope.needs_leader() {
        return fault.scope.resolve(topology, None);
    }
    let length = Duration::from_nanos(fault.end - fault.start);
    let deadline = Instant::now() + LEADER_PATIENCE.max(length / 2);
    loop {
        let leader = stage.directory.leader().await;
        if leader.is_some() || Instant::now() >= deadline {
            return fault.scope.resolve(topology, leader.as_deref());
        }
        tokio::time::sleep(LEADER_PAUSE).await;
    }
}

/// Records a fault that could not be: its start, without evidence and with the reason, and its end.
pub(super) fn nothing_to_hit(stage: &Stage, fault: &PlannedFault, reason: String) -> Started {
    let record = FaultRecord {
        fault: fault.fault,
        kind: fault.kind,
        label: fault.label.clone(),
        nodes: fault.nodes.clone().unwrap_or_default(),
        started: None,
        ended: None,
        evidence: Vec::new(),
        healing: Vec::new(),
        healed: true,
        met: None,
        beyond_help: false,
        notes: vec![reason],
    };
    let now = stage.recorder.now_ns();
    stage.record(fault, &record, Moment::Start, now);
    stage.record(fault, &record, Moment::End, now);
    Started { record, in_force: None }
}

/// Does something to each of the nodes at the same time and puts what was seen together, in their order. It is
/// complete if nothing failed; whether there is evidence is another matter.
pub(super) async fn each<'a, F, A>(nodes: &'a [String], action: A) -> Proof
where
    F: Future<Output = Result<Effect, crate::testbed::TestbedError>>,
    A: Fn(&'a str) -> F,
{
    let effects = evidence::all(nodes.iter().map(|node| action(node))).await;
    let mut proof = Proof { complete: true, ..Proof::default() };
    for (node, effect) in nodes.iter().zip(effects) {
        match effect {
            Ok(effect) => {
                let named = |seen: String| if nodes.len() > 1 { format!("{node}: {seen}") } else { seen };
                proof.evidence.extend(effect.evidence.into_iter().map(named));
                proof.notes.extend(effect.note);
            }
            Err(error) => {
                proof.complete = false;
                proof.notes.push(error.to_string());
            }
        }
    }
    proof
}
