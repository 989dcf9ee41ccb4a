//! What the testbed does to the nodes' clocks.

use super::{Testbed, TestbedError};
use crate::claim::Claim;
use crate::clock::{ClockFault, NodeClock, Reading};
use std::io;

impl Testbed {
    /// Puts a fault on a node's clock; it stays until the claim is [released](Self::release_clock).
    pub async fn apply_clock(&self, node: &str, claim: Claim, fault: ClockFault) -> Result<(), TestbedError> {
        self.with_clock(node, move |clock| clock.apply(claim, fault)).await
    }

    /// Takes a claim's fault off a node's clock.
    pub async fn release_clock(&self, node: &str, claim: Claim) -> Result<(), TestbedError> {
        let clock = self.node(node).process.lock().await.clock().cloned();
        let failed = |source| TestbedError::Clock { node: node.to_owned(), source };
        // What was never started has no clock that could be wrong.
        clock.map_or(Ok(()), |clock| clock.release(Some(claim))).map_err(failed)
    }

    /// How many faults are on a node's clock.
    pub(crate) async fn faults_on_clock(&self, node: &str) -> usize {
        self.node(node).process.lock().await.clock().map_or(0, NodeClock::faults)
    }

    /// What a node's clock says; none where the node reads its clock file itself, and is to be asked for it.
    pub(crate) async fn read_clock(&self, node: &str) -> Result<Option<Reading>, TestbedError> {
        self.with_clock(node, |clock| if clock.reads_itself() { Ok(None) } else { clock.read().map(Some) })
            .await
    }

    /// Does something with a node's clock on a thread that may wait.
    async fn with_clock<T: Send + 'static>(
        &self,
        node: &str,
        work: impl FnOnce(NodeClock) -> io::Result<T> + Send + 'static,
    ) -> Result<T, TestbedError> {
        let failed = |source| TestbedError::Clock { node: node.to_owned(), source };
        let clock = self.node(node).process.lock().await.clock().cloned();
        let clock = clock.ok_or_else(|| failed(io::Error::other("nobody can shift it")))?;
        let done = tokio::task::spawn_blocking(move || work(clock)).await;
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())).map_err(failed)
    }
}
