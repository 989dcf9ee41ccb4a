//! Nodes that join or leave a system.

use super::{Testbed, TestbedError};
use crate::claim::Claim;
use crate::disk;
use crate::process::{Effect, Excuse, ProcessCommand};

/// The kind of fault that excuses the end of a removed node.
const KIND: &str = "reconfigure";

impl Testbed {
    /// Allows a node to end by itself, because it will be removed from the cluster.
    pub(crate) async fn may_leave(&self, node: &str, claim: Claim) {
        let process = self.node(node).process.lock().await;
        process.excuse(claim, Excuse { kind: KIND, passing: false });
    }

    /// Stops a removed node and deletes its data. It can [join](Self::join) again.
    pub(crate) async fn retire(&self, node: &str) -> Result<Effect, TestbedError> {
        let mut process = self.node(node).process.lock().await;
        if process.waits() {
            return Ok(Effect::seen(format!("{node} does not run")));
        }
        let mut effect = process.retire().await?;
        let Some(folder) = process.data().map(std::path::Path::to_owned) else { return Ok(effect) };
        match self.maintain(&[(node, &process)], move || disk::empty(&folder)).await? {
            Ok(removed) => {
                self.volumes().emptied(node);
                effect
                    .evidence
                    .push(format!("its data removed: {} bytes, files: {}", removed.bytes, removed.files));
            }
            Err(error) => effect.note = Some(format!("{node}: its data could not be removed: {error}")),
        }
        Ok(effect)
    }

    /// Whether a node waits to be started.
    pub(crate) async fn is_waiting(&self, node: &str) -> bool {
        self.node(node).process.lock().await.waits()
    }

    /// Starts a node that has become a member.
    pub(crate) async fn join(&self, node: &str, command: ProcessCommand) -> Result<Effect, TestbedError> {
        self.node(node).process.lock().await.no_excuse(KIND);
        self.prepare(node, command).await;
        self.wake(node).await
    }
}
