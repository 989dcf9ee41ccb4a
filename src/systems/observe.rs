//! Reads the state of a node over the interface of its system.

use super::http::{HttpClient, HttpError};
use super::{members, redis};
use crate::spec::sections::System;
use nemesis::{Directory, Members, Progress};
use node::config::Member;
use node::paxos::membership::Change;
use node::status::Status;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use workloads::Api;

/// How long a node may take to say whether it leads.
const ANSWER_WITHIN: Duration = Duration::from_millis(300);

/// What a node said of itself; what its system does not tell is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Observation {
    /// Its process id.
    pub(crate) pid: Option<u32>,
    /// Whether it leads.
    pub(crate) active: Option<bool>,
    /// The round of its ballot, or its term.
    pub(crate) round: Option<u64>,
    /// Whom it takes for the leader.
    pub(crate) leader: Option<String>,
    /// The next slot for which it would propose something.
    pub(crate) slot_in: Option<u64>,
    /// The next slot that it will apply.
    pub(crate) slot_out: Option<u64>,
    /// How often its ballot was preempted since it started.
    pub(crate) preemptions: Option<u64>,
    /// How often its ballot was adopted since it started.
    pub(crate) adoptions: Option<u64>,
    /// How long its leader waits before its next scout.
    pub(crate) backoff_ms: Option<u64>,
    /// The size of what it has stored.
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

/// What a member of etcd says of itself. Protocol buffers in JSON: numbers are texts, and what is zero is absent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EtcdStatus {
    header: EtcdHeader,
    #[serde(default)]
    leader: String,
    #[serde(default, deserialize_with = "number")]
    raft_term: u64,
    #[serde(default, deserialize_with = "number")]
    raft_index: u64,
    #[serde(default, deserialize_with = "number")]
    raft_applied_index: u64,
    #[serde(default, deserialize_with = "number")]
    db_size: u64,
}

#[derive(Debug, Deserialize)]
struct EtcdHeader {
    #[serde(default)]
    member_id: String,
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

impl From<EtcdStatus> for Observation {
    fn from(status: EtcdStatus) -> Self {
        let led = !matches!(status.leader.as_str(), "" | "0");
        Self {
            active: Some(led && status.leader == status.header.member_id),
            round: Some(status.raft_term),
            slot_in: Some(status.raft_index + 1),
            slot_out: Some(status.raft_applied_index + 1),
            log_bytes: Some(status.db_size),
            ..Self::default()
        }
    }
}

/// A node that can be asked.
#[derive(Debug)]
pub(crate) struct Watched {
    /// Its name.
    pub(crate) name: String,
    system: System,
    api: Api,
    address: SocketAddr,
    pub(super) client: HttpClient,
}

impl Watched {
    /// The node at this address; it is asked there directly, so that no fault of the network hides it.
    pub(crate) fn new(name: &str, address: SocketAddr, system: System, api: Api) -> Self {
        Self { name: name.to_owned(), system, api, address, client: HttpClient::new(address) }
    }

    /// Asks it; none if it does not answer within `patience`.
    pub(crate) async fn observe(&mut self, patience: Duration) -> Option<Observation> {
        match (self.system, self.api) {
            (System::Paxos, _) => {
                let status: Status = self.client.get("/status", patience).await.ok()?;
                Some(status.into())
            }
            (System::Etcd | System::Command, Api::Etcd) => {
                let status: EtcdStatus =
                    self.client.post("/v3/maintenance/status", "{}", patience).await.ok()?;
                Some(status.into())
            }
            (System::Etcd | System::Command, Api::Redis) => {
                let leads = tokio::time::timeout(patience, redis::leads(self.address)).await.ok()?.ok()?;
                Some(Observation { active: Some(leads), ..Observation::default() })
            }
            // An unknown program: its `/status` is used if it is like that of our own store; else only that it answers.
            (System::Etcd | System::Command, Api::Kv) => {
                match self.client.get::<Status>("/status", patience).await {
                    Ok(status) => Some(status.into()),
                    Err(HttpError::Refused { .. } | HttpError::Json(_)) => Some(Observation::default()),
                    Err(HttpError::Timeout(_) | HttpError::Lost(_)) => None,
                }
            }
        }
    }

    /// What its wall clock says, in nanoseconds since 1970; none where the system does not tell.
    async fn clock(&mut self, patience: Duration) -> Option<i64> {
        match self.system {
            System::Paxos => Some(self.client.get::<Clock>("/clock", patience).await.ok()?.clock),
            System::Etcd | System::Command => None,
        }
    }
}

/// What a node of our own store says of its wall clock.
#[derive(Debug, Deserialize)]
struct Clock {
    clock: i64,
}

/// Asks all nodes who leads and how far they are, each over a connection that is kept.
#[derive(Debug)]
pub(crate) struct Leaders {
    nodes: Vec<Arc<Mutex<Watched>>>,
    /// The descriptions of nodes, by name, which the cluster gets when they become members.
    members: BTreeMap<String, Member>,
}

impl Leaders {
    /// For these nodes.
    pub(super) fn new(nodes: Vec<Watched>, members: BTreeMap<String, Member>) -> Self {
        Self { nodes: nodes.into_iter().map(|node| Arc::new(Mutex::new(node))).collect(), members }
    }

    /// What each node says that answers, in no order.
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
    /// The node that leads: of those that say they do, the one with the highest round.
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
        Box::pin(async { members::read(&self.nodes).await.map(|(members, _)| members) })
    }

    fn change_members<'a>(
        &'a self,
        add: &'a [String],
        remove: &'a [String],
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        let known = |name: &String| self.members.get(name).cloned();
        let change = Change { add: add.iter().filter_map(known).collect(), remove: remove.to_vec() };
        Box::pin(async move { members::change(&self.nodes, &change).await })
    }

    fn progress(&self) -> Pin<Box<dyn Future<Output = Vec<Progress>> + Send + '_>> {
        Box::pin(async {
            let progress = |(node, seen): (String, Observation)| Progress {
                node,
                decided: seen.slot_out.unwrap_or(1).saturating_sub(1),
                // Where a system has terms and no adoptions, a new term is a new leader.
                adopted: seen.adoptions.or(seen.round).unwrap_or(0),
                preempted: seen.preemptions.unwrap_or(0),
            };
            self.all().await.into_iter().map(progress).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etcd_member_leads_if_it_names_itself() {
        let read = |json: serde_json::Value| -> Observation {
            serde_json::from_value::<EtcdStatus>(json).unwrap().into()
        };
        let header = serde_json::json!({"cluster_id": "1", "member_id": "77", "raft_term": "4"});
        let leads = read(serde_json::json!({"header": header, "version": "3.4.23", "dbSize": "20480",
            "leader": "77", "raftIndex": "9", "raftTerm": "4", "raftAppliedIndex": "8"}));
        assert_eq!((leads.active, leads.round, leads.slot_out), (Some(true), Some(4), Some(9)));
        assert_eq!(read(serde_json::json!({"header": header, "leader": "78"})).active, Some(false));
        assert_eq!(read(serde_json::json!({"header": {}})).active, Some(false));
    }
}
