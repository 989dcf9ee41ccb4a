//! Repeats a command of a spec until it succeeds: one that sets the cluster up, or a readiness check.

use super::output;
use crate::failure::Failure;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

/// Pause before the command runs again.
const RETRY: Duration = Duration::from_millis(200);

/// A command, ready to run.
#[derive(Debug)]
pub(super) struct Setup {
    /// Its key in the spec.
    pub(super) key: &'static str,
    /// The program and its arguments.
    pub(super) words: Vec<String>,
    /// Its variables.
    pub(super) env: Vec<(OsString, OsString)>,
    /// The file of its output.
    pub(super) log: PathBuf,
}

impl Setup {
    /// Runs it repeatedly until it succeeds.
    ///
    /// # Errors
    /// When it does not succeed within `limit`, with its last output.
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

    /// Runs it once.
    ///
    /// When this is dropped, its input closes, and its guard ends it with all its descendants.
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

    fn failed(&self, reason: &str) -> Failure {
        let mut failure = Failure::bench(self.key, reason).help(format!(
            "correct the command, or give it more time with cluster.start-within; its output is in {}",
            self.log.display()
        ));
        failure.excerpt = output::excerpt(&self.log);
        failure
    }
}
