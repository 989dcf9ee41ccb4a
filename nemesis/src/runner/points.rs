//! Watches for the logical points for which faults wait.

use crate::fault::Stage;
use crate::plan::{PlannedFault, Trigger};
use crate::point::Point;
use crate::schedule::Moment;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;

/// Interval between two requests for the nodes' progress.
const EVERY: Duration = Duration::from_millis(5);

/// The points, as they are reached; the watch ends when dropped.
pub(super) struct Points {
    reached: UnboundedReceiver<usize>,
    task: JoinHandle<()>,
}

impl Points {
    /// The index in the plan of the next fault whose point is reached; none when all are.
    pub(super) async fn reached(&mut self) -> Option<usize> {
        self.reached.recv().await
    }
}

impl Drop for Points {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts to watch for every point of a plan; counts "since the start of the load" begin now.
pub(super) fn watch(stage: Arc<Stage>, plan: &[PlannedFault]) -> Points {
    let mut waiting: Vec<(usize, Point)> = plan
        .iter()
        .enumerate()
        .filter(|(_, fault)| !stage.testbed.tape().decides(fault.fault, Moment::Start))
        .filter_map(|(index, fault)| match &fault.trigger {
            Trigger::When(point, _) => Some((index, point.clone())),
            Trigger::Time | Trigger::After { .. } => None,
        })
        .collect();
    let (send, reached) = unbounded_channel();
    let task = tokio::spawn(async move {
        if waiting.is_empty() {
            return;
        }
        let began = stage.directory.progress().await;
        while !waiting.is_empty() {
            let now = stage.directory.progress().await;
            waiting.retain(|(index, point)| {
                let there = point.is_reached(&began, &now);
                if there {
                    // The receiver is gone when all faults have ended.
                    let _ = send.send(*index);
                }
                !there
            });
            tokio::time::sleep(EVERY).await;
        }
    });
    Points { reached, task }
}
