//! A server that somebody else has started: faults reach it by the commands that a spec names.

use super::error::ProcessError;
use super::node::Effect;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// How long a command may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Letters of its output that go into the evidence.
const SHOWN: usize = 200;

/// The commands for one server, ready to be given to a shell. A fault whose commands are missing is refused by the plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemoteCommands {
    /// Ends it at once.
    pub kill: Option<String>,
    /// Asks it to end, and waits until it has.
    pub stop: Option<String>,
    /// Starts it again.
    pub start: Option<String>,
    /// Makes it stand still.
    pub pause: Option<String>,
    /// Lets it go on.
    pub resume: Option<String>,
    /// The file to which the commands and what they print are appended.
    pub log: PathBuf,
}

/// What a command is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Kill,
    Stop,
    Start,
    Pause,
    Resume,
}

/// Which commands there are, for the plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ByCommand {
    /// Those for a kill: to end it and to start it again.
    pub kill: bool,
    /// Those for a stop: to ask it to end and to start it again.
    pub stop: bool,
    /// Those for a pause: to make it stand still and to let it go on.
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

    /// What to do about a fault that is not possible.
    pub(crate) fn remedy(kind: &str) -> &'static str {
        match kind {
            "kill" | "restart-all" => "say how in [cluster.commands], with kill and start",
            "stop" | "rolling-restart" => "say how in [cluster.commands], with stop and start",
            "pause" => "say how in [cluster.commands], with pause and resume",
            _ => {
                "what can be injected, with the commands of [cluster.commands], is kill, restart-all, stop, \
                 rolling-restart and pause"
            }
        }
    }
}

impl RemoteCommands {
    /// Which faults they allow.
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

    /// Runs the command. One that hurts and fails has no effect; one that heals and fails is an error.
    pub(super) async fn run(&self, node: &str, purpose: Purpose) -> Result<Effect, ProcessError> {
        let Some(command) = self.command(purpose) else {
            return Ok(Effect::none(format!("there is no command for that to {node}")));
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

    /// Whether it succeeded, and its exit code with what it printed. Its output goes to a file: what it leaves running may hold
    /// that open for ever.
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
            // It fails only where it has ended meanwhile.
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
        let said = if text.is_empty() {
            String::new()
        } else {
            format!(", and printed: {}", text.replace('\n', " / "))
        };
        Ok((status.is_some_and(|status| status.success()), how + &said))
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
            // What goes on in the background does not hold it up.
            pause: Some("sleep 1000 & echo $!".to_owned()),
            log: folder.path().join("deep/commands.log"),
            ..RemoteCommands::default()
        };
        assert_eq!(commands.by_command(), ByCommand { kill: true, ..ByCommand::default() });
        let killed = commands.run("n1", Purpose::Kill).await.unwrap();
        let said = "n1: `echo gone; echo indeed >&2` ended with exit code 0, and printed: gone / indeed";
        assert_eq!(killed.evidence, [said]);
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
