//! Actions of the testbed on the nodes' data.

use super::volumes::Volumes;
use super::{Testbed, TestbedError};
use crate::claim::Claim;
use crate::disk::{self, Catch, Condition, Damage, DiskCounters, DiskError, DiskMode, NodeDisk};
use crate::network::Probe;
use crate::process::{Effect, Excuse, NodeProcess};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use std::path::{Path, PathBuf};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Time for a node to begin a sync, so that a write can be torn.
const CATCH: Duration = Duration::from_secs(1);
/// Time for which a node that restarted on damaged data is watched.
const REGARD: Duration = Duration::from_secs(1);

/// What a node was left with by [`Testbed::leave_image`].
pub(crate) struct LeftImage {
    /// The kill and the loss.
    pub(crate) effect: Effect,
    /// The state of its disk, in words; none if there is no evidence of it.
    pub(crate) image: Option<String>,
}

/// The first words of the evidence that a restarted node did not accept its data.
pub(crate) const ENDED_BY_ITSELF: &str = "it ended by itself";

/// The folder of a node's data; the error says why there is none.
pub(super) fn data_of(node: &str, process: &NodeProcess) -> Result<PathBuf, String> {
    if !process.was_started() {
        return Err(format!("{node} was never started, so it has no data"));
    }
    let folder = process.data().map(Path::to_owned);
    folder.ok_or_else(|| format!("the data folder of {node} is unknown"))
}

impl Testbed {
    /// Kills a node with SIGKILL and damages its files.
    ///
    /// It may end by itself later, when it detects the damage. It stays down like a [killed](Self::kill) node.
    pub(crate) async fn damage(
        &self,
        node: &str,
        claim: Claim,
        damage: &Damage,
        excuse: Excuse,
    ) -> Result<Effect, TestbedError> {
        let mut process = self.node(node).process.lock().await;
        let mut effect = process.kill(claim).await?;
        let folder = match data_of(node, &process) {
            Ok(folder) => folder,
            Err(reason) => return Ok(Effect::none(reason)),
        };
        process.excuse(claim, excuse);
        self.volumes().damage(node, claim, excuse);
        let (damage, mut rng) = (damage.clone(), self.rng(node, claim));
        let work = move || disk::apply(&folder, &damage, &mut rng);
        match self.maintain(&[(node, &process)], work).await? {
            Ok(seen) => effect.evidence.extend(seen.into_iter().map(|line| self.with_owner(node, line))),
            Err(error) => effect = Effect::none(format!("{node}: no file was damaged: {error}")),
        }
        Ok(process.unless_unhit(effect))
    }

    /// Kills a node with SIGKILL and removes all its data. It stays down like a [killed](Self::kill) node.
    pub async fn lose(&self, node: &str, claim: Claim) -> Result<Effect, TestbedError> {
        let mut process = self.node(node).process.lock().await;
        let mut effect = process.kill(claim).await?;
        let folder = match data_of(node, &process) {
            Ok(folder) => folder,
            Err(reason) => return Ok(Effect::none(reason)),
        };
        match self.maintain(&[(node, &process)], move || disk::empty(&folder)).await? {
            Ok(removed) if removed.files <= process.given_files() => {
                effect = Effect::none(format!("{node} had no data to remove"));
            }
            Ok(removed) => {
                self.volumes().emptied(node);
                let (bytes, files) = (removed.bytes, removed.files);
                let line = format!("its data removed: {bytes} bytes, files: {files}");
                effect.evidence.push(self.with_owner(node, line));
            }
            Err(error) => effect = Effect::none(format!("{node}: its data could not be removed: {error}")),
        }
        Ok(process.unless_unhit(effect))
    }

    /// A line about the data of a node, with their owner if that is another node.
    fn with_owner(&self, node: &str, line: String) -> String {
        let volumes = self.volumes();
        let owner = volumes.of(node);
        if owner == node { line } else { format!("{line} (on the disk of {owner}, which it uses)") }
    }

    /// The random numbers of a fault on one node.
    fn rng(&self, node: &str, claim: Claim) -> ChaCha8Rng {
        let index = self.nodes.keys().position(|name| name == node).unwrap_or_default();
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(u64::from(claim) << 16 | index as u64);
        rng
    }

    pub(super) fn volumes(&self) -> MutexGuard<'_, Volumes> {
        self.volumes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on the data of nodes that are down, on a thread that may block.
    ///
    /// Their disks are mounted for it, also after a power loss, and no fault of these disks hits the work.
    pub(super) async fn maintain<T: Send + 'static>(
        &self,
        nodes: &[(&str, &NodeProcess)],
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, TestbedError> {
        let ready = self.begin_maintenance(nodes).await;
        let done = match ready {
            Ok(()) => Ok(tokio::task::spawn_blocking(work).await),
            Err(error) => Err(error),
        };
        let mut ended = Ok(());
        for (node, _) in nodes.iter().filter(|_| self.disk == DiskMode::Memory) {
            let end = self.with_disk(node, |disk| disk.maintain(false)).await;
            ended = ended.and(end);
        }
        let done = done?.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        ended.map(|()| done)
    }

    async fn begin_maintenance(&self, nodes: &[(&str, &NodeProcess)]) -> Result<(), TestbedError> {
        for (node, process) in nodes.iter().filter(|_| self.disk == DiskMode::Memory) {
            process.mount_disk().await?;
            self.with_disk(node, |disk| disk.maintain(true)).await?;
        }
        Ok(())
    }

    /// Works on a node's disk, on a thread that may block.
    pub(super) async fn with_disk<T: Send + 'static>(
        &self,
        node: &str,
        work: impl FnOnce(NodeDisk) -> Result<T, DiskError> + Send + 'static,
    ) -> Result<T, TestbedError> {
        let disk = self.node(node).disk.clone();
        let disk = disk.ok_or_else(|| DiskError::NoMemory("this lab has none".to_owned()))?;
        let done = tokio::task::spawn_blocking(move || work(disk)).await;
        Ok(done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?)
    }

    /// Kills a node with SIGKILL and discards its unsynced data.
    ///
    /// With `tear`, a part of the next write survives, and only that is evidence. The node stays down like a
    /// [killed](Self::kill) node.
    pub async fn lose_power(&self, node: &str, claim: Claim, tear: bool) -> Result<Effect, TestbedError> {
        let seed: u64 = self.rng(node, claim).random();
        let mut process = self.node(node).process.lock().await;
        let mut effect = process.kill(claim).await?;
        if !process.was_started() {
            return Ok(effect);
        }
        let loss = self.with_disk(node, move |disk| disk.lose_power(tear.then_some(seed))).await?;
        let lines = loss.in_words();
        if tear && loss.torn.is_none() {
            let lines = lines.join("; ");
            return Ok(Effect::none(format!("{node}: no write was pending, so none is torn; {lines}")));
        }
        if loss.is_only(process.given_files()) {
            return Ok(Effect::none(format!("{node} has no data on this disk that a power loss could take")));
        }
        effect.evidence.extend(lines);
        Ok(process.unless_unhit(effect))
    }

    /// Kills a node with SIGKILL and leaves one of the states on its disk that a power loss may leave now.
    ///
    /// It prefers states that no earlier power loss left. The node stays down like a [killed](Self::kill) node.
    /// Each turn of a fault has random choices of its own.
    pub(crate) async fn leave_image(
        &self,
        node: &str,
        claim: Claim,
        turn: u64,
    ) -> Result<LeftImage, TestbedError> {
        let seed = self.rng(node, claim).random::<u64>().wrapping_add(turn);
        let mut process = self.node(node).process.lock().await;
        let mut effect = process.kill(claim).await?;
        if !process.was_started() {
            return Ok(LeftImage { effect, image: None });
        }
        let image = self.with_disk(node, move |disk| disk.leave_image(seed)).await?;
        if image.loss.is_only(process.given_files()) {
            let effect =
                Effect::none(format!("{node} has no data on this disk that a power loss could take"));
            return Ok(LeftImage { effect, image: None });
        }
        effect.evidence.push(image.in_words());
        effect.evidence.extend(image.loss.in_words());
        let effect = process.unless_unhit(effect);
        let image = (!effect.evidence.is_empty()).then(|| image.in_words());
        Ok(LeftImage { effect, image })
    }

    /// Waits at most a second until a node syncs data, and holds that sync.
    ///
    /// Only then can a power loss tear a write.
    ///
    /// Every call must be followed by [`lose_power`](Self::lose_power).
    pub async fn catch_sync(&self, node: &str) -> Result<bool, TestbedError> {
        self.with_disk(node, |disk| disk.arm(Some(Catch::Bytes))).await?;
        let deadline = Instant::now() + CATCH;
        loop {
            if self.with_disk(node, |disk| disk.caught()).await?.iter().any(|open| open.bytes > 0) {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Adds a fault to a node's disk; it stays until the claim is [released](Self::release_disk).
    ///
    /// With an excuse, a node whose disk fails may end by itself from now on.
    pub(crate) async fn apply_disk(
        &self,
        node: &str,
        claim: Claim,
        condition: Condition,
        excuse: Option<Excuse>,
    ) -> Result<(), TestbedError> {
        if let Some(excuse) = excuse {
            self.node(node).process.lock().await.excuse(claim, excuse);
        }
        self.with_disk(node, move |disk| disk.apply(claim, condition)).await
    }

    /// Removes a claim's fault from a node's disk.
    ///
    /// A node that ended because of it is restarted, unless another fault holds it down.
    pub async fn release_disk(&self, node: &str, claim: Claim) -> Result<Effect, TestbedError> {
        self.with_disk(node, move |disk| disk.release(claim)).await?;
        let mut process = self.node(node).process.lock().await;
        if !process.was_started() {
            return Ok(Effect::seen(format!("{node} was never started, so it has no disk")));
        }
        let mut effect = Effect::seen("the disk works again");
        if let Some(how) = process.ended_by_itself() {
            effect.evidence.push(format!("the node had ended by itself: {how}"));
            effect.evidence.extend(process.restart(claim, &self.spawner).await?.evidence);
        }
        Ok(effect)
    }

    /// The counters of a node's disk; zero if the disk is not in memory.
    pub async fn disk_counters(&self, node: &str) -> Result<DiskCounters, TestbedError> {
        self.with_disk(node, |disk| disk.counters()).await
    }

    /// Writes the content of disks in memory into the folders at which they were mounted.
    pub(super) async fn save_disks(&self) -> Result<(), TestbedError> {
        if self.disk == DiskMode::Memory {
            // A node whose program could not be started has a mounted disk too.
            for name in self.nodes.keys() {
                self.with_disk(name, |disk| disk.save()).await?;
            }
        }
        Ok(())
    }

    /// Restarts a node as [`restart`](Self::restart) does, and observes whether it runs on its data.
    pub async fn restart_damaged(&self, node: &str, claim: Claim) -> Result<Effect, TestbedError> {
        let mut effect = self.restart(node, claim).await?;
        let (down, still) = self.node(node).process.lock().await.claims();
        if !down.is_empty() || !self.was_started(node).await {
            return Ok(effect);
        }
        if let Some(other) = still.first() {
            let line =
                format!("it is paused until fault {other} ends, so its reaction to its data is unknown");
            effect.evidence.push(line);
            return Ok(effect);
        }
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
            Ok(Some(how)) => effect.evidence.push(format!("{ENDED_BY_ITSELF}: {how}")),
            Err(_) => effect.evidence.push(format!("it did not answer within {REGARD:?}")),
        }
        Ok(effect)
    }
}
