//! Runs a command of a spec until it succeeds: one that sets the cluster up, or one that shows that a node is ready.

use crate::failure::Failure;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

/// How long to wait before the command is run again.
const RETRY: Duration = Duration::from_millis(200);
/// Lines of what it printed that are shown.
const SHOWN: usize = 4;

/// A command, ready to be run.
#[derive(Debug)]
pub(super) struct Setup {
    /// The key of the spec that has it.
    pub(super) key: &'static str,
    /// The program and its arguments.
    pub(super) words: Vec<String>,
    /// Its variables.
    pub(super) env: Vec<(OsString, OsString)>,
    /// Where what it prints is kept.
    pub(super) log: PathBuf,
}

impl Setup {
    /// Runs it until it succeeds.
    ///
    /// # Errors
    /// When it does not within `limit`, with what it printed last.
    pub(super) async fn run(&self, limit: Duration) -> Result<(), Failure> {
        let start = Instant::now();
        loop {
            let left = limit.saturating_sub(start.elapsed());
            let ended = match timeout(left, self.once()).await {
                Ok(Ok(status)) if status.success() => return Ok(()),
                Ok(Ok(status)) => status.to_string(),
                Ok(Err(error)) => return Err(self.failed(&format!("it cannot be run: {error}"))),
                Err(_) => "no end".to_owned(),
            };
            if start.elapsed() + RETRY >= limit {
                return Err(self.failed(&format!("it did not succeed within {limit:?} ({ended})")));
            }
            sleep(RETRY).await;
        }
    }

    /// Runs it once. When this is dropped, the input of the command is closed, and its guard ends it with all its descendants.
    async fn once(&self) -> std::io::Result<std::process::ExitStatus> {
        let output = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let mut child = Command::from(nemesis::guarded_command(&self.words[0], &self.words[1..], &self.env))
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(nemesis::nodes_are_guarded().is_err())
            .spawn()?;
        let input = child.stdin.take();
        let status = child.wait().await;
        drop(input);
        status
    }

    fn failed(&self, what: &str) -> Failure {
        let mut failure = Failure::bench(self.key, what).help(format!(
            "correct the command, or give it more time with cluster.start-within; what it printed is in {}",
            self.log.display()
        ));
        failure.excerpt = last_lines(&self.log);
        failure
    }
}

/// The last lines of what was printed.
fn last_lines(log: &Path) -> Option<String> {
    let text = String::from_utf8_lossy(&fs::read(log).ok()?).into_owned();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(SHOWN)..];
    let shown: Vec<String> = last.iter().map(|line| format!("   | {line}\n")).collect();
    (!shown.is_empty()).then(|| shown.concat())
}
