//! A server that the user started: faults reach it through the commands of the spec.

use super::effect::Effect;
use super::error::ProcessError;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// Time limit of a command.
const PATIENCE: Duration = Duration::from_secs(60);
/// Number of characters of its output that go into the evidence.
const SHOWN: usize = 200;

/// The commands for one server, as text for a shell.
///
/// The plan refuses a fault whose commands are missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemoteCommands {
    /// Kills it at once.
    pub kill: Option<String>,
    /// Requests its end and waits for it.
    pub stop: Option<String>,
    /// Starts it again.
    pub start: Option<String>,
    /// Pauses it.
    pub pause: Option<String>,
    /// Resumes it.
    pub resume: Option<String>,
    /// The file for the commands and their output.
    pub log: PathBuf,
}

/// The purpose of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Kill,
    Stop,
    Start,
    Pause,
    Resume,
}

/// The available commands, for the plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ByCommand {
    /// Commands for a kill: kill and start.
    pub kill: bool,
    /// Commands for a stop: stop and start.
    pub stop: bool,
    /// Commands for a pause: pause and resume.
    pub pause: bool,
}

impl ByCommand {
    /// Whether a fault of this name is possible with them.
    pub(crate) fn allows(self, kind: &str) -> bool {
        match kind {
            "kill" | "restart-all" => self.kill,
            "stop" | "rolling-restart" => self.stop,
            "pause" => self.pause,
            _ => false,
        }
    }

    /// The remedy for a fault that is not possible.
    pub(crate) fn remedy(kind: &str) -> &'static str {
        match kind {
            "kill" | "restart-all" => "add kill and start to [cluster.commands]",
            "stop" | "rolling-restart" => "add stop and start to [cluster.commands]",
            "pause" => "add pause and resume to [cluster.commands]",
            _ => {
                "the commands of [cluster.commands] can inject kill, restart-all, stop, \
                 rolling-restart and pause"
            }
        }
    }
}

impl RemoteCommands {
    /// The faults that they allow.
    pub fn by_command(&self) -> ByCommand {
        let both = |one: &Option<String>, other: &Option<String>| one.is_some() && other.is_some();
        ByCommand {
            kill: both(&self.kill, &self.start),
            stop: both(&self.stop, &self.start),
            pause: both(&self.pause, &self.resume),
        }
    }

    fn command(&self, purpose: Purpose) -> Option<&String> {
        match purpose {
            Purpose::Kill => self.kill.as_ref(),
            Purpose::Stop => self.stop.as_ref(),
            Purpose::Start => self.start.as_ref(),
            Purpose::Pause => self.pause.as_ref(),
            Purpose::Resume => self.resume.as_ref(),
        }
    }

    /// Runs the command.
    ///
    /// A failed command that should hurt has no effect; a failed command that should heal is an error.
    pub(super) async fn run(&self, node: &str, purpose: Purpose) -> Result<Effect, ProcessError> {
        let Some(command) = self.command(purpose) else {
            return Ok(Effect::none(format!("{node} has no command for this fault")));
        };
        let (succeeded, how) = match self.outcome(command).await {
            Ok((succeeded, how)) => (succeeded, format!("{node}: `{command}` ended with {how}")),
            Err(error) => (false, format!("{node}: `{command}` could not be run: {error}")),
        };
        match (succeeded, purpose) {
            (true, _) => Ok(Effect::seen(how)),
            (false, Purpose::Kill | Purpose::Stop | Purpose::Pause) => Ok(Effect::none(how)),
            (false, Purpose::Start | Purpose::Resume) => Err(ProcessError::Command { how }),
        }
    }

    /// Whether it succeeded, with its exit code and output.
    ///
    /// Its output goes to a file, because background processes that it leaves may hold a pipe open for ever.
    async fn outcome(&self, command: &str) -> io::Result<(bool, String)> {
        if let Some(folder) = self.log.parent() {
            fs::create_dir_all(folder)?;
        }
        let log = || File::options().create(true).append(true).open(&self.log);
        let before = log()?.metadata()?.len();
        let mut child = Command::new("/bin/sh")
            .args(["-c", command])
            .stdin(Stdio::null())
            .stdout(log()?)
            .stderr(log()?)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let status = if let Ok(status) = tokio::time::timeout(PATIENCE, child.wait()).await {
            Some(status?)
        } else {
            // It fails only if the command has ended meanwhile.
            let _ = child.start_kill();
            None
        };
        let mut printed = File::open(&self.log)?;
        printed.seek(SeekFrom::Start(before))?;
        let mut text = Vec::new();
        printed.take(SHOWN as u64 * 4).read_to_end(&mut text)?;
        let text: String = String::from_utf8_lossy(&text).trim().chars().take(SHOWN).collect();
        let how = match status.map(|status| (status.code(), status.signal())) {
            None => format!("no end within {PATIENCE:?}"),
            Some((Some(code), _)) => format!("exit code {code}"),
            Some((None, signal)) => format!("signal {}", signal.unwrap_or_default()),
        };
        let output = if text.is_empty() {
            String::new()
        } else {
            format!(", and printed: {}", text.replace('\n', " / "))
        };
        Ok((status.is_some_and(|status| status.success()), how + &output))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn outcome_of_a_command_is_its_evidence() {
        let folder = tempfile::tempdir().unwrap();
        let commands = RemoteCommands {
            kill: Some("echo gone; echo indeed >&2".to_owned()),
            start: Some("echo no such host; exit 255".to_owned()),
            // A background process does not delay it.
            pause: Some("sleep 1000 & echo $!".to_owned()),
            log: folder.path().join("deep/commands.log"),
            ..RemoteCommands::default()
        };
        assert_eq!(commands.by_command(), ByCommand { kill: true, ..ByCommand::default() });
        let killed = commands.run("n1", Purpose::Kill).await.unwrap();
        let line = "n1: `echo gone; echo indeed >&2` ended with exit code 0, and printed: gone / indeed";
        assert_eq!(killed.evidence, [line]);
        let failed = commands.run("n1", Purpose::Start).await.unwrap_err().to_string();
        assert!(failed.contains("ended with exit code 255, and printed: no such host"), "{failed}");
        let paused = commands.run("n1", Purpose::Pause).await.unwrap();
        let pid = paused.evidence[0].rsplit(' ').next().unwrap().parse().unwrap();
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(pid).unwrap(),
            rustix::process::Signal::KILL,
        )
        .unwrap();
        assert!(commands.run("n1", Purpose::Stop).await.unwrap().evidence.is_empty());
        assert!(!ByCommand { kill: true, ..ByCommand::default() }.allows("partition"));
    }
}
