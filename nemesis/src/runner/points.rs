//! Watches for the logical points for which faults wait.

use crate::claim::Claim;
use crate::fault::Stage;
use crate::plan::{PlannedFault, Trigger};
use crate::point::{Point, Progress, Sight};
use crate::schedule::Moment;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

/// Interval between two looks at the nodes' progress, their processes and their disks.
const EVERY: Duration = Duration::from_millis(5);
/// The longest time for which a sync is held for a fault that does not strike, because it finds no leader or a budget delays it.
const LONGEST: Duration = Duration::from_secs(1);

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
    let waiting: Vec<Waiting> = plan
        .iter()
        .enumerate()
        .filter(|(_, fault)| !stage.testbed.tape().decides(fault.fault, Moment::Start))
        .filter_map(|(index, fault)| match &fault.trigger {
            Trigger::When(point, _) => Some(Waiting { index, claim: fault.fault, point: point.clone() }),
            Trigger::Time | Trigger::After { .. } => None,
        })
        .collect();
    let (send, reached) = unbounded_channel();
    let task = tokio::spawn(async move {
        if !waiting.is_empty() {
            Watch::begin(stage, waiting, send).await.go_on().await;
        }
    });
    Points { reached, task }
}

/// The nodes whose syncs a fault waits for; none if it does not wait for a sync.
pub(super) fn of_syncs(stage: &Stage, fault: &PlannedFault) -> Option<Vec<String>> {
    match &fault.trigger {
        Trigger::When(point, _) => nodes_of_syncs(stage, point).map(|(nodes, _)| nodes),
        Trigger::Time | Trigger::After { .. } => None,
    }
}

/// The nodes whose syncs a point counts, and how many; none if it counts something else.
fn nodes_of_syncs(stage: &Stage, point: &Point) -> Option<(Vec<String>, u64)> {
    let (Sight::Syncs, count) = point.sight()? else { return None };
    let names = stage.testbed.topology().names();
    Some((names.filter(|name| point.is_of(name)).map(str::to_owned).collect(), count))
}

/// A fault that waits for its point.
struct Waiting {
    index: usize,
    claim: Claim,
    point: Point,
}

/// A watch, with what there was when it began.
struct Watch {
    stage: Arc<Stage>,
    waiting: Vec<Waiting>,
    send: UnboundedSender<usize>,
    progress: Vec<Progress>,
    starts: BTreeMap<String, u64>,
    /// The syncs that are held for faults, and since when.
    held: Vec<(Instant, Claim, Vec<String>)>,
}

impl Watch {
    async fn begin(stage: Arc<Stage>, waiting: Vec<Waiting>, send: UnboundedSender<usize>) -> Self {
        for one in &waiting {
            if let Some((nodes, count)) = nodes_of_syncs(&stage, &one.point) {
                // Of a disk that cannot be asked no sync is seen, which the record of the fault says.
                let _ = stage.testbed.wait_for_sync(one.claim, &nodes, count).await;
            }
        }
        let mut watch =
            Self { stage, waiting, send, progress: Vec::new(), starts: BTreeMap::new(), held: Vec::new() };
        (watch.progress, watch.starts) = watch.look().await;
        watch
    }

    /// The progress and the starts of the nodes, where a fault waits for them.
    async fn look(&self) -> (Vec<Progress>, BTreeMap<String, u64>) {
        let mut sights = self.waiting.iter().map(|one| one.point.sight());
        let for_progress = sights.clone().any(|sight| sight.is_none());
        let for_starts = sights.any(|sight| matches!(sight, Some((Sight::Starts, _))));
        let progress = if for_progress { self.stage.directory.progress().await } else { Vec::new() };
        let starts = if for_starts { self.stage.testbed.starts() } else { BTreeMap::new() };
        (progress, starts)
    }

    async fn go_on(mut self) {
        while !self.waiting.is_empty() || !self.held.is_empty() {
            let (progress, starts) = self.look().await;
            let mut still = Vec::new();
            for one in std::mem::take(&mut self.waiting) {
                if self.is_reached(&one, &progress, &starts).await {
                    // The receiver is gone when all faults have ended.
                    let _ = self.send.send(one.index);
                } else {
                    still.push(one);
                }
            }
            self.waiting = still;
            self.release_late().await;
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Answers the syncs that were held for long enough.
    async fn release_late(&mut self) {
        let is_late = |(since, _, _): &(Instant, Claim, Vec<String>)| since.elapsed() >= LONGEST;
        let (late, held) = self.held.drain(..).partition(is_late);
        self.held = held;
        let late: Vec<_> = late;
        for (_, claim, nodes) in late {
            // A disk whose process is gone holds nothing.
            let _ = self.stage.testbed.release_awaited(claim, &nodes).await;
        }
    }

    async fn is_reached(
        &mut self,
        one: &Waiting,
        progress: &[Progress],
        starts: &BTreeMap<String, u64>,
    ) -> bool {
        match one.point.sight() {
            None => one.point.is_reached(&self.progress, progress),
            Some((Sight::Syncs, _)) => {
                let Some((nodes, _)) = nodes_of_syncs(&self.stage, &one.point) else { return false };
                let awaited = self.stage.testbed.awaited(one.claim, &nodes).await;
                let is_held = awaited.is_ok_and(|open| !open.is_empty());
                if is_held {
                    self.held.push((Instant::now(), one.claim, nodes));
                }
                is_held
            }
            Some((Sight::Starts, count)) => {
                let since = |(node, now): (&String, &u64)| {
                    // A node that was busy with a start when the watch began is counted from its first sight.
                    now - *self.starts.entry(node.clone()).or_insert(*now)
                };
                starts.iter().filter(|(node, _)| one.point.is_of(node)).map(since).sum::<u64>() >= count
            }
            // The plan refuses it: what real messages say is not read.
            Some((Sight::Sends(_), _)) => false,
        }
    }
}
