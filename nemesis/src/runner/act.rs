//! Starts and ends one fault on the lab.

use super::evidence::{self, Proof};
use super::{FaultRecord, Moment, Stage};
use crate::network::LinkCounters;
use crate::partition::Link;
use crate::plan::{Action, Hit, PlannedFault};
use crate::process::Effect;
use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;
use tokio::time::Instant;

/// How long a fault on the leader waits for somebody to lead.
const LEADER_PATIENCE: Duration = Duration::from_secs(1);
const LEADER_PAUSE: Duration = Duration::from_millis(20);

/// What the links had carried when the fault started.
pub(super) type Before = BTreeMap<Link, LinkCounters>;

/// What came of starting a fault.
pub(super) struct Started {
    pub(super) record: FaultRecord,
    /// What must be healed; none if there was nothing to hit, and the fault is over.
    pub(super) in_force: Option<(Hit, Before)>,
}

/// Starts a fault, proves it and records it.
pub(super) async fn start(stage: &Stage, fault: &PlannedFault) -> Started {
    let found = match find(stage, fault).await {
        Ok(hit) => hit,
        Err(reason) => return nothing_to_hit(stage, fault, reason),
    };
    let nodes = fault.nodes.clone().unwrap_or_else(|| found.nodes.clone());
    let before: Before = found.links.iter().map(|link| (link.clone(), stage.lab.counters(link))).collect();
    let claim = fault.fault;
    let (at, proof) = match &fault.action {
        Action::Kill => {
            let proof = each(&found.nodes, |node| stage.lab.kill(node, claim)).await;
            (stage.recorder.now_ns(), proof)
        }
        Action::Pause => {
            let proof = each(&found.nodes, |node| stage.lab.pause(node, claim)).await;
            (stage.recorder.now_ns(), proof)
        }
        Action::Damage(damage) => {
            let proof = each(&found.nodes, |node| stage.lab.damage(node, claim, damage)).await;
            (stage.recorder.now_ns(), proof)
        }
        Action::Links(link_fault) => {
            for link in &found.links {
                stage.lab.apply(link, claim, *link_fault);
            }
            let at = stage.recorder.now_ns();
            (at, evidence::of_links(&stage.lab, *link_fault, &before).await)
        }
        Action::Reset => {
            let mut reset = Vec::new();
            for link in &found.links {
                reset.push((link, stage.lab.reset(link).await));
            }
            (stage.recorder.now_ns(), evidence::of_resets(&reset))
        }
    };
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
        notes: proof.notes,
    };
    stage.record(fault, &record, Moment::Start, at);
    Started { record, in_force: Some((found, before)) }
}

/// Ends a fault, makes sure that it is over and records it.
pub(super) async fn end(
    stage: &Stage,
    fault: &PlannedFault,
    hit: &Hit,
    before: &Before,
    mut record: FaultRecord,
) -> FaultRecord {
    let claim = fault.fault;
    let (at, proof) = match &fault.action {
        Action::Kill => {
            let proof = each(&hit.nodes, |node| stage.lab.restart(node, claim)).await;
            (stage.recorder.now_ns(), proof)
        }
        Action::Pause => {
            let proof = each(&hit.nodes, |node| stage.lab.resume(node, claim)).await;
            (stage.recorder.now_ns(), proof)
        }
        Action::Damage(_) => {
            let proof = each(&hit.nodes, |node| stage.lab.restart_damaged(node, claim)).await;
            (stage.recorder.now_ns(), proof)
        }
        Action::Links(link_fault) => {
            let carried = evidence::carried(&stage.lab, *link_fault, before);
            for link in hit.links.iter().rev() {
                stage.lab.release(link, claim);
            }
            let at = stage.recorder.now_ns();
            let mut proof = evidence::of_healing(&stage.lab, *link_fault, &hit.links).await;
            proof.evidence.splice(0..0, carried);
            (at, proof)
        }
        Action::Reset => {
            let note = "connections may be made anew at once".to_owned();
            (stage.recorder.now_ns(), Proof { evidence: vec![note], notes: Vec::new(), complete: true })
        }
    };
    record.ended = Some(at);
    record.healed = proof.complete;
    record.healing = proof.evidence;
    record.notes.extend(proof.notes);
    stage.record(fault, &record, Moment::End, at);
    record
}

/// Finds whom the fault hits, and waits a moment for a leader where it needs one.
async fn find(stage: &Stage, fault: &PlannedFault) -> Result<Hit, String> {
    let topology = stage.lab.topology();
    if !fault.scope.needs_leader() {
        return fault.scope.resolve(topology, None);
    }
    let length = Duration::from_nanos(fault.end - fault.start);
    let deadline =
        Instant::now() + if length.is_zero() { LEADER_PATIENCE } else { length.min(LEADER_PATIENCE) };
    loop {
        let leader = stage.directory.leader().await;
        if leader.is_some() || Instant::now() >= deadline {
            return fault.scope.resolve(topology, leader.as_deref());
        }
        tokio::time::sleep(LEADER_PAUSE).await;
    }
}

/// Records a fault that could not be: its start, without evidence and with the reason, and its end.
fn nothing_to_hit(stage: &Stage, fault: &PlannedFault, reason: String) -> Started {
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
        notes: vec![reason],
    };
    let now = stage.recorder.now_ns();
    stage.record(fault, &record, Moment::Start, now);
    stage.record(fault, &record, Moment::End, now);
    Started { record, in_force: None }
}

/// Does something to each of the nodes at the same time and puts what was seen together, in their order.
async fn each<'a, F, A>(nodes: &'a [String], action: A) -> Proof
where
    F: Future<Output = Result<Effect, crate::lab::LabError>>,
    A: Fn(&'a str) -> F,
{
    let effects = evidence::all(nodes.iter().map(|node| action(node))).await;
    let mut proof = Proof { complete: true, ..Proof::default() };
    for (node, effect) in nodes.iter().zip(effects) {
        match effect {
            Ok(effect) => {
                proof.complete &= !effect.evidence.is_empty();
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
