//! Reads the status of a node over the interface of its system.

use super::foreign_members::ForeignMembers;
use super::http::{HttpClient, HttpError};
use super::members;
use nemesis::{Directory, Members, ProcessCommand, Progress};
use node::config::Member;
use node::paxos::membership::Change;
use node::status::Status;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use workloads::{NodeStatus, StatusTable};

/// Time limit of a node's answer about the leader.
const ANSWER_WITHIN: Duration = Duration::from_millis(300);

/// The status of a node; fields that its system does not report are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Observation {
    /// Its process id.
    pub(crate) pid: Option<u32>,
    /// Whether it leads.
    pub(crate) active: Option<bool>,
    /// The round of its ballot, or its term.
    pub(crate) round: Option<u64>,
    /// The node that it considers the leader.
    pub(crate) leader: Option<String>,
    /// The next slot for which it would propose a command.
    pub(crate) slot_in: Option<u64>,
    /// The next slot that it will apply.
    pub(crate) slot_out: Option<u64>,
    /// Number of preemptions of its ballot since it started.
    pub(crate) preemptions: Option<u64>,
    /// Number of adoptions of its ballot since it started.
    pub(crate) adoptions: Option<u64>,
    /// The wait of its leader before its next scout.
    pub(crate) backoff_ms: Option<u64>,
    /// The size of its stored data.
    pub(crate) log_bytes: Option<u64>,
    /// Slots whose decisions its process found in its own snapshot and log.
    pub(crate) from_log: Option<u64>,
    /// Slots whose decisions came from other nodes until it was level.
    pub(crate) from_peers: Option<u64>,
    /// Microseconds from the start of its process until it was level with the others.
    pub(crate) level_us: Option<u64>,
}

impl From<Status> for Observation {
    fn from(status: Status) -> Self {
        let recovery = &status.recovery;
        Self {
            from_log: Some(recovery.from_own_log()),
            from_peers: Some(recovery.from_peers()),
            level_us: recovery.level_us(),
            pid: Some(status.pid),
            active: Some(status.active),
            round: Some(status.round),
            leader: status.leader,
            slot_in: Some(status.slot_in),
            slot_out: Some(status.slot_out),
            preemptions: Some(status.preemptions),
            adoptions: Some(status.adoptions),
            backoff_ms: Some(status.backoff_ms),
            log_bytes: Some(status.log_bytes),
        }
    }
}

impl From<NodeStatus> for Observation {
    fn from(status: NodeStatus) -> Self {
        Self {
            active: status.leads,
            round: status.term,
            slot_out: status.applied.map(|applied| applied + 1),
            log_bytes: status.size,
            ..Self::default()
        }
    }
}

/// The way to query the status of a cluster's nodes.
#[derive(Debug, Clone)]
pub(crate) enum Asking {
    /// The interface of the own store.
    Own,
    /// The status table of a spec.
    Described(Arc<StatusTable>),
    /// Unknown: the nodes may have the interface of the own store; otherwise they only answer probes.
    Unknown,
}

/// A node whose status can be queried.
#[derive(Debug)]
pub(crate) struct Watched {
    /// Its name.
    pub(crate) name: String,
    asking: Asking,
    address: SocketAddr,
    pub(super) client: HttpClient,
}

impl Watched {
    /// The node at this address, which is queried directly, so that no fault of the network hides it.
    pub(crate) fn new(name: &str, address: SocketAddr, asking: Asking) -> Self {
        Self { name: name.to_owned(), asking, address, client: HttpClient::new(address) }
    }

    /// Queries it; none without an answer within `patience`.
    pub(crate) async fn observe(&mut self, patience: Duration) -> Option<Observation> {
        match &self.asking {
            Asking::Own => {
                let status: Status = self.client.get("/status", patience).await.ok()?;
                Some(status.into())
            }
            Asking::Described(table) => table.ask(self.address, patience).await.map(Observation::from),
            Asking::Unknown => match self.client.get::<Status>("/status", patience).await {
                Ok(status) => Some(status.into()),
                Err(HttpError::Refused { .. } | HttpError::Json(_)) => Some(Observation::default()),
                Err(HttpError::Timeout(_) | HttpError::Lost(_)) => None,
            },
        }
    }

    /// Its wall clock in nanoseconds since 1970; none if its system does not report it.
    async fn clock(&mut self, patience: Duration) -> Option<i64> {
        match self.asking {
            Asking::Own => Some(self.client.get::<Clock>("/clock", patience).await.ok()?.clock),
            Asking::Described(_) | Asking::Unknown => None,
        }
    }
}

/// The answer about the wall clock of a node of the own store.
#[derive(Debug, Deserialize)]
struct Clock {
    clock: i64,
}

/// Queries all nodes for leader and progress, each over a persistent connection.
#[derive(Debug)]
pub(crate) struct Leaders {
    nodes: Vec<Arc<Mutex<Watched>>>,
    /// The descriptions of nodes by name, which the cluster gets when they become members.
    members: BTreeMap<String, Member>,
    /// The way to list and change the members of another system.
    foreign: Option<Arc<ForeignMembers>>,
}

impl Leaders {
    /// The queries for these nodes.
    pub(super) fn new(
        nodes: Vec<Watched>,
        members: BTreeMap<String, Member>,
        foreign: Option<Arc<ForeignMembers>>,
    ) -> Self {
        Self { nodes: nodes.into_iter().map(|node| Arc::new(Mutex::new(node))).collect(), members, foreign }
    }

    /// The status of each node that answers, in no order.
    async fn all(&self) -> Vec<(String, Observation)> {
        let mut asking = JoinSet::new();
        for node in &self.nodes {
            let node = Arc::clone(node);
            asking.spawn(async move {
                let mut node = node.lock().await;
                let seen = node.observe(ANSWER_WITHIN).await?;
                Some((node.name.clone(), seen))
            });
        }
        let mut answers = Vec::new();
        while let Some(answer) = asking.join_next().await {
            answers.extend(answer.ok().flatten());
        }
        answers
    }
}

impl Directory for Leaders {
    /// The leader: among the nodes that claim to lead, the one with the highest round.
    fn leader(&self) -> Pin<Box<dyn Future<Output = Option<String>> + Send + '_>> {
        Box::pin(async {
            let leading = self.all().await.into_iter().filter(|(_, seen)| seen.active == Some(true));
            leading.map(|(name, seen)| (seen.round, name)).max().map(|(_, name)| name)
        })
    }

    fn clock<'a>(&'a self, node: &'a str) -> Pin<Box<dyn Future<Output = Option<i64>> + Send + 'a>> {
        Box::pin(async move {
            for watched in &self.nodes {
                let mut watched = watched.lock().await;
                if watched.name == node {
                    return watched.clock(ANSWER_WITHIN).await;
                }
            }
            None
        })
    }

    fn members(&self) -> Pin<Box<dyn Future<Output = Option<Members>> + Send + '_>> {
        Box::pin(async {
            match &self.foreign {
                Some(foreign) => foreign.members().await,
                None => members::read(&self.nodes).await.map(|(members, _)| members),
            }
        })
    }

    fn change_members<'a>(
        &'a self,
        add: &'a [String],
        remove: &'a [String],
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        let known = |name: &String| self.members.get(name).cloned();
        let change = Change { add: add.iter().filter_map(known).collect(), remove: remove.to_vec() };
        Box::pin(async move {
            match &self.foreign {
                Some(foreign) => foreign.change(add, remove).await,
                None => members::change(&self.nodes, &change).await,
            }
        })
    }

    fn starts_members_late(&self) -> bool {
        self.foreign.is_some()
    }

    fn joining(&self, node: &str, members: &[String]) -> Result<ProcessCommand, String> {
        let foreign = self.foreign.as_ref().ok_or("this system starts its members before they join")?;
        foreign.joining(node, members)
    }

    fn progress(&self) -> Pin<Box<dyn Future<Output = Vec<Progress>> + Send + '_>> {
        Box::pin(async {
            let progress = |(node, seen): (String, Observation)| Progress {
                node,
                decided: seen.slot_out.unwrap_or(1).saturating_sub(1),
                // In a system with terms but without adoptions, a new term means a new leader.
                adopted: seen.adoptions.or(seen.round).unwrap_or(0),
                preempted: seen.preemptions.unwrap_or(0),
            };
            self.all().await.into_iter().map(progress).collect()
        })
    }
}
