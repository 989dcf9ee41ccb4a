//! Which node a client asks next: the key `route` of `[load]`.
//!
//! A client that leaves a node after its first error hardly meets the answers of a node that is cut off from the others:
//! its first write gets no answer, and the client is gone. A pinned client comes back to the node, and reads there what
//! the node takes for the present. A client that moves on shows whether the rest still serves. A mixed load has both, and
//! few pinned clients: what a node that is down costs should be measured on the others, which find a node that serves.

use crate::outcome::Ending;
use crate::session::Target;
use history::Outcome;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// How often the system is asked who leads.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// In a mixed load, one of this number of clients of a node is pinned.
const EVERY: usize = 4;

/// Which node a client asks next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Route {
    /// After an error the client goes to the next node.
    NextOnError,
    /// A client returns to its node, also after errors. It leaves a node that says that it stands by, for the next one.
    Pinned,
    /// Clients ask the node that leads, where the system tells; after an error they go to the next node.
    Leader,
    /// Of the clients of each node the second one is pinned, and every fourth after it; the others go to the next node after
    /// an error. Where a node has no second client, every second client of all is pinned.
    #[default]
    Mixed,
}

impl Route {
    /// Its name in specs.
    pub fn name(self) -> &'static str {
        match self {
            Self::NextOnError => "next-on-error",
            Self::Pinned => "pinned",
            Self::Leader => "leader",
            Self::Mixed => "mixed",
        }
    }

    /// The habit of the client with this number; the counts are those of all clients and of the members.
    fn of_client(self, number: usize, clients: usize, members: usize) -> Habit {
        let pinned = match self {
            Self::Leader => return Habit::Leader,
            Self::NextOnError => false,
            Self::Pinned => true,
            Self::Mixed if clients >= 2 * members => number / members % EVERY == 1,
            Self::Mixed => !number.is_multiple_of(2),
        };
        if pinned { Habit::Pinned } else { Habit::NextOnError }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What one client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Habit {
    NextOnError,
    Pinned,
    Leader,
}

/// How many targets there are, and how many of them, the first ones, are members.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Targets {
    pub(crate) all: usize,
    pub(crate) members: usize,
}

/// Decides where one client goes.
#[derive(Debug)]
pub(crate) struct Router {
    habit: Habit,
    /// The target of a pinned client.
    home: usize,
    targets: Targets,
    leaders: watch::Receiver<LeaderReport>,
    /// The last question at the client's last error: an answer to it may be older than the error.
    doubted: u64,
}

impl Router {
    /// The router of the client with this number; it begins at the member that falls to it.
    pub(crate) fn new(
        route: Route,
        number: u32,
        clients: u32,
        targets: Targets,
        leaders: watch::Receiver<LeaderReport>,
    ) -> Self {
        let number = number as usize;
        Self {
            habit: route.of_client(number, clients as usize, targets.members),
            home: number % targets.members,
            targets,
            leaders,
            doubted: 0,
        }
    }

    /// The target at which the client begins.
    pub(crate) fn first(&self) -> usize {
        self.home
    }

    /// The target for the next operation of a client that is at `present`.
    pub(crate) fn before(&self, present: usize) -> usize {
        if self.habit != Habit::Leader {
            return present;
        }
        let report = *self.leaders.borrow();
        report.leader.filter(|_| report.answered > self.doubted).unwrap_or(present)
    }

    /// The target after an operation that ended like this, for a client that is now at `present`. `stands_by`: the target
    /// that was asked first said that it stands by.
    pub(crate) fn after(&mut self, present: usize, ending: &Ending, stands_by: bool) -> usize {
        match self.habit {
            Habit::Pinned if stands_by => {
                let served = matches!(ending.outcome, Outcome::Ok(_)) && present < self.targets.members;
                self.home = if served { present } else { (self.home + 1) % self.targets.members };
                self.home
            }
            Habit::Pinned => self.home,
            Habit::NextOnError | Habit::Leader if ending.move_on => {
                self.doubted = self.leaders.borrow().asked;
                (present + 1) % self.targets.all
            }
            Habit::NextOnError | Habit::Leader => present,
        }
    }
}

/// Asks the system under test who leads.
pub trait LeaderSource: Send + Sync {
    /// The name of the node that leads now; none if the system does not tell.
    fn leader(&self) -> Pin<Box<dyn Future<Output = Option<String>> + Send + '_>>;
}

/// What the system said about its leader. Questions are numbered from 1.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LeaderReport {
    /// The last question that was sent.
    asked: u64,
    /// The question to which `leader` is the answer.
    answered: u64,
    /// The target that leads.
    leader: Option<usize>,
}

impl LeaderReport {
    /// The answer to one more question, which came at once.
    pub(crate) fn next(self, leader: Option<usize>) -> Self {
        Self { asked: self.asked + 1, answered: self.asked + 1, leader }
    }
}

/// Asks once who leads, and reports it to all clients.
pub(crate) async fn ask(
    source: &dyn LeaderSource,
    targets: &[Target],
    reports: &watch::Sender<LeaderReport>,
) {
    let question = reports.borrow().asked + 1;
    reports.send_modify(|report| report.asked = question);
    let named = source.leader().await;
    let leader = named.and_then(|name| targets.iter().position(|target| target.name == name));
    reports.send_replace(LeaderReport { asked: question, answered: question, leader });
}

/// Asks again and again; never returns.
pub(crate) async fn keep_asking(
    source: Arc<dyn LeaderSource>,
    targets: &[Target],
    reports: &watch::Sender<LeaderReport>,
) {
    loop {
        sleep(ASK_EVERY).await;
        ask(&*source, targets, reports).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE: Targets = Targets { all: 3, members: 3 };

    fn router(route: Route, number: u32) -> (watch::Sender<LeaderReport>, Router) {
        let (sender, receiver) = watch::channel(LeaderReport::default());
        (sender, Router::new(route, number, 6, THREE, receiver))
    }

    fn ok() -> Ending {
        Ending { outcome: Outcome::Ok(serde_json::Value::Null), move_on: false }
    }

    fn error() -> Ending {
        Ending { outcome: Outcome::Info { error: Some("timeout".to_owned()) }, move_on: true }
    }

    /// The numbers of the pinned clients of a mixed load.
    fn pinned(clients: usize, members: usize) -> Vec<usize> {
        let is_pinned = |number: &usize| Route::Mixed.of_client(*number, clients, members) == Habit::Pinned;
        (0..clients).filter(is_pinned).collect()
    }

    #[test]
    fn mixed_pins_one_client_for_each_node() {
        assert_eq!(pinned(6, 3), [3, 4, 5]);
        assert_eq!(pinned(8, 4), [4, 5, 6, 7]);
        assert_eq!(pinned(10, 3), [3, 4, 5]);
        assert_eq!(pinned(18, 3), [3, 4, 5, 15, 16, 17]);
    }

    #[test]
    fn few_clients_are_not_all_pinned() {
        assert_eq!(pinned(1, 3), [0; 0]);
        assert_eq!(pinned(2, 3), [1]);
        assert_eq!(pinned(4, 3), [1, 3]);
        assert_eq!(pinned(3, 3), [1]);
    }

    #[test]
    fn pinned_client_returns_after_errors() {
        let (_leaders, mut router) = router(Route::Pinned, 1);
        assert_eq!(router.first(), 1);
        assert_eq!(router.after(1, &error(), false), 1);
        assert_eq!(router.after(2, &ok(), false), 1, "another node took the operation, or its retry");
    }

    #[test]
    fn pinned_client_leaves_standby_node() {
        let (_leaders, mut router) = router(Route::Pinned, 1);
        assert_eq!(router.after(1, &error(), true), 2);
        assert_eq!(router.after(2, &error(), false), 2, "the new node is its own");
        assert_eq!(router.after(0, &ok(), true), 0, "it stays where its retry was served");
    }

    #[test]
    fn other_clients_move_on_after_errors() {
        let (_leaders, mut router) = router(Route::NextOnError, 1);
        assert_eq!(router.after(1, &ok(), false), 1);
        assert_eq!(router.after(1, &error(), false), 2);
        assert_eq!(router.after(2, &error(), true), 0);
    }

    #[test]
    fn leader_is_doubted_after_an_error() {
        let (leaders, mut router) = router(Route::Leader, 1);
        assert_eq!(router.before(1), 1, "nothing is known of a leader yet");
        leaders.send_replace(LeaderReport { asked: 1, answered: 1, leader: Some(0) });
        assert_eq!(router.before(1), 0);
        leaders.send_replace(LeaderReport { asked: 2, answered: 1, leader: Some(0) });
        assert_eq!(router.after(0, &error(), false), 1);
        leaders.send_replace(LeaderReport { asked: 2, answered: 2, leader: Some(0) });
        assert_eq!(router.before(1), 1, "the question was sent before the error");
        leaders.send_replace(LeaderReport { asked: 3, answered: 3, leader: Some(2) });
        assert_eq!(router.before(1), 2);
    }
}
