//! The links between the nodes: the modes there are, and the one this machine and build can do.
//!
//! `proxy` lives in its folder here; the namespaces of `lab` get a folder beside it. `host` needs no code: it
//! is plain loopback.

mod ports;
mod proxy;

pub(crate) use ports::PortBlock;
pub use ports::PortError;
pub use proxy::{Claim, LinkCounters, LinkFault, LinkSummary, Probe, ProxyError};
pub(crate) use proxy::{Proxies, probe};

use serde::{Deserialize, Serialize};
use std::fmt;

/// `network = …` of a spec: what was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// The best that works here.
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
    /// Every directed link goes through a TCP proxy of the bench.
    Proxy,
    /// Nodes reach each other directly; there are no network faults.
    Host,
}

/// Why a network cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// `network = "lab"`.
    #[error(
        "network = \"lab\" is not in this build; use network = \"proxy\" (or \"auto\"), which can cut, delay and \
         slow links but not lose, double or reorder packets"
    )]
    NoLab,
}

impl Network {
    /// The mode that this build can give for what was asked.
    pub fn choose(self) -> Result<Mode, NetworkError> {
        match self {
            Self::Auto | Self::Proxy => Ok(Mode::Proxy),
            Self::Host => Ok(Mode::Host),
            Self::Lab => Err(NetworkError::NoLab),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Proxy => "proxy",
            Self::Host => "host",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lab_is_refused_with_the_remedy_and_auto_takes_proxies() {
        assert_eq!(Network::Auto.choose(), Ok(Mode::Proxy));
        let error = Network::Lab.choose().unwrap_err().to_string();
        assert!(error.contains("network = \"proxy\""), "{error}");
    }
}
