//! The control protocol of a cluster that `bench up` runs.
//!
//! One JSON value per line, in both directions, over a socket in the cluster's folder.

use crate::spec::FaultSpec;
use history::Event;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The socket's name in the folder of the cluster.
pub const SOCKET: &str = "control.sock";

/// Default duration of a fault.
const LASTS: Duration = Duration::from_secs(4);

/// A request to a cluster.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Request {
    /// Report the state of the nodes.
    Status,
    /// Stop the cluster.
    Down,
    /// Inject faults, heal them, and report their events.
    Faults {
        /// The faults, with their times.
        faults: Vec<FaultSpec>,
        /// The seed of their random choices.
        seed: u64,
        /// The time within which all of them are healed.
        duration: Duration,
    },
}

impl Request {
    /// Faults with defaults: they start at once and last four seconds.
    ///
    /// Faults that repeat, or wait for a point of the run, do so for `duration`. Without `duration`, all end
    /// when the last fault ends.
    pub fn faults(specs: impl IntoIterator<Item = FaultSpec>, seed: u64, duration: Option<Duration>) -> Self {
        let timed = |mut fault: FaultSpec| {
            let waits = fault.every.is_some() || fault.when.is_some() || fault.after.is_some();
            fault.at = fault.at.or((!waits).then_some(Duration::ZERO));
            fault.lasts = fault.lasts.or((!fault.kind.is_over_at_once()).then_some(LASTS));
            fault
        };
        let faults: Vec<FaultSpec> = specs.into_iter().map(timed).collect();
        let end = |fault: &FaultSpec| fault.at.unwrap_or_default() + fault.lasts.unwrap_or_default();
        let longest = || faults.iter().map(end).max().unwrap_or_default().max(LASTS);
        let duration = duration.unwrap_or_else(longest);
        Self::Faults { faults, seed, duration }
    }
}

/// A reply of a cluster. A request gets several; the last is `Done` or `Refused`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum Reply {
    /// The state of a node.
    Node(NodeState),
    /// A fault started or ended.
    Event {
        /// The event, as in a history.
        event: Box<Event>,
    },
    /// The end of the replies.
    Done {
        /// Whether every fault has evidence and was healed.
        well: bool,
    },
    /// The request cannot be served.
    Refused {
        /// The reason, with the remedy.
        reason: String,
    },
}

/// The state of a node.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct NodeState {
    /// Its name.
    pub node: String,
    /// Whether it answers.
    pub up: bool,
    /// Whether it is a spare node, which need not be up.
    #[serde(default)]
    pub spare: bool,
    /// Whether it is the leader.
    pub leads: bool,
    /// Number of slots that it has applied, if it reports them.
    pub applied: Option<u64>,
    /// Its address in its network.
    pub address: String,
    /// Its Unix socket, through which clients outside the network reach it.
    pub socket: PathBuf,
}

/// The reason why a cluster did not serve a request.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No cluster runs there.
    #[error(
        "no cluster runs there ({0}); `bench up` starts one and prints its folder, for example results/latest"
    )]
    Absent(io::Error),
    /// The cluster refused the request.
    #[error("{0}")]
    Refused(String),
    /// The connection broke before the last reply.
    #[error("the cluster closed the connection: {0}")]
    Broken(#[from] io::Error),
}

/// Whether a cluster runs in a folder.
pub fn is_listening(folder: &Path) -> bool {
    UnixStream::connect(folder.join(SOCKET)).is_ok()
}

/// Sends a request to the cluster in a folder and passes on each reply but the last.
///
/// Returns whether all went
/// well.
pub fn ask(folder: &Path, request: &Request, mut on_reply: impl FnMut(Reply)) -> Result<bool, AskError> {
    let mut stream = UnixStream::connect(folder.join(SOCKET)).map_err(AskError::Absent)?;
    let mut line = serde_json::to_vec(request).map_err(io::Error::from)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    for line in BufReader::new(stream).lines() {
        match serde_json::from_str(&line?).map_err(io::Error::from)? {
            Reply::Done { well } => return Ok(well),
            Reply::Refused { reason } => return Err(AskError::Refused(reason)),
            other @ (Reply::Node(_) | Reply::Event { .. }) => on_reply(other),
        }
    }
    Err(AskError::Broken(io::ErrorKind::UnexpectedEof.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Kind;

    #[test]
    fn untimed_faults_start_at_once() {
        let reset = FaultSpec::new(Kind::Reset);
        let mut late = FaultSpec::new(Kind::RestartAll);
        late.at = Some(Duration::from_secs(3));
        let mut again = FaultSpec::new(Kind::RestartAll);
        again.every = Some(Duration::from_secs(9));
        let Request::Faults { faults, duration, .. } = Request::faults([reset, late, again], 7, None) else {
            panic!("it is a request for faults")
        };
        assert_eq!((faults[0].at, faults[0].lasts), (Some(Duration::ZERO), None));
        assert_eq!((faults[1].lasts, duration), (Some(LASTS), Duration::from_secs(7)));
        assert_eq!((faults[2].at, faults[2].lasts), (None, Some(LASTS)));
    }

    #[test]
    fn missing_cluster_is_an_error_with_remedy() {
        let error = ask(Path::new("/nowhere"), &Request::Status, |_| ()).unwrap_err();
        assert!(error.to_string().contains("`bench up`"), "{error}");
    }
}
