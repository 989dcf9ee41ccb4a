//! The control protocol of a cluster that `bench up` keeps: one JSON value a line, in both directions, over a socket in its
//! folder.

use crate::spec::FaultSpec;
use history::Event;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The socket's name in the folder of the cluster.
pub const SOCKET: &str = "control.sock";

/// How long a fault lasts of which nothing is said.
const LASTS: Duration = Duration::from_secs(4);

/// What may be asked of a cluster.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Request {
    /// How the nodes are.
    Status,
    /// Stop it.
    Down,
    /// Hurt it, heal it, and say what happened.
    Faults {
        /// The faults, with their times.
        faults: Vec<FaultSpec>,
        /// The seed of what they leave to chance.
        seed: u64,
        /// By when all of them are healed.
        duration: Duration,
    },
}

impl Request {
    /// Faults that start at once where they have no time, and last four seconds where they have no end. What comes again
    /// and again, or waits for the run, does so for `duration`; where that is absent, all is over when the last one is.
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

/// What a cluster answers; several of them, the last of which is `Done` or `Refused`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum Reply {
    /// How a node is.
    Node(NodeState),
    /// A fault started or ended.
    Event {
        /// As histories have it.
        event: Box<Event>,
    },
    /// That was all.
    Done {
        /// Whether all was as it should be: every fault has evidence and was healed.
        well: bool,
    },
    /// It cannot be done.
    Refused {
        /// Why, with what would be possible.
        reason: String,
    },
}

/// How a node is.
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
    /// Whether it leads.
    pub leads: bool,
    /// How many slots it has applied, where it tells.
    pub applied: Option<u64>,
    /// Where it listens in its network.
    pub address: String,
    /// The socket in the file system by which it is reached from outside.
    pub socket: PathBuf,
}

/// Why a cluster did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is none.
    #[error(
        "no cluster is kept there ({0}); `bench up` starts one and says its folder, such as results/latest"
    )]
    Absent(io::Error),
    /// It does not want to.
    #[error("{0}")]
    Refused(String),
    /// It could not be spoken with to the end.
    #[error("the cluster ended the talk: {0}")]
    Broken(#[from] io::Error),
}

/// Whether a cluster is kept in a folder.
pub fn is_listening(folder: &Path) -> bool {
    UnixStream::connect(folder.join(SOCKET)).is_ok()
}

/// Asks the cluster that is kept in a folder, and hands on each answer but the last. Gives whether all was well.
pub fn ask(folder: &Path, request: &Request, mut hear: impl FnMut(Reply)) -> Result<bool, AskError> {
    let mut stream = UnixStream::connect(folder.join(SOCKET)).map_err(AskError::Absent)?;
    let mut line = serde_json::to_vec(request).map_err(io::Error::from)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    for line in BufReader::new(stream).lines() {
        match serde_json::from_str(&line?).map_err(io::Error::from)? {
            Reply::Done { well } => return Ok(well),
            Reply::Refused { reason } => return Err(AskError::Refused(reason)),
            other @ (Reply::Node(_) | Reply::Event { .. }) => hear(other),
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
    fn nobody_is_asked_where_no_cluster_is_kept() {
        let error = ask(Path::new("/nowhere"), &Request::Status, |_| ()).unwrap_err();
        assert!(error.to_string().contains("`bench up`"), "{error}");
    }
}
