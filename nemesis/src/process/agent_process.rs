//! A process as the agent on a host holds it: the same code as for processes of the bench's own machine.

use super::child::Running;
use super::command::ProcessCommand;
use super::ending::End;
use super::excuse::Excuses;
use super::exit::Exit;
use super::folder;
use super::spawner::Spawner;
use crate::hosts::{EndedProcess, RawEnd, StartedProcess};
use rustix::process::Signal;
use std::fs::DirBuilder;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// A process that the agent has started.
#[derive(Debug)]
pub(crate) struct AgentProcess {
    running: Running,
    exits: Mutex<UnboundedReceiver<Exit>>,
}

impl AgentProcess {
    /// Starts it.
    pub(crate) async fn start(command: ProcessCommand, spawner: &Spawner) -> io::Result<Self> {
        let beside = command.beside.iter().map(|beside| beside.name.clone()).collect();
        let process = spawner.spawn(command, None).await?;
        let (sender, exits) = unbounded_channel();
        let running = Running::watch(process, ("", beside), 0, sender, Excuses::default())?;
        Ok(Self { running, exits: Mutex::new(exits) })
    }

    /// Its process ids; `process` is its number at the agent.
    pub(crate) fn started(&self, process: u64) -> StartedProcess {
        StartedProcess { process, pid: self.running.pid, beside: self.running.roots.beside.clone() }
    }

    /// Waits for its end.
    pub(crate) async fn ended(&self, process: u64) -> EndedProcess {
        let end = self.running.end_later().await;
        // An unrequested end is sent before it is published.
        let exit = self.exits.lock().unwrap_or_else(PoisonError::into_inner).try_recv();
        EndedProcess { process, end: end.as_ref().map(raw), unrequested: exit.ok().map(|exit| exit.how) }
    }

    pub(crate) async fn signal(&self, signal: Signal) -> io::Result<Option<usize>> {
        self.running.signal(signal).await
    }

    pub(crate) async fn is_stopped(&self, stopped: bool) -> Result<String, String> {
        self.running.is_stopped(stopped).await
    }

    pub(crate) async fn objection(&self, address: SocketAddr) -> Option<String> {
        self.running.objection(address).await
    }

    pub(crate) async fn still_listening(&self, address: SocketAddr) -> Option<String> {
        self.running.still_listening(address).await
    }

    /// Writes the bench's own files into the data folder. Returns whether the folder has no other content.
    pub(crate) fn fill(command: &ProcessCommand) -> io::Result<bool> {
        let Some(data) = &command.data else { return Ok(false) };
        // Some programs refuse a data folder that other users may read.
        DirBuilder::new().recursive(true).mode(0o700).create(data)?;
        folder::fill(data, &command.files, command.user)
    }

    /// Syncs a data folder.
    pub(crate) fn sync(data: &Path) -> io::Result<()> {
        folder::sync(data)
    }
}

fn raw(end: &End) -> RawEnd {
    let beside = end.beside.iter().map(|(name, pid, status)| (name.clone(), *pid, status.into_raw()));
    RawEnd {
        status: end.status.into_raw(),
        who: end.who.clone(),
        own: end.own.into_raw(),
        beside: beside.collect(),
    }
}
