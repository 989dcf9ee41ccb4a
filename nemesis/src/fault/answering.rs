//! Whether nodes answer.

use super::stage::Stage;
use std::time::Duration;
use tokio::time::Instant;

/// Whether a node answers at its own address within `patience`; true if the testbed has no probe.
pub(crate) async fn answers_within(stage: &Stage, node: &str, patience: Duration) -> bool {
    let until = Instant::now() + patience;
    loop {
        match stage.testbed.probe_node(node, patience).await {
            Some(probe) if !probe.answered() => {}
            Some(_) | None => return true,
        }
        if Instant::now() >= until {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
