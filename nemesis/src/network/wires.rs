//! What is between the nodes: nothing, proxies, a switch, or a router of messages. One set of words for all of them.

use super::condition::LinkFault;
use super::counters::{LinkCounters, LinkSummary};
use super::lab::{LabNetwork, Namespace};
use super::messages::Messages;
use super::proxy::{Probe, Proxies};
use crate::claim::Claim;
use crate::partition::Link;
use std::net::SocketAddr;
use std::time::Duration;

/// What is between the nodes.
#[derive(Debug)]
pub(crate) enum Wires {
    /// Loopback and nothing else.
    Plain,
    /// A proxy in each directed link.
    Proxies(Proxies),
    /// A network of the bench's own.
    Switch(LabNetwork),
    /// A router, to which nodes give their messages.
    Router(Messages),
}

const PLAIN: &str = "with network = \"host\" there is no link to do anything to";

impl Wires {
    /// Where `link.from` dials `link.to`, if that is elsewhere than where `link.to` listens: for clients (way 0), or at one of
    /// its further ports.
    pub(crate) fn detour(&self, link: &Link, way: usize) -> Option<SocketAddr> {
        match self {
            Self::Proxies(proxies) => Some(proxies.address(link, way)),
            Self::Plain | Self::Switch(_) | Self::Router(_) => None,
        }
    }

    /// The network that a node's processes are started in, if it has one of its own.
    pub(crate) fn namespace(&self, node: &str) -> Option<Namespace> {
        match self {
            Self::Switch(network) => Some(network.namespace(node)),
            Self::Plain | Self::Proxies(_) | Self::Router(_) => None,
        }
    }

    /// The router, where nodes exchange messages.
    pub(crate) fn messages(&self) -> Option<&Messages> {
        match self {
            Self::Router(messages) => Some(messages),
            Self::Plain | Self::Proxies(_) | Self::Switch(_) => None,
        }
    }

    /// Puts a fault on a link.
    pub(crate) fn apply(&self, link: &Link, claim: Claim, fault: LinkFault) {
        match self {
            Self::Plain => panic!("{PLAIN}"),
            Self::Proxies(proxies) => proxies.apply(link, claim, fault),
            Self::Switch(network) => network.apply(link, claim, fault),
            Self::Router(messages) => messages.apply(link, claim, fault),
        }
    }

    /// Takes a claim's fault off a link; false if there was none.
    pub(crate) fn release(&self, link: &Link, claim: Claim) -> bool {
        match self {
            Self::Plain => panic!("{PLAIN}"),
            Self::Proxies(proxies) => proxies.release(link, claim),
            Self::Switch(network) => network.release(link, claim),
            Self::Router(messages) => messages.release(link, claim),
        }
    }

    /// Takes every fault off every link, and says which had any.
    pub(crate) fn release_all(&self) -> Vec<Link> {
        match self {
            Self::Plain => Vec::new(),
            Self::Proxies(proxies) => proxies.release_all(),
            Self::Switch(network) => network.release_all(),
            Self::Router(messages) => messages.release_all(),
        }
    }

    /// How many faults are in the way of a request over a link and of its answer.
    pub(crate) fn faults_on(&self, link: &Link) -> usize {
        match self {
            Self::Plain => panic!("{PLAIN}"),
            Self::Proxies(proxies) => proxies.faults_on(link),
            Self::Switch(network) => network.faults_on(link),
            Self::Router(messages) => messages.faults_on(link),
        }
    }

    /// Resets the open connections of a link, and says how many there were.
    pub(crate) async fn reset(&self, link: &Link) -> u64 {
        match self {
            Self::Plain => panic!("{PLAIN}"),
            Self::Proxies(proxies) => proxies.reset(link).await,
            Self::Switch(network) => network.reset(link).await,
            // Messages need no connections.
            Self::Router(_) => 0,
        }
    }

    /// What a reader should know of them.
    pub(crate) fn remark(&self) -> Option<&'static str> {
        match self {
            Self::Plain | Self::Proxies(_) | Self::Router(_) => None,
            Self::Switch(network) => network.remark(),
        }
    }

    /// What a link has carried so far.
    pub(crate) fn counters(&self, link: &Link) -> LinkCounters {
        match self {
            Self::Plain => panic!("{PLAIN}"),
            Self::Proxies(proxies) => proxies.counters(link),
            Self::Switch(network) => network.counters(link),
            Self::Router(messages) => messages.counters(link),
        }
    }

    /// Every link with what it has carried.
    pub(crate) fn summary(&self) -> Vec<LinkSummary> {
        match self {
            Self::Plain => Vec::new(),
            Self::Proxies(proxies) => proxies.summary(),
            Self::Switch(network) => network.summary(),
            Self::Router(messages) => messages.summary(),
        }
    }

    /// Sends a request over a link as `link.from` would.
    pub(crate) async fn probe(&self, link: &Link, request: &[u8], patience: Duration) -> Probe {
        match self {
            Self::Plain => panic!("{PLAIN}"),
            Self::Proxies(proxies) => proxies.probe(link, request, patience).await,
            Self::Switch(network) => network.probe(link, request, patience).await,
            Self::Router(messages) => messages.probe(link, request.len(), patience).await,
        }
    }
}
