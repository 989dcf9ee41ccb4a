//! The bench's own store as the system under test: its node processes in a lab, and who leads them.

use super::http::Asker;
use super::output;
use crate::failure::Failure;
use crate::spec::Experiment;
use nemesis::{Directory, Exit, Lab, LabConfig, LabError, Mode, ProcessCommand};
use node::config::{Member, NodeConfig, Role};
use node::status::Status;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// What proves that a link carries bytes: every node answers it at once.
const PROBE: &[u8] = b"GET /status HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n";
/// How long a node may take to say whether it leads.
const ANSWER_WITHIN: Duration = Duration::from_millis(300);

/// A cluster of node processes, all started.
#[derive(Debug)]
pub(crate) struct PaxosCluster {
    /// The processes and the links between them.
    pub(crate) lab: Arc<Lab>,
    /// Every node with the address it listens on.
    pub(crate) nodes: Vec<(String, SocketAddr)>,
    /// Those that host a replica.
    pub(crate) replicas: Vec<(String, SocketAddr)>,
    folder: PathBuf,
}

impl PaxosCluster {
    /// Makes the lab and starts every node in `folder/nodes/<name>`. Does not wait until they serve.
    ///
    /// # Errors
    /// When the network cannot be had or a process does not start.
    pub(crate) async fn start(experiment: &Experiment, folder: &Path, seed: u64) -> Result<Self, Failure> {
        let cluster = &experiment.spec.cluster;
        let config = LabConfig {
            network: cluster.network,
            topology: experiment.topology(),
            links: cluster.links,
            base_port: cluster.base_port,
            tcp_rto_max: cluster.tcp_rto_max,
            seed,
            probe: Some(PROBE.to_vec()),
        };
        let lab = Lab::start(config).await.map_err(|error| lab_failure(&error))?;
        let planned = cluster.planned_nodes();
        let addressed = |hosts: &dyn Fn(&Role) -> bool| -> Vec<(String, SocketAddr)> {
            planned
                .iter()
                .filter(|node| node.roles.iter().any(hosts))
                .map(|node| (node.name.clone(), lab.listen_address(&node.name)))
                .collect()
        };
        let nodes = addressed(&|_| true);
        let replicas = addressed(&|role| *role == Role::Replica);
        for (number, node) in (0..).zip(&planned) {
            let members = planned.iter().map(|member| Member {
                name: member.name.clone(),
                address: lab.peer_address(&node.name, &member.name),
                roles: member.roles.clone(),
            });
            let config = NodeConfig {
                name: node.name.clone(),
                listen: lab.listen_address(&node.name),
                enclosed: lab.mode() == Mode::Lab,
                data: folder.join("nodes").join(&node.name).join("data"),
                // Nodes that jitter alike would never get out of each other's way.
                seed: seed.wrapping_mul(1_000).wrapping_add(number),
                members: members.collect(),
                paxos: cluster.paxos.clone(),
            };
            let command = prepare(folder, &config)?;
            lab.spawn(&node.name, command).await.map_err(|error| lab_failure(&error))?;
        }
        Ok(Self { lab: Arc::new(lab), nodes, replicas, folder: folder.to_owned() })
    }

    /// Where clients send their operations.
    pub(crate) fn targets(&self) -> Vec<workloads::Target> {
        let target = |(name, address): &(String, SocketAddr)| workloads::Target {
            name: name.clone(),
            address: *address,
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
        let lab =
            Arc::into_inner(self.lab).expect("the faults have let go of the lab when their run is over");
        lab.stop().await.map_err(|error| lab_failure(&error))
    }
}

/// The failure of a lab, with its own remedy where it says one.
pub(crate) fn lab_failure(error: &LabError) -> Failure {
    let text = error.to_string();
    match text.split_once("; ") {
        Some((what, help)) => Failure::bench("cluster", what).help(help),
        None => Failure::bench("cluster", text),
    }
}

/// Writes a node's configuration, and says how to start it.
fn prepare(folder: &Path, config: &NodeConfig) -> Result<ProcessCommand, Failure> {
    let own = folder.join("nodes").join(&config.name);
    fs::create_dir_all(&own).map_err(|error| Failure::io(&own, &error))?;
    let path = own.join("config.json");
    let mut text =
        serde_json::to_string_pretty(config).expect("a node's configuration can be written as JSON");
    text.push('\n');
    fs::write(&path, text).map_err(|error| Failure::io(&path, &error))?;
    let program = std::env::current_exe()
        .map_err(|error| Failure::bench("bench", format!("this program cannot find itself: {error}")))?;
    let parent = std::process::id().to_string();
    Ok(ProcessCommand {
        program,
        args: vec!["node".into(), "--config".into(), path.into(), "--parent".into(), parent.into()],
        env: Vec::new(),
        output: output_path(folder, &config.name),
        data: Some(config.data.clone()),
    })
}

fn output_path(folder: &Path, node: &str) -> PathBuf {
    folder.join("nodes").join(node).join("output.log")
}

/// Finds the leader by asking all nodes.
#[derive(Debug)]
pub(crate) struct Leaders(pub(crate) Vec<(String, SocketAddr)>);

impl Directory for Leaders {
    fn leader(&self) -> Pin<Box<dyn Future<Output = Option<String>> + Send + '_>> {
        Box::pin(leader(&self.0))
    }
}

/// The node that leads: of those that say their leader is active, the one with the highest ballot.
async fn leader(nodes: &[(String, SocketAddr)]) -> Option<String> {
    let mut answers = JoinSet::new();
    for (name, address) in nodes {
        let (name, mut asker) = (name.clone(), Asker::new(*address));
        answers.spawn(async move {
            let status: Status = asker.get("/status", ANSWER_WITHIN).await.ok()?;
            status.active.then_some((status.round, name))
        });
    }
    let mut leaders = Vec::new();
    while let Some(answer) = answers.join_next().await {
        leaders.extend(answer.ok().flatten());
    }
    leaders.into_iter().max().map(|(_, name)| name)
}
