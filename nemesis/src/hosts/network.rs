//! The links between nodes on hosts: faults become conditions that the agents put into force.
//!
//! The host of the receiver cuts a directed link, the host of the sender delays it. [`settle`](HostNetwork::settle)
//! sends all changes since the last time, waits until they are in force, and reads the counters.

use super::connection::HostConnection;
use super::error::HostError;
use super::message::{Cut, Order, PeerCounters, Probed, Shaped};
use crate::claim::Claim;
use crate::delay::Delay;
use crate::network::{Faults, LinkCounters, LinkFault, LinkSummary, Probe};
use crate::partition::Link;
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The counters with the lost packets, which do not arrive at the host that counts all others.
fn with_lost(counters: &LinkCounters) -> LinkCounters {
    LinkCounters { chunks: counters.chunks + counters.lost, ..*counters }
}

/// A node on a host.
#[derive(Debug, Clone)]
pub(crate) struct HostNode {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) host: Arc<HostConnection>,
}

/// The links between nodes on hosts.
#[derive(Debug)]
pub(crate) struct HostNetwork {
    nodes: Vec<HostNode>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    faults: BTreeMap<Link, Faults>,
    counters: BTreeMap<Link, LinkCounters>,
    /// The nodes whose links have changed.
    changed: BTreeSet<String>,
    /// Whether the agents count.
    counts: bool,
}

impl HostNetwork {
    pub(crate) fn new(nodes: Vec<HostNode>) -> Self {
        let mut state = State::default();
        for from in &nodes {
            for to in nodes.iter().filter(|to| to.name != from.name) {
                let link = Link::new(&*from.name, &*to.name);
                state.faults.insert(link.clone(), Faults::new(Delay::default()));
                state.counters.insert(link, LinkCounters::default());
            }
        }
        Self { nodes, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn node(&self, name: &str) -> &HostNode {
        self.nodes.iter().find(|node| node.name == name).unwrap_or_else(|| panic!("there is no node {name}"))
    }

    /// Has every agent count the packets between the nodes.
    pub(crate) fn watch(&self) {
        let mut state = self.lock();
        state.counts = true;
        state.changed = self.nodes.iter().map(|node| node.name.clone()).collect();
    }

    pub(crate) fn apply(&self, link: &Link, claim: Claim, fault: LinkFault) {
        self.change(link, |faults| faults.apply(claim, fault));
    }

    pub(crate) fn release(&self, link: &Link, claim: Claim) -> bool {
        self.change(link, |faults| faults.release(claim))
    }

    pub(crate) fn release_all(&self) -> Vec<Link> {
        let links: Vec<Link> = self.lock().faults.keys().cloned().collect();
        let had = |link: &Link| self.faults_of(link) > 0 && self.change(link, Faults::release_all);
        links.into_iter().filter(had).collect()
    }

    fn faults_of(&self, link: &Link) -> usize {
        self.lock().faults.get(link).map_or(0, Faults::count)
    }

    fn change<T>(&self, link: &Link, change: impl FnOnce(&mut Faults) -> T) -> T {
        let mut state = self.lock();
        let faults = state.faults.get_mut(link).unwrap_or_else(|| panic!("there is no link {link}"));
        let changed = change(faults);
        state.counts = true;
        state.changed.extend([link.from.clone(), link.to.clone()]);
        changed
    }

    /// Sends the conditions of all links of a node to its agent.
    fn post(&self, state: &State, node: &HostNode) {
        let shaped = |peer: &HostNode| {
            let condition = |from: &HostNode, to: &HostNode| {
                state
                    .faults
                    .get(&Link::new(&*from.name, &*to.name))
                    .map(Faults::condition)
                    .unwrap_or_default()
            };
            let (arriving, leaving) = (condition(peer, node), condition(node, peer));
            let cut = match (arriving.stalled, arriving.refused) {
                (true, _) => Some(Cut::Drop),
                (false, true) => Some(Cut::Reject),
                (false, false) => None,
            };
            Shaped { peer: peer.host.address(), cut, delay: leaving.delay, loss: leaving.flaky.loss }
        };
        let peers = self.nodes.iter().filter(|peer| peer.name != node.name).map(shaped).collect();
        node.host.post(Order::Links { peers });
    }

    /// Number of faults on the way of a request and of its answer.
    pub(crate) fn faults_on(&self, link: &Link) -> usize {
        let back = Link::new(&*link.to, &*link.from);
        let state = self.lock();
        let claims = [link, &back].into_iter().filter_map(|link| state.faults.get(link));
        let claims: BTreeSet<Claim> = claims.flat_map(Faults::claims).collect();
        claims.len()
    }

    pub(crate) fn counters(&self, link: &Link) -> LinkCounters {
        self.lock().counters.get(link).map(with_lost).unwrap_or_default()
    }

    pub(crate) fn summary(&self) -> Vec<LinkSummary> {
        let state = self.lock();
        let summary = |(link, counters): (&Link, &LinkCounters)| LinkSummary {
            link: link.clone(),
            counters: with_lost(counters),
        };
        state.counters.iter().map(summary).collect()
    }

    /// Waits until all changes are in force, and reads the counters.
    pub(crate) async fn settle(&self) -> Result<(), HostError> {
        {
            let mut state = self.lock();
            if !state.counts {
                return Ok(());
            }
            for name in std::mem::take(&mut state.changed) {
                self.post(&state, self.node(&name));
            }
        }
        let asked =
            join_all(self.nodes.iter().map(|node| node.host.ask::<Vec<PeerCounters>>(Order::Count))).await;
        let mut first = None;
        let mut state = self.lock();
        for (node, counted) in self.nodes.iter().zip(asked) {
            match counted {
                Ok(counts) => self.note(&mut state, node, &counts),
                Err(error) => first = first.or(Some(error)),
            }
        }
        first.map_or(Ok(()), Err)
    }

    fn note(&self, state: &mut State, node: &HostNode, counts: &[PeerCounters]) {
        for count in counts {
            let Some(peer) = self.nodes.iter().find(|peer| peer.host.address() == count.peer) else {
                continue;
            };
            if let Some(arriving) = state.counters.get_mut(&Link::new(&*peer.name, &*node.name)) {
                arriving.chunks = count.packets;
                arriving.bytes = count.bytes;
                arriving.dropped = count.dropped;
                arriving.dropped_bytes = count.dropped_bytes;
            }
            if let Some(leaving) = state.counters.get_mut(&Link::new(&*node.name, &*peer.name)) {
                leaving.delayed_chunks = count.delayed;
                leaving.delayed_bytes = count.delayed_bytes;
                leaving.lost = count.lost;
            }
        }
    }

    /// Sends a request from the host of the first node.
    ///
    /// None without an answer of its agent.
    pub(crate) async fn probe(&self, link: &Link, request: &[u8], patience: Duration) -> Option<Probe> {
        let (from, to) = (self.node(&link.from), self.node(&link.to));
        let order = Order::Probe { address: to.address, request: request.to_vec(), patience };
        from.host.ask::<Probed>(order).await.ok().map(Probe::from)
    }
}
