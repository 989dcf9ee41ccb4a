//! Disk swap: nodes restart with one another's disks.

use crate::fault::entry::{Entry, Family, OnNodes};
use crate::fault::fault_kind::FaultKind;
use crate::fault::flag::{aimed, flag};
use crate::fault::proof::{Proof, each};
use crate::fault::stage::{Stage, State, Strike};
use crate::parameters::{Parameters, Target};
use crate::plan::{Aim, Planning};
use crate::process::Excuse;
use crate::refusal::Refusal;
use crate::scope::{Ends, Scope};
use rand::seq::SliceRandom;
use std::collections::BTreeSet;

/// Restarts nodes with one another's disks; the end gives each its own disk back.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DiskSwap {
    target: Option<Target>,
}

impl FaultKind for DiskSwap {
    const ENTRY: Entry = Entry {
        about: "nodes restart with one another's disks, and get their own back at the end",
        evidence: "the owner of the data on each node, and the reaction of the node",
        nodes: OnNodes::Restarted,
        // A node that refuses the disk of another node counts as lost.
        loses: 2,
        flags: &[flag(
            "disk-swap",
            "TARGET",
            "n1,n2",
            "Start these nodes again with one another's disks: n1,n2, all; they get their own back at the end",
            aimed,
        )],
        ..Entry::new("disk-swap", Family::Cluster)
    };

    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        Ok(Self { target: parameters.target.clone() })
    }

    /// The named nodes, or two drawn ones: a swap needs at least two.
    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
        let kind = Self::ENTRY.name;
        let few = |reason: &str| {
            Refusal::new("target", reason).help("name two nodes at least, or leave it out and two are drawn")
        };
        let Some(target) = &self.target else {
            let mut order: Vec<&str> = planning.topology.members().collect();
            order.shuffle(planning.rng);
            order.sort_by_key(|name| planning.busy.contains(*name));
            order.truncate(2);
            if order.len() < 2 {
                return Err(few("there are not two nodes"));
            }
            let ends = Ends::Nodes(order.into_iter().map(str::to_owned).collect());
            return planning.aimed("target", kind, "random", Scope::Processes(ends));
        };
        let ends = planning.choose("target", target)?;
        match &ends {
            Ends::Leader => return Err(few("the leader needs a second node to swap its disk with")),
            Ends::Nodes(names) if names.len() < 2 => {
                return Err(few("one node needs a second to swap its disk with"));
            }
            Ends::Nodes(_) => {}
        }
        planning.aimed("target", kind, &target.to_string(), Scope::Processes(ends))
    }

    async fn start(&self, strike: &Strike<'_>, _: &mut State) -> (u64, Proof) {
        let proof = swap(strike, Excuse { kind: Self::ENTRY.name, passing: true }).await;
        (strike.now_ns(), proof)
    }

    async fn end(&self, strike: &Strike<'_>, _: &State) -> (u64, Proof) {
        swap_back(strike).await
    }
}

/// Starts nodes on one another's disks and observes each node's reaction.
async fn swap(strike: &Strike<'_>, excuse: Excuse) -> Proof {
    let (stage, nodes, claim) = (strike.stage, strike.nodes(), strike.claim);
    let moved = match stage.testbed.swap_disks(nodes, claim, excuse).await {
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
        // Without a swap, a successful restart proves nothing.
        proof.notes.extend(seen.evidence);
    } else {
        proof.evidence.extend(seen.evidence);
    }
    proof.notes.extend(seen.notes);
    proof
}

/// Starts nodes on their disks without this swap: their own, unless another swap is in force.
async fn swap_back(strike: &Strike<'_>) -> (u64, Proof) {
    let (stage, nodes, claim) = (strike.stage, strike.nodes(), strike.claim);
    let moved = stage.testbed.swap_back(claim).await;
    let mut hurt: BTreeSet<String> = nodes.iter().cloned().collect();
    hurt.extend(moved.iter().flatten().map(|(node, _)| node.clone()));
    let hurt: Vec<String> = hurt.into_iter().collect();
    let mut proof = each(&hurt, |node| stage.testbed.restart(node, claim)).await;
    match moved {
        Ok(moved) if moved.is_empty() => proof.evidence.insert(0, "no data had been swapped".to_owned()),
        Ok(_) => drop(proof.evidence.splice(0..0, data_owners(stage, nodes))),
        Err(error) => {
            proof.complete = false;
            proof.notes.push(error.to_string());
        }
    }
    (stage.recorder.now_ns(), proof)
}

/// The owner of the data that each node of a swap has afterwards.
fn data_owners(stage: &Stage, nodes: &[String]) -> Vec<String> {
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
