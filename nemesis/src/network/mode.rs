//! The network mode of a run.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The network mode of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Every node has a network of its own, and every frame goes through a switch of the bench.
    Lab,
    /// Every directed link goes through a TCP proxy of the bench.
    Proxy,
    /// Nodes reach each other directly; there are no network faults.
    Host,
    /// Every node is on a machine of its own, which cuts and delays its links.
    Hosts,
    /// Nodes exchange messages through the bench, which knows each of them.
    Messages,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lab => "lab",
            Self::Proxy => "proxy",
            Self::Host => "host",
            Self::Hosts => "hosts",
            Self::Messages => "messages",
        })
    }
}
