//! A cluster of any system under test: starts its node processes, holds their addresses, stops them.

use super::foreign_members::ForeignMembers;
use super::observe::{Asking, Leaders, Watched};
use super::ready::Readiness;
use super::setup::Setup;
use super::{foreign, hosts, output, paxos, remote};
use crate::failure::Failure;
use crate::maelstrom::bridge;
use crate::maelstrom::hub::{Hub, HubOptions};
use crate::spec::Experiment;
use crate::spec::sections::{PlannedNode, Start, System};
use futures_util::future::try_join_all;
use nemesis::{Exit, Mode, ProcessError, Testbed, TestbedConfig, TestbedError};
use node::config::{Member, Role, Secret};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use workloads::{ClientKind, Dialect, DigestTable, StatusTable};

/// A cluster of node processes.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// The processes and the links between them.
    pub(crate) testbed: Arc<Testbed>,
    /// Every node with its listen address.
    pub(crate) nodes: Vec<(String, SocketAddr)>,
    /// The nodes that serve clients; of the own store, those that host a replica.
    pub(crate) replicas: Vec<(String, SocketAddr)>,
    /// The description of each node, which the cluster gets when the node becomes a member.
    members: Vec<Member>,
    /// The names of spare nodes, which are started only when a fault adds them.
    spares: Vec<String>,
    /// The system.
    pub(crate) system: System,
    /// The way to query the nodes' status.
    asking: Asking,
    /// The way to list and change the members, if the spec or the file of the system defines one.
    foreign_members: Option<Arc<ForeignMembers>>,
    /// The way to query digests of the nodes' states, if defined.
    pub(crate) digest: Option<Arc<DigestTable>>,
    /// The network of programs for Maelstrom.
    pub(crate) hub: Option<Arc<Hub>>,
    folder: PathBuf,
}

/// A seed for each node.
///
/// With equal seeds, competing leaders would draw equal jitter and preempt each other for ever.
fn node_seeds(run_seed: u64) -> impl Iterator<Item = u64> {
    (0..).map(move |number: u64| run_seed.wrapping_mul(1_000).wrapping_add(number))
}

impl Cluster {
    /// Creates the network and prepares each node in `folder/nodes/<name>`.
    ///
    /// [`launch`](Self::launch) starts them.
    ///
    /// # Errors
    /// When the network is not available or a node cannot be prepared.
    pub(crate) async fn prepare(experiment: &Experiment, folder: &Path, seed: u64) -> Result<Self, Failure> {
        let cluster = &experiment.spec.cluster;
        let (asking, digest) = (asking(experiment)?, digest(experiment)?);
        let config = configuration(experiment, folder, seed, &asking)?;
        let testbed = hosts::testbed(experiment, config).await?;
        let planned = cluster.planned_nodes();
        let addressed = |wanted: &dyn Fn(&PlannedNode) -> bool| -> Vec<(String, SocketAddr)> {
            let wanted = planned.iter().filter(|node| wanted(node));
            wanted.map(|node| (node.name.clone(), testbed.listen_address(&node.name))).collect()
        };
        let is_replica = |node: &PlannedNode| !cluster.system.is_own() || node.roles.contains(&Role::Replica);
        let (nodes, replicas) = (addressed(&|_| true), addressed(&is_replica));
        let hub = hub(experiment, &testbed, seed).await?;
        let secret = Secret::random();
        for ((node_seed, node), number) in node_seeds(seed).zip(&planned).zip(1..) {
            let listen = testbed.listen_address(&node.name);
            if !cluster.addresses.is_empty() {
                let commands = remote::commands(cluster, &node.name, number, listen, folder);
                testbed.take_over(&node.name, commands).await;
                continue;
            }
            let mut command = if cluster.system.is_own() {
                paxos::command(cluster, &testbed, node, folder, node_seed, &secret)?
            } else {
                let command = foreign::command(cluster, &testbed, node, folder, None)?;
                match &hub {
                    Some(hub) => bridge::before(command, &node.name, hub.address(), listen)?,
                    None => command,
                }
            };
            hosts::place(cluster, &testbed, node, &mut command, folder).await?;
            testbed.prepare(&node.name, command).await;
        }
        let member = |node: PlannedNode| Member {
            address: testbed.listen_address(&node.name),
            name: node.name,
            roles: node.roles,
        };
        let members = planned.into_iter().map(member).collect();
        let (testbed, folder) = (Arc::new(testbed), folder.to_owned());
        let foreign_members = experiment.spec.members.clone().map(|spec| {
            let (testbed, folder, cluster) = (Arc::downgrade(&testbed), folder.clone(), cluster.clone());
            Arc::new(ForeignMembers { spec, cluster, testbed, folder })
        });
        Ok(Self {
            testbed,
            nodes,
            replicas,
            members,
            spares: cluster.spares(),
            system: cluster.system.clone(),
            asking,
            foreign_members,
            digest,
            hub,
            folder,
        })
    }

    /// Starts every member that does not run, waits for readiness, and sets the cluster up.
    ///
    /// It does not wait until the cluster serves.
    ///
    /// # Errors
    /// When a process does not start, a node is not ready in time, or the set-up fails.
    pub(crate) async fn launch(&self, experiment: &Experiment) -> Result<(), Failure> {
        let cluster = &experiment.spec.cluster;
        if !cluster.addresses.is_empty() {
            return Ok(());
        }
        let members = self.nodes.iter().filter(|(name, _)| !self.is_spare(name));
        let readiness: Vec<_> =
            members.map(|(name, _)| Readiness::new(cluster, &self.testbed, name, &self.folder)).collect();
        match cluster.start {
            Start::Together => {
                try_join_all(readiness.iter().map(|one| self.wake(one.node()))).await?;
                if cluster.ready.is_some() {
                    try_join_all(readiness.into_iter().map(|one| self.until_ready(one))).await?;
                }
            }
            Start::OneByOne => {
                for one in readiness {
                    self.wake(one.node()).await?;
                    self.until_ready(one).await?;
                }
            }
        }
        self.set_up(experiment).await
    }

    async fn wake(&self, node: &str) -> Result<(), Failure> {
        let woken = self.testbed.wake(node).await.map_err(|error| testbed_failure(&error))?;
        // A node that was killed before its first start stays down.
        debug_assert!(!woken.evidence.is_empty(), "{node} was prepared");
        Ok(())
    }

    async fn until_ready(&self, readiness: Readiness) -> Result<(), Failure> {
        let node = readiness.node().to_owned();
        readiness.wait().await.map_err(|failure| match failure.excerpt {
            Some(_) => failure,
            None => Failure { excerpt: self.excerpt(&node, None), ..failure },
        })
    }

    /// Runs the set-up command of the spec, if there is one.
    async fn set_up(&self, experiment: &Experiment) -> Result<(), Failure> {
        let cluster = &experiment.spec.cluster;
        let (first, _) = &self.nodes[0];
        if cluster.setup.is_empty() {
            return Ok(());
        }
        let words = foreign::words(cluster, &self.testbed, first, &self.folder, None);
        let setup = Setup {
            key: "cluster.setup",
            words: cluster.setup.iter().map(|word| words.fill(word)).collect(),
            env: foreign::whole_environment(cluster, &words),
            log: self.folder.join("setup.log"),
        };
        setup.run(cluster.start_within()).await
    }

    /// Whether a node is a spare node.
    pub(crate) fn is_spare(&self, node: &str) -> bool {
        self.spares.iter().any(|spare| spare == node)
    }

    /// Number of initial members.
    pub(crate) fn member_count(&self) -> usize {
        self.nodes.len() - self.spares.len()
    }

    /// The interface to query leader, progress and members.
    pub(crate) fn leaders(&self) -> Leaders {
        let members = self.members.iter().map(|member| (member.name.clone(), member.clone()));
        Leaders::new(self.watched(), members.collect(), self.foreign_members.clone())
    }

    /// Every node, with the interface to query its status.
    pub(crate) fn watched(&self) -> Vec<Watched> {
        let watch =
            |(name, address): &(String, SocketAddr)| Watched::new(name, *address, self.asking.clone());
        self.nodes.iter().map(watch).collect()
    }

    /// The status table of its nodes, if the spec or the file of the system defines one.
    pub(crate) fn status_table(&self) -> Option<Arc<StatusTable>> {
        match &self.asking {
            Asking::Described(table) => Some(Arc::clone(table)),
            Asking::Own | Asking::Unknown => None,
        }
    }

    /// Waits until a program sends an invalid message or a host is lost; returns the failure of the run.
    pub(crate) async fn complaint(&self) -> Failure {
        let message = async {
            match &self.hub {
                Some(hub) => hub.complaint().await.failure(),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            failure = message => failure,
            lost = self.testbed.until_host_lost() => hosts::failure(lost),
        }
    }

    /// Copies the logs of nodes on other machines until now.
    pub(crate) async fn flush_logs(&self) {
        hosts::flush(&self.testbed, self.nodes.iter().map(|(name, _)| name.as_str())).await;
    }

    /// The addresses for clients' operations.
    pub(crate) fn targets(&self) -> Vec<workloads::Target> {
        let target = |(name, address): &(String, SocketAddr)| workloads::Target {
            name: name.clone(),
            address: *address,
            spare: self.is_spare(name),
        };
        self.replicas.iter().map(target).collect()
    }

    /// The last lines of output of a node, or of a helper program of it.
    pub(crate) fn last_words(&self, node: &str, program: Option<&str>) -> Vec<String> {
        output::tail(&self.output(node, program))
    }

    fn output(&self, node: &str, program: Option<&str>) -> PathBuf {
        let own = output_path(&self.folder, node);
        program.map_or(own.clone(), |program| own.with_file_name(format!("{program}.log")))
    }

    /// The same, for messages.
    fn excerpt(&self, node: &str, program: Option<&str>) -> Option<String> {
        output::excerpt(&self.output(node, program))
    }

    /// The failure of a node that ended before the cluster served.
    pub(crate) fn ended_at_start(&self, exit: &Exit) -> Failure {
        let program = exit.program.as_deref();
        let words = self.last_words(&exit.node, program);
        let error = words.iter().rev().find_map(|line| line.split_once("error: ")).map(|(_, error)| error);
        let reason = match error {
            Some(error) => format!("it ended at its start ({}): {error}", exit.how),
            None => format!("it ended at its start ({})", exit.how),
        };
        let path = self.output(&exit.node, program);
        let mut failure = Failure::bench(format!("node {}", exit.node), reason)
            .help(format!("its output is in {}", path.display()));
        failure.excerpt = self.excerpt(&exit.node, program);
        failure
    }

    /// Kills every process and checks that none is left.
    ///
    /// # Errors
    /// When a process is left.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        let testbed = Arc::into_inner(self.testbed)
            .expect("the faults have dropped the testbed at the end of their run");
        testbed.stop().await.map_err(|error| testbed_failure(&error))
    }
}

/// The network, the disks and the clocks of the nodes.
fn configuration(
    experiment: &Experiment,
    folder: &Path,
    seed: u64,
    asking: &Asking,
) -> Result<TestbedConfig, Failure> {
    let cluster = &experiment.spec.cluster;
    Ok(TestbedConfig {
        network: cluster.network,
        topology: experiment.topology(),
        disk: cluster.disk,
        disk_model: cluster.disk_model,
        links: cluster.links,
        base_port: cluster.base_port.or_else(|| client_port(experiment)),
        ports: foreign::further_ports(cluster).map(|(_, port)| port).collect(),
        addresses: addresses(experiment)?,
        tcp_rto_max: cluster.tcp_rto_max,
        capture: cluster.pcap.then(|| folder.join("cluster.pcapng")),
        seed,
        probe: Some(probe(experiment, asking)),
    })
}

/// The hub of programs for Maelstrom, where the clients are of that kind.
async fn hub(experiment: &Experiment, testbed: &Testbed, seed: u64) -> Result<Option<Arc<Hub>>, Failure> {
    let spec = &experiment.spec;
    let (Some(client), Some(messages)) = (&spec.client, testbed.messages()) else { return Ok(None) };
    let nodes: Vec<String> = spec.cluster.planned_nodes().into_iter().map(|node| node.name).collect();
    let broadcast = client.messages == Some(Dialect::Broadcast);
    let topology = broadcast.then(|| client.topology.unwrap_or_default().message(&nodes));
    let options = HubOptions { nodes, topology, within: spec.cluster.start_within() / 2, seed };
    let hub = Hub::start(messages.clone(), options).await;
    let hub = hub.map_err(|error| Failure::bench("cluster", format!("the bench cannot listen: {error}")))?;
    Ok(Some(Arc::new(hub)))
}

/// The failure of a testbed, with the remedy of its error if it has one.
pub(crate) fn testbed_failure(error: &TestbedError) -> Failure {
    let text = error.to_string();
    let mut failure = match text.split_once("; ") {
        Some((reason, help)) => Failure::bench("cluster", reason).help(help),
        None => Failure::bench("cluster", text),
    };
    if let TestbedError::Process(ProcessError::Prepare { output, .. }) = error {
        failure.excerpt = output::excerpt(output);
    }
    failure
}

/// The system's port for clients, if every node has all ports for itself.
fn client_port(experiment: &Experiment) -> Option<u16> {
    let port = experiment.spec.cluster.ports.get(foreign::CLIENT).copied();
    port.filter(|_| experiment.mode().is_ok_and(|mode| matches!(mode, Mode::Lab | Mode::Hosts)))
}

/// The addresses of servers that already run.
fn addresses(experiment: &Experiment) -> Result<Vec<SocketAddr>, Failure> {
    let resolve = |(number, address): (usize, &String)| {
        let complain = |reason: String| experiment.complaint(&format!("cluster.addresses.{number}"), &reason);
        remote::resolve(address).map_err(complain)
    };
    (1..).zip(&experiment.spec.cluster.addresses).map(resolve).collect()
}

/// The way to query the status of an experiment's nodes.
fn asking(experiment: &Experiment) -> Result<Asking, Failure> {
    let spec = &experiment.spec;
    let table = spec.status.as_ref().map(|status| status.table(spec.client_kind())).transpose();
    let table = table.map_err(|error| experiment.complaint(&error.field, &error.message))?;
    Ok(match (table, spec.cluster.system.is_own()) {
        (_, true) => Asking::Own,
        (Some(table), _) => Asking::Described(Arc::new(table)),
        (None, _) => Asking::Unknown,
    })
}

/// The way to query digests of the states of an experiment's nodes.
fn digest(experiment: &Experiment) -> Result<Option<Arc<DigestTable>>, Failure> {
    let spec = &experiment.spec;
    let table = spec.digest.as_ref().map(|digest| digest.table(spec.client_kind())).transpose();
    table.map(|table| table.map(Arc::new)).map_err(|error| experiment.complaint(&error.field, &error.message))
}

/// The probe of links: a request that every node answers at once, even with an error.
fn probe(experiment: &Experiment, asking: &Asking) -> Vec<u8> {
    let kind = match asking {
        Asking::Own => ClientKind::Http,
        Asking::Described(table) => table.kind(),
        Asking::Unknown => experiment.spec.client.as_ref().map_or(ClientKind::Http, |client| client.kind),
    };
    match kind {
        ClientKind::Resp => b"PING\r\n".to_vec(),
        // The request for TLS, which is answered with one letter.
        ClientKind::Postgres => vec![0, 0, 0, 8, 4, 210, 22, 47],
        // A server of MySQL speaks first.
        ClientKind::Http | ClientKind::Mysql | ClientKind::Exec | ClientKind::Maelstrom => {
            b"GET /status HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".to_vec()
        }
    }
}

/// The file of a node's output.
pub(super) fn output_path(folder: &Path, node: &str) -> PathBuf {
    folder.join("nodes").join(node).join("output.log")
}
