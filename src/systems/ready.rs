//! Detects when a node is ready: by its ports, its answers, its logs or a command.

use super::foreign::{self, CLIENT};
use super::logs::{self, Change, Lines, LogFile};
use super::setup::Setup;
use crate::failure::Failure;
use crate::spec::life::Ready;
use crate::spec::sections::Cluster;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, header};
use nemesis::Testbed;
use regex_lite::Regex;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use workloads::HttpConnection;

/// Pause between two checks.
const RETRY: Duration = Duration::from_millis(20);
/// Time limit of one answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// The largest answer that is read.
const LARGEST_BODY: usize = 1 << 20;

/// The conditions of a node's readiness.
///
/// Created before the node starts, so that it misses no line of its logs.
#[derive(Debug)]
pub(super) struct Readiness {
    node: String,
    checks: Vec<Check>,
    limit: Duration,
    /// Whether a node that is not ready in time is a failure.
    required: bool,
}

#[derive(Debug)]
enum Check {
    Listens(SocketAddr),
    Answers(SocketAddr, String),
    Says(LogLine),
    Succeeds(Setup),
}

/// An awaited line of a log.
#[derive(Debug)]
struct LogLine {
    pattern: Regex,
    logs: Vec<(LogFile, Lines)>,
}

impl Readiness {
    /// The conditions of the spec for this node; by default, that it listens for clients.
    pub(super) fn new(cluster: &Cluster, testbed: &Testbed, node: &str, folder: &Path) -> Self {
        let checks = match &cluster.ready {
            Some(ready) => Check::all(ready, cluster, testbed, node, folder),
            None => vec![Check::Listens(testbed.listen_address(node))],
        };
        let (node, limit) = (node.to_owned(), cluster.start_within());
        Self { node, checks, limit, required: cluster.ready.is_some() }
    }

    /// The node.
    pub(super) fn node(&self) -> &str {
        &self.node
    }

    /// Waits until all conditions hold.
    ///
    /// # Errors
    /// When they do not hold in time. By default a node that never listens is reported later, when all nodes
    /// should serve.
    pub(super) async fn wait(self) -> Result<(), Failure> {
        let deadline = Instant::now() + self.limit;
        for mut check in self.checks {
            if let Check::Succeeds(command) = check {
                command.run(deadline.saturating_duration_since(Instant::now())).await?;
                continue;
            }
            while !check.holds().await {
                if Instant::now() >= deadline {
                    if !self.required {
                        return Ok(());
                    }
                    let reason = format!("it was not ready within {:?}: {}", self.limit, check.missing());
                    return Err(Failure::bench(format!("node {}", self.node), reason).help(
                        "correct the conditions in [cluster.ready], or give it more time with \
                         cluster.start-within",
                    ));
                }
                sleep(RETRY).await;
            }
        }
        Ok(())
    }
}

impl Check {
    fn all(ready: &Ready, cluster: &Cluster, testbed: &Testbed, node: &str, folder: &Path) -> Vec<Self> {
        let address = |port: &str| {
            let further = foreign::further_ports(cluster).position(|(word, _)| word == port);
            further.map_or_else(
                || testbed.listen_address(node),
                |index| testbed.further_address(node, node, index),
            )
        };
        let port = address(ready.port.as_deref().unwrap_or(CLIENT));
        let listens = ready.port.as_ref().map(|_| Self::Listens(port));
        let answers = ready.http.as_ref().map(|path| Self::Answers(port, path.clone()));
        let says = ready.log.as_ref().map(|pattern| {
            let own = logs::of(cluster, folder).into_iter().filter(|log| log.node == node);
            Self::Says(LogLine {
                pattern: logs::compile(pattern).expect("the patterns of a spec are checked before it runs"),
                logs: own.map(|log| (LogFile::new(&log.path), Lines::default())).collect(),
            })
        });
        let succeeds = (!ready.exec.is_empty()).then(|| {
            let words = foreign::words(cluster, testbed, node, folder, None);
            Self::Succeeds(Setup {
                key: "cluster.ready.exec",
                words: ready.exec.iter().map(|word| words.fill(word)).collect(),
                env: foreign::whole_environment(cluster, &words),
                log: folder.join("nodes").join(node).join("ready.log"),
            })
        });
        [listens, answers, says, succeeds].into_iter().flatten().collect()
    }

    async fn holds(&mut self) -> bool {
        match self {
            Self::Listens(address) => {
                timeout(ANSWER_WITHIN, TcpStream::connect(*address)).await.is_ok_and(|made| made.is_ok())
            }
            Self::Answers(address, path) => {
                timeout(ANSWER_WITHIN, answers(*address, path)).await.unwrap_or_default()
            }
            Self::Says(line) => line.is_written(),
            // A command is awaited separately.
            Self::Succeeds(_) => true,
        }
    }

    fn missing(&self) -> String {
        match self {
            Self::Listens(address) => format!("no process listens at {address}"),
            Self::Answers(address, path) => {
                format!("no answer with a status below 400 to GET {path} at {address}")
            }
            Self::Says(line) => format!("no line of its logs matches \"{}\"", line.pattern),
            Self::Succeeds(command) => format!("`{}` does not succeed", command.words.join(" ")),
        }
    }
}

/// Whether a GET is answered with a status below 400.
async fn answers(address: SocketAddr, path: &str) -> bool {
    let request = Request::get(path).header(header::HOST, address.to_string());
    let Ok(request) = request.body(Full::new(Bytes::new())) else { return false };
    let Ok(mut connection) = HttpConnection::open(address).await else { return false };
    let answer = connection.exchange(request, LARGEST_BODY).await;
    answer.is_ok_and(|answer| answer.status().as_u16() < 400)
}

impl LogLine {
    /// Reads new lines of the log; returns whether the awaited line exists.
    fn is_written(&mut self) -> bool {
        let Self { pattern, logs } = self;
        let mut found = false;
        for (file, lines) in logs {
            let mut look = |line: &[u8]| found |= pattern.is_match(&String::from_utf8_lossy(line));
            file.read(|change| match change {
                Change::Grew(bytes) => lines.add(bytes, |piece| look(piece.bytes)),
                Change::Anew => lines.end(|piece| look(piece.bytes)),
            });
        }
        found
    }
}
