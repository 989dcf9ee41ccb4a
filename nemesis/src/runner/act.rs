//! Starts and ends one fault on the testbed.

use super::points;
use super::record::{FaultRecord, record};
use crate::claim::Claim;
use crate::fault::{OnNodes, Proof, Stage, State, Strike, in_sync};
use crate::plan::PlannedFault;
use crate::schedule::Moment;
use crate::scope::Hit;
use crate::testbed::Caught;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Shortest time for which a fault on the leader waits for a leader; otherwise half of its duration.
const LEADER_PATIENCE: Duration = Duration::from_secs(1);
const LEADER_PAUSE: Duration = Duration::from_millis(20);
/// How long a sync for which a fault waited stays open after the fault began to strike. A paused process only stops after the answer.
const LINGER: Duration = Duration::from_millis(20);
/// The same where the process ends: it must not get the answer before.
const UNTIL_ENDED: Duration = Duration::from_millis(500);

/// A fault between its start and its end.
pub(super) struct InForce {
    pub(super) hit: Hit,
    state: State,
}

/// The result of starting a fault.
pub(super) struct Started {
    pub(super) record: FaultRecord,
    /// The fault to heal; none if it had no target and has ended.
    pub(super) in_force: Option<InForce>,
}

fn strike<'a>(stage: &'a Arc<Stage>, fault: &PlannedFault, hit: &'a Hit) -> Strike<'a> {
    Strike { stage, claim: fault.fault, hit, length: Duration::from_nanos(fault.end - fault.start) }
}

/// Starts a fault, collects its evidence and records it; `note` describes the time before.
pub(super) async fn start(stage: &Arc<Stage>, fault: &PlannedFault, note: Option<String>) -> Started {
    let hit = match find(stage, fault).await {
        Ok(hit) => hit,
        Err(reason) => return without_target(stage, fault, reason),
    };
    let nodes = fault.nodes.clone().unwrap_or_else(|| hit.nodes.clone());
    let mut own = State::default();
    // It begins with the first node that feels it: the last kill comes later.
    let began = stage.recorder.now_ns();
    let tape = stage.testbed.tape();
    tape.acts(fault.fault, Moment::Start, &fault.label, &nodes);
    let ends = fault.kind.entry().nodes == OnNodes::Restarted;
    let (in_force, proof) = strike_in_sync(&strike(stage, fault, &hit), fault, &mut own).await;
    tape.acted(fault.fault, Moment::Start, if ends { &nodes } else { &[] });
    let at = began.min(in_force);
    let started = FaultRecord {
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
    record(stage, fault, &started, Moment::Start, at);
    tape.add_evidence(fault.fault, Moment::Start, &started.label, &started.evidence);
    Started { record: started, in_force: Some(InForce { hit, state: own }) }
}

/// Starts a fault. If it waited for a sync, that stays open meanwhile, as far as the fault can take effect then.
async fn strike_in_sync(strike: &Strike<'_>, fault: &PlannedFault, own: &mut State) -> (u64, Proof) {
    let stage = strike.stage;
    let Some(nodes) = points::of_syncs(stage, fault) else { return fault.action.start(strike, own).await };
    let open = stage.testbed.awaited(fault.fault, &nodes).await.unwrap_or_default();
    let ends = fault.kind.entry().nodes == OnNodes::Restarted;
    let late = async {
        tokio::time::sleep(if ends { UNTIL_ENDED } else { LINGER }).await;
        // Asked again after the start, where a failure is noted.
        let _ = stage.testbed.release_awaited(fault.fault, &nodes).await;
    };
    let mut starting = pin!(fault.action.start(strike, own));
    let (in_force, mut proof) = tokio::select! {
        biased;
        started = &mut starting => started,
        () = late => starting.await,
    };
    end_wait(stage, fault.fault, &nodes, &open, &mut proof).await;
    (in_force, proof)
}

/// Answers the syncs that were held until a fault struck; what was open is a part of its evidence.
async fn end_wait(stage: &Stage, claim: Claim, nodes: &[String], open: &Caught, proof: &mut Proof) {
    if let Err(error) = stage.testbed.release_awaited(claim, nodes).await {
        proof.notes.push(format!("a sync could not be answered: {error}"));
    }
    if open.is_empty() {
        proof.notes.push("the sync for which it waited had ended before it struck".to_owned());
    } else if !proof.evidence.is_empty() {
        let lines = open.iter().map(|(node, open)| in_sync::in_words(node, open));
        proof.evidence.splice(0..0, lines);
    }
}

/// Ends a fault, checks that it has ended, and records it.
pub(super) async fn end(
    stage: &Arc<Stage>,
    fault: &PlannedFault,
    in_force: InForce,
    mut ended: FaultRecord,
) -> FaultRecord {
    let InForce { hit, mut state } = in_force;
    let tape = stage.testbed.tape();
    tape.acts(fault.fault, Moment::End, &ended.label, &ended.nodes);
    let went_on = match state.background.take() {
        Some(background) => background.finish().await,
        None => Proof::complete(),
    };
    let strike = strike(stage, fault, &hit);
    let met = fault.action.met(&strike, &state).await;
    let (at, proof) = fault.action.end(&strike, &state).await;
    tape.acted(fault.fault, Moment::End, &[]);
    ended.healed = proof.complete && went_on.complete;
    ended.beyond_help = !ended.healed && proof.beyond_help;
    ended.healing = [went_on.evidence, proof.evidence].concat();
    ended.judge(met);
    ended.notes.extend(went_on.notes);
    ended.ended = Some(at);
    ended.notes.extend(proof.notes);
    record(stage, fault, &ended, Moment::End, at);
    tape.add_evidence(fault.fault, Moment::End, &ended.label, &ended.healing);
    ended
}

/// Finds the targets of a fault, and waits a moment for a leader if it needs one.
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

/// Records a fault without a target: its start with the reason and no evidence, then its end.
pub(super) fn without_target(stage: &Stage, fault: &PlannedFault, reason: String) -> Started {
    let over = FaultRecord {
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
    record(stage, fault, &over, Moment::Start, now);
    record(stage, fault, &over, Moment::End, now);
    Started { record: over, in_force: None }
}
