//! The links between the nodes: the modes there are, and the one this machine and build can do.
//!
//! `proxy` and `lab` live in their folders here. `host` needs no code: it is plain loopback.

mod condition;
mod counters;
#[cfg_attr(not(target_os = "linux"), path = "no_lab.rs")]
mod lab;
mod open_files;
mod ports;
mod proxy;
mod wires;

pub use condition::{Claim, LinkFault};
pub use counters::{LinkCounters, LinkSummary};
#[cfg(all(test, target_os = "linux"))]
pub(crate) use lab::tests::{disk_possible, inside as inside_a_lab_of_its_own};
pub use lab::{
    CLIENTS, EnterError, LabNetworkError, LabProbe, enter_lab, enter_lab_with, inside_lab, lab_entry,
    probe_lab,
};
#[cfg(target_os = "linux")]
pub(crate) use lab::{DISK, GUARD, STAGE, SWEEP, again_as, may_start_again};
pub(crate) use lab::{LabNetwork, NODES_MAX, Namespace, Plan, disk_can_be_mounted, entering_took};
pub(crate) use open_files::{make_room, most_nodes, needed as needed_files, of_nodes as open_files_of_nodes};
pub(crate) use ports::PortBlock;
pub use ports::PortError;
pub use proxy::{Probe, ProxyError};
pub(crate) use proxy::{Proxies, probe};
pub(crate) use wires::Wires;

use serde::{Deserialize, Serialize};
use std::fmt;

/// `network = …` of a spec: what was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// A lab where it can be made, proxies where not.
    #[default]
    Auto,
    /// Namespaces with a network of their own.
    Lab,
    /// Loopback with a proxy in each directed link.
    Proxy,
    /// Plain loopback.
    Host,
}

/// What a run really uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Every node has a network of its own, and every frame goes through a switch of the bench.
    Lab,
    /// Every directed link goes through a TCP proxy of the bench.
    Proxy,
    /// Nodes reach each other directly; there are no network faults.
    Host,
}

/// Why a network cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// `network = "lab"`, and it cannot be made here.
    #[error(
        "network = \"lab\" cannot be had: {0}; network = \"proxy\" works everywhere, and can cut, delay and slow \
         links but not lose, double or reorder packets"
    )]
    NoLab(String),
}

impl Network {
    /// The mode that this machine can give for what was asked. For a lab that is tried, once, in a child process, by
    /// a program that begins with [`lab_entry`].
    pub fn choose(self) -> Result<Mode, NetworkError> {
        match self {
            Self::Auto if lab::can_be_made().is_ok() => Ok(Mode::Lab),
            Self::Auto | Self::Proxy => Ok(Mode::Proxy),
            Self::Host => Ok(Mode::Host),
            Self::Lab => lab::can_be_made().map(|()| Mode::Lab).map_err(NetworkError::NoLab),
        }
    }

    /// Why it is not the lab, where it would be if one could be made: what whoever falls back has to say aloud.
    pub fn fallback(self) -> Option<String> {
        match self {
            Self::Auto => lab::can_be_made().err(),
            Self::Lab | Self::Proxy | Self::Host => None,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lab => "lab",
            Self::Proxy => "proxy",
            Self::Host => "host",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lab_that_cannot_be_made_is_refused_with_the_remedy_and_auto_takes_proxies() {
        // Other tests of this process play parts of a lab; one that does not cannot be started again inside one.
        let alone = "BENCH_TEST_ALONE";
        if std::env::var_os(alone).is_none() {
            let own = std::env::current_exe().unwrap();
            let test =
                "network::tests::a_lab_that_cannot_be_made_is_refused_with_the_remedy_and_auto_takes_proxies";
            let run =
                std::process::Command::new(own).args([test, "--exact"]).env(alone, "1").output().unwrap();
            assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
            return;
        }
        assert_eq!(Network::Auto.choose(), Ok(Mode::Proxy));
        assert!(Network::Auto.fallback().is_some_and(|reason| reason.contains("lab_entry")));
        let error = Network::Lab.choose().unwrap_err().to_string();
        assert!(error.contains("network = \"proxy\""), "{error}");
    }
}
