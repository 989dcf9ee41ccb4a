//! A testbed on many machines, one for each node.

use super::{Testbed, TestbedConfig, TestbedError};
use crate::disk::DiskMode;
use crate::hosts::{HostConnection, HostError, HostNetwork, HostNode};
use crate::network::{Mode, Wires};
use crate::schedule::Tape;
use futures_util::future::{join_all, select_all};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// The port of every node, unless the configuration has another.
const PORT: u16 = 8000;

impl Testbed {
    /// The testbed on these hosts, in node order, whose ports must be free.
    ///
    /// `counted`: whether the packets between the hosts are counted, which faults of links need.
    pub async fn start_on(
        config: TestbedConfig,
        hosts: &[Arc<HostConnection>],
        counted: bool,
    ) -> Result<Self, TestbedError> {
        let began = Instant::now();
        let ports: Vec<u16> =
            std::iter::once(config.base_port.unwrap_or(PORT)).chain(config.ports.iter().copied()).collect();
        let of = |host: &Arc<HostConnection>| -> Vec<SocketAddr> {
            ports.iter().map(|port| (host.address(), *port).into()).collect()
        };
        let addresses: Vec<Vec<SocketAddr>> = hosts.iter().map(of).collect();
        let reserved = hosts.iter().zip(&addresses).map(|(host, addresses)| host.reserve(addresses.clone()));
        join_all(reserved).await.into_iter().collect::<Result<Vec<()>, _>>()?;
        let all: Vec<Ipv4Addr> = hosts.iter().map(|host| host.address()).collect();
        join_all(hosts.iter().map(|host| host.reaches(all.clone())))
            .await
            .into_iter()
            .collect::<Result<Vec<()>, _>>()?;
        let node = |((name, host), addresses): ((&str, &Arc<HostConnection>), &Vec<SocketAddr>)| HostNode {
            name: name.to_owned(),
            address: addresses[0],
            host: Arc::clone(host),
        };
        let nodes = config.topology.names().zip(hosts).zip(&addresses).map(node).collect();
        let network = HostNetwork::new(nodes);
        if counted {
            network.watch();
        }
        let made = (Wires::Hosts(network), addresses, None);
        let tape = Tape::new(config.topology.names().map(str::to_owned).collect());
        let testbed = Self::with(config, (Mode::Hosts, DiskMode::Real, began), made, tape, hosts)?;
        testbed.settle().await?;
        Ok(testbed)
    }

    /// The host of a node; none if it runs on the bench's machine.
    pub fn host_of(&self, node: &str) -> Option<&Arc<HostConnection>> {
        self.node(node).host.as_ref()
    }

    /// The folder of a node on its host.
    pub fn folder_of(&self, node: &str) -> Option<&Path> {
        self.host_of(node).map(|host| host.folder())
    }

    /// Waits until all changes of links are in force and their counters are read.
    pub(crate) async fn settle(&self) -> Result<(), TestbedError> {
        Ok(self.wires.settle().await?)
    }

    /// Waits until the connection to a host is lost.
    pub async fn until_host_lost(&self) -> HostError {
        let hosts: Vec<_> = self.nodes.values().filter_map(|node| node.host.as_ref()).collect();
        if hosts.is_empty() {
            return std::future::pending().await;
        }
        select_all(hosts.into_iter().map(|host| Box::pin(host.until_lost()))).await.0
    }

    /// Has every host healed and left.
    pub(super) async fn leave_hosts(&self) -> Result<(), TestbedError> {
        let hosts = self.nodes.values().filter_map(|node| node.host.as_ref());
        let left = join_all(hosts.map(|host| host.leave())).await;
        Ok(left.into_iter().collect::<Result<(), HostError>>()?)
    }
}
