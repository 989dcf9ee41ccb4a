//! `bench up --detach`: a process in the background keeps the cluster, and reports when it is up.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::run::judge::print_value;
use crate::terminal::Screen;
use serde_json::json;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The hidden argument of the process in the background.
const BACKGROUND: &str = "--in-background";
/// What it writes once the cluster is up, before the path of its folder.
const UP: &str = "up: ";
/// What it says later, in the folder of the cluster.
pub(super) const LOG: &str = "up.log";

/// Starts this command again in the background, and ends once that says that the cluster is up.
///
/// # Errors
/// When the process cannot be started. What goes wrong in it is said as it says it.
pub(super) fn start(screen: &Screen, json: bool) -> Result<Exit, Failure> {
    let failed = |error: io::Error| Failure::bench("bench up --detach", error.to_string());
    let args = std::env::args_os().skip(1);
    let args = args.map(|arg| if arg == "--detach" { OsString::from(BACKGROUND) } else { arg });
    let mut child = Command::new("/proc/self/exe")
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let complaints = child.stderr.take().map(|stderr| {
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // The terminal may be closed.
                let _ = writeln!(io::stderr(), "{line}");
            }
        })
    });
    match hear(&mut child, screen) {
        Some(folder) if json => print_value(&json!({ "folder": folder })).map(|()| Exit::Valid),
        Some(_) => Ok(Exit::Valid),
        None => {
            let status = child.wait().map_err(failed)?;
            // It ends with the process, whose last words are all read then.
            let _ = complaints.map(std::thread::JoinHandle::join);
            Ok(Exit::ALL
                .into_iter()
                .find(|exit| Some(i32::from(exit.code())) == status.code())
                .unwrap_or(Exit::Failed))
        }
    }
}

/// Hands on what the process says until the cluster is up; gives its folder, or none where the process ended before.
fn hear(child: &mut Child, screen: &Screen) -> Option<PathBuf> {
    for line in BufReader::new(child.stdout.take()?).lines().map_while(Result::ok) {
        match line.strip_prefix(UP) {
            Some(folder) => return Some(PathBuf::from(folder)),
            None => screen.line(&line),
        }
    }
    None
}

/// Leaves the terminal, so that neither Ctrl-C in it nor its end reaches this process.
pub(super) fn leave_terminal() {
    // It fails where that is done already: in the lab, of whose processes this is the second.
    let _ = rustix::process::setsid();
}

/// Says that the cluster is up; from then on everything is written into the log in its folder.
///
/// # Errors
/// When the waiting process has gone, or the log cannot be made.
pub(super) fn announce(folder: &Path) -> io::Result<()> {
    let log = OpenOptions::new().create(true).append(true).open(folder.join(LOG))?;
    let mut stdout = io::stdout();
    writeln!(stdout, "{UP}{}", folder.display())?;
    stdout.flush()?;
    rustix::stdio::dup2_stdout(&log)?;
    rustix::stdio::dup2_stderr(&log)?;
    Ok(())
}
