//! Restarts nodes that ended because of a healed fault, and finds the nodes that stay down.

use super::{Testbed, TestbedError};
use crate::claim::Claim;
use crate::network::Probe;
use crate::process::Effect;
use history::{Event, FaultEvent, NodeExit};
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;
use tokio::time::Instant;

/// Time for nodes to answer after everything is healed.
const PATIENCE: Duration = Duration::from_secs(3);
/// Time for which a node is watched that may still react to the fault of its disk.
const WATCH: Duration = Duration::from_millis(300);
const PAUSE: Duration = Duration::from_millis(10);
/// A claim that no fault has.
const NO_FAULT: Claim = Claim::MAX;

/// The fate of the nodes that had ended by themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revival {
    /// A line for each restarted node.
    pub started: Vec<String>,
    /// The nodes that stay down.
    pub gone: Vec<Gone>,
}

/// A node that ended by itself and stays down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// The node.
    pub node: String,
    /// How it ended, for example `exit code 4`.
    pub how: String,
    /// The faults that may make a node end, for example `fault 3 (bit-flip)`; none without a reason.
    pub excuse: Option<String>,
}

impl Gone {
    /// The event for the history.
    pub fn event(&self) -> Event {
        let exit = NodeExit {
            targets: vec![self.node.clone()],
            evidence: vec![self.how.clone()],
            excuse: self.excuse.clone(),
            ..NodeExit::default()
        };
        FaultEvent::Gone(exit).into()
    }
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} stays down: it ended by itself ({})", self.node, self.how)?;
        match &self.excuse {
            Some(excuse) => write!(f, ", as it may after {excuse}"),
            None => Ok(()),
        }
    }
}

/// The state of a node once no fault is in force.
enum State {
    Settled,
    Unsettled,
    Ended(Gone),
}

impl Testbed {
    /// The nodes that ended without a fault that holds them down.
    ///
    /// Nodes on which another task works right now are left out.
    pub(crate) fn gone(&self) -> Vec<String> {
        let ended = |node: &super::Node| {
            node.process.try_lock().is_ok_and(|process| process.ended_by_itself().is_some())
        };
        self.nodes.iter().filter(|(_, node)| ended(node)).map(|(name, _)| name.clone()).collect()
    }

    /// Restarts, once, each node that ended by itself because of a disk fault or a swapped disk.
    ///
    /// Called when everything is healed. Nodes with damaged data, and those that ended without a reason, stay
    /// down.
    pub async fn revive(&self) -> Result<Revival, TestbedError> {
        let began = Instant::now();
        let mut revival = Revival::default();
        let mut tried = BTreeSet::new();
        loop {
            let mut unsettled = false;
            let mut down = Vec::new();
            for name in self.nodes.keys() {
                match self.state_of(name, began.elapsed() < WATCH).await {
                    State::Settled => {}
                    State::Unsettled => unsettled = true,
                    State::Ended(ended) => {
                        if self.is_hurt_in_passing(name).await && tried.insert(name.clone()) {
                            let effect = self.restart(name, NO_FAULT).await?;
                            let seen = effect.evidence.join("; ");
                            revival.started.push(format!("{name} had ended ({}): {seen}", ended.how));
                            unsettled = true;
                        } else {
                            down.push(ended);
                        }
                    }
                }
            }
            if !unsettled || began.elapsed() > PATIENCE {
                revival.gone = down;
                return Ok(revival);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Restarts a node that ended by itself for any reason.
    ///
    /// None if it runs, or if a fault holds it down and will restart it at its own end.
    pub async fn start_ended(&self, node: &str) -> Result<Option<Effect>, TestbedError> {
        Ok(self.node(node).process.lock().await.start_ended(&self.spawner).await?)
    }

    async fn is_hurt_in_passing(&self, node: &str) -> bool {
        let process = self.node(node).process.lock().await;
        process.is_hurt_in_passing()
    }

    /// The state of a node.
    ///
    /// A node that may still end is unsettled until it answers, and while it is watched.
    async fn state_of(&self, node: &str, watched: bool) -> State {
        let (ended, excuse) = {
            let process = self.node(node).process.lock().await;
            (process.ended_by_itself(), process.excuse_in_words())
        };
        if let Some(how) = ended {
            return State::Ended(Gone { node: node.to_owned(), how, excuse });
        }
        if !self.could_answer(node).await || !self.is_hurt_in_passing(node).await {
            return State::Settled;
        }
        let answers = self.probe_node(node, Duration::from_millis(100)).await.is_none_or(Probe::answered);
        if answers && !watched { State::Settled } else { State::Unsettled }
    }
}
