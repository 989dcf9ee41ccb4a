//! A node as a process, from its configuration to its end.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the edge that starts everything"
)]

use crate::clock::WallClock;
use crate::config::{NodeConfig, Secret};
use crate::core::known_roster;
use crate::driver::Driver;
use crate::http::{Limits, Names, Server};
use crate::join;
use crate::log::{Log, LogError, Recovered, Salts};
use crate::paxos::membership::{NAME_MAX, is_name};
use crate::trace::TraceFile;
use crate::transport::Peers;
use crate::transport::identity::{Identity, Key};
use std::hash::BuildHasher as _;
use std::io::Read as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// The reason why a node could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The configuration contradicts itself.
    #[error("configuration: {0}")]
    Config(String),
    /// The log cannot be read or written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; is another process using the port?")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The process could not be set up.
    #[error("cannot {action}: {source}")]
    Setup {
        /// The attempted action.
        action: &'static str,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The limit of open files is too low.
    #[error("{0}")]
    Descriptors(String),
    /// The process that started this one has ended.
    #[error("the process that started this node (pid {0}) is gone")]
    Orphaned(u32),
}

/// The environment variable of the secret, for a configuration without one.
pub const SECRET: &str = "BENCH_SECRET";

/// Time for requests in progress after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);

/// Far shorter than the time limit of a client's headers.
const TICK: Duration = Duration::from_secs(1);

/// Runs a node until it fails or gets SIGTERM. With `parent`, it also ends when that process does.
pub fn run(config: NodeConfig, parent: Option<u32>) -> Result<(), NodeError> {
    let started = Instant::now();
    if let Some(parent) = parent {
        die_with(parent)?;
    }
    config.paxos.check().map_err(NodeError::Config)?;
    check_names(&config)?;
    let secret = find_secret(&config)?;
    let key = Key::new(secret.as_ref());
    let enclosed = config.enclosed || config.listen.ip().is_loopback();
    if !config.paxos.flaw.is_empty() && !enclosed {
        return Err(NodeError::Config(format!(
            "a node with flaws listens on loopback or in a lab only, not on {}",
            config.listen
        )));
    }
    for flaw in &config.paxos.flaw {
        eprintln!("WARNING: this node has the flaw {flaw}: {}", flaw.sentence());
    }
    let limits = Limits::of(descriptors(), config.members.len()).map_err(NodeError::Descriptors)?;
    // A process id is not unique: in a container every life of a node has the same id.
    let life = std::hash::RandomState::new().hash_one(std::process::id());
    let clock = WallClock::open(config.clock.as_deref())
        .map_err(|source| NodeError::Setup { action: "read the file that shifts the clock", source })?;
    let trace = config.trace.as_deref().map(TraceFile::open).transpose();
    let trace = trace.map_err(|source| NodeError::Setup { action: "open the file for the trace", source })?;
    let log = open_log(&config)?;
    let cluster = secret.is_some().then(|| key.cluster());
    let roster = known_roster(&config, &log.1, cluster).map_err(NodeError::Config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|source| NodeError::Setup { action: "start the runtime", source })?.block_on(async {
        let address = config.listen;
        let listener =
            TcpListener::bind(address).await.map_err(|source| NodeError::Listen { address, source })?;
        let (inbox, inputs) = mpsc::unbounded_channel();
        let roster = if let Some(roster) = roster {
            roster
        } else {
            tokio::select! {
                roster = join::wait(&config, &key, secret.is_some()) => roster,
                stopped = terminated() => return stopped,
            }
        };
        check_window(&config, roster.membership.window, "the cluster has")?;
        let cluster = &roster.membership.cluster;
        let identity = Arc::new(Identity::new(&config.name, cluster, config.paxos.window, key));
        let names = Names::of(&config);
        let server = Server::new(inbox.clone(), Arc::clone(&identity), clock, names, limits);
        let peers = Peers::new(identity);
        let driver = Driver::new(config, &roster, (started, life), log, (peers, trace), inbox);
        say_recovery(&driver, address);
        let (stop, stops) = watch::channel(false);
        let connections = tokio::spawn(server.serve(listener, stops));
        tokio::spawn(tick());
        // A separate task, because waking the future of `block_on` costs a system call.
        let driver = tokio::spawn(driver.run(inputs));
        tokio::select! {
            ended = driver => match ended {
                Ok(ended) => ended.map_err(NodeError::Log),
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            },
            stopped = stopped(stop, connections) => stopped,
        }
    })
}

/// Opens the node's log, with salts from the operating system: clients may know the seed, but no salt.
fn open_log(config: &NodeConfig) -> Result<(Log, Recovered), NodeError> {
    let salts = Salts::new(rand::random::<u64>);
    let log = Log::open(&config.data, &config.name, salts, &config.paxos.flaw);
    let log = log.map_err(|error| match error {
        LogError::Name { .. } => NodeError::Config(error.to_string()),
        error => NodeError::Log(error),
    })?;
    if let Some(members) = log.1.members() {
        check_window(config, members.window, "its log was begun with")?;
    }
    Ok(log)
}

/// Checks the names of nodes, which travel in headers.
fn check_names(config: &NodeConfig) -> Result<(), NodeError> {
    let names = config.members.iter().map(|member| &member.name).chain([&config.name]);
    names.into_iter().find(|name| !is_name(name)).map_or(Ok(()), |name| {
        Err(NodeError::Config(format!(
            "name: {name:?} must be 1 to {NAME_MAX} ASCII characters without spaces"
        )))
    })
}

/// Finds the secret of the cluster, which a node needs if other machines can reach it.
fn find_secret(config: &NodeConfig) -> Result<Option<Secret>, NodeError> {
    let environment = || std::env::var(SECRET).ok().filter(|secret| !secret.is_empty()).map(Secret::new);
    let secret = config.secret.clone().or_else(environment);
    secret.as_ref().map_or(Ok(()), Secret::check).map_err(NodeError::Config)?;
    if secret.is_none() && !config.enclosed && !config.listen.ip().is_loopback() {
        return Err(NodeError::Config(format!(
            "secret: a node that listens on {} needs one, or anyone there could impersonate a member; give all nodes of the \
             cluster the same, for example from `openssl rand -hex 32`",
            config.listen
        )));
    }
    Ok(secret)
}

/// Number of descriptors of this process, after raising its limit as far as allowed.
fn descriptors() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let limit = if raised.is_ok() { maximum } else { current };
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Keeps an alarm pending in the runtime.
///
/// Without one, each timer that a connection sets for its next request would cost a system call.
async fn tick() {
    loop {
        tokio::time::sleep(TICK).await;
    }
}

/// Checks WINDOW: with different values, nodes would change the members after different slots.
fn check_window(config: &NodeConfig, window: u64, owner: &str) -> Result<(), NodeError> {
    if window == config.paxos.window {
        return Ok(());
    }
    let error = format!(
        "window: {} has {}, but {owner} {window}; set it to {window}",
        config.paxos.window, config.name
    );
    Err(NodeError::Config(error))
}

fn say_recovery(driver: &Driver, address: std::net::SocketAddr) {
    let recovery = driver.recovery();
    if recovery.torn_bytes > 0 {
        println!("cut {} bytes of a torn last record off the log", recovery.torn_bytes);
    }
    if recovery.restarted {
        println!(
            "recovered {} decisions from its snapshot ({} bytes) and {} from {} records ({} bytes) of its own log in {:.3} s",
            recovery.decisions_from_snapshot,
            recovery.snapshot_bytes,
            recovery.decisions_from_log,
            recovery.records,
            recovery.bytes,
            recovery.log_seconds
        );
    }
    println!("listening on {address}");
}

/// Waits for SIGTERM, then completes the requests in progress, up to a time limit.
async fn stopped(stop: watch::Sender<bool>, connections: JoinHandle<()>) -> Result<(), NodeError> {
    terminated().await?;
    println!("stopping: no new connections; requests under way are answered");
    stop.send_replace(true);
    if tokio::time::timeout(GRACE, connections).await.is_err() {
        println!("stopped with requests unanswered after {} s", GRACE.as_secs());
    }
    Ok(())
}

async fn terminated() -> Result<(), NodeError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut signals = signal(SignalKind::terminate())
        .map_err(|source| NodeError::Setup { action: "listen for SIGTERM", source })?;
    signals.recv().await;
    Ok(())
}

/// Ends this process when its parent does.
///
/// On Linux the kernel does it. Elsewhere the close of standard input does, a pipe that the parent holds.
fn die_with(parent: u32) -> Result<(), NodeError> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .map_err(|error| NodeError::Setup { action: "ask to die with the parent", source: error.into() })?;
    let actual = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
    if actual != i32::try_from(parent).ok() {
        return Err(NodeError::Orphaned(parent));
    }
    std::thread::spawn(move || {
        let mut discarded = [0; 64];
        while std::io::stdin().read(&mut discarded).is_ok_and(|read| read > 0) {}
        eprintln!("error: {}", NodeError::Orphaned(parent));
        std::process::exit(4);
    });
    Ok(())
}
