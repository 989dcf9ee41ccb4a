//! A process on another machine: what the bench asks the agent there to do with it.

use super::command::ProcessCommand;
use super::ending::End;
use crate::hosts::{HostConnection, HostError, Order, StartedProcess};
use rustix::process::Signal;
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;

/// A process on another machine.
#[derive(Debug)]
pub(super) struct FarProcess {
    host: Arc<HostConnection>,
    process: u64,
}

impl FarProcess {
    /// Starts it. Its output is copied to the files that the command names here.
    pub(super) async fn start(
        host: &Arc<HostConnection>,
        mut command: ProcessCommand,
    ) -> Result<(Self, StartedProcess), HostError> {
        let there = |here: &PathBuf| host.folder().join(here.file_name().unwrap_or_default());
        let outputs = std::iter::once(&mut command.output);
        for output in outputs.chain(command.beside.iter_mut().map(|beside| &mut beside.output)) {
            let file = there(output);
            host.follow(&file, output);
            *output = file;
        }
        let started: StartedProcess = host.ask(Order::Start { command }).await?;
        Ok((Self { host: Arc::clone(host), process: started.process }, started))
    }

    /// Calls `tell` with its end, and with how it ended if the bench did not request that.
    pub(super) fn on_end(&self, tell: impl FnOnce(Option<End>, Option<String>) + Send + 'static) {
        self.host.on_end(self.process, move |ended| match ended {
            Some(ended) => {
                let status = ExitStatus::from_raw;
                let end = ended.end.map(|end| End {
                    status: status(end.status),
                    who: end.who,
                    own: status(end.own),
                    beside: end.beside.into_iter().map(|(name, pid, raw)| (name, pid, status(raw))).collect(),
                });
                tell(end, ended.unrequested);
            }
            None => tell(None, None),
        });
    }

    pub(super) async fn signal(&self, signal: Signal) -> io::Result<Option<usize>> {
        let order = Order::Signal { process: self.process, signal: signal.as_raw() };
        self.host.ask(order).await.map_err(io::Error::other)
    }

    pub(super) fn signal_soon(&self, signal: Signal) {
        self.host.post(Order::Signal { process: self.process, signal: signal.as_raw() });
    }

    pub(super) async fn objection(&self, address: SocketAddr) -> Option<String> {
        let order = Order::Objection { process: self.process, address };
        // Without an answer there is no evidence.
        self.host.ask(order).await.unwrap_or_else(|error| Some(error.to_string()))
    }

    pub(super) async fn still_listening(&self, address: SocketAddr) -> Option<String> {
        let order = Order::StillListening { process: self.process, address };
        self.host.ask(order).await.unwrap_or_else(|error| Some(error.to_string()))
    }

    pub(super) async fn is_stopped(&self, stopped: bool) -> Result<String, String> {
        let order = Order::Stopped { process: self.process, stopped };
        self.host.ask(order).await.unwrap_or_else(|error| Err(error.to_string()))
    }
}
