//! The network of a lab: one namespace per node, joined by a switch in the bench.
//!
//! Port `i` of the switch is the node with index `i`. The last port is the bench itself; its clients are called
//! [`CLIENTS`] as the end of a link. Open descriptors hold every part, which ends with them.

mod capture;
mod connections;
mod frame;
mod gate;
mod namespace;
mod netlink;
mod probes;
mod switch;
mod sys;

pub(crate) use namespace::Namespace;
pub(super) use probes::can_be_made;
pub use probes::{LabProbe, probe_lab};
pub(crate) use probes::{PROBE, disk_can_be_mounted, inside as probe_inside};

use super::condition::{Faults, LinkFault};
use super::counters::{LinkCounters, LinkSummary};
use super::lane::Lane;
use super::proxy::{Probe, probe_with};
use crate::claim::Claim;
use crate::delay::Delay;
use crate::partition::{CLIENTS, Link};
use crate::schedule::Tape;
use capture::Capture;
use gate::Gate;
use netlink::{End, LOOPBACK, Netlink};
use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;
use switch::{Control, Fabric, Order, Switch};

/// The port of every node, at its own address.
const PORT: u16 = 8000;
/// The source ports of the bench's probes, above those of ordinary connections (`ip_local_port_range`).
///
/// By these ports the switch distinguishes probes from the system's traffic.
const PROBES: RangeInclusive<u16> = 61_000..=u16::MAX;
const PREFIX: u8 = 24;
/// The name of the interface to the switch inside each network.
const INTERFACE: &str = "lab0";
/// Number of consecutive ports that may be in use before a probe fails.
const PROBE_TRIES: u16 = 100;
/// The number of available addresses.
pub(crate) const NODES_MAX: usize = 200;
/// The file for name resolution; private to the lab.
const HOSTS: &str = "/etc/hosts";

/// The kernel's limit of the TCP retransmission timeout in a network, since Linux 6.15.
const RTO_MAX: &str = "/proc/sys/net/ipv4/tcp_rto_max_ms";

/// An error of the lab's network.
#[derive(Debug, thiserror::Error)]
#[error("the lab's network: {action}: {source}")]
pub struct LabNetworkError {
    action: String,
    source: io::Error,
}

fn failed<'a>(action: impl Into<String> + 'a) -> impl FnOnce(io::Error) -> LabNetworkError + 'a {
    move |source| LabNetworkError { action: action.into(), source }
}

/// The parameters of the network.
pub(crate) struct Plan {
    pub(crate) nodes: Vec<String>,
    pub(crate) base: Delay,
    pub(crate) seed: u64,
    /// The port at which every node listens.
    pub(crate) port: Option<u16>,
    /// The longest retransmission timeout of TCP.
    pub(crate) tcp_rto_max: Option<Duration>,
    /// The file that gets every frame.
    pub(crate) capture: Option<PathBuf>,
    /// What sees every message between nodes.
    pub(crate) tape: Arc<Tape>,
}

/// The running network. It ends when dropped.
#[derive(Debug)]
pub(crate) struct LabNetwork {
    /// The nodes, and the clients last.
    names: Vec<String>,
    namespaces: Vec<Namespace>,
    port: u16,
    /// Number of probes so far, which selects the port of the next.
    probes: AtomicU16,
    /// Whether the kernel limits TCP's retransmission timeout as requested.
    bounded: bool,
    fabric: Arc<Fabric>,
    /// None only while it is being dropped.
    control: Option<Control>,
    thread: Option<JoinHandle<()>>,
}

impl LabNetwork {
    /// Makes the namespaces, the interfaces and the switch. Blocks for some milliseconds.
    pub(crate) fn start(plan: &Plan) -> Result<Self, LabNetworkError> {
        let (ready, answer) = std::sync::mpsc::channel();
        let nodes = plan.nodes.len();
        let base = plan.base;
        let fabric = Arc::new(Fabric::new(nodes + 1, |from, to| {
            let base = if from < nodes && to < nodes { base } else { Delay::default() };
            Lane::new(base, plan.seed, (from * 256 + to) as u64)
        }));
        let theirs = Arc::clone(&fabric);
        let bounded = plan.tcp_rto_max.is_none() || Path::new(RTO_MAX).exists();
        let rto = plan.tcp_rto_max.filter(|_| bounded);
        let mut names = plan.nodes.clone();
        names.push(CLIENTS.to_owned());
        let capture = plan.capture.as_ref().map(|path| {
            Capture::create(path, &names).map_err(failed(format!("the capture {}", path.display())))
        });
        let capture = capture.transpose()?;
        let builder = std::thread::Builder::new().name("switch".to_owned());
        let port = plan.port.unwrap_or(PORT);
        let gate = Gate::new(Arc::clone(&plan.tape), nodes);
        let work = move || {
            // The caller waits for this answer without a timeout.
            match build(&theirs, nodes, rto) {
                Ok((mut switch, control, namespaces, interface)) => {
                    (switch.capture, switch.listen, switch.gate) = (capture, port, Some(gate));
                    let _ = ready.send(Ok((control, namespaces)));
                    if let Err(error) = switch.run() {
                        eprintln!("the lab's switch failed: {error}");
                    }
                    interface.remove();
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        };
        let thread = builder.spawn(work).map_err(failed("the thread of the switch"))?;
        let answer = answer.recv().expect("the thread answers before it does anything else");
        let (control, namespaces) = answer?;
        plan.tape.set_bell(control.bell().map_err(failed("the bell of the switch"))?);
        let network = Self {
            names,
            namespaces,
            port,
            probes: AtomicU16::default(),
            bounded,
            fabric,
            control: Some(control),
            thread: Some(thread),
        };
        network.write_hosts()?;
        Ok(network)
    }

    fn write_hosts(&self) -> Result<(), LabNetworkError> {
        let own = (0..self.names.len())
            .map(|node_index| format!("{} {}\n", address(node_index), self.names[node_index]));
        let text = format!("127.0.0.1 localhost\n{}", own.collect::<String>());
        std::fs::write(HOSTS, text).map_err(failed(HOSTS))
    }

    /// A remark about this network for the user.
    pub(crate) fn remark(&self) -> Option<&'static str> {
        let remark = "tcp-rto-max has no effect, as this kernel is older than Linux 6.15: after a heal, TCP may wait \
                      long before it sends again";
        (!self.bounded).then_some(remark)
    }

    /// The address of a node.
    pub(crate) fn address(&self, node: &str) -> SocketAddr {
        (address(self.node_index(node)), self.port).into()
    }

    /// The network namespace of a node's processes.
    pub(crate) fn namespace(&self, node: &str) -> Namespace {
        self.namespaces[self.node_index(node)].clone()
    }

    fn node_index(&self, name: &str) -> usize {
        let node_index = self.names.iter().position(|own| own == name);
        node_index.unwrap_or_else(|| panic!("there is no node {name}"))
    }

    fn ends(&self, link: &Link) -> (usize, usize) {
        (self.node_index(&link.from), self.node_index(&link.to))
    }

    fn lane(&self, link: &Link) -> &Lane {
        let (from, to) = self.ends(link);
        self.fabric.lane(from, to)
    }

    fn control(&self) -> &Control {
        self.control.as_ref().expect("the switch runs until the network is dropped")
    }

    fn change<T>(&self, link: &Link, change: impl FnOnce(&mut Faults) -> T) -> T {
        let (from, to) = self.ends(link);
        let (result, latest) = self.fabric.lane(from, to).change(self.fabric.now(), change);
        self.control().order(Order::Hurry { from, to, latest });
        result
    }

    /// Adds a fault to a directed link; it stays until its claim is released.
    pub(crate) fn apply(&self, link: &Link, claim: Claim, fault: LinkFault) {
        self.change(link, |faults| faults.apply(claim, fault));
    }

    /// Removes a claim's fault from a link; false if there was none.
    pub(crate) fn release(&self, link: &Link, claim: Claim) -> bool {
        self.change(link, |faults| faults.release(claim))
    }

    /// Removes every fault from every link; returns the links that had faults.
    pub(crate) fn release_all(&self) -> Vec<Link> {
        let had = |link: &Link| self.change(link, Faults::release_all);
        self.links().into_iter().filter(had).collect()
    }

    /// Number of faults on the path of a request over a link and of its answer.
    pub(crate) fn faults_on(&self, link: &Link) -> usize {
        let back = Link::new(&*link.to, &*link.from);
        let claims = |link| self.lane(link).with_faults(|faults| faults.claims().collect::<Vec<_>>());
        claims(link).into_iter().chain(claims(&back)).collect::<BTreeSet<_>>().len()
    }

    /// Resets the connections that `link.from` dialled to `link.to`; returns the number of open ones.
    pub(crate) async fn reset(&self, link: &Link) -> u64 {
        let (from, to) = self.ends(link);
        let (answer, count) = tokio::sync::oneshot::channel();
        self.control().order(Order::Reset { from, to, answer });
        let count = count.await.unwrap_or(0);
        self.lane(link).counters.reset.fetch_add(count, Relaxed);
        count
    }

    /// The counters of the link so far.
    pub(crate) fn counters(&self, link: &Link) -> LinkCounters {
        self.lane(link).counters.read()
    }

    fn links(&self) -> Vec<Link> {
        let pairs = self.names.iter().flat_map(|from| self.names.iter().map(move |to| (from, to)));
        pairs.filter(|(from, to)| from != to).map(|(from, to)| Link::new(from, to)).collect()
    }

    /// Every link, those of the clients included, with its counters.
    pub(crate) fn summary(&self) -> Vec<LinkSummary> {
        let all = self.links().into_iter();
        all.map(|link| LinkSummary { counters: self.counters(&link), link }).collect()
    }

    /// Sends `request` to `link.to` as a process of `link.from` would.
    pub(crate) async fn probe(&self, link: &Link, request: &[u8], patience: Duration) -> Probe {
        let (from, to) = self.ends(link);
        let socket = self.namespaces[from].inside(|| self.probe_socket(from));
        match socket {
            Ok(socket) => probe_with(socket, (address(to), self.port).into(), request, patience).await,
            Err(_) => Probe::Refused,
        }
    }

    /// A socket at the next free probe port.
    fn probe_socket(&self, from: usize) -> io::Result<tokio::net::TcpSocket> {
        let (first, last) = PROBES.into_inner();
        let ports = last - first + 1;
        let mut refused = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in 0..PROBE_TRIES {
            let port = first + self.probes.fetch_add(1, Relaxed) % ports;
            let socket = tokio::net::TcpSocket::new_v4()?;
            match socket.bind(SocketAddr::from((address(from), port))) {
                Ok(()) => return Ok(socket),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }
}

impl Drop for LabNetwork {
    fn drop(&mut self) {
        drop(self.control.take());
        if let Some(thread) = self.thread.take() {
            // It panics only after a bug of our own, whose message it has printed.
            let _ = thread.join();
        }
    }
}

/// The address of the node with this index; the index after the last node is the clients.
fn address(node_index: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 117, 0, u8::try_from(node_index + 1).expect("there are at most 200 nodes"))
}

/// The bench's own interface to the switch; removed when dropped, which frees its name.
struct OwnInterface {
    hub: Netlink,
    index: u32,
}

impl OwnInterface {
    fn remove(&self) {
        // The kernel removes it with the namespace of the switch in any case, only later.
        let _ = self.hub.remove(self.index);
    }
}

type Built = (Switch, Control, Vec<Namespace>, OwnInterface);

/// Creates everything on the calling thread, which from then on is in the network of the switch.
fn build(fabric: &Arc<Fabric>, nodes: usize, rto: Option<Duration>) -> Result<Built, LabNetworkError> {
    let own = Namespace::current().map_err(failed("the bench's own namespace"))?;
    let mut namespaces = Vec::new();
    for _ in 0..nodes {
        namespaces.push(Namespace::create().map_err(failed("a namespace of a node"))?);
    }
    namespaces.push(own);
    Namespace::create().map_err(failed("the namespace of the switch"))?;
    let hub = Netlink::open().map_err(failed("netlink"))?;
    let mut interfaces = Vec::new();
    for (node_index, namespace) in namespaces.iter().enumerate() {
        let make = || {
            let name = format!("port{node_index}");
            let mut inner = frame::mac(node_index);
            inner[1] = 0xbd;
            let here = End { name: &name, mac: inner };
            let there = End { name: INTERFACE, mac: frame::mac(node_index) };
            hub.add_pair(&here, &there, namespace.fd())?;
            let index = Netlink::index(&name)?;
            hub.up(index)?;
            namespace.inside(|| settle(node_index, nodes + 1, rto))?;
            Ok(index)
        };
        let who = if node_index < nodes {
            format!("the cable of node {}", node_index + 1)
        } else {
            "the cable of the clients".to_owned()
        };
        interfaces.push(make().map_err(failed(who))?);
    }
    for (index, namespace) in interfaces.iter().zip(&namespaces) {
        let both = hub.wait_until_running(*index).and_then(|()| {
            namespace.inside(|| {
                let inside = Netlink::open()?;
                inside.wait_until_running(Netlink::index(INTERFACE)?)
            })
        });
        both.map_err(failed("a cable that carries packets"))?;
    }
    let (switch, control) =
        Switch::open(Arc::clone(fabric), &interfaces, nodes).map_err(failed("the switch"))?;
    let index = *interfaces.last().expect("the clients have an interface");
    Ok((switch, control, namespaces, OwnInterface { hub, index }))
}

/// Sets up the inside of a node's network, on a thread in that network.
fn settle(node_index: usize, ports: usize, rto: Option<Duration>) -> io::Result<()> {
    let netlink = Netlink::open()?;
    let index = Netlink::index(INTERFACE)?;
    netlink.up(LOOPBACK)?;
    netlink.add_address(index, address(node_index), PREFIX)?;
    netlink.up(index)?;
    for other in (0..ports).filter(|other| *other != node_index) {
        netlink.add_neighbour(index, address(other), frame::mac(other))?;
    }
    if let Some(rto) = rto {
        std::fs::write(RTO_MAX, rto.as_millis().to_string())
            .map_err(|error| io::Error::new(error.kind(), format!("tcp-rto-max ({RTO_MAX}): {error}")))?;
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests;
