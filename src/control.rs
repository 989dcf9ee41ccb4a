//! What is said over the socket of a cluster that `bench up` keeps: one JSON value a line, in both directions.

use crate::failure::Failure;
use checker::history::Event;
use nemesis::FaultSpec;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The socket's name in the folder of the cluster.
pub(crate) const SOCKET: &str = "control.sock";

/// What may be asked of a cluster.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub(crate) enum Request {
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

/// What a cluster answers; several of them, the last of which is `Done` or `Refused`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub(crate) enum Reply {
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
pub(crate) struct NodeState {
    /// Its name.
    pub(crate) node: String,
    /// Whether it answers.
    pub(crate) up: bool,
    /// Whether it leads.
    pub(crate) leads: bool,
    /// How many slots it has applied, where it tells.
    pub(crate) applied: Option<u64>,
    /// Where it listens in its network.
    pub(crate) address: String,
    /// The socket in the file system by which it is reached from outside.
    pub(crate) socket: PathBuf,
}

/// Asks the cluster that is kept in a folder, and hands on each answer but the last. Gives whether all was well.
///
/// # Errors
/// When no cluster is kept there (exit code 2), it refuses (2), or it does not answer as it should (4).
pub(crate) fn ask(
    folder: &Path,
    request: &Request,
    mut hear: impl FnMut(Reply) -> Result<(), Failure>,
) -> Result<bool, Failure> {
    let path = folder.join(SOCKET);
    let place = || folder.display().to_string();
    let mut stream = UnixStream::connect(&path).map_err(|error| {
        Failure::usage(place(), format!("no cluster is kept there ({error})"))
            .help("`bench up` starts one and says its folder, such as results/latest")
    })?;
    let broken =
        |error: std::io::Error| Failure::bench(place(), format!("the cluster ended the talk: {error}"));
    write_line(&mut stream, request).map_err(broken)?;
    for line in BufReader::new(stream).lines() {
        match read_line(&line.map_err(broken)?).map_err(|error| broken(error.into()))? {
            Reply::Done { well } => return Ok(well),
            Reply::Refused { reason } => {
                let mut failure = Failure::usage(place(), reason.clone());
                if let Some((what, help)) = reason.split_once("; ") {
                    failure = Failure::usage(place(), what).help(help);
                }
                return Err(failure);
            }
            other @ (Reply::Node(_) | Reply::Event { .. }) => hear(other)?,
        }
    }
    Err(Failure::bench(place(), "the cluster ended before it had answered"))
}

fn write_line(out: &mut impl Write, value: &impl Serialize) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    out.write_all(&line)
}

/// Reads what stands on a line.
pub(crate) fn read_line<T: DeserializeOwned>(line: &str) -> serde_json::Result<T> {
    serde_json::from_str(line)
}
