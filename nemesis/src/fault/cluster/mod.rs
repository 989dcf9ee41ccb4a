//! Faults of the cluster as a whole.

mod changes;
mod disk_swap;
mod members;
mod reconfigure;

pub(crate) use changes::Changes;
pub(crate) use disk_swap::DiskSwap;
pub(crate) use members::settle;
pub(crate) use reconfigure::Reconfigure;

use super::answering::answers_within;
use super::background::{Background, Over};
use super::entry::{EVERYWHERE, Entry, Family, OnNodes};
use super::fault_kind::FaultKind;
use super::flag::{flag, plain};
use super::process::{PIDS, kill, restart};
use super::proof::{Proof, each};
use super::stage::{State, Strike};
use crate::budget::Hurt;
use crate::parameters::Parameters;
use crate::plan::{Aim, FaultEffect, Planning};
use crate::refusal::Refusal;
use crate::scope::Hit;
use std::sync::Arc;
use tokio::time::Instant;

/// Kills all nodes at once with SIGKILL; the end restarts them on the same data.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RestartAll;

impl FaultKind for RestartAll {
    const ENTRY: Entry = Entry {
        about: "SIGKILL to all nodes at once; restarted on the same data at the end",
        evidence: PIDS,
        keys: &[],
        nodes: OnNodes::Restarted,
        whole_cluster: true,
        flags: &[flag("restart-all", "", "", "kill -9 for all nodes at once, and start them again", plain)],
        modes: EVERYWHERE,
        ..Entry::new("restart-all", Family::Cluster)
    };

    fn read(_: &Parameters) -> Result<Self, Refusal> {
        Ok(Self)
    }

    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
        Ok(planning.on_all(Self::ENTRY.name))
    }

    fn effect(&self) -> Option<FaultEffect> {
        Some(FaultEffect::Down { power: false, writing: false })
    }

    async fn start(&self, strike: &Strike<'_>, _: &mut State) -> (u64, Proof) {
        kill(strike).await
    }

    async fn end(&self, strike: &Strike<'_>, _: &State) -> (u64, Proof) {
        restart(strike).await
    }
}

/// Stops one node after another with SIGTERM; each is back before the next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RollingRestart;

impl FaultKind for RollingRestart {
    const ENTRY: Entry = Entry {
        about: "SIGTERM to one node after another; each is back before the next",
        evidence: PIDS,
        keys: &[],
        nodes: OnNodes::Restarted,
        whole_cluster: true,
        flags: &[flag(
            "rolling-restart",
            "",
            "",
            "SIGTERM to one node after another, each started again before the next",
            plain,
        )],
        modes: EVERYWHERE,
        ..Entry::new("rolling-restart", Family::Cluster)
    };

    fn read(_: &Parameters) -> Result<Self, Refusal> {
        Ok(Self)
    }

    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
        Ok(planning.on_all(Self::ENTRY.name))
    }

    /// One node is down at any time; which one changes.
    fn hurt(&self, _: Option<&Hit>) -> Hurt {
        Hurt::unknown()
    }

    async fn start(&self, strike: &Strike<'_>, state: &mut State) -> (u64, Proof) {
        let began = Instant::now();
        let nodes = strike.nodes();
        let mut proof = Proof::complete();
        let seen = each(&nodes[..1], |node| strike.testbed().stop_node(node, strike.claim)).await;
        proof.add(&nodes[0], seen);
        state.background = Some(roll(strike, began));
        (strike.now_ns(), proof)
    }

    /// The last node came back before the end of the background task.
    async fn end(&self, strike: &Strike<'_>, _: &State) -> (u64, Proof) {
        (strike.now_ns(), Proof::complete())
    }
}

/// Restarts the nodes in turn.
///
/// The first node was stopped at `began`. Each of the others is stopped and restarted in its share of the time.
fn roll(strike: &Strike<'_>, began: Instant) -> Background {
    let (stage, nodes, claim) = (Arc::clone(strike.stage), strike.nodes().to_vec(), strike.claim);
    let length = strike.length;
    Background::begin(async move |mut over: Over| {
        let turn = length / u32::try_from(nodes.len().max(1)).unwrap_or(u32::MAX);
        let mut next = began;
        let mut proof = Proof { complete: true, ..Proof::default() };
        for (index, node) in nodes.iter().enumerate() {
            let one = std::slice::from_ref(node);
            if index > 0 {
                proof.add(node, each(one, |node| stage.testbed.stop_node(node, claim)).await);
            }
            let ends = over.comes_before(next + turn / 2).await;
            proof.add(node, each(one, |node| stage.testbed.restart(node, claim)).await);
            next += turn;
            let rest = nodes.len() - index - 1;
            let left = next.saturating_duration_since(Instant::now());
            // A late node may use the time of another turn: with the next node stopped too, two would be down.
            let patience = if rest > 0 { left.max(turn) } else { left };
            if !answers_within(&stage, node, patience).await {
                proof.notes.push(format!("{node} did not answer before its turn was over"));
                if rest > 0 {
                    let note = format!("{rest} of the nodes had no turn; give it more time with `for`");
                    proof.notes.push(note);
                    break;
                }
            }
            next = next.max(Instant::now());
            if rest > 0 && (ends || over.comes_before(next).await) {
                proof.notes.push(format!("it ended before {rest} of the nodes had their turn"));
                break;
            }
        }
        proof
    })
}
