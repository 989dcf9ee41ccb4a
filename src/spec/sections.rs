//! The sections of a spec. `[load]`, `[[fault]]` and `[cluster.paxos]` are types of the crates they speak of.

use nemesis::{AtMost, Disk, DiskModel, FaultSpec, Links, Network, Share};
use node::config::{PaxosOptions, Role};
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use workloads::{Api, LoadSpec};

/// A whole spec.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Spec {
    /// Its name, and that of the folder its results go to.
    pub name: String,
    /// What it is for, in a sentence or two.
    #[serde(default)]
    pub about: String,
    /// The system under test.
    #[serde(default)]
    pub cluster: Cluster,
    /// What the clients do.
    pub load: LoadSpec,
    /// What is done to the system.
    #[serde(default, rename = "fault")]
    pub faults: Vec<FaultSpec>,
    /// How much of it at once.
    #[serde(default)]
    pub budget: Budget,
    /// The same experiment with other values, one after another.
    #[serde(default, rename = "variant")]
    pub variants: Vec<Variant>,
    /// What `bench sweep` varies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Sweep>,
    /// What is checked beyond what always is.
    #[serde(default)]
    pub check: Check,
}

/// `[sweep]`: what `bench sweep` varies, unless the command line says otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Sweep {
    /// The dotted key that is varied, for example `load.clients`.
    pub over: String,
    /// Its values, one after another.
    pub values: Vec<toml::Value>,
    /// How often everything is measured.
    pub rounds: u32,
    /// Which variants are compared: each with the one whose multiple is told.
    pub compare: BTreeMap<String, String>,
}

impl Default for Sweep {
    fn default() -> Self {
        Self { over: String::new(), values: Vec::new(), rounds: 1, compare: BTreeMap::new() }
    }
}

/// `[budget]`: how much may be done to the system at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Budget {
    /// How many nodes may be down or cut off at once: "minority", or a number. Faults that would exceed it wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most: Option<AtMost>,
}

/// `[cluster]`: the system under test and where it runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Cluster {
    /// Which system.
    pub system: System,
    /// Systems other than `paxos`: the program of a node. For etcd found in PATH where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<PathBuf>,
    /// Systems other than `paxos`: its arguments, for etcd after those that the bench gives. Words in braces stand for
    /// the node's own: {name}, {number}, {address}, {ip}, {port}, {data}, {members}, {others}.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// System `command`: what its nodes speak with clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<Api>,
    /// How many nodes, each with every role; 3 where neither this nor `roles` is given.
    pub nodes: Option<u32>,
    /// How many more nodes there are that are no members at first, for the fault `reconfigure` to add.
    #[serde(skip_serializing_if = "is_zero")]
    pub spares: u32,
    /// Nodes with one role each, instead of `nodes`.
    pub roles: Option<Roles>,
    /// How the nodes are connected.
    pub network: Network,
    /// Where the nodes have their data.
    pub disk: Disk,
    /// What a power loss may take from a disk in memory: folders = "ordered" or "strict", write-back = "30s" or
    /// "never", tear = "sector" or "byte".
    #[serde(skip_serializing_if = "is_default")]
    pub disk_model: DiskModel,
    /// The first of the ports the cluster listens on; free ones are looked for where it is absent.
    pub base_port: Option<u16>,
    /// The longest that TCP waits before it sends again in a lab; the kernel's two minutes where absent. Proxies lose
    /// nothing that would be sent again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    pub tcp_rto_max: Option<Duration>,
    /// How long the nodes may take from their start until one has applied a write and answered a read. Absent: 10 s for
    /// the bench's own store, 20 s for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    pub start_within: Option<Duration>,
    /// With network = "lab": whether every frame is written into cluster.pcapng, for Wireshark.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pcap: bool,
    /// What every link between nodes is like when no fault touches it.
    pub links: Links,
    /// How the protocol behaves.
    pub paxos: PaxosOptions,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// The systems that can be tested.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum System {
    /// The bench's own replicated store.
    #[default]
    Paxos,
    /// etcd, as it comes.
    Etcd,
    /// Any program, started as the spec says.
    Command,
}

impl System {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Paxos, Self::Etcd, Self::Command];

    /// Its name in specs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Paxos => "paxos",
            Self::Etcd => "etcd",
            Self::Command => "command",
        }
    }

    /// What it is, in one line.
    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Paxos => "the bench's own replicated key-value store",
            Self::Etcd => "etcd, from PATH or from cluster.program",
            Self::Command => "any program that speaks one of the interfaces: cluster.program, .args and .api",
        }
    }
}

impl Serialize for System {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for System {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let names = Self::ALL.map(Self::name).join(", ");
        let found = Self::ALL.into_iter().find(|system| system.name() == name);
        found.ok_or_else(|| {
            de::Error::custom(format!("there is no system \"{name}\"; the systems are {names}"))
        })
    }
}

/// How many nodes there are of each role, where each node has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Roles {
    /// `r1`, `r2`, …
    pub replicas: u32,
    /// `l1`, `l2`, …
    pub leaders: u32,
    /// `a1`, `a2`, …
    pub acceptors: u32,
}

/// A node of the cluster as the spec describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlannedNode {
    /// Its name.
    pub name: String,
    /// Its roles.
    pub roles: BTreeSet<Role>,
    /// Whether it is no member at first.
    pub spare: bool,
}

impl Cluster {
    /// How long the nodes may take until they serve.
    pub(crate) fn start_within(&self) -> Duration {
        let seconds = if self.system == System::Paxos { 10 } else { 20 };
        self.start_within.unwrap_or(Duration::from_secs(seconds))
    }

    /// What the nodes speak with clients.
    pub(crate) fn api(&self) -> Api {
        match self.system {
            System::Paxos => Api::Kv,
            System::Etcd => Api::Etcd,
            System::Command => self.api.unwrap_or_default(),
        }
    }

    /// The names of the nodes that are no members at first.
    pub(crate) fn spares(&self) -> Vec<String> {
        let spare = self.planned_nodes().into_iter().filter(|node| node.spare);
        spare.map(|node| node.name).collect()
    }

    /// How many nodes with every role, where there is no `roles`.
    pub(crate) fn node_count(&self) -> u32 {
        self.nodes.unwrap_or(3)
    }

    /// The nodes in the order in which they are listed everywhere, spare ones last.
    pub(crate) fn planned_nodes(&self) -> Vec<PlannedNode> {
        let Some(roles) = self.roles else {
            // What nodes of other systems do, nobody here knows.
            let all = match self.system {
                System::Paxos => BTreeSet::from([Role::Replica, Role::Leader, Role::Acceptor]),
                System::Etcd | System::Command => BTreeSet::new(),
            };
            let members = self.node_count();
            return (1..=members.saturating_add(self.spares))
                .map(|number| PlannedNode {
                    name: format!("n{number}"),
                    roles: all.clone(),
                    spare: number > members,
                })
                .collect();
        };
        [
            ("r", roles.replicas, Role::Replica),
            ("l", roles.leaders, Role::Leader),
            ("a", roles.acceptors, Role::Acceptor),
        ]
        .into_iter()
        .flat_map(|(letter, count, role)| {
            (1..=count).map(move |number| PlannedNode {
                name: format!("{letter}{number}"),
                roles: BTreeSet::from([role]),
                spare: false,
            })
        })
        .collect()
    }
}

/// The name of a role in topologies and targets.
pub(crate) fn role_name(role: Role) -> &'static str {
    match role {
        Role::Replica => "replica",
        Role::Leader => "leader",
        Role::Acceptor => "acceptor",
    }
}

/// `[[variant]]`: the same experiment with other values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Variant {
    /// Its name, and that of its folder.
    pub name: String,
    /// Dotted keys and the values they get.
    #[serde(default)]
    pub set: toml::Table,
}

/// `[check]`: what is checked beyond what always is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Check {
    /// Whether the history must be linearizable, and how long that search may take.
    pub linearizable: Linearizable,
    /// Whether the replicas' decisions must agree slot by slot.
    pub agreement: bool,
    /// Whether a variant ends as soon as its history is not linearizable.
    pub stop_at_violation: bool,
    /// The share of the written keys that may stay unread after the last heal.
    pub unobserved: Share,
}

impl Default for Check {
    fn default() -> Self {
        Self {
            linearizable: Linearizable::default(),
            agreement: true,
            stop_at_violation: true,
            unobserved: Share::default(),
        }
    }
}

/// `linearizable = { timeout = "60s" }`, or `linearizable = false`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Linearizable {
    /// Not checked.
    Off,
    /// Checked, with this much time before the answer is unknown.
    Within(Duration),
}

impl Default for Linearizable {
    fn default() -> Self {
        Self::Within(Duration::from_secs(60))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Timeout {
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    timeout: Duration,
}

impl Serialize for Linearizable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Off => serializer.serialize_bool(false),
            Self::Within(timeout) => Timeout { timeout }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Linearizable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FalseOrTimeout;
        impl<'de> Visitor<'de> for FalseOrTimeout {
            type Value = Linearizable;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false or { timeout = \"60s\" }")
            }

            fn visit_bool<E: de::Error>(self, checked: bool) -> Result<Linearizable, E> {
                Ok(if checked { Linearizable::default() } else { Linearizable::Off })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Linearizable, A::Error> {
                let Timeout { timeout } = Timeout::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Linearizable::Within(timeout))
            }
        }
        deserializer.deserialize_any(FalseOrTimeout)
    }
}

#[cfg(test)]
mod tests {
    use super::Cluster;

    #[test]
    fn nodes_are_named_after_their_roles_where_each_has_one() {
        let names = |toml: &str| -> Vec<String> {
            let cluster: Cluster = toml::from_str(toml).unwrap();
            cluster.planned_nodes().into_iter().map(|node| node.name).collect()
        };
        assert_eq!(names("nodes = 2"), ["n1", "n2"]);
        assert_eq!(names("nodes = 2\nspares = 1"), ["n1", "n2", "n3"]);
        let roles = "roles = { replicas = 2, leaders = 1, acceptors = 3 }";
        assert_eq!(names(roles), ["r1", "r2", "l1", "a1", "a2", "a3"]);
    }
}
