//! The thread that starts all processes of a testbed.
//!
//! The kernel kills a process with `PR_SET_PDEATHSIG` when the *thread* that started it ends. This thread
//! therefore lives as long as the testbed. A runtime's worker or a short-lived thread would kill healthy nodes.

use super::command::ProcessCommand;
use super::guard;
use crate::network::Namespace;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use tokio::sync::oneshot;

struct Request {
    command: ProcessCommand,
    namespace: Option<Namespace>,
    reply: oneshot::Sender<io::Result<Spawned>>,
}

/// A started process.
#[derive(Debug)]
pub(super) enum Spawned {
    /// Under a guard.
    Guarded(guard::Guarded),
    /// A child of the bench itself, where no guard is available.
    Bare(Child),
}

/// The handle of the spawner thread, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Spawner {
    requests: mpsc::Sender<Request>,
}

impl Spawner {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (requests, inbox) = mpsc::channel::<Request>();
        std::thread::Builder::new().name("spawner".to_owned()).spawn(move || {
            for Request { command, namespace, reply } in inbox {
                let spawned = match namespace {
                    Some(namespace) => spawn_inside(&command, &namespace),
                    None => spawn(&command),
                };
                match reply.send(spawned) {
                    // Without its input the guard ends, with all its processes.
                    Err(Ok(Spawned::Guarded(mut guarded))) => drop(guarded.child.wait()),
                    Err(Ok(Spawned::Bare(child))) => abandon(child),
                    Ok(()) | Err(Err(_)) => {}
                }
            }
        })?;
        Ok(Self { requests })
    }

    /// Starts a process in its own process group; the bench holds a pipe to its standard input open.
    ///
    /// It runs in the bench's network namespace, or in the given one.
    pub(super) async fn spawn(
        &self,
        command: ProcessCommand,
        namespace: Option<Namespace>,
    ) -> io::Result<Spawned> {
        let (reply, answer) = oneshot::channel();
        self.requests
            .send(Request { command, namespace, reply })
            .expect("the spawner thread lives as long as its handle");
        answer.await.expect("the spawner thread answers every request")
    }
}

/// Starts a process in a network namespace: it inherits the namespace of the thread that starts it.
fn spawn_inside(command: &ProcessCommand, namespace: &Namespace) -> io::Result<Spawned> {
    let own = Namespace::current()?;
    namespace.enter()?;
    let spawned = spawn(command);
    own.enter()?;
    spawned
}

fn spawn(command: &ProcessCommand) -> io::Result<Spawned> {
    let output = OpenOptions::new().create(true).append(true).open(&command.output);
    let output = output.map_err(|error| {
        io::Error::new(error.kind(), format!("its output file {}: {error}", command.output.display()))
    })?;
    if guard::nodes_are_guarded().is_ok() {
        return guard::start(command, output).map(Spawned::Guarded);
    }
    if !command.beside.is_empty() || command.host.is_some() {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "several programs and host names need a guard",
        ));
    }
    let mut program = Command::new(&command.program);
    command.inherit_environment(&mut program, None);
    program.envs(command.env.iter().map(|(name, value)| (name, value)));
    if let Some(user) = command.user {
        program.uid(user.uid).gid(user.gid);
    }
    let child = program
        .args(&command.args)
        .stdin(Stdio::piped())
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0)
        .spawn()?;
    Ok(Spawned::Bare(child))
}

/// Kills a process whose requester was dropped.
fn abandon(mut child: Child) {
    // Both fail only if the process has ended by itself.
    let _ = child.kill();
    let _ = child.wait();
}
