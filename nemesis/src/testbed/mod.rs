//! The testbed: a cluster's processes and the links between them, under the bench's control.
//!
//! Every effect of a fault is an action here, held by a *claim* (the fault's number). If several faults hold
//! the same effect, it ends only with the last of them, so faults may overlap freely.

mod catch;
mod clocks;
mod data;
mod hosts;
mod members;
mod remote;
mod revival;
mod swaps;
mod taped;
mod volumes;
mod wiring;

use crate::claim::Claim;
use crate::disk::{Disk, DiskError, DiskMode, DiskModel, Disks, NodeDisk};
use crate::hosts::{HostConnection, HostError};
use crate::network::{
    LabNetworkError, LinkCounters, LinkFault, LinkSummary, Messages, Mode, Network, NetworkError, PortBlock,
    PortError, Probe, ProxyError, Wires, probe,
};
use crate::parameters::{Delay, Links};
use crate::partition::Link;
use crate::process::{Effect, Exit, NodeProcess, ProcessCommand, ProcessError, Spawner};
use crate::reexec::entering_took;
use crate::schedule::Tape;
use crate::topology::Topology;
pub(crate) use catch::Caught;
pub(crate) use data::{ENDED_BY_ITSELF, LeftImage};
pub use revival::{Gone, Revival};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use volumes::Volumes;
use wiring::Made;

/// Longest wait for killed processes to end. One that waits for a disk cannot end sooner.
const END_PATIENCE: Duration = Duration::from_secs(10);

/// The configuration of a testbed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestbedConfig {
    /// The requested network.
    pub network: Network,
    /// The nodes.
    pub topology: Topology,
    /// The properties of every link between them.
    pub links: Links,
    /// The first port to use; found when left out. Mode `lab`: the port of every node.
    pub base_port: Option<u16>,
    /// Further ports of each node, for its peers.
    ///
    /// Mode `lab` uses these numbers; the other modes choose as many free ports.
    pub ports: Vec<u16>,
    /// The addresses of servers that the user started, in node order, with mode `host`.
    ///
    /// Empty if the bench starts the nodes.
    pub addresses: Vec<SocketAddr>,
    /// Mode `lab`: the longest retransmission timeout of TCP, at least a second; two minutes when left out.
    pub tcp_rto_max: Option<Duration>,
    /// The requested kind of disk.
    pub disk: Disk,
    /// The data that a power loss may take from a disk in memory.
    pub disk_model: DiskModel,
    /// Mode `lab`: the file that gets every frame of the cluster, in the pcapng format.
    pub capture: Option<PathBuf>,
    /// Seed of all random choices of links and faults.
    pub seed: u64,
    /// A request that every node answers at once, as raw bytes.
    ///
    /// It proves that a link is cut or healed; without it only the link's counters can.
    pub probe: Option<Vec<u8>>,
}

/// An error of the testbed.
#[derive(Debug, thiserror::Error)]
pub enum TestbedError {
    /// The network is not available.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// No ports are available.
    #[error(transparent)]
    Ports(#[from] PortError),
    /// A proxy could not listen.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// The network of a lab could not be created.
    #[error(transparent)]
    Switch(#[from] LabNetworkError),
    /// A lab was requested outside of its namespaces.
    #[error("a lab needs its own namespaces; the program must call lab_entry first, then enter_lab")]
    Outside,
    /// The disks are not available, or failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A clock could not be shifted or read.
    #[error("the clock of {node}: {source}")]
    Clock {
        /// The node.
        node: String,
        /// The operating system's error.
        source: io::Error,
    },
    /// A host failed.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A process could not be started or signalled.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The thread that starts processes could not be started.
    #[error("no thread could be started: {0}")]
    Thread(io::Error),
    /// The cluster has more nodes than this network has ports for.
    #[error("{nodes} nodes are too many with network = \"{mode}\"; use at most {most}")]
    TooManyNodes {
        /// Number of nodes.
        nodes: usize,
        /// Largest number of nodes.
        most: usize,
        /// The network.
        mode: Mode,
    },
    /// The limit of open files is too low.
    #[error(
        "{nodes} nodes need about {needed} open files with network = \"{mode}\", and {allowed} are allowed; use at \
         most {most} nodes, or allow more: `ulimit -n {needed}`"
    )]
    TooFewFiles {
        /// Number of nodes.
        nodes: usize,
        /// Number of files that they need.
        needed: u64,
        /// The limit.
        allowed: u64,
        /// Number of nodes within the limit.
        most: u64,
        /// The network.
        mode: Mode,
    },
    /// Links should be delayed, but this network has no links that the bench controls.
    #[error(
        "[cluster.links] needs network = \"proxy\" or \"lab\"; with network = \"host\" the bench controls no link"
    )]
    PlainLinks,
    /// There are no data to swap.
    #[error("no disks were swapped: {reason}")]
    NothingToSwap {
        /// The reason, as a sentence.
        reason: String,
    },
    /// Data could not be moved between nodes.
    #[error(
        "the data of {} could not be swapped: {source}; their data are in a folder `data.swapped` beside each data folder",
        nodes.join(", ")
    )]
    Swap {
        /// The nodes.
        nodes: Vec<String>,
        /// The operating system's error.
        source: io::Error,
    },
    /// Killed processes did not end.
    #[error("still alive after SIGKILL: {}; they wait for a disk or a debugger", nodes.join(", "))]
    StillAlive {
        /// The nodes.
        nodes: Vec<String>,
    },
}

/// A running testbed. It ends when dropped: links, connections, and every process it started.
#[derive(Debug)]
pub struct Testbed {
    mode: Mode,
    took: Duration,
    disk: DiskMode,
    topology: Topology,
    base: Delay,
    seed: u64,
    probe: Option<Vec<u8>>,
    nodes: BTreeMap<String, Node>,
    wires: Wires,
    /// What counts and records the load, and in a replay holds back.
    tape: Arc<Tape>,
    spawner: Spawner,
    /// The owner of the data on each node's disk.
    volumes: Mutex<Volumes>,
    /// Held while data move between nodes.
    swapping: tokio::sync::Mutex<()>,
    exits: Mutex<Option<UnboundedReceiver<Exit>>>,
    /// None if every node has all ports for itself.
    _ports: Option<PortBlock>,
}

#[derive(Debug)]
struct Node {
    listen: SocketAddr,
    /// Its further addresses, for its peers.
    further: Vec<SocketAddr>,
    /// Its disk, if it is in memory.
    disk: Option<NodeDisk>,
    /// Its machine, if it is not the bench's own.
    host: Option<Arc<HostConnection>>,
    process: tokio::sync::Mutex<NodeProcess>,
}

impl Testbed {
    /// Reserves the ports and creates the links.
    ///
    /// It starts no node yet, because each node needs addresses that are only known now.
    pub async fn start(config: TestbedConfig) -> Result<Self, TestbedError> {
        let mode = config.network.choose()?;
        let began = Instant::now();
        let disk = config.disk.choose(mode)?;
        let base = Delay::from(config.links);
        if mode == Mode::Host && !base.is_zero() {
            return Err(TestbedError::PlainLinks);
        }
        let names: Vec<String> = config.topology.names().map(str::to_owned).collect();
        wiring::room_for(mode, names.len())?;
        let tape = Tape::new(names.clone());
        let network = match mode {
            Mode::Lab => wiring::switched(&config, names.clone(), base, &tape).await?,
            Mode::Proxy | Mode::Host | Mode::Messages | Mode::Hosts => {
                wiring::on_loopback(&config, mode, base).await?
            }
        };
        Self::with(config, (mode, disk, began), network, tape, &[])
    }

    /// The testbed on its network, on these machines if they are not the bench's own.
    fn with(
        config: TestbedConfig,
        (mode, disk, began): (Mode, DiskMode, Instant),
        (wires, addresses, ports): Made,
        tape: Arc<Tape>,
        hosts: &[Arc<HostConnection>],
    ) -> Result<Self, TestbedError> {
        let base = Delay::from(config.links);
        let names: Vec<String> = config.topology.names().map(str::to_owned).collect();
        let disks = match disk {
            DiskMode::Memory => Some(Disks::start()?),
            DiskMode::Real => None,
        };
        let (exit_sender, exits) = unbounded_channel();
        let own_disk = |name: &str| {
            disks.as_ref().map(|disks| NodeDisk::new(disks, name, config.seed, config.disk_model))
        };
        let mut hosts = hosts.iter().cloned();
        let node = |(name, addresses): (String, Vec<SocketAddr>)| {
            let (listen, further) = addresses.split_first().expect("each node has an address for clients");
            let (listen, further) = (*listen, further.to_vec());
            let (disk, host) = (own_disk(&name), hosts.next());
            let process =
                NodeProcess::new(&name, listen, wires.namespace(&name), disk.clone(), exit_sender.clone());
            let process = tokio::sync::Mutex::new(process.on_host(host.clone()));
            (name, Node { listen, further, disk, host, process })
        };
        let nodes = names.into_iter().zip(addresses).map(node).collect();
        Ok(Self {
            mode,
            took: began.elapsed() + entering_took(),
            disk,
            topology: config.topology,
            base,
            seed: config.seed,
            probe: config.probe,
            nodes,
            wires,
            tape,
            volumes: Mutex::default(),
            swapping: tokio::sync::Mutex::default(),
            spawner: Spawner::start().map_err(TestbedError::Thread)?,
            exits: Mutex::new(Some(exits)),
            _ports: ports,
        })
    }

    /// Its network mode.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Time until nodes could be started in it, with the namespaces around this process.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// A remark for the user about its network: a requested feature that is not available.
    pub fn remark(&self) -> Option<&'static str> {
        self.wires.remark()
    }

    /// The kind of disk of its nodes.
    pub fn disk(&self) -> DiskMode {
        self.disk
    }

    /// The router, with network = "messages".
    pub fn messages(&self) -> Option<&Messages> {
        self.wires.messages()
    }

    /// Its nodes.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The delay of every link without a fault.
    pub fn base_delay(&self) -> Delay {
        self.base
    }

    /// The address of a node, for itself and its clients.
    ///
    /// # Panics
    /// If there is no such node; so do all methods with a node or a link as parameter.
    pub fn listen_address(&self, node: &str) -> SocketAddr {
        self.node(node).listen
    }

    /// The address of `to` in the configuration of `from`.
    pub fn peer_address(&self, from: &str, to: &str) -> SocketAddr {
        let detour = if from == to { None } else { self.wires.detour(&Link::new(from, to), 0) };
        detour.unwrap_or_else(|| self.listen_address(to))
    }

    /// The further address of `to` in the configuration of `from`; for `to` itself, its listen address.
    pub fn further_address(&self, from: &str, to: &str, index: usize) -> SocketAddr {
        let detour = if from == to { None } else { self.wires.detour(&Link::new(from, to), index + 1) };
        detour.unwrap_or_else(|| self.node(to).further[index])
    }

    fn node(&self, name: &str) -> &Node {
        self.nodes.get(name).unwrap_or_else(|| panic!("there is no node {name}"))
    }

    /// The exits of processes that the bench did not request, as they happen.
    ///
    /// Only the first caller gets them.
    pub fn take_exits(&self) -> Option<UnboundedReceiver<Exit>> {
        self.exits.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Starts a node's process; returns its id.
    pub async fn spawn(&self, node: &str, command: ProcessCommand) -> Result<u32, TestbedError> {
        Ok(self.node(node).process.lock().await.spawn(command, &self.spawner).await?)
    }

    /// Stores the command of a node's process for [`wake`](Self::wake).
    pub async fn prepare(&self, node: &str, command: ProcessCommand) {
        self.node(node).process.lock().await.prepare(command);
    }

    /// Starts a [prepared](Self::prepare) node, unless it was started before.
    pub async fn wake(&self, node: &str) -> Result<Effect, TestbedError> {
        Ok(self.node(node).process.lock().await.wake(&self.spawner).await?)
    }

    /// The process id of a node, if it lives.
    pub async fn pid(&self, node: &str) -> Option<u32> {
        self.node(node).process.lock().await.pid()
    }

    /// Whether a node lives and no fault pauses it.
    pub async fn could_answer(&self, node: &str) -> bool {
        self.node(node).process.lock().await.could_answer()
    }

    /// Whether a node was ever started.
    pub async fn was_started(&self, node: &str) -> bool {
        self.node(node).process.lock().await.was_started()
    }

    /// Kills a node with SIGKILL.
    ///
    /// It stays down until every claim on it has ended in a [`restart`](Self::restart).
    pub async fn kill(&self, node: &str, claim: Claim) -> Result<Effect, TestbedError> {
        let mut process = self.node(node).process.lock().await;
        let was_silent = process.is_silent();
        let effect = process.kill(claim).await?;
        Ok(self.unless_it_answers(node, &process, was_silent, effect).await)
    }

    /// Stops a node with its stop signal, then SIGKILL if needed.
    ///
    /// It stays down as after [`kill`](Self::kill).
    pub async fn stop_node(&self, node: &str, claim: Claim) -> Result<Effect, TestbedError> {
        let mut process = self.node(node).process.lock().await;
        let was_silent = process.is_silent();
        let effect = process.stop(claim).await?;
        Ok(self.unless_it_answers(node, &process, was_silent, effect).await)
    }

    /// Releases a kill, and restarts the node on the same data if no other fault holds it down.
    pub async fn restart(&self, node: &str, claim: Claim) -> Result<Effect, TestbedError> {
        Ok(self.node(node).process.lock().await.restart(claim, &self.spawner).await?)
    }

    /// Pauses a node with SIGSTOP until every claim on it has ended in a [`resume`](Self::resume).
    pub async fn pause(&self, node: &str, claim: Claim) -> Result<Effect, TestbedError> {
        let mut process = self.node(node).process.lock().await;
        let was_silent = process.is_silent();
        let effect = process.pause(claim).await?;
        Ok(self.unless_it_answers(node, &process, was_silent, effect).await)
    }

    /// Releases a pause, and resumes the node if no other fault pauses it.
    pub async fn resume(&self, node: &str, claim: Claim) -> Result<Effect, TestbedError> {
        Ok(self.node(node).process.lock().await.resume(claim).await?)
    }

    /// Adds a fault to a link; it stays until the claim is [released](Self::release).
    pub fn apply(&self, link: &Link, claim: Claim, fault: LinkFault) {
        self.wires.apply(link, claim, fault);
    }

    /// Removes a claim's fault from a link; false if there was none.
    pub fn release(&self, link: &Link, claim: Claim) -> bool {
        self.wires.release(link, claim)
    }

    /// Number of faults on a link.
    pub fn faults_on(&self, link: &Link) -> usize {
        self.wires.faults_on(link)
    }

    /// Resets the open connections of a link; returns their number.
    pub async fn reset(&self, link: &Link) -> u64 {
        self.wires.reset(link).await
    }

    /// The counters of a link so far.
    pub fn counters(&self, link: &Link) -> LinkCounters {
        self.wires.counters(link)
    }

    /// Every link with its counters so far; none with `network = "host"`.
    pub fn links(&self) -> Vec<LinkSummary> {
        self.wires.summary()
    }

    /// Sends the probe over a link, as its first node would; none if the testbed has no probe.
    pub async fn probe(&self, link: &Link, patience: Duration) -> Option<Probe> {
        self.wires.probe(link, self.probe.as_deref()?, patience).await
    }

    /// Sends the probe to a node directly, as a client would; none if the testbed has no probe.
    pub async fn probe_node(&self, node: &str, patience: Duration) -> Option<Probe> {
        Some(probe(self.listen_address(node), self.probe.as_deref()?, patience, |_| ()).await)
    }

    /// Heals every fault: links first, then disks, pauses and kills. Returns a line for each heal.
    pub async fn heal_all(&self) -> Result<Vec<String>, TestbedError> {
        let mut healed: Vec<String> =
            self.wires.release_all().iter().map(|link| format!("{link} healed")).collect();
        let mut first_error = self.settle().await.err();
        let swapped = self.end_swaps().await;
        for (name, node) in &self.nodes {
            let mut process = node.process.lock().await;
            if let Some(error) = process.disk().and_then(|disk| disk.release_all().err()) {
                first_error = first_error.or(Some(error.into()));
            }
            if let Some(error) = process.clock().and_then(|clock| clock.release(None).err()) {
                first_error = first_error.or(Some(TestbedError::Clock { node: name.clone(), source: error }));
            }
            let (down, still) = process.claims();
            for claim in still {
                match process.resume(claim).await {
                    Ok(effect) => healed.extend(effect.evidence.iter().map(|seen| format!("{name}: {seen}"))),
                    Err(error) => first_error = first_error.or(Some(error.into())),
                }
            }
            for claim in down {
                match process.restart(claim, &self.spawner).await {
                    Ok(effect) => healed.extend(effect.evidence.iter().map(|seen| format!("{name}: {seen}"))),
                    Err(error) => first_error = first_error.or(Some(error.into())),
                }
            }
        }
        healed.extend(swapped?);
        first_error.map_or(Ok(healed), Err)
    }

    /// Kills every process and checks that none is left, then saves disks in memory to the data folders.
    ///
    /// Dropping the testbed does the same, without an error value and without saving.
    pub async fn stop(&self) -> Result<(), TestbedError> {
        for node in self.nodes.values() {
            node.process.lock().await.order_end();
        }
        let mut alive = Vec::new();
        for (name, node) in &self.nodes {
            if !node.process.lock().await.ended(END_PATIENCE).await {
                alive.push(name.clone());
            }
        }
        if !alive.is_empty() {
            return Err(TestbedError::StillAlive { nodes: alive });
        }
        self.save_disks().await?;
        self.leave_hosts().await
    }
}

impl Drop for Testbed {
    fn drop(&mut self) {
        for node in self.nodes.values_mut() {
            node.process.get_mut().order_end();
        }
        for node in self.nodes.values_mut() {
            node.process.get_mut().ended_within(END_PATIENCE);
        }
    }
}

#[cfg(test)]
mod tests;
