//! Makes the links of a testbed and the addresses of its nodes.

use super::{TestbedConfig, TestbedError};
use crate::network::{
    LabNetwork, LabNetworkError, Messages, Mode, NODES_MAX, Plan, PortBlock, Proxies, Way, Wires, make_room,
    most_nodes, needed_files,
};
use crate::parameters::Delay;
use crate::partition::Link;
use crate::reexec::inside_lab;
use crate::schedule::Tape;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// More ports would not fit below the ephemeral ports. With proxies, `n` nodes need `n` squared.
const PORTS_MAX: u16 = 10_000;

/// Raises the limit of open files for the nodes.
pub(super) fn room_for(mode: Mode, nodes: usize) -> Result<(), TestbedError> {
    let needed = needed_files(mode, nodes as u64);
    make_room(needed).map_err(|allowed| TestbedError::TooFewFiles {
        nodes,
        needed,
        allowed,
        most: most_nodes(mode, allowed),
        mode,
    })
}

/// The links, the addresses of each node (the one for clients first), and the reserved ports.
pub(super) type Made = (Wires, Vec<Vec<SocketAddr>>, Option<PortBlock>);

/// The network of a lab, in the namespaces of this process.
pub(super) async fn switched(
    config: &TestbedConfig,
    nodes: Vec<String>,
    base: Delay,
    tape: &Arc<Tape>,
) -> Result<Made, TestbedError> {
    if !inside_lab() {
        return Err(TestbedError::Outside);
    }
    if nodes.len() > NODES_MAX {
        return Err(TestbedError::TooManyNodes { nodes: nodes.len(), most: NODES_MAX, mode: Mode::Lab });
    }
    let plan = Plan {
        nodes,
        base,
        seed: config.seed,
        port: config.base_port,
        tcp_rto_max: config.tcp_rto_max,
        capture: config.capture.clone(),
        tape: Arc::clone(tape),
    };
    let ports = config.ports.clone();
    let made = tokio::task::spawn_blocking(move || {
        let network = LabNetwork::start(&plan)?;
        let all = |address: SocketAddr| {
            let further = ports.iter().map(|port| SocketAddr::new(address.ip(), *port));
            std::iter::once(address).chain(further).collect()
        };
        let addresses = plan.nodes.iter().map(|node| all(network.address(node))).collect();
        Ok::<_, LabNetworkError>((network, addresses))
    });
    let (network, addresses) =
        made.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
    Ok((Wires::Switch(network), addresses, None))
}

/// Ports on loopback, with a proxy in each directed link if the mode requires it.
pub(super) async fn on_loopback(
    config: &TestbedConfig,
    mode: Mode,
    base: Delay,
) -> Result<Made, TestbedError> {
    if !config.addresses.is_empty() {
        return Ok((Wires::Plain, config.addresses.iter().map(|address| vec![*address]).collect(), None));
    }
    let count = config.topology.nodes.len();
    let links = if mode == Mode::Proxy { count.saturating_mul(count - count.min(1)) } else { 0 };
    let each = 1 + config.ports.len();
    let ports = u16::try_from((count + links).saturating_mul(each)).ok().filter(|ports| *ports <= PORTS_MAX);
    let ports = ports.ok_or_else(|| {
        let most = usize::from(PORTS_MAX) / each;
        let most = if mode == Mode::Proxy { most.isqrt() } else { most };
        TestbedError::TooManyNodes { nodes: count, most, mode }
    })?;
    let block = match config.base_port {
        Some(base_port) => PortBlock::at(base_port, ports)?,
        None => PortBlock::find(ports)?,
    };
    let mut free = (0..ports).map(|index| block.port(index));
    let mut next_port = || free.next().expect("as many ports are reserved as needed");
    let mut address = |_| SocketAddr::from((Ipv4Addr::LOCALHOST, next_port()));
    let addresses: Vec<Vec<SocketAddr>> = (0..count).map(|_| (0..each).map(&mut address).collect()).collect();
    if mode == Mode::Host {
        return Ok((Wires::Plain, addresses, Some(block)));
    }
    if mode == Mode::Messages {
        let names: Vec<&str> = config.topology.names().collect();
        let router = Messages::start(&names, base, config.seed);
        return Ok((Wires::Router(router), addresses, Some(block)));
    }
    let mut proxies = Proxies::default();
    for from in config.topology.names() {
        for (to, upstreams) in config.topology.names().zip(&addresses).filter(|(to, _)| *to != from) {
            let ways = upstreams.iter().map(|upstream| Way { port: next_port(), upstream: *upstream });
            proxies.add(Link::new(from, to), &ways.collect::<Vec<_>>(), base, config.seed).await?;
        }
    }
    Ok((Wires::Proxies(proxies), addresses, Some(block)))
}
