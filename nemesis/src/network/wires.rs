//! The connections between the nodes of a testbed, of any mode, behind one interface.

use super::condition::LinkFault;
use super::counters::{LinkCounters, LinkSummary};
use super::lab::{LabNetwork, Namespace};
use super::messages::Messages;
use super::proxy::{Probe, Proxies};
use crate::claim::Claim;
use crate::hosts::{HostError, HostNetwork};
use crate::partition::Link;
use std::net::SocketAddr;
use std::time::Duration;

/// The kind of connection between the nodes.
#[derive(Debug)]
pub(crate) enum Wires {
    /// Loopback without any code of the bench.
    Plain,
    /// A proxy in each directed link.
    Proxies(Proxies),
    /// A network of the bench's own.
    Switch(LabNetwork),
    /// A router, to which nodes give their messages.
    Router(Messages),
    /// The network of many machines.
    Hosts(HostNetwork),
}

const PLAIN: &str = "with network = \"host\" the bench controls no link";

impl Wires {
    /// The address at which `link.from` dials `link.to`, if it differs from the address of `link.to`.
    ///
    /// Way 0 leads to the port for clients, the other ways to its further ports.
    pub(crate) fn detour(&self, link: &Link, way: usize) -> Option<SocketAddr> {
        match self {
            Self::Proxies(proxies) => Some(proxies.address(link, way)),
            Self::Plain | Self::Switch(_) | Self::Router(_) | Self::Hosts(_) => None,
        }
    }

    /// The network namespace of a node's processes, if it has its own.
    pub(crate) fn namespace(&self, node: &str) -> Option<Namespace> {
        match self {
            Self::Switch(network) => Some(network.namespace(node)),
            Self::Plain | Self::Proxies(_) | Self::Router(_) | Self::Hosts(_) => None,
        }
    }

    /// The router, where nodes exchange messages.
    pub(crate) fn messages(&self) -> Option<&Messages> {
        match self {
            Self::Router(messages) => Some(messages),
            Self::Plain | Self::Proxies(_) | Self::Switch(_) | Self::Hosts(_) => None,
        }
    }

    /// Adds a fault to a link.
    pub(crate) fn apply(&self, link: &Link, claim: Claim, fault: LinkFault) {
        match self {
            Self::Plain => panic!("{PLAIN}"),
            Self::Proxies(proxies) => proxies.apply(link, claim, fault),
            Self::Switch(network) => network.apply(link, claim, fault),
            Self::Router(messages) => messages.apply(link, claim, fault),
            Self::Hosts(hosts) => hosts.apply(link, claim, fault),
        }
    }

    /// Removes a claim's fault from a link; false if there was none.
    pub(crate) fn release(&self, link: &Link, claim: Claim) -> bool {
        match self {
            Self::Plain => panic!("{PLAIN}"),
            Self::Proxies(proxies) => proxies.release(link, claim),
            Self::Switch(network) => network.release(link, claim),
            Self::Router(messages) => messages.release(link, claim),
            Self::Hosts(hosts) => hosts.release(link, claim),
        }
    }

    /// Removes every fault from every link; returns the links that had faults.
    pub(crate) fn release_all(&self) -> Vec<Link> {
        match self {
            Self::Plain => Vec::new(),
            Self::Proxies(proxies) => proxies.release_all(),
            Self::Switch(network) => network.release_all(),
            Self::Router(messages) => messages.release_all(),
            Self::Hosts(hosts) => hosts.release_all(),
        }
    }

    /// Number of faults on the path of a request over a link and of its answer.
    pub(crate) fn faults_on(&self, link: &Link) -> usize {
        match self {
            Self::Plain => panic!("{PLAIN}"),
            Self::Proxies(proxies) => proxies.faults_on(link),
            Self::Switch(network) => network.faults_on(link),
            Self::Router(messages) => messages.faults_on(link),
            Self::Hosts(hosts) => hosts.faults_on(link),
        }
    }

    /// Resets the open connections of a link; returns their number.
    pub(crate) async fn reset(&self, link: &Link) -> u64 {
        match self {
            Self::Plain => panic!("{PLAIN}"),
            Self::Proxies(proxies) => proxies.reset(link).await,
            Self::Switch(network) => network.reset(link).await,
            // Messages need no connections, and the plan refuses this fault on many machines.
            Self::Router(_) | Self::Hosts(_) => 0,
        }
    }

    /// A remark about the network for the user.
    pub(crate) fn remark(&self) -> Option<&'static str> {
        match self {
            Self::Plain | Self::Proxies(_) | Self::Router(_) | Self::Hosts(_) => None,
            Self::Switch(network) => network.remark(),
        }
    }

    /// The counters of a link so far.
    pub(crate) fn counters(&self, link: &Link) -> LinkCounters {
        match self {
            Self::Plain => panic!("{PLAIN}"),
            Self::Proxies(proxies) => proxies.counters(link),
            Self::Switch(network) => network.counters(link),
            Self::Router(messages) => messages.counters(link),
            Self::Hosts(hosts) => hosts.counters(link),
        }
    }

    /// Every link with its counters.
    pub(crate) fn summary(&self) -> Vec<LinkSummary> {
        match self {
            Self::Plain => Vec::new(),
            Self::Proxies(proxies) => proxies.summary(),
            Self::Switch(network) => network.summary(),
            Self::Router(messages) => messages.summary(),
            Self::Hosts(hosts) => hosts.summary(),
        }
    }

    /// Sends a request over a link as `link.from` would; none if that failed.
    pub(crate) async fn probe(&self, link: &Link, request: &[u8], patience: Duration) -> Option<Probe> {
        match self {
            Self::Plain => panic!("{PLAIN}"),
            Self::Proxies(proxies) => Some(proxies.probe(link, request, patience).await),
            Self::Switch(network) => Some(network.probe(link, request, patience).await),
            Self::Router(messages) => Some(messages.probe(link, request.len(), patience).await),
            Self::Hosts(hosts) => hosts.probe(link, request, patience).await,
        }
    }

    /// Waits until all changes are in force and all counters are read.
    pub(crate) async fn settle(&self) -> Result<(), HostError> {
        match self {
            Self::Hosts(hosts) => hosts.settle().await,
            Self::Plain | Self::Proxies(_) | Self::Switch(_) | Self::Router(_) => Ok(()),
        }
    }
}
