//! What the lab does to the nodes' data.

use super::{Lab, LabError};
use crate::disk::{self, Damage, Harm};
use crate::network::{Claim, Probe};
use crate::process::Effect;
use crate::vocabulary::Kind;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use std::path::Path;
use std::time::Duration;

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
        Ok(effect)
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
            Ok(removed) => effect
                .evidence
                .push(format!("its data removed: {} bytes, files: {}", removed.bytes, removed.files)),
            Err(error) => effect = Effect::none(format!("{node}: its data could not be removed: {error}")),
        }
        Ok(effect)
    }

    /// What a fault leaves to chance on one node.
    fn chance(&self, node: &str, claim: Claim) -> ChaCha8Rng {
        let place = self.nodes.keys().position(|name| name == node).unwrap_or_default();
        let mut chance = ChaCha8Rng::seed_from_u64(self.seed);
        chance.set_stream(u64::from(claim) << 16 | place as u64);
        chance
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
