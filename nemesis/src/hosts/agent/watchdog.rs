//! The watchdog beside the agent: heals the host when the agent ends, however it ends.

use super::{AGENT, FOLDER, Leaving, Out, heal};
use crate::hosts::message::Line;
use crate::reexec::again_as;
use rustix::process::set_child_subreaper;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Time for the last line, which a broken connection may not accept.
const LAST_LINE: Duration = Duration::from_secs(1);

/// The watchdog's work, until the agent has ended and everything is healed.
pub(crate) fn watch_over() -> u8 {
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap_or_default());
    let started = set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(std::io::Error::from)
        .and_then(|()| again_as(AGENT)?.arg0("bench-agent").spawn());
    let mut agent = match started {
        Ok(agent) => agent,
        Err(error) => {
            eprintln!("the agent cannot be started: {error}");
            heal::heal(&folder);
            return 1;
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(wait(&mut agent)),
        Err(_) => agent.wait().ok(),
    };
    let code = ended.and_then(|status| status.code());
    let why = match code {
        Some(code) if code == Leaving::Asked as i32 => "the bench asked for it",
        Some(code) if code == Leaving::Closed as i32 => "the connection to the bench has ended",
        Some(code) if code == Leaving::Silent as i32 => "the bench was silent for too long",
        Some(_) => "the agent failed",
        None => "the agent was killed",
    };
    let left = heal::heal(&folder);
    let line = Line::Over { reason: heal::in_words(why, &left) };
    let (sender, said) = std::sync::mpsc::channel();
    // The thread may block on a pipe without a reader; it ends with this process.
    let saying = std::thread::Builder::new().spawn(move || {
        Out::default().say(&line);
        let _ = sender.send(());
    });
    if saying.is_ok() {
        let _ = said.recv_timeout(LAST_LINE);
    }
    u8::from(!left.is_empty())
}

/// Waits for the end of the agent. A hang-up changes nothing; a request to end ends the agent.
async fn wait(agent: &mut Child) -> Option<ExitStatus> {
    let listen = |kind| signal(kind).ok();
    let (mut hang_up, mut terminate, mut interrupt) =
        (listen(SignalKind::hangup()), listen(SignalKind::terminate()), listen(SignalKind::interrupt()));
    let mut child = listen(SignalKind::child());
    loop {
        match agent.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) => {}
            Err(_) => return None,
        }
        let asked = async {
            tokio::select! {
                () = heard(&mut terminate) => {}
                () = heard(&mut interrupt) => {}
            }
        };
        tokio::select! {
            () = asked => drop(agent.kill()),
            () = heard(&mut hang_up) => {}
            () = heard(&mut child) => {}
            // A signal of a child may be lost.
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
    }
}

async fn heard(signal: &mut Option<tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}
