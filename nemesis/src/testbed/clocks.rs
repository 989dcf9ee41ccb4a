//! Actions of the testbed on the nodes' clocks.

use super::{Testbed, TestbedError};
use crate::claim::Claim;
use crate::clock::{ClockFault, NodeClock, Reading};
use std::io;

impl Testbed {
    /// Adds a fault to a node's clock; it stays until the claim is [released](Self::release_clock).
    pub async fn apply_clock(&self, node: &str, claim: Claim, fault: ClockFault) -> Result<(), TestbedError> {
        self.with_clock(node, move |clock| clock.apply(claim, fault)).await
    }

    /// Removes a claim's fault from a node's clock.
    pub async fn release_clock(&self, node: &str, claim: Claim) -> Result<(), TestbedError> {
        let clock = self.node(node).process.lock().await.clock().cloned();
        let failed = |source| TestbedError::Clock { node: node.to_owned(), source };
        // A node that was never started has no clock file.
        clock.map_or(Ok(()), |clock| clock.release(Some(claim))).map_err(failed)
    }

    /// Number of faults on a node's clock.
    pub(crate) async fn faults_on_clock(&self, node: &str) -> usize {
        self.node(node).process.lock().await.clock().map_or(0, NodeClock::faults)
    }

    /// Reads a node's clock; none if the node reads its clock file itself and must be asked.
    pub(crate) async fn read_clock(&self, node: &str) -> Result<Option<Reading>, TestbedError> {
        self.with_clock(node, |clock| if clock.reads_itself() { Ok(None) } else { clock.read().map(Some) })
            .await
    }

    /// Runs `work` on a node's clock, on a thread that may block.
    async fn with_clock<T: Send + 'static>(
        &self,
        node: &str,
        work: impl FnOnce(NodeClock) -> io::Result<T> + Send + 'static,
    ) -> Result<T, TestbedError> {
        let failed = |source| TestbedError::Clock { node: node.to_owned(), source };
        let clock = self.node(node).process.lock().await.clock().cloned();
        let clock = clock.ok_or_else(|| failed(io::Error::other("its clock cannot be shifted")))?;
        let done = tokio::task::spawn_blocking(move || work(clock)).await;
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())).map_err(failed)
    }
}
