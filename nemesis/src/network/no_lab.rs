//! Stub for platforms without namespaces.

use super::condition::LinkFault;
use super::counters::{LinkCounters, LinkSummary};
use super::proxy::Probe;
use crate::claim::Claim;
use crate::delay::Delay;
use crate::partition::Link;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

const REASON: &str = "only Linux has network namespaces";

pub(crate) const NODES_MAX: usize = 200;

/// An error of the lab's network.
#[derive(Debug, thiserror::Error)]
#[error("{REASON}")]
pub struct LabNetworkError;

/// A requirement of a lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabProbe {
    /// Its name.
    pub name: &'static str,
    /// The probed capability.
    pub about: &'static str,
    /// Success, or the reason and the remedy.
    pub outcome: Result<(), String>,
}

/// The missing requirement.
pub fn probe_lab() -> Vec<LabProbe> {
    let outcome = Err(REASON.to_owned());
    vec![LabProbe { name: "namespaces", about: "user, process, mount and network namespaces", outcome }]
}

pub(crate) fn disk_can_be_mounted() -> Result<(), String> {
    Err(REASON.to_owned())
}

pub(super) fn can_be_made() -> Result<(), String> {
    Err(REASON.to_owned())
}

/// No namespace: the type has no values.
#[derive(Debug, Clone)]
pub(crate) enum Namespace {}

impl Namespace {
    pub(crate) fn current() -> io::Result<Self> {
        Err(io::Error::other(REASON))
    }

    pub(crate) fn enter(&self) -> io::Result<()> {
        match *self {}
    }
}

pub(crate) struct Plan {
    pub(crate) nodes: Vec<String>,
    pub(crate) base: Delay,
    pub(crate) seed: u64,
    pub(crate) port: Option<u16>,
    pub(crate) tcp_rto_max: Option<Duration>,
    pub(crate) capture: Option<std::path::PathBuf>,
    pub(crate) tape: std::sync::Arc<crate::schedule::Tape>,
}

/// No network: the type has no values.
#[derive(Debug)]
pub(crate) enum LabNetwork {}

impl LabNetwork {
    pub(crate) fn start(plan: &Plan) -> Result<Self, LabNetworkError> {
        let Plan { nodes: _, base: _, seed: _, port: _, tcp_rto_max: _, capture: _, tape: _ } = plan;
        Err(LabNetworkError)
    }

    pub(crate) fn address(&self, _: &str) -> SocketAddr {
        match *self {}
    }

    pub(crate) fn namespace(&self, _: &str) -> Namespace {
        match *self {}
    }

    pub(crate) fn apply(&self, _: &Link, _: Claim, _: LinkFault) {
        match *self {}
    }

    pub(crate) fn release(&self, _: &Link, _: Claim) -> bool {
        match *self {}
    }

    pub(crate) fn release_all(&self) -> Vec<Link> {
        match *self {}
    }

    pub(crate) fn faults_on(&self, _: &Link) -> usize {
        match *self {}
    }

    pub(crate) async fn reset(&self, _: &Link) -> u64 {
        match *self {}
    }

    pub(crate) fn remark(&self) -> Option<&'static str> {
        match *self {}
    }

    pub(crate) fn counters(&self, _: &Link) -> LinkCounters {
        match *self {}
    }

    pub(crate) fn summary(&self) -> Vec<LinkSummary> {
        match *self {}
    }

    pub(crate) async fn probe(&self, _: &Link, _: &[u8], _: Duration) -> Probe {
        match *self {}
    }
}
