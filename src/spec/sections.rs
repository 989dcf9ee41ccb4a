//! The sections of a spec. `[load]`, `[[fault]]` and `[cluster.paxos]` are types of the crates that use them.

use super::hosts::HostEntry;
use super::known::Known;
use super::life::{Commands, FurtherProgram, NodeText, Ready};
use super::members::MembersSpec;
use super::promise::Promise;
use nemesis::{AtMost, Disk, DiskModel, FaultSpec, Links, Network, Share, StopSignal};
use node::config::{PaxosOptions, Role};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use workloads::{ClientKind, ClientSpec, DigestSpec, LoadSpec, StatusSpec};

/// The largest number of nodes: more than this on one machine measure the machine.
pub(super) const NODES_MAX: u32 = 50;
/// The lowest first port of a cluster: ports below it need root.
pub(super) const BASE_PORT_MIN: u16 = 1024;
/// The highest first port of a cluster: the ports of all nodes fit above it.
pub(super) const BASE_PORT_MAX: u16 = 64_000;

/// A whole spec.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Spec {
    /// The name of the experiment, and of the folder of its results: letters, digits, - and _.
    pub name: String,
    /// The purpose of the experiment, in one or two sentences.
    #[serde(default)]
    pub about: String,
    /// The system under test.
    #[serde(default)]
    pub cluster: Cluster,
    /// How clients speak to a system other than `paxos`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientSpec>,
    /// How a node of such a system is asked what it says of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusSpec>,
    /// How a node of such a system is asked for a hash of its state, which nodes at the same position must share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<DigestSpec>,
    /// How the members of such a system are listed and changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<MembersSpec>,
    /// What the clients do.
    pub load: LoadSpec,
    /// A fault; there may be many.
    #[serde(default, rename = "fault")]
    pub faults: Vec<FaultSpec>,
    /// How many nodes the faults may take out at once.
    #[serde(default)]
    pub budget: Budget,
    /// The same experiment with other values. Variants run one after another.
    #[serde(default, rename = "variant")]
    pub variants: Vec<Variant>,
    /// What `bench sweep` varies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Sweep>,
    /// What is known of the outcome, for `bench known`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<Known>,
    /// Optional checks. Others, such as evidence and obligations, are always made.
    #[serde(default)]
    pub check: Check,
}

impl Spec {
    /// The protocol in which a node is asked what it says of itself, where `[status]` does not say.
    pub(crate) fn client_kind(&self) -> ClientKind {
        match self.client.as_ref().map(|client| client.kind) {
            Some(ClientKind::Resp) => ClientKind::Resp,
            // A helper's protocol is unknown, and a database or a program for Maelstrom has no status.
            Some(
                ClientKind::Http
                | ClientKind::Postgres
                | ClientKind::Mysql
                | ClientKind::Exec
                | ClientKind::Maelstrom,
            )
            | None => ClientKind::Http,
        }
    }

    /// Whether its clients are of a kind.
    pub(crate) fn client_is(&self, kind: ClientKind) -> bool {
        self.client.as_ref().is_some_and(|client| client.kind == kind)
    }

    /// Of a system whose servers run already, only what is about such servers; the spec itself may have nothing else.
    pub(super) fn without_unused_keys(mut self) -> Self {
        let Cluster { system, addresses, commands, api, network, disk, start_within, .. } =
            self.cluster.clone();
        if !addresses.is_empty() {
            let network = if network == Network::Auto { Network::Host } else { network };
            let rest = Cluster::default();
            self.cluster = Cluster { system, addresses, commands, api, network, disk, start_within, ..rest };
        }
        self
    }

    /// A load that names no mix has the functions that `[client]` describes.
    pub(super) fn with_mix_of_client(mut self) -> Self {
        if let (Some(client), None) = (&self.client, &self.load.mix) {
            let mix = client.default_mix(self.load.workload);
            self.load.mix = Some(mix).filter(|mix| !mix.is_empty());
        }
        self
    }
}

/// `[sweep]`: what `bench sweep` varies, unless the command line says otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Sweep {
    /// The dotted key that is varied, for example `load.clients`.
    pub over: String,
    /// The values of that key, measured one after another.
    #[schemars(with = "Vec<serde_json::Value>")]
    pub values: Vec<toml::Value>,
    /// How often each value and variant is measured; figures are medians.
    pub rounds: u32,
    /// Which variants are compared: from the name of each to the one that it is divided by.
    pub compare: BTreeMap<String, String>,
}

impl Default for Sweep {
    fn default() -> Self {
        Self { over: String::new(), values: Vec::new(), rounds: 1, compare: BTreeMap::new() }
    }
}

/// `[budget]`: how much may be done to the system at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Budget {
    /// How many nodes may be down or cut off at once: "minority", or a number. A fault that would exceed it waits. Absent: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most: Option<AtMost>,
}

/// `[cluster]`: the system under test and where it runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Cluster {
    /// The system under test.
    pub system: System,
    /// Systems other than `paxos`: the program of a node, a path or a name that is searched in PATH.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<PathBuf>,
    /// Systems other than `paxos`: the arguments of the program. Words in braces are replaced for each node: {name},
    /// {number} (from 1), {address} (ip:port for clients), {ip}, {port}, the names of `ports`, {host} (its host name, in a
    /// lab), {data} (its folder), {members} (name=ip:port of all, with commas), {others} (the same without this node),
    /// {members: TEXT|,} (the text for each member with its words, with commas), {first: TEXT} (the text for the first
    /// member), {env:NAME} (a variable of the caller). {{ and }} are braces.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Arguments behind `args`, for a spec that adds to those of its system.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub more_args: Vec<String>,
    /// Systems other than `paxos`: a command that prints the version, for example that of the program with `--version`. It has
    /// the variables of the caller, and those of `env` that say nothing of a node.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub version: Vec<String>,
    /// Systems other than `paxos`: variables of the program, with the same words. It gets no others of the caller's than
    /// PATH, HOME, LANG and TMPDIR. One that is empty is not set.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Systems other than `paxos`: the ports of a node, by the words for them. `client` is for clients, peers use all. With
    /// network = "lab" these numbers are taken, else free ones.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub ports: BTreeMap<String, u16>,
    /// Systems other than `paxos`: the user that the programs of a node run as: a name, a number, or two numbers with a colon
    /// for user and group. Only root may start them as another user than its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Systems other than `paxos`: a shell command that is run before the programs where the folder of the data has nothing
    /// but the files of `[[cluster.file]]`, for example "initdb -D {data}".
    #[serde(skip_serializing_if = "String::is_empty")]
    pub prepare: String,
    /// Systems other than `paxos`: a command that is run once after the start of the nodes, and again until it succeeds. Its
    /// words are those of the first node.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub setup: Vec<String>,
    /// Systems other than `paxos`: whether nodes are started together, or each when the one before it is ready.
    #[serde(skip_serializing_if = "is_default")]
    pub start: Start,
    /// Systems other than `paxos`: what shows that a node is ready. `setup` and the load wait until all are. Absent: with start =
    /// "one-by-one", that it listens at its port for clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<Ready>,
    /// Systems other than `paxos`: the signal by which a fault of kind `stop` asks the programs to end.
    #[serde(skip_serializing_if = "is_default")]
    pub stop_signal: StopSignal,
    /// Files that each node finds in the folder of its data when it starts, on the same disk.
    #[serde(rename = "file", skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<NodeText>,
    /// Servers that already run, as host:port, in place of nodes that the bench starts: the load is sent to them and judged, with
    /// keys of this run's own. Only faults for which `commands` has commands can be injected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// The commands by which faults reach these servers.
    #[serde(skip_serializing_if = "is_default")]
    pub commands: Commands,
    /// The machines of the nodes, one for each, in the order of the nodes: the bench copies itself to them over ssh, starts the
    /// nodes there, injects faults and leaves nothing. Each is a destination for `ssh`, for example "user@host" or an alias of
    /// ~/.ssh/config, or a table with the address for nodes and clients where that differs. Absent: this machine.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<HostEntry>,
    /// With `hosts`: the ssh program and its options, for example `["ssh", "-F", "my-config"]`. Absent: ssh.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ssh: Vec<String>,
    /// Further programs of each node.
    #[serde(rename = "process", skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<FurtherProgram>,
    /// Systems other than `paxos`: whether the bench starts a node again that ends by itself.
    #[serde(skip_serializing_if = "is_default")]
    pub restart: Restart,
    /// With restart = "on-exit": how often each node may end by itself and is started again. Absent: 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub restart_limit: Option<u32>,
    /// System `command`: the name of a system whose `client`, `status` and `digest` fit its nodes, or "kv", the interface of the
    /// bench's own store. Absent: kv.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// The number of nodes, each with every role. Absent, and without `roles`: 3.
    #[schemars(range(min = 1, max = NODES_MAX))]
    pub nodes: Option<u32>,
    /// The number of nodes that are not members at first, for the fault `reconfigure` to add.
    #[serde(skip_serializing_if = "is_zero")]
    pub spares: u32,
    /// Instead of `nodes`: nodes with one role each.
    pub roles: Option<Roles>,
    /// How the nodes are connected.
    pub network: Network,
    /// Where the nodes keep their data.
    pub disk: Disk,
    /// What a power loss may take from a disk in memory: folders = "ordered" or "strict", write-back = "30s" or
    /// "never", tear = "sector" or "byte".
    #[serde(skip_serializing_if = "is_default")]
    pub disk_model: DiskModel,
    /// The first port of the cluster. Absent: the bench finds free ports.
    #[schemars(range(min = BASE_PORT_MIN, max = BASE_PORT_MAX))]
    pub base_port: Option<u16>,
    /// In a lab: the longest time until TCP retransmits. Absent: the kernel's two minutes. Proxies lose no packets, so they
    /// do not need it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    #[schemars(with = "Option<jiff::SignedDuration>", extend("minimum" = "1s", "maximum" = "120s"))]
    pub tcp_rto_max: Option<Duration>,
    /// How long each step to a cluster that serves may take: a node's preparation, its start until it is ready, the set-up,
    /// and then the time until a write is applied and a read answered. Absent: 10s for the bench's own store, 20s for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    #[schemars(with = "Option<jiff::SignedDuration>")]
    pub start_within: Option<Duration>,
    /// With network = "lab": whether every frame is written to cluster.pcapng, for Wireshark.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pcap: bool,
    /// Log files of each node besides what it prints, for example "{data}/server.log": searched for the patterns of `[check]`,
    /// and copied into the results. Words in braces differ by node: {data} (its folder), {name}, {number} (from 1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<String>,
    /// Delay of every link between nodes while no fault acts on it.
    pub links: Links,
    /// System `paxos`: whether the nodes write traces, and the run checks the protocol's invariants over them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub invariants: bool,
    /// System `paxos`: options of the protocol.
    pub paxos: PaxosOptions,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// How the nodes of a system are started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Start {
    /// All at once.
    #[default]
    Together,
    /// Each when the one before it is ready.
    OneByOne,
}

/// What the bench does when a node ends by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Restart {
    /// It stays down, which is a violation.
    #[default]
    Never,
    /// The bench starts it again after a pause of 200 ms to 2 s where it returned with a code, as a service manager does.
    /// An end by a signal is a violation.
    OnExit,
}

/// The system under test.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum System {
    /// The bench's own replicated store.
    #[default]
    Paxos,
    /// A program that the spec itself describes.
    Command,
    /// A system that a file describes: the name of a built-in one, or a path.
    Described(String),
}

impl System {
    /// Its name in specs.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Paxos => "paxos",
            Self::Command => "command",
            Self::Described(name) => name,
        }
    }

    /// Whether it is the bench's own store.
    pub(crate) fn is_own(&self) -> bool {
        *self == Self::Paxos
    }
}

impl Serialize for System {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl JsonSchema for System {
    fn schema_name() -> Cow<'static, str> {
        "System".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "title": "\"paxos\", \"command\", the name of a system that `bench list` shows, or the path of its file" })
    }
}

impl<'de> Deserialize<'de> for System {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Ok(match name.as_str() {
            "paxos" => Self::Paxos,
            "command" => Self::Command,
            _ => Self::Described(name),
        })
    }
}

/// How many nodes there are of each role, where each node has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Roles {
    /// The number of nodes that are replicas only: `r1`, `r2`, …
    pub replicas: u32,
    /// The number of nodes that are leaders only: `l1`, `l2`, …
    pub leaders: u32,
    /// The number of nodes that are acceptors only: `a1`, `a2`, …
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
        let seconds = if self.system.is_own() { 10 } else { 20 };
        self.start_within.unwrap_or(Duration::from_secs(seconds))
    }

    /// The names of the nodes that are no members at first.
    pub(crate) fn spares(&self) -> Vec<String> {
        let spare = self.planned_nodes().into_iter().filter(|node| node.spare);
        spare.map(|node| node.name).collect()
    }

    /// How many nodes with every role, where there is no `roles`.
    pub(crate) fn node_count(&self) -> u32 {
        let listed = u32::try_from(self.addresses.len().max(self.hosts.len())).unwrap_or(u32::MAX);
        let is_known = listed > 0 && (self.nodes.is_none() || !self.addresses.is_empty());
        if is_known { listed } else { self.nodes.unwrap_or(3) }
    }

    /// The nodes in the order in which they are listed everywhere, spare ones last.
    pub(crate) fn planned_nodes(&self) -> Vec<PlannedNode> {
        let Some(roles) = self.roles else {
            // The bench does not know the roles of nodes of other systems.
            let all = match self.system {
                System::Paxos => BTreeSet::from([Role::Replica, Role::Leader, Role::Acceptor]),
                System::Described(_) | System::Command => BTreeSet::new(),
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Variant {
    /// The name of the variant, and of its folder.
    pub name: String,
    /// The keys that differ, as dotted keys or nested tables, with their values.
    #[serde(default)]
    #[schemars(with = "serde_json::Map<String, serde_json::Value>", extend("title" = "table of dotted keys and values"))]
    pub set: toml::Table,
}

/// `[check]`: what is checked beyond what always is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Check {
    /// Whether the history must be linearizable, and how long the search may take before the answer is unknown. Absent or
    /// true: 60s.
    pub linearizable: Linearizable,
    /// What the system promises about the operations of the workload: an anomaly that the promise allows is reported, and makes
    /// no run invalid. Absent: linearizable for registers and kv, strict-serializable for transactions, at-least-once for queues;
    /// a bank has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promise: Option<Promise>,
    /// Whether the decisions of the replicas must agree, slot by slot.
    pub agreement: bool,
    /// Whether a variant ends at the first operation that makes its history not linearizable.
    pub stop_at_violation: bool,
    /// The share of the written keys that may stay unread after the last fault is healed.
    pub unobserved: Share,
    /// The share of the requests in the load that must be answered, or the run is invalid. Absent: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability: Option<Share>,
    /// Regular expressions that no line of a log may match, for example "panic": a line that does makes the run invalid.
    /// The logs are what a node prints and the files of `cluster.logs`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub never: Vec<String>,
    /// Regular expressions of which each must match a line of the logs, for example "elected leader": a run in which one
    /// does not is unknown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sometimes: Vec<String>,
}

impl Default for Check {
    fn default() -> Self {
        Self {
            linearizable: Linearizable::default(),
            promise: None,
            agreement: true,
            stop_at_violation: true,
            unobserved: Share::default(),
            availability: None,
            never: Vec::new(),
            sometimes: Vec::new(),
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

/// The values of the key `linearizable`, for messages and for the reference of keys.
const LINEARIZABLE: &str = "true, false or { timeout = \"60s\" }";

impl JsonSchema for Linearizable {
    fn schema_name() -> Cow<'static, str> {
        "Linearizable".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "title": LINEARIZABLE })
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
                f.write_str(LINEARIZABLE)
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
    fn single_role_nodes_are_named_after_roles() {
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
