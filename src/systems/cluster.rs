//! A cluster of any system under test: starts its node processes, knows their addresses, stops them.

use super::observe::{Leaders, Watched};
use super::{foreign, output, paxos};
use crate::failure::Failure;
use crate::spec::Experiment;
use crate::spec::sections::{PlannedNode, System};
use nemesis::{Exit, Testbed, TestbedConfig, TestbedError};
use node::config::{Member, Role, Secret};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use workloads::Api;

/// A cluster of node processes, all started.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// The processes and the links between them.
    pub(crate) testbed: Arc<Testbed>,
    /// Every node with the address it listens on.
    pub(crate) nodes: Vec<(String, SocketAddr)>,
    /// Those that clients talk to: for the bench's own store, those that host a replica.
    pub(crate) replicas: Vec<(String, SocketAddr)>,
    /// The description of each node, which the cluster gets when the node becomes a member.
    members: Vec<Member>,
    /// The names of those that are no members at first, and are started only when a fault makes them some.
    spares: Vec<String>,
    /// Which system it is.
    pub(crate) system: System,
    /// What its clients speak.
    pub(crate) api: Api,
    folder: PathBuf,
}

/// A seed for each node: with equal seeds, competing leaders would draw equal jitter and preempt each other for ever.
fn node_seeds(run_seed: u64) -> impl Iterator<Item = u64> {
    (0..).map(move |number: u64| run_seed.wrapping_mul(1_000).wrapping_add(number))
}

impl Cluster {
    /// Makes the lab and starts every member in `folder/nodes/<name>`. Does not wait until they serve.
    ///
    /// # Errors
    /// When the network cannot be had or a process does not start.
    pub(crate) async fn start(experiment: &Experiment, folder: &Path, seed: u64) -> Result<Self, Failure> {
        let cluster = &experiment.spec.cluster;
        let config = TestbedConfig {
            network: cluster.network,
            topology: experiment.topology(),
            disk: cluster.disk,
            disk_model: cluster.disk_model,
            links: cluster.links,
            base_port: cluster.base_port,
            tcp_rto_max: cluster.tcp_rto_max,
            capture: cluster.pcap.then(|| folder.join("cluster.pcapng")),
            seed,
            probe: Some(probe(cluster.api())),
        };
        let testbed = Testbed::start(config).await.map_err(|error| testbed_failure(&error))?;
        let planned = cluster.planned_nodes();
        let addressed = |wanted: &dyn Fn(&PlannedNode) -> bool| -> Vec<(String, SocketAddr)> {
            let wanted = planned.iter().filter(|node| wanted(node));
            wanted.map(|node| (node.name.clone(), testbed.listen_address(&node.name))).collect()
        };
        let nodes = addressed(&|_| true);
        let replicas =
            addressed(&|node| cluster.system != System::Paxos || node.roles.contains(&Role::Replica));
        let secret = Secret::random();
        for (node_seed, node) in node_seeds(seed).zip(&planned) {
            let command = match cluster.system {
                System::Paxos => paxos::command(cluster, &testbed, node, folder, node_seed, &secret)?,
                System::Etcd | System::Command => foreign::command(cluster, &testbed, node, folder)?,
            };
            if node.spare {
                testbed.prepare(&node.name, command).await;
            } else {
                testbed.spawn(&node.name, command).await.map_err(|error| testbed_failure(&error))?;
            }
        }
        let (spares, (system, api)) = (cluster.spares(), (cluster.system, cluster.api()));
        let member = |node: PlannedNode| Member {
            address: testbed.listen_address(&node.name),
            name: node.name,
            roles: node.roles,
        };
        let members = planned.into_iter().map(member).collect();
        let (testbed, folder) = (Arc::new(testbed), folder.to_owned());
        Ok(Self { testbed, nodes, replicas, members, spares, system, api, folder })
    }

    /// Whether a node is no member at first.
    pub(crate) fn is_spare(&self, node: &str) -> bool {
        self.spares.iter().any(|spare| spare == node)
    }

    /// How many nodes are members at first.
    pub(crate) fn member_count(&self) -> usize {
        self.nodes.len() - self.spares.len()
    }

    /// Who leads, how far everybody is, and who the members are, for those who ask.
    pub(crate) fn leaders(&self) -> Leaders {
        let members = self.members.iter().map(|member| (member.name.clone(), member.clone()));
        Leaders::new(self.watched(), members.collect())
    }

    /// Every node, to be asked how it is.
    pub(crate) fn watched(&self) -> Vec<Watched> {
        let watch =
            |(name, address): &(String, SocketAddr)| Watched::new(name, *address, self.system, self.api);
        self.nodes.iter().map(watch).collect()
    }

    /// Where clients send their operations.
    pub(crate) fn targets(&self) -> Vec<workloads::Target> {
        let target = |(name, address): &(String, SocketAddr)| workloads::Target {
            name: name.clone(),
            address: *address,
            spare: self.is_spare(name),
        };
        self.replicas.iter().map(target).collect()
    }

    /// The last lines of what a node printed.
    pub(crate) fn last_words(&self, node: &str) -> Vec<String> {
        output::tail(&output_path(&self.folder, node))
    }

    /// What to say of a node that ended before the cluster served.
    pub(crate) fn ended_at_start(&self, exit: &Exit) -> Failure {
        let words = self.last_words(&exit.node);
        let said = words.iter().rev().find_map(|line| line.split_once("error: ")).map(|(_, said)| said);
        let what = match said {
            Some(said) => format!("it ended at its start ({}): {said}", exit.how),
            None => format!("it ended at its start ({})", exit.how),
        };
        let path = output_path(&self.folder, &exit.node);
        let mut failure = Failure::bench(format!("node {}", exit.node), what)
            .help(format!("everything it printed is in {}", path.display()));
        let words: Vec<String> = words.iter().map(|line| format!("   | {line}\n")).collect();
        failure.excerpt = Some(words.concat());
        failure
    }

    /// Kills every process and makes sure that none is left.
    ///
    /// # Errors
    /// When one is.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        let testbed =
            Arc::into_inner(self.testbed).expect("the faults have let go of the lab when their run is over");
        testbed.stop().await.map_err(|error| testbed_failure(&error))
    }
}

/// The failure of a lab, with its own remedy where it says one.
pub(crate) fn testbed_failure(error: &TestbedError) -> Failure {
    let text = error.to_string();
    match text.split_once("; ") {
        Some((what, help)) => Failure::bench("cluster", what).help(help),
        None => Failure::bench("cluster", text),
    }
}

/// What proves that a link carries bytes: every node answers it at once, whatever it thinks of it.
fn probe(api: Api) -> Vec<u8> {
    let path = match api {
        Api::Redis => return b"PING\r\n".to_vec(),
        Api::Kv => "/status",
        Api::Etcd => "/version",
    };
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").into_bytes()
}

/// Where what a node prints goes.
pub(super) fn output_path(folder: &Path, node: &str) -> PathBuf {
    folder.join("nodes").join(node).join("output.log")
}
