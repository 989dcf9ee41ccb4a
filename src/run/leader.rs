//! Reports the leader to clients whose route requires it.

use crate::systems::observe::Leaders;
use nemesis::Directory;
use std::future::Future;
use std::pin::Pin;
use workloads::LeaderSource;

/// The leader, according to the nodes.
pub(super) struct LeaderOfCluster(pub(super) Leaders);

impl LeaderSource for LeaderOfCluster {
    fn leader(&self) -> Pin<Box<dyn Future<Output = Option<String>> + Send + '_>> {
        Directory::leader(&self.0)
    }
}
