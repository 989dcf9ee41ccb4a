//! Moves data between nodes, as the swaps in force require.

use super::data::data_of;
use super::{Testbed, TestbedError};
use crate::claim::Claim;
use crate::disk::{self, Move};
use crate::process::{Effect, Excuse, NodeProcess};
use std::collections::BTreeMap;
use tokio::sync::MutexGuard;

impl Testbed {
    /// Kills these nodes with SIGKILL and rotates their data.
    ///
    /// Each gets the data of the node before it, the first those of the last.
    ///
    /// They stay down like [killed](Self::kill) nodes, and may end by themselves later, when they detect the
    /// swap.
    pub(crate) async fn swap_disks(
        &self,
        nodes: &[String],
        claim: Claim,
        excuse: Excuse,
    ) -> Result<BTreeMap<String, Effect>, TestbedError> {
        let _alone = self.swapping.lock().await;
        for node in nodes {
            let process = self.node(node).process.lock().await;
            data_of(node, &process).map_err(|reason| TestbedError::NothingToSwap { reason })?;
        }
        self.volumes().swap(claim, nodes, excuse);
        let moved = self.rearrange(claim).await;
        if moved.is_err() {
            self.volumes().end(Some(claim));
        }
        moved
    }

    /// Ends a swap: kills the nodes whose data must move, and moves them as the other swaps require.
    pub async fn swap_back(&self, claim: Claim) -> Result<BTreeMap<String, Effect>, TestbedError> {
        let _alone = self.swapping.lock().await;
        self.volumes().end(Some(claim));
        self.rearrange(claim).await
    }

    /// Ends all swaps and restarts the nodes on their own data.
    pub(super) async fn end_swaps(&self) -> Result<Vec<String>, TestbedError> {
        let _alone = self.swapping.lock().await;
        self.volumes().end(None);
        // No fault has this number.
        let moved = self.rearrange(Claim::MAX).await?;
        let mut lines = Vec::new();
        for node in moved.into_keys() {
            let effect = self.restart(&node, Claim::MAX).await?;
            lines.extend(effect.evidence.iter().map(|seen| format!("{node} has its own data again: {seen}")));
        }
        Ok(lines)
    }

    /// The owner of a node's data, and the swap in force that moved them; none if they are its own.
    pub(crate) fn has_data_of(&self, node: &str) -> Option<(String, Option<Claim>)> {
        let volumes = self.volumes();
        let owner = volumes.of(node);
        (owner != node).then(|| (owner.to_owned(), volumes.swapped_by(node).map(|(swap, _)| swap)))
    }

    /// Moves all data that are on the wrong node; describes the effect on each node.
    async fn rearrange(&self, claim: Claim) -> Result<BTreeMap<String, Effect>, TestbedError> {
        let from = self.volumes().moves();
        let mut processes: BTreeMap<&str, MutexGuard<'_, NodeProcess>> = BTreeMap::new();
        let mut effects = BTreeMap::new();
        for node in from.keys() {
            let mut process = self.node(node).process.lock().await;
            effects.insert(node.clone(), process.kill(claim).await?);
            processes.insert(node, process);
        }
        let moved = self.exchange(&from, &processes).await;
        if moved.is_err() {
            for process in processes.values_mut() {
                // The call reports only the first error.
                let _ = process.restart(claim, &self.spawner).await;
            }
        }
        let handed = moved?;
        let mut volumes = self.volumes();
        volumes.moved();
        let empty = handed.iter().all(|handed| handed.files == 0);
        for ((node, effect), handed) in effects.iter_mut().zip(handed) {
            let owner = volumes.of(node);
            if let Some((swap, excuse)) = volumes.swapped_by(node).filter(|_| owner != node) {
                processes[node.as_str()].excuse(swap, excuse);
            }
            let whose = if owner == node { "its own data" } else { &format!("the data of {owner}") };
            effect.evidence.push(format!("has {whose}: {} bytes, files: {}", handed.bytes, handed.files));
            if empty {
                *effect = Effect::none(format!("{node} had no data to swap"));
            }
            for (fault, excuse) in volumes.damages(node) {
                processes[node.as_str()].excuse(fault, excuse);
            }
        }
        Ok(effects)
    }

    /// Moves the nodes' data, in the order of their names.
    async fn exchange(
        &self,
        from: &BTreeMap<String, String>,
        processes: &BTreeMap<&str, MutexGuard<'_, NodeProcess>>,
    ) -> Result<Vec<disk::HandedOn>, TestbedError> {
        let folder = |node: &str| {
            data_of(node, &processes[node]).map_err(|reason| TestbedError::NothingToSwap { reason })
        };
        let moves: Result<Vec<Move>, TestbedError> =
            from.iter().map(|(to, from)| Ok(Move { from: folder(from)?, to: folder(to)? })).collect();
        let moves = moves?;
        let nodes: Vec<(&str, &NodeProcess)> =
            processes.iter().map(|(node, process)| (*node, &**process)).collect();
        let done = self.maintain(&nodes, move || disk::exchange(&moves)).await?;
        let failed = |source| TestbedError::Swap { nodes: from.keys().cloned().collect(), source };
        done.map_err(failed)
    }
}
