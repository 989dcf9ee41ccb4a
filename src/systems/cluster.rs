//! A cluster of any system under test: starts its node processes, knows their addresses, stops them.

use super::foreign_members::ForeignMembers;
use super::observe::{Asking, Leaders, Watched};
use super::ready::Readiness;
use super::setup::Setup;
use super::{foreign, output, paxos, remote};
use crate::failure::Failure;
use crate::maelstrom::bridge;
use crate::maelstrom::hub::{Hub, HubOptions};
use crate::spec::Experiment;
use crate::spec::sections::{PlannedNode, Start, System};
use futures_util::future::try_join_all;
use nemesis::{Exit, Mode, Testbed, TestbedConfig, TestbedError};
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
    /// How its nodes are asked what they say of themselves.
    asking: Asking,
    /// How its members are listed and changed, where the spec or the file of the system says so.
    foreign_members: Option<Arc<ForeignMembers>>,
    /// How its nodes are asked for digests of their states; none where nothing says so.
    pub(crate) digest: Option<Arc<DigestTable>>,
    /// The network of programs for Maelstrom.
    pub(crate) hub: Option<Arc<Hub>>,
    folder: PathBuf,
}

/// A seed for each node: with equal seeds, competing leaders would draw equal jitter and preempt each other for ever.
fn node_seeds(run_seed: u64) -> impl Iterator<Item = u64> {
    (0..).map(move |number: u64| run_seed.wrapping_mul(1_000).wrapping_add(number))
}

impl Cluster {
    /// Makes the network and says how each node is started, in `folder/nodes/<name>`. [`launch`](Self::launch) starts them.
    ///
    /// # Errors
    /// When the network cannot be had or a node cannot be started.
    pub(crate) async fn prepare(experiment: &Experiment, folder: &Path, seed: u64) -> Result<Self, Failure> {
        let cluster = &experiment.spec.cluster;
        let asking = asking(experiment)?;
        let digest = digest(experiment)?;
        let config = TestbedConfig {
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
            probe: Some(probe(experiment, &asking)),
        };
        let testbed = Testbed::start(config).await.map_err(|error| testbed_failure(&error))?;
        let planned = cluster.planned_nodes();
        let addressed = |wanted: &dyn Fn(&PlannedNode) -> bool| -> Vec<(String, SocketAddr)> {
            let wanted = planned.iter().filter(|node| wanted(node));
            wanted.map(|node| (node.name.clone(), testbed.listen_address(&node.name))).collect()
        };
        let nodes = addressed(&|_| true);
        let replicas = addressed(&|node| !cluster.system.is_own() || node.roles.contains(&Role::Replica));
        let hub = hub(experiment, &testbed, seed).await?;
        let secret = Secret::random();
        for ((node_seed, node), number) in node_seeds(seed).zip(&planned).zip(1..) {
            if !cluster.addresses.is_empty() {
                let address = testbed.listen_address(&node.name);
                let commands = remote::commands(cluster, &node.name, number, address, folder);
                testbed.take_over(&node.name, commands).await;
                continue;
            }
            let command = match cluster.system {
                System::Paxos => paxos::command(cluster, &testbed, node, folder, node_seed, &secret)?,
                System::Described(_) | System::Command => {
                    let command = foreign::command(cluster, &testbed, node, folder, None)?;
                    match &hub {
                        Some(hub) => {
                            let listen = testbed.listen_address(&node.name);
                            bridge::before(command, &node.name, hub.address(), listen)?
                        }
                        None => command,
                    }
                }
            };
            testbed.prepare(&node.name, command).await;
        }
        let (spares, system) = (cluster.spares(), cluster.system.clone());
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
            spares,
            system,
            asking,
            foreign_members,
            digest,
            hub,
            folder,
        })
    }

    /// Starts every member that does not run already, waits until each is ready where the spec says what shows that, and sets the cluster up. Does not
    /// wait until it serves.
    ///
    /// # Errors
    /// When a process does not start, a node is not ready in time, or the set-up does not succeed.
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
        // One that was killed before it was started for the first time stays down.
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

    /// Runs the command of the spec that sets the cluster up, if there is one.
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
        Leaders::new(self.watched(), members.collect(), self.foreign_members.clone())
    }

    /// Every node, to be asked how it is.
    pub(crate) fn watched(&self) -> Vec<Watched> {
        let watch =
            |(name, address): &(String, SocketAddr)| Watched::new(name, *address, self.asking.clone());
        self.nodes.iter().map(watch).collect()
    }

    /// How its nodes are asked what they say of themselves, where the spec or the file of the system says so.
    pub(crate) fn status_table(&self) -> Option<Arc<StatusTable>> {
        match &self.asking {
            Asking::Described(table) => Some(Arc::clone(table)),
            Asking::Own | Asking::Unknown => None,
        }
    }

    /// The failure of a run in which a program said what it may not say, once one has.
    pub(crate) async fn complaint(&self) -> Failure {
        match &self.hub {
            Some(hub) => hub.complaint().await.failure(),
            None => std::future::pending().await,
        }
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

    /// The last lines of what a node printed, or a further program of it.
    pub(crate) fn last_words(&self, node: &str, program: Option<&str>) -> Vec<String> {
        output::tail(&self.output(node, program))
    }

    fn output(&self, node: &str, program: Option<&str>) -> PathBuf {
        let own = output_path(&self.folder, node);
        program.map_or(own.clone(), |program| own.with_file_name(format!("{program}.log")))
    }

    /// The same, for messages.
    fn excerpt(&self, node: &str, program: Option<&str>) -> Option<String> {
        let words = self.last_words(node, program).into_iter().map(|line| format!("   | {line}\n"));
        Some(words.collect::<String>()).filter(|lines| !lines.is_empty())
    }

    /// What to say of a node that ended before the cluster served.
    pub(crate) fn ended_at_start(&self, exit: &Exit) -> Failure {
        let program = exit.program.as_deref();
        let words = self.last_words(&exit.node, program);
        let said = words.iter().rev().find_map(|line| line.split_once("error: ")).map(|(_, said)| said);
        let what = match said {
            Some(said) => format!("it ended at its start ({}): {said}", exit.how),
            None => format!("it ended at its start ({})", exit.how),
        };
        let path = self.output(&exit.node, program);
        let mut failure = Failure::bench(format!("node {}", exit.node), what)
            .help(format!("everything it printed is in {}", path.display()));
        failure.excerpt = self.excerpt(&exit.node, program);
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

/// The failure of a lab, with its own remedy where it says one.
pub(crate) fn testbed_failure(error: &TestbedError) -> Failure {
    let text = error.to_string();
    match text.split_once("; ") {
        Some((what, help)) => Failure::bench("cluster", what).help(help),
        None => Failure::bench("cluster", text),
    }
}

/// The port for clients that the system takes, where every node has all ports for itself.
fn client_port(experiment: &Experiment) -> Option<u16> {
    let port = experiment.spec.cluster.ports.get(foreign::CLIENT).copied();
    port.filter(|_| experiment.mode().is_ok_and(|mode| mode == Mode::Lab))
}

/// Where the nodes serve that run already.
fn addresses(experiment: &Experiment) -> Result<Vec<SocketAddr>, Failure> {
    let resolve = |(number, address): (usize, &String)| {
        let complain = |reason: String| experiment.complaint(&format!("cluster.addresses.{number}"), &reason);
        remote::resolve(address).map_err(complain)
    };
    (1..).zip(&experiment.spec.cluster.addresses).map(resolve).collect()
}

/// How the nodes of an experiment are asked what they say of themselves.
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

/// How the nodes of an experiment are asked for digests of their states.
fn digest(experiment: &Experiment) -> Result<Option<Arc<DigestTable>>, Failure> {
    let spec = &experiment.spec;
    let table = spec.digest.as_ref().map(|digest| digest.table(spec.client_kind())).transpose();
    table.map(|table| table.map(Arc::new)).map_err(|error| experiment.complaint(&error.field, &error.message))
}

/// What proves that a link carries bytes: every node answers it at once, whatever it thinks of it.
fn probe(experiment: &Experiment, asking: &Asking) -> Vec<u8> {
    let kind = match asking {
        Asking::Own => ClientKind::Http,
        Asking::Described(table) => table.kind(),
        Asking::Unknown => experiment.spec.client_kind(),
    };
    match kind {
        ClientKind::Resp => b"PING\r\n".to_vec(),
        ClientKind::Http | ClientKind::Exec | ClientKind::Maelstrom => {
            b"GET /status HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".to_vec()
        }
    }
}

/// Where what a node prints goes.
pub(super) fn output_path(folder: &Path, node: &str) -> PathBuf {
    folder.join("nodes").join(node).join("output.log")
}
