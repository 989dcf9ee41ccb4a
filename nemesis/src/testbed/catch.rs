//! Catches nodes in a sync: their disks hold it open, so that a fault strikes in the middle of it.
//!
//! *Problem*: a sync takes microseconds here. A fault at a time of its own almost never strikes between its start
//! and its end, which is where a program that answers too early loses data.
//!
//! *Idea*: the disk does not answer the next sync of each node with changes to make durable. The syncs stay open
//! for a moment more, in which an answer that does not wait for them reaches its client. Then the fault strikes.
//!
//! *Why it is right*: a real disk may take as long for a sync, and until it is answered no change of it needs to
//! be durable.

use super::{Testbed, TestbedError};
use crate::claim::Claim;
use crate::disk::{Catch, OpenSync};
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// Time for the first node to begin a sync.
const PATIENCE: Duration = Duration::from_secs(1);
/// Time for the other nodes, once the first one is held: it may keep the others from work.
const FOR_OTHERS: Duration = Duration::from_millis(100);
/// Time for which caught syncs stay open before the fault strikes.
const LINGER: Duration = Duration::from_millis(20);
/// The same two times for crash images, which take many states instead of the best moment.
const QUICK: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(2));
const PAUSE: Duration = Duration::from_millis(1);

/// The open syncs of each node, when a fault strikes.
pub(crate) type Caught = BTreeMap<String, Vec<OpenSync>>;

impl Testbed {
    /// How often each node was started; nodes that are being started or ended now are left out.
    pub(crate) fn starts(&self) -> BTreeMap<String, u64> {
        let started = |(name, node): (&String, &super::Node)| {
            let process = node.process.try_lock().ok()?;
            Some((name.clone(), u64::from(process.incarnation())))
        };
        self.nodes.iter().filter_map(started).collect()
    }

    /// Waits at most a second until these nodes are in a sync, and holds it.
    ///
    /// Every call must be followed by the fault, and then by [`disarm`](Self::disarm).
    pub(crate) async fn catch_in_sync(&self, nodes: &[String]) -> Result<Caught, TestbedError> {
        self.catch(nodes, PATIENCE, LINGER).await
    }

    /// The same of one node, with less patience.
    pub(crate) async fn catch_quickly(&self, node: &str) -> Result<Vec<OpenSync>, TestbedError> {
        let caught = self.catch(&[node.to_owned()], QUICK.0, QUICK.1).await?;
        Ok(caught.into_values().flatten().collect())
    }

    /// Holds the next syncs with changes of all nodes, until [`free_syncs`](Self::free_syncs).
    pub(crate) async fn hold_syncs(&self) -> Result<(), TestbedError> {
        let armed = self.nodes.keys().map(|node| self.with_disk(node, |disk| disk.arm(Some(Catch::Changes))));
        join_all(armed).await.into_iter().collect()
    }

    /// Answers the syncs that are held, if the disks of the nodes are in memory.
    pub(crate) async fn free_syncs(&self) {
        let armed: Vec<String> =
            self.nodes.iter().filter(|(_, node)| node.disk.is_some()).map(|(name, _)| name.clone()).collect();
        // A disk whose process is gone holds nothing.
        let _ = self.disarm(&armed).await;
    }

    async fn catch(
        &self,
        nodes: &[String],
        patience: Duration,
        linger: Duration,
    ) -> Result<Caught, TestbedError> {
        for node in nodes {
            self.with_disk(node, |disk| disk.arm(Some(Catch::Changes))).await?;
        }
        let began = Instant::now();
        let mut first = None;
        loop {
            let caught = self.caught(nodes).await?;
            let open = caught.values().filter(|open| !open.is_empty()).count();
            if open > 0 {
                first.get_or_insert_with(Instant::now);
            }
            let late = first.is_some_and(|first| first.elapsed() >= FOR_OTHERS);
            if open == nodes.len() || late || began.elapsed() >= patience {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        if first.is_some() {
            tokio::time::sleep(linger).await;
        }
        self.caught(nodes).await
    }

    /// Counts the syncs with changes of these nodes together, and holds the last of `count` for the fault that waits for it.
    pub(crate) async fn wait_for_sync(
        &self,
        claim: Claim,
        nodes: &[String],
        count: u64,
    ) -> Result<(), TestbedError> {
        let together = nodes.len() > 1;
        let asked = nodes
            .iter()
            .map(|node| self.with_disk(node, move |disk| disk.wait_for_sync(claim, count, together)));
        join_all(asked).await.into_iter().collect()
    }

    /// The syncs that are held for a fault that waits for them.
    pub(crate) async fn awaited(&self, claim: Claim, nodes: &[String]) -> Result<Caught, TestbedError> {
        let mut awaited = Caught::new();
        for node in nodes {
            let open = self.with_disk(node, move |disk| disk.awaited(claim)).await?;
            if !open.is_empty() {
                awaited.insert(node.clone(), open);
            }
        }
        Ok(awaited)
    }

    /// Answers what is held for a fault that waited.
    pub(crate) async fn release_awaited(&self, claim: Claim, nodes: &[String]) -> Result<(), TestbedError> {
        let released = nodes.iter().map(|node| self.with_disk(node, move |disk| disk.release_awaited(claim)));
        join_all(released).await.into_iter().collect()
    }

    /// Ends the hold of syncs that the fault left open.
    pub(crate) async fn disarm(&self, nodes: &[String]) -> Result<(), TestbedError> {
        let disarmed = nodes.iter().map(|node| self.with_disk(node, |disk| disk.arm(None)));
        join_all(disarmed).await.into_iter().collect()
    }

    /// The syncs of each node that its disk holds open now.
    pub(crate) async fn caught(&self, nodes: &[String]) -> Result<Caught, TestbedError> {
        let mut caught = Caught::new();
        for node in nodes {
            caught.insert(node.clone(), self.with_disk(node, |disk| disk.caught()).await?);
        }
        Ok(caught)
    }
}
