//! The tape of a testbed.

use super::Testbed;
use crate::schedule::Tape;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Testbed {
    /// What counts and records its load, and in a replay holds back.
    pub fn tape(&self) -> &Arc<Tape> {
        &self.tape
    }

    /// The load begins.
    pub async fn begin_load(&self) {
        self.tape.begin(self.syncs().await);
    }

    /// The load has ended.
    pub async fn end_load(&self) {
        self.tape.end(&self.syncs().await);
    }

    /// The syncs so far of each node whose disk is in memory.
    async fn syncs(&self) -> BTreeMap<String, u64> {
        let mut syncs = BTreeMap::new();
        for (name, node) in &self.nodes {
            // A node that was never started has no disk.
            if node.disk.is_some()
                && let Ok(counters) = self.disk_counters(name).await
            {
                syncs.insert(name.clone(), counters.syncs);
            }
        }
        syncs
    }
}
