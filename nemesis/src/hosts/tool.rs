//! Programs of a host's administrator, which are often outside of the PATH of a session.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Folders behind those of PATH.
const FURTHER: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// The program of this name.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(FURTHER.map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Runs a program to its end and returns its output. The error is a sentence.
pub(super) fn run(name: &str, args: &[&str], input: &str) -> Result<String, String> {
    let program = find(name).ok_or_else(|| format!("there is no {name}"))?;
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{name} cannot be started: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read it says why on its standard error.
        let _ = stdin.write_all(input.as_bytes());
    }
    let done = child.wait_with_output().map_err(|error| format!("{name}: {error}"))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let said = said.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    Err(match said {
        Some(line) => format!("{name}: {line}"),
        None => format!("{name} ended with {}", done.status),
    })
}
