//! Shared by the tests of the binary: starting it, and finding the processes it started.

#[cfg(unix)]
pub(crate) mod browser;
pub(crate) mod deceiver;
mod skipped;

pub(crate) use skipped::{etcd, program, skip};

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Far longer than anything here takes; only a hang reaches it.
const HANG: Duration = Duration::from_secs(120);

/// The binary under test, in a folder of its own.
pub(crate) fn bench(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    command.current_dir(folder).env("NO_COLOR", "1").env_remove("COLUMNS").stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn output(folder: &Path, arguments: &[&str]) -> Output {
    bench(folder).args(arguments).output().unwrap()
}

/// What it printed on standard error.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What it printed on standard output.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Writes a spec of three nodes with a load of this length, and what else is given.
pub(crate) fn write_spec(folder: &Path, duration: &str, more: &str) -> PathBuf {
    let path = folder.join("short.toml");
    let text = format!(
        "name = \"short\"\nabout = \"A short run for a test.\"\n[cluster]\nnodes = 3\n\
         [load]\nclients = 4\nrate = 100\nwarmup = \"200ms\"\nduration = \"{duration}\"\nrecovery = \"500ms\"\n\
         keys = 2\nminimum-rate = 5\n{more}"
    );
    std::fs::write(&path, text).unwrap();
    path
}

/// The processes whose command line names this folder: the nodes that work in it.
pub(crate) fn processes_in(folder: &Path) -> Vec<u32> {
    let folder = folder.to_str().unwrap();
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|&pid| pid != std::process::id())
        .filter(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            line.contains(folder) && line.contains("--config")
        })
        .collect()
}

/// Waits until something holds; panics with `what` if it never does.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < HANG, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits for a child and gives its exit code; kills it and panics if it hangs.
pub(crate) fn wait_for_exit(child: &mut std::process::Child) -> Option<i32> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if begun.elapsed() > HANG {
            child.kill().unwrap();
            panic!("the bench did not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How many events of operations in the phase `load` the history holds so far.
pub(crate) fn load_events(history: &Path) -> usize {
    let text = std::fs::read_to_string(history).unwrap_or_default();
    text.lines().filter(|line| line.contains("\"phase\":\"load\"")).count()
}

/// Whether a lab can be made here, without which this test is skipped.
pub(crate) fn lab_possible(test: &str) -> bool {
    possible(test, "no   lab")
}

/// Whether a lab can be made here, and disks of the bench's own in it; otherwise this test is skipped.
pub(crate) fn lab_with_disks_possible(test: &str) -> bool {
    lab_possible(test) && possible(test, "no   disk ")
}

fn possible(test: &str, missing: &str) -> bool {
    let said = stdout(&output(Path::new("/"), &["doctor"]));
    let reason = said.lines().find(|line| line.contains(missing));
    reason.map(|reason| skip(test, reason.trim())).is_none()
}

/// A run of a spec, with its folder and all that it gave.
pub(crate) struct Run {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) code: Option<i32>,
    /// What it printed.
    pub(crate) said: String,
    pub(crate) verdict: serde_json::Value,
}

impl Run {
    /// Runs a spec with its results in `out`.
    pub(crate) fn of(spec: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("spec.toml"), spec).unwrap();
        let run = output(folder.path(), &["run", "spec.toml", "--seed", "7", "--out", "out"]);
        let said = format!("{}{}", stdout(&run), stderr(&run));
        let verdict = std::fs::read(folder.path().join("out/verdict.json"));
        let verdict = verdict.map(|text| serde_json::from_slice(&text).unwrap()).unwrap_or_default();
        Self { folder, code: run.status.code(), said, verdict }
    }

    /// The verdict in one sentence.
    pub(crate) fn sentence(&self) -> &str {
        self.verdict["sentence"].as_str().unwrap_or_else(|| panic!("{}", self.said))
    }

    /// A check of its only variant, if there is one of this name.
    pub(crate) fn check(&self, name: &str) -> Option<&serde_json::Value> {
        let checks = self.verdict["variants"][0]["checks"].as_array();
        checks.unwrap_or_else(|| panic!("{}", self.said)).iter().find(|check| check["name"] == name)
    }
}
