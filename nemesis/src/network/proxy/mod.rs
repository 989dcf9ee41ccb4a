//! One TCP proxy per directed link, all on loopback.
//!
//! The link `n1→n2` carries the connections that `n1` dials to `n2`: `n1` gets the proxy's address instead of
//! `n2`'s. Bytes that return on such a connection belong to the same link. A cut of `n1→n2` stalls both
//! directions of connections that `n1` dialled, but no connection that `n2` dialled. A delay of `n1→n2` delays
//! both directions too.

mod connection;
mod link;
mod probe;
mod pump;

pub use probe::Probe;
pub(crate) use probe::{probe, probe_with};

use crate::claim::Claim;
use crate::delay::Delay;
use crate::network::condition::{Faults, LinkFault};
use crate::network::counters::{LinkCounters, LinkSummary};
use crate::partition::Link;
use link::LinkState;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// An error: a proxy could not listen.
#[derive(Debug, thiserror::Error)]
#[error("the proxy of {link} cannot listen on port {port} of 127.0.0.1: {source}")]
pub struct ProxyError {
    link: Link,
    port: u16,
    source: io::Error,
}

/// All proxies of a cluster. Dropping this ends them and their connections.
#[derive(Debug, Default)]
pub(crate) struct Proxies {
    proxies: BTreeMap<Link, Proxy>,
}

/// The proxy of one link: a listener for each port of the target node.
#[derive(Debug)]
struct Proxy {
    addresses: Vec<SocketAddr>,
    state: Arc<LinkState>,
    tasks: Vec<AbortHandle>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// A listener of a proxy, with its upstream address.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) port: u16,
    pub(crate) upstream: SocketAddr,
}

impl Proxies {
    /// Starts the proxy of a link, with a listener for each way; the first leads to the port for clients.
    ///
    /// Needs a tokio runtime.
    pub(crate) async fn add(
        &mut self,
        link: Link,
        ways: &[Way],
        base: Delay,
        seed: u64,
    ) -> Result<(), ProxyError> {
        let state = Arc::new(LinkState::new(base, seed, self.proxies.len() as u64));
        let mut proxy = Proxy { addresses: Vec::new(), state, tasks: Vec::new() };
        for Way { port, upstream } in ways.iter().copied() {
            let failed = |source| ProxyError { link: link.clone(), port, source };
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(failed)?;
            proxy.addresses.push(listener.local_addr().map_err(failed)?);
            let accepting = connection::accept(listener, Arc::clone(&proxy.state), upstream);
            proxy.tasks.push(tokio::spawn(accepting).abort_handle());
        }
        self.proxies.insert(link, proxy);
        Ok(())
    }

    fn get(&self, link: &Link) -> &Proxy {
        self.proxies.get(link).unwrap_or_else(|| panic!("there is no link {link}"))
    }

    /// The address at which `link.from` dials `link.to`, by the index of the way.
    pub(crate) fn address(&self, link: &Link, way: usize) -> SocketAddr {
        self.get(link).addresses[way]
    }

    /// Adds a fault to a link; it stays until its claim is released.
    pub(crate) fn apply(&self, link: &Link, claim: Claim, fault: LinkFault) {
        self.get(link).state.change(|faults| faults.apply(claim, fault));
    }

    /// Removes a claim's fault from a link; false if there was none.
    pub(crate) fn release(&self, link: &Link, claim: Claim) -> bool {
        self.get(link).state.change(|faults| faults.release(claim))
    }

    /// Removes every fault from every link; returns the links that had faults.
    pub(crate) fn release_all(&self) -> Vec<Link> {
        let had = self.proxies.iter().filter(|(_, proxy)| proxy.state.change(Faults::release_all));
        had.map(|(link, _)| link.clone()).collect()
    }

    /// Number of faults on the link.
    pub(crate) fn faults_on(&self, link: &Link) -> usize {
        self.get(link).state.faults_on()
    }

    /// Resets the open connections of a link; returns their number.
    pub(crate) async fn reset(&self, link: &Link) -> u64 {
        self.get(link).state.reset().await
    }

    /// The counters of the link so far.
    pub(crate) fn counters(&self, link: &Link) -> LinkCounters {
        self.get(link).state.counters.read()
    }

    /// Sends `request` over the link as `link.from` would; the link does not count it.
    pub(crate) async fn probe(&self, link: &Link, request: &[u8], patience: Duration) -> Probe {
        let proxy = self.get(link);
        probe(proxy.addresses[0], request, patience, |port| proxy.state.expect_probe(port)).await
    }

    /// Every link, with its counters.
    pub(crate) fn summary(&self) -> Vec<LinkSummary> {
        let all = self.proxies.iter();
        all.map(|(link, proxy)| LinkSummary { link: link.clone(), counters: proxy.state.counters.read() })
            .collect()
    }
}

#[cfg(test)]
mod tests;
