//! The agent on a host: reads orders of the bench from standard input, and writes lines to standard output.

mod data;
mod filter;
mod heal;
mod probe;
mod queue;
mod reservation;
mod tails;
mod watchdog;

pub(crate) use watchdog::watch_over;

use super::message::{Abilities, Line, Order, Request, Shaped};
use super::{SILENCE, tool};
use crate::process::{AgentProcess, Spawner};
use data::DataFolders;
use filter::Filter;
use queue::Queue;
use reservation::Reservation;
use rustix::process::{Signal, set_child_subreaper};
use serde_json::{Value, to_value};
use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tails::Tails;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// The part of the agent.
pub(crate) const AGENT: &str = "host-agent";
/// The part of the watchdog beside it.
pub(crate) const WATCHDOG: &str = "host-watchdog";
/// The variable with the agent's folder.
pub(super) const FOLDER: &str = "BENCH_HOST_FOLDER";
/// Interval of checks for the silence of the bench and the end of the watchdog.
const CHECK: Duration = Duration::from_millis(200);
/// Longest wait for the agent of a bench that has just ended.
const FORMER_BENCH: Duration = Duration::from_secs(6);
/// Delay before an unrequested end is reported.
const UNREQUESTED: Duration = Duration::from_millis(300);

/// Why the agent ends. The number is its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaving {
    Asked = 10,
    Closed = 11,
    Silent = 12,
}

/// Standard output, one whole line at a time.
#[derive(Debug, Clone, Default)]
struct Out(Arc<Mutex<()>>);

impl Out {
    fn say(&self, line: &Line) {
        let mut text = serde_json::to_string(line).expect("lines of the agent can be written as JSON");
        text.push('\n');
        let _held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stdout = io::stdout().lock();
        // It fails if the bench has ended, which the agent notices by its input.
        let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    }
}

/// The links of this host, once the bench has asked for its abilities.
#[derive(Debug, Default)]
struct Links {
    filter: Option<Filter>,
    /// The queue of packets; or the reason why none can be delayed.
    queue: Option<Result<Queue, String>>,
    /// The error of the last change.
    failed: Option<String>,
}

#[derive(Debug)]
struct Agent {
    /// The name of its rules.
    name: String,
    folder: PathBuf,
    out: Out,
    spawner: Spawner,
    processes: Mutex<BTreeMap<u64, Arc<AgentProcess>>>,
    tails: Arc<Tails>,
    links: Mutex<Links>,
    /// Held until this process ends.
    reservation: Mutex<Option<Reservation>>,
    data: Mutex<DataFolders>,
    /// The time of the last line of the bench.
    heard: Mutex<Instant>,
    /// Whether the agent heals the host, so that ends of processes are its own doing.
    leaving: AtomicBool,
}

/// The agent's work, until the bench has ended.
pub(crate) fn serve() -> u8 {
    let parent = rustix::process::getppid();
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap_or_default());
    // Without it the watchdog still ends every process.
    let _ = set_child_subreaper(Some(rustix::process::getpid()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (Ok(runtime), Ok(spawner)) = (runtime, Spawner::start()) else { return 1 };
    let out = Out::default();
    let tails = Arc::new(Tails::new(out.clone()));
    let agent = Arc::new(Agent {
        name: heal::name_of(&folder),
        folder,
        out,
        spawner,
        processes: Mutex::default(),
        tails,
        links: Mutex::default(),
        reservation: Mutex::default(),
        data: Mutex::default(),
        heard: Mutex::new(Instant::now()),
        leaving: AtomicBool::new(false),
    });
    let (requests, inbox) = unbounded_channel();
    let reader = Arc::clone(&agent);
    let reading = std::thread::Builder::new().name("orders".to_owned()).spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            *lock(&reader.heard) = Instant::now();
            match serde_json::from_str::<Request>(&line) {
                // The runtime lives as long as this process.
                Ok(request) => drop(requests.send(request)),
                Err(error) => eprintln!("an order cannot be read: {error}"),
            }
        }
        reader.leave(parent, Leaving::Closed)
    });
    let watching = Arc::clone(&agent);
    let watch = std::thread::Builder::new().name("watch".to_owned()).spawn(move || {
        loop {
            std::thread::sleep(CHECK);
            if lock(&watching.heard).elapsed() > SILENCE {
                watching.leave(parent, Leaving::Silent);
            }
            if rustix::process::getppid() != parent {
                watching.leave(parent, Leaving::Closed);
            }
        }
    });
    if reading.is_err() || watch.is_err() {
        return 1;
    }
    let tails = Arc::clone(&agent.tails);
    let follow = std::thread::Builder::new().name("tails".to_owned()).spawn(move || tails.follow());
    if follow.is_err() {
        return 1;
    }
    runtime.block_on(agent.obey(inbox, parent))
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Agent {
    /// Ends this process. The watchdog heals everything; without one, the agent does.
    fn leave(&self, watchdog: Option<rustix::process::Pid>, why: Leaving) -> ! {
        if rustix::process::getppid() != watchdog {
            self.leaving.store(true, SeqCst);
            let left = heal::heal(&self.folder);
            self.out.say(&Line::Over { reason: heal::in_words("the watchdog was killed", &left) });
        }
        std::process::exit(why as i32)
    }

    async fn obey(
        self: Arc<Self>,
        mut inbox: UnboundedReceiver<Request>,
        watchdog: Option<rustix::process::Pid>,
    ) -> u8 {
        while let Some(Request { id, order }) = inbox.recv().await {
            if matches!(order, Order::Leave) {
                self.tails.flush();
                self.leave(watchdog, Leaving::Asked);
            }
            // These have an effect on later ones.
            if let Order::Links { peers } = &order {
                let failed = self.shape(peers).err();
                lock(&self.links).failed = failed;
                continue;
            }
            if let Order::Count = order {
                self.answer(id, self.count());
                continue;
            }
            let agent = Arc::clone(&self);
            tokio::spawn(async move {
                let answer = agent.carry_out(order).await;
                agent.answer(id, answer);
            });
        }
        // The reading thread ends this process.
        std::future::pending().await
    }

    fn answer(&self, id: Option<u64>, answer: Result<Value, String>) {
        if let Some(id) = id {
            self.out.say(&Line::Answer { id, answer });
        }
    }

    async fn carry_out(self: &Arc<Self>, order: Order) -> Result<Value, String> {
        let process = |number: u64| {
            lock(&self.processes).get(&number).cloned().ok_or_else(|| format!("there is no process {number}"))
        };
        match order {
            Order::Beat | Order::Leave | Order::Links { .. } | Order::Count => value(&()),
            Order::Abilities => {
                let agent = Arc::clone(self);
                let tried = tokio::task::spawn_blocking(move || agent.abilities());
                value(&tried.await.map_err(|error| error.to_string())?)
            }
            Order::Reserve { addresses } => self.reserve(&addresses).await.and_then(|()| value(&())),
            Order::Routes { own, peers } => {
                let others = peers.iter().filter(|peer| **peer != own);
                let mut left = others.map(|peer| reservation::leaves_from(own, *peer));
                left.try_for_each(|reached| reached).and_then(|()| value(&()))
            }
            Order::Find { program } => value(&found(&program)),
            Order::Write { path, text } => {
                let written = path.parent().map_or(Ok(()), std::fs::create_dir_all);
                let written = written.and_then(|()| std::fs::write(&path, text));
                written.map_err(|error| format!("{}: {error}", path.display())).and_then(|()| value(&()))
            }
            Order::Follow { file } => {
                self.tails.add(file);
                value(&())
            }
            Order::Flush => {
                self.tails.flush();
                value(&())
            }
            Order::Fill { command } => {
                // Filling would create a removed folder again.
                command.data.iter().try_for_each(|data| lock(&self.data).check(data))?;
                AgentProcess::fill(&command).map_err(text).and_then(|empty| value(&empty))
            }
            Order::Sync { data } => AgentProcess::sync(&data).map_err(text).and_then(|()| value(&())),
            Order::Start { command } => self.start(command).await,
            Order::Signal { process: number, signal } => {
                let signal = Signal::from_named_raw(signal).ok_or("there is no such signal")?;
                value(&process(number)?.signal(signal).await.map_err(text)?)
            }
            Order::Stopped { process: number, stopped } => value(&process(number)?.is_stopped(stopped).await),
            Order::Objection { process: number, address } => {
                value(&process(number)?.objection(address).await)
            }
            Order::StillListening { process: number, address } => {
                value(&process(number)?.still_listening(address).await)
            }
            Order::Probe { address, request, patience } => {
                value(&probe::probe(address, &request, patience).await)
            }
        }
    }

    /// Reserves this host for its bench, whose nodes are then the only ones that its faults hit and its clients reach.
    async fn reserve(&self, addresses: &[SocketAddr]) -> Result<(), String> {
        let deadline = Instant::now() + FORMER_BENCH;
        let reservation = loop {
            match reservation::take() {
                Ok(reservation) => break reservation,
                Err(_) if Instant::now() < deadline => tokio::time::sleep(CHECK).await,
                Err(reason) => return Err(reason),
            }
        };
        *lock(&self.reservation) = Some(reservation);
        are_free(addresses)
    }

    async fn start(self: &Arc<Self>, command: crate::process::ProcessCommand) -> Result<Value, String> {
        let data = command.data.clone();
        if let Some(data) = &data {
            lock(&self.data).check(data)?;
        }
        let process = Arc::new(AgentProcess::start(command, &self.spawner).await.map_err(text)?);
        let number = {
            let mut processes = lock(&self.processes);
            let number = processes.len() as u64;
            processes.insert(number, Arc::clone(&process));
            number
        };
        if let Some(data) = data {
            lock(&self.data).note(data);
        }
        let agent = Arc::clone(self);
        let started = process.started(number);
        tokio::spawn(async move {
            let ended = process.ended(number).await;
            if ended.unrequested.is_some() {
                // A machine that shuts down ends the agent too, which is no end by the node itself.
                tokio::time::sleep(UNREQUESTED).await;
            }
            if !agent.leaving.load(SeqCst) {
                agent.tails.flush();
                agent.out.say(&Line::Ended(ended));
            }
        });
        value(&started)
    }

    /// Puts the links into these conditions.
    fn shape(&self, peers: &[Shaped]) -> Result<(), String> {
        let mut links = lock(&self.links);
        let Links { filter, queue, .. } = &mut *links;
        match queue {
            // Before the first packet arrives.
            Some(Ok(queue)) => queue.shape(peers),
            Some(Err(reason)) if peers.iter().any(Shaped::is_queued) => return Err(reason.clone()),
            Some(Err(_)) | None => {}
        }
        let filter = filter.as_mut().ok_or("no links can be cut here")?;
        filter.replace(peers)
    }

    /// Tries everything, and keeps the tool and the queue that work.
    fn abilities(&self) -> Abilities {
        let mut links = lock(&self.links);
        let first = u16::try_from(std::process::id() % 60_000).unwrap_or_default() + 1_000;
        let queue = Queue::open(first).map_err(|error| format!("packet queue: {error}"));
        let number = queue.as_ref().map_or(0, |queue| queue.number);
        let trial = filter::try_tools(&self.name, number);
        let ssh = probe::session().map(|(_, port)| port);
        links.filter = trial.tool.map(|tool| Filter::new(tool, &self.name, ssh, number));
        let abilities = probe::abilities(&self.folder, &trial, queue.as_ref().err());
        links.queue = Some(trial.queue.and(queue));
        abilities
    }

    fn count(&self) -> Result<Value, String> {
        let links = lock(&self.links);
        if let Some(reason) = &links.failed {
            return Err(reason.clone());
        }
        let mut counts = links.filter.as_ref().map(Filter::count).unwrap_or_default();
        if let Some(Ok(queue)) = &links.queue {
            queue.count(&mut counts);
        }
        value(&counts)
    }
}

fn value(answer: &impl serde::Serialize) -> Result<Value, String> {
    to_value(answer).map_err(|error| error.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "it is the last user of the error")]
fn text(error: io::Error) -> String {
    error.to_string()
}

/// Whether a program could listen at these addresses.
fn are_free(addresses: &[SocketAddr]) -> Result<(), String> {
    for address in addresses {
        TcpListener::bind(address).map_err(|error| match error.kind() {
            io::ErrorKind::AddrNotAvailable => format!(
                "{} is no address of this host; give its address in the cluster's network: {{ ssh = \"…\", address = \"…\" }}",
                address.ip()
            ),
            io::ErrorKind::AddrInUse => {
                format!("{address} is in use; find the process that listens there (`ss -ltnp`)")
            }
            _ => format!("{address} is not available: {error}"),
        })?;
    }
    Ok(())
}

/// A program by its path, or by its name in PATH.
fn found(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return program.is_file().then(|| program.to_owned());
    }
    tool::find(program.to_str()?)
}
