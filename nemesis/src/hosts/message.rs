//! The lines between the bench and the agent on a host.

use crate::delay::Delay;
use crate::flaky::Share;
use crate::network::Probe;
use crate::process::ProcessCommand;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// A line from the bench to the agent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    /// The number that its answer repeats; none if no answer is awaited.
    pub(crate) id: Option<u64>,
    pub(crate) order: Order,
}

/// A line from the agent to the bench.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Line {
    /// The answer to an order.
    Answer { id: u64, answer: Result<serde_json::Value, String> },
    /// A process has ended.
    Ended(EndedProcess),
    /// A followed file has grown, or begins anew. Each character is one byte.
    Output { file: PathBuf, anew: bool, text: String },
    /// The agent has healed everything and ends.
    Over { reason: String },
}

/// An order to the agent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Order {
    /// A sign of life.
    Beat,
    /// What the host can do. Answer: [`Abilities`].
    Abilities,
    /// Reserves the host for this bench and these addresses. Answer: nothing, or the reason.
    Reserve { addresses: Vec<SocketAddr> },
    /// Whether packets to the peers leave from this address. Answer: nothing, or the reason.
    Routes { own: Ipv4Addr, peers: Vec<Ipv4Addr> },
    /// Finds a program by its path or in PATH. Answer: its path, or none.
    Find { program: PathBuf },
    /// Writes a file.
    Write { path: PathBuf, text: String },
    /// Sends the bytes of a file from now on, as [`Line::Output`].
    Follow { file: PathBuf },
    /// Sends the rest of all followed files.
    Flush,
    /// Fills the data folder of a node. Answer: whether it has no other content.
    Fill { command: ProcessCommand },
    /// Syncs the data folder of a node.
    Sync { data: PathBuf },
    /// Starts a process. Answer: [`StartedProcess`].
    Start { command: ProcessCommand },
    /// Signals a process. Answer: the number of other processes, or none if it has ended.
    Signal { process: u64, signal: i32 },
    /// Waits until a process is stopped, or runs. Answer: what was seen, as a result.
    Stopped { process: u64, stopped: bool },
    /// Why a signal proves nothing. Answer: the reason, or none.
    Objection { process: u64, address: SocketAddr },
    /// Who still listens after the end. Answer: the reason, or none.
    StillListening { process: u64, address: SocketAddr },
    /// The links of this host from now on.
    Links { peers: Vec<Shaped> },
    /// The counters of the links, after all earlier orders. Answer: [`PeerCounters`] of each peer.
    Count,
    /// Sends a request to an address and waits for an answer. Answer: [`Probed`].
    Probe { address: SocketAddr, request: Vec<u8>, patience: Duration },
    /// Heal everything and end.
    Leave,
}

/// The condition of the link between this host and another one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shaped {
    pub(crate) peer: Ipv4Addr,
    /// The treatment of packets from the peer; none lets them pass.
    pub(crate) cut: Option<Cut>,
    /// The delay of packets to the peer.
    pub(crate) delay: Delay,
    /// The share of packets to the peer that are lost.
    pub(crate) loss: Share,
}

impl Shaped {
    /// The link without a fault.
    pub(crate) fn sound(peer: Ipv4Addr) -> Self {
        Self { peer, cut: None, delay: Delay::default(), loss: Share::default() }
    }

    /// Whether packets to the peer pass the agent.
    pub(crate) fn is_queued(&self) -> bool {
        !self.delay.is_zero() || self.loss > Share::default()
    }
}

/// The treatment of packets on a cut link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Cut {
    Drop,
    Reject,
}

/// The counters of the packets from and to a peer, without the bench's probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PeerCounters {
    pub(crate) peer: Ipv4Addr,
    /// Arrived from the peer.
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// Of these, dropped or rejected.
    pub(crate) dropped: u64,
    pub(crate) dropped_bytes: u64,
    /// Sent to the peer, and delayed.
    pub(crate) delayed: u64,
    pub(crate) delayed_bytes: u64,
    /// Sent to the peer, and lost.
    pub(crate) lost: u64,
    /// Sent to the peer while a share was lost.
    pub(crate) queued: u64,
}

impl PeerCounters {
    pub(crate) fn none(peer: Ipv4Addr) -> Self {
        Self {
            peer,
            packets: 0,
            bytes: 0,
            dropped: 0,
            dropped_bytes: 0,
            delayed: 0,
            delayed_bytes: 0,
            lost: 0,
            queued: 0,
        }
    }
}

/// A started process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StartedProcess {
    /// Its number at the agent.
    pub(crate) process: u64,
    pub(crate) pid: u32,
    /// The process ids of its helper programs.
    pub(crate) beside: Vec<u32>,
}

/// The end of a process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EndedProcess {
    pub(crate) process: u64,
    /// The end of its programs; none if it is unknown.
    pub(crate) end: Option<RawEnd>,
    /// How it ended, if the bench did not request that.
    pub(crate) unrequested: Option<String>,
}

/// The ends of programs, as wait statuses.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RawEnd {
    pub(crate) status: i32,
    pub(crate) who: Option<String>,
    pub(crate) own: i32,
    pub(crate) beside: Vec<(String, u32, i32)>,
}

/// The result of a probe.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Probed {
    Answered { after: Duration, bytes: usize },
    Silent(Duration),
    Refused,
}

impl From<Probe> for Probed {
    fn from(probe: Probe) -> Self {
        match probe {
            Probe::Answered { after, bytes } => Self::Answered { after, bytes },
            Probe::Silent(patience) => Self::Silent(patience),
            Probe::Refused => Self::Refused,
        }
    }
}

impl From<Probed> for Probe {
    fn from(probed: Probed) -> Self {
        match probed {
            Probed::Answered { after, bytes } => Self::Answered { after, bytes },
            Probed::Silent(patience) => Self::Silent(patience),
            Probed::Refused => Self::Refused,
        }
    }
}

/// One ability of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ability {
    /// Its name.
    pub name: String,
    /// The way it is done, or the reason why it is not possible.
    pub outcome: Result<String, String>,
}

/// What a host can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abilities {
    /// The kernel and its release.
    pub kernel: String,
    /// Guards around processes.
    pub guards: Ability,
    /// Cutting links.
    pub cut: Ability,
    /// Delaying packets and losing some.
    pub delay: Ability,
    /// Free bytes on the disk of the folder.
    pub free_bytes: u64,
    /// The wall clock of the host, in nanoseconds since 1970.
    pub clock_ns: u64,
    /// The address from which the bench reaches the host, and the port of its `sshd`.
    pub reached: Option<(String, u16)>,
}

/// Bytes as text, each one a character.
pub(crate) fn bytes_to_text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// The bytes of [`bytes_to_text`].
pub(crate) fn text_to_bytes(text: &str) -> Vec<u8> {
    text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap_or(b'?')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_as_text() {
        let all: Vec<u8> = (0..=255).collect();
        let line = serde_json::to_string(&bytes_to_text(&all)).unwrap();
        assert_eq!(text_to_bytes(&serde_json::from_str::<String>(&line).unwrap()), all);
    }
}
