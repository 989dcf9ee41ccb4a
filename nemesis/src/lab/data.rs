//! What the lab does to the nodes' data.

use super::{Lab, LabError};
use crate::disk::{self, Condition, Damage, DiskCounters, DiskError, DiskMode, Harm, NodeDisk};
use crate::network::{Claim, Probe};
use crate::process::Effect;
use crate::vocabulary::Kind;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;

/// How long a node is given to sync something, so that a write can be torn.
const CATCH: Duration = Duration::from_secs(1);
/// How long a node that was started on damaged data is watched for its end.
const REGARD: Duration = Duration::from_secs(1);

impl Lab {
    /// SIGKILL, and damage to the node's files. Later it may end by itself, for it may find what was done to it. It
    /// stays down like a [killed](Self::kill) one.
    pub async fn damage(&self, node: &str, claim: Claim, damage: &Damage) -> Result<Effect, LabError> {
        let mut process = self.node(node).process.lock().await;
        let kind = match damage.harm {
            Harm::Flip { .. } => Kind::BitFlip,
            Harm::Cut { .. } => Kind::Truncate,
        };
        process.excuse(claim, kind.name());
        let mut effect = process.kill(claim).await?;
        let Some(folder) = process.data().map(Path::to_owned) else {
            return Ok(Effect::none(format!("nobody knows where {node} has its data")));
        };
        let (damage, mut chance) = (damage.clone(), self.chance(node, claim));
        let done = tokio::task::spawn_blocking(move || disk::apply(&folder, &damage, &mut chance)).await;
        match done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())) {
            Ok(seen) => effect.evidence.extend(seen),
            Err(error) => effect = Effect::none(error.to_string()),
        }
        Ok(process.unless_unhit(effect))
    }

    /// SIGKILL, and everything that the node has stored is removed. It stays down like a [killed](Self::kill) one.
    pub async fn lose(&self, node: &str, claim: Claim) -> Result<Effect, LabError> {
        let mut process = self.node(node).process.lock().await;
        let mut effect = process.kill(claim).await?;
        let Some(folder) = process.data().map(Path::to_owned) else {
            return Ok(Effect::none(format!("nobody knows where {node} has its data")));
        };
        let done = tokio::task::spawn_blocking(move || disk::empty(&folder)).await;
        match done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())) {
            Ok(removed) if removed.files == 0 => {
                effect = Effect::none(format!("{node} had stored nothing, so nothing was removed"));
            }
            Ok(removed) => effect
                .evidence
                .push(format!("its data removed: {} bytes, files: {}", removed.bytes, removed.files)),
            Err(error) => effect = Effect::none(format!("{node}: its data could not be removed: {error}")),
        }
        Ok(process.unless_unhit(effect))
    }

    /// SIGKILL to all of these nodes, and each gets what the one before it had stored, the first what the last had.
    /// They stay down like [killed](Self::kill) ones. Later they may end by themselves, for they may find out.
    pub async fn swap_disks(&self, nodes: &[String], claim: Claim) -> Result<Vec<Effect>, LabError> {
        let (mut folders, mut effects) = (Vec::new(), Vec::new());
        for node in nodes {
            let mut process = self.node(node).process.lock().await;
            process.excuse(claim, Kind::DiskSwap.name());
            effects.push(process.kill(claim).await?);
            folders.extend(process.data().map(Path::to_owned));
        }
        if folders.len() < nodes.len() {
            return Ok(vec![Effect::none("nobody knows where they have their data")]);
        }
        let done = tokio::task::spawn_blocking(move || disk::exchange(&folders)).await;
        match done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())) {
            Ok(handed) if handed.iter().all(|handed| handed.files == 0) => {
                let nothing =
                    |node| Effect::none(format!("{node} had stored nothing, so nothing was swapped"));
                Ok(nodes.iter().map(nothing).collect())
            }
            Ok(handed) => {
                for (place, (effect, handed)) in effects.iter_mut().zip(handed).enumerate() {
                    let from = &nodes[(place + nodes.len() - 1) % nodes.len()];
                    let files = handed.files;
                    effect
                        .evidence
                        .push(format!("has the data of {from}: {} bytes, files: {files}", handed.bytes));
                }
                Ok(effects)
            }
            Err(error) => Ok(vec![Effect::none(format!("their data could not be swapped: {error}"))]),
        }
    }

    /// What a fault leaves to chance on one node.
    fn chance(&self, node: &str, claim: Claim) -> ChaCha8Rng {
        let place = self.nodes.keys().position(|name| name == node).unwrap_or_default();
        let mut chance = ChaCha8Rng::seed_from_u64(self.seed);
        chance.set_stream(u64::from(claim) << 16 | place as u64);
        chance
    }

    /// Does something with a node's disk on a thread that may wait.
    async fn with_disk<T: Send + 'static>(
        &self,
        node: &str,
        work: impl FnOnce(NodeDisk) -> Result<T, DiskError> + Send + 'static,
    ) -> Result<T, LabError> {
        let disk = self.node(node).disk.clone();
        let disk = disk.ok_or_else(|| DiskError::NoMemory("this lab was made without".to_owned()))?;
        let done = tokio::task::spawn_blocking(move || work(disk)).await;
        Ok(done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?)
    }

    /// SIGKILL, and all that was not synced is gone. With `tear`, a part of the next write is there, and only that is
    /// evidence. The node stays down like a [killed](Self::kill) one.
    pub async fn lose_power(&self, node: &str, claim: Claim, tear: bool) -> Result<Effect, LabError> {
        let seed: u64 = self.chance(node, claim).random();
        let mut process = self.node(node).process.lock().await;
        let mut effect = process.kill(claim).await?;
        let loss = self.with_disk(node, move |disk| disk.lose_power(tear.then_some(seed))).await?;
        let lines = loss.in_words();
        if tear && loss.torn.is_none() {
            let lines = lines.join("; ");
            return Ok(Effect::none(format!(
                "{node}: nothing was being written, so nothing is torn; {lines}"
            )));
        }
        if loss.is_nothing() {
            return Ok(Effect::none(format!(
                "{node} keeps nothing on this disk, so there was nothing that a power loss could take"
            )));
        }
        effect.evidence.extend(lines);
        Ok(process.unless_unhit(effect))
    }

    /// Waits, a second at most, until a node waits for a sync of something, which is then held: the moment at which
    /// a power loss can tear a write. Every call is followed by [`lose_power`](Self::lose_power).
    pub async fn catch_sync(&self, node: &str) -> Result<bool, LabError> {
        self.with_disk(node, |disk| disk.arm(true)).await?;
        let deadline = Instant::now() + CATCH;
        loop {
            if self.with_disk(node, |disk| disk.has_caught()).await? {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Puts a fault on a node's disk; it stays until the claim is [released](Self::release_disk). A node whose disk fails
    /// may end by itself from now on.
    pub async fn apply_disk(&self, node: &str, claim: Claim, condition: Condition) -> Result<(), LabError> {
        let kind = match condition {
            Condition::Full => Some(Kind::Full),
            Condition::SyncError => Some(Kind::SyncError),
            Condition::SlowSync(_) => None,
        };
        if let Some(kind) = kind {
            self.node(node).process.lock().await.excuse(claim, kind.name());
        }
        self.with_disk(node, move |disk| disk.apply(claim, condition)).await
    }

    /// Takes a claim's fault off a node's disk. A node that ended because of it is started again, unless another fault
    /// holds it down.
    pub async fn release_disk(&self, node: &str, claim: Claim) -> Result<Effect, LabError> {
        self.with_disk(node, move |disk| disk.release(claim)).await?;
        let mut process = self.node(node).process.lock().await;
        let mut effect = Effect::seen("the disk is well again");
        if let Some(how) = process.ended_by_itself() {
            effect.evidence.push(format!("the node had ended by itself: {how}"));
            effect.evidence.extend(process.restart(claim, &self.spawner).await?.evidence);
        }
        Ok(effect)
    }

    /// What a node's disk has done so far; nothing where it is not the bench's own.
    pub async fn disk_counters(&self, node: &str) -> Result<DiskCounters, LabError> {
        self.with_disk(node, |disk| disk.counters()).await
    }

    /// Writes what disks in memory hold into the folders where they were.
    pub(super) async fn save_disks(&self) -> Result<(), LabError> {
        for (name, node) in &self.nodes {
            if self.disk == DiskMode::Memory && node.process.lock().await.data().is_some() {
                self.with_disk(name, |disk| disk.save()).await?;
            }
        }
        Ok(())
    }

    /// Starts a node again as [`restart`](Self::restart) does, and sees whether it can live with its data.
    pub async fn restart_damaged(&self, node: &str, claim: Claim) -> Result<Effect, LabError> {
        let mut effect = self.restart(node, claim).await?;
        let watch = async {
            loop {
                let (answers, end) = {
                    let process = self.node(node).process.lock().await;
                    (process.could_answer(), process.ended_by_itself())
                };
                if let Some(how) = end {
                    return Some(how);
                }
                let patience = Duration::from_millis(50);
                if answers && self.probe_node(node, patience).await.is_some_and(Probe::answered) {
                    return None;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        match tokio::time::timeout(REGARD, watch).await {
            Ok(None) => effect.evidence.push("it serves".to_owned()),
            Ok(Some(how)) => effect.evidence.push(format!("it ended by itself: {how}")),
            Err(_) => effect.evidence.push(format!("it did not answer within {REGARD:?}")),
        }
        Ok(effect)
    }
}
