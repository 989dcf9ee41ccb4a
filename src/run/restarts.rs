//! Restarts of nodes that ended by themselves, like a service manager: `restart = "on-exit"`.

use crate::spec::sections::{Cluster, Restart};
use nemesis::Exit;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Default limit of restarts of a node.
const LIMIT: u32 = 5;
/// The pause before the first restart of a node; it doubles with each further one.
const PAUSE: Duration = Duration::from_millis(200);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// The past and planned restarts of nodes.
#[derive(Debug)]
pub(super) struct Restarts {
    /// The limit per node; 0 without restarts.
    limit: u32,
    nodes: Mutex<BTreeMap<String, Node>>,
    /// Wakes the task that waits for the next restart.
    planned: Notify,
}

#[derive(Debug, Default)]
struct Node {
    /// Number of its restarts, the planned one included.
    count: u32,
    /// The time of the planned restart, if any.
    due: Option<Instant>,
    /// Whether it ended and will not be restarted.
    given_up: bool,
}

impl Restarts {
    /// The restarts that the spec requests.
    pub(super) fn new(cluster: &Cluster) -> Self {
        let limit = match cluster.restart {
            Restart::Never => 0,
            Restart::OnExit => cluster.restart_limit.unwrap_or(LIMIT),
        };
        Self { limit, nodes: Mutex::default(), planned: Notify::new() }
    }

    fn nodes(&self) -> MutexGuard<'_, BTreeMap<String, Node>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The limit of restarts per node.
    pub(super) fn limit(&self) -> u32 {
        self.limit
    }

    /// Number of restarts of a node.
    pub(super) fn count(&self, node: &str) -> u32 {
        self.nodes().get(node).map_or(0, |node| node.count)
    }

    /// Plans the restart of a node that ended; returns its number, or none without a restart.
    pub(super) fn plan(&self, exit: &Exit) -> Option<u32> {
        let mut nodes = self.nodes();
        let node = nodes.entry(exit.node.clone()).or_default();
        if !exit.has_code() || exit.record().left_a_daemon() || node.count >= self.limit {
            node.given_up = true;
            return None;
        }
        node.due = Some(Instant::now() + pause(node.count));
        node.count += 1;
        self.planned.notify_one();
        Some(node.count)
    }

    /// Whether a node that ended in this way will be restarted, or its end is not known yet.
    pub(super) fn may_follow(&self, node: &str, how: &str) -> bool {
        let given_up = self.nodes().get(node).is_some_and(|node| node.given_up);
        self.limit > 0 && !given_up && !how.starts_with("signal")
    }

    /// Waits until the pause of a node is over, and returns the node.
    pub(super) async fn due(&self) -> String {
        loop {
            let next = {
                let nodes = self.nodes();
                let due = nodes.iter().filter_map(|(name, node)| Some((node.due?, name.clone())));
                due.min()
            };
            match next {
                None => self.planned.notified().await,
                Some((at, name)) => {
                    tokio::select! {
                        () = sleep_until(at) => return name,
                        () = self.planned.notified() => {}
                    }
                }
            }
        }
    }

    /// Records that the restart of a node is done.
    pub(super) fn done(&self, node: &str) {
        if let Some(node) = self.nodes().get_mut(node) {
            node.due = None;
        }
    }
}

/// The pause before the next restart of a node, by the number of its restarts so far.
fn pause(restarts: u32) -> Duration {
    PAUSE.saturating_mul(1 << restarts.min(8)).min(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restarts(spec: &str) -> Restarts {
        Restarts::new(&toml::from_str(spec).unwrap())
    }

    fn exit(how: &str) -> Exit {
        let (node, how) = ("n1".to_owned(), how.to_owned());
        Exit { node, pid: 7, incarnation: 1, program: None, how, excuse: None }
    }

    #[test]
    fn exits_with_code_are_restarted_up_to_limit() {
        let restarts = restarts("restart = \"on-exit\"\nrestart-limit = 2");
        assert!(restarts.may_follow("n1", "exit code 1"));
        let planned = [1, 2, 3].map(|_| restarts.plan(&exit("exit code 1")));
        assert_eq!(planned, [Some(1), Some(2), None]);
        assert!(!restarts.may_follow("n1", "exit code 1") && restarts.may_follow("n2", "exit code 1"));
    }

    #[test]
    fn signal_and_default_are_not_restarted() {
        assert_eq!(restarts("restart = \"on-exit\"").plan(&exit("signal 11")), None);
        let never = restarts("");
        assert_eq!((never.plan(&exit("exit code 1")), never.may_follow("n1", "exit code 1")), (None, false));
    }

    #[test]
    fn pause_doubles_up_to_two_seconds() {
        let pauses = [0, 1, 2, 3, 4, 50].map(|restarts| pause(restarts).as_millis());
        assert_eq!(pauses, [200, 400, 800, 1600, 2000, 2000]);
    }

    #[tokio::test]
    async fn node_is_due_after_its_pause() {
        let restarts = restarts("restart = \"on-exit\"");
        let began = Instant::now();
        restarts.plan(&exit("exit code 1"));
        assert_eq!(restarts.due().await, "n1");
        assert!(began.elapsed() >= PAUSE, "{:?}", began.elapsed());
        restarts.done("n1");
        assert!(tokio::time::timeout(PAUSE * 2, restarts.due()).await.is_err());
    }
}
