//! `bench up`: starts a cluster and keeps it until `bench down` or an interrupt.

use super::detach;
use crate::cli::Up;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::run::folder::{Latest, RunFolder};
use crate::run::interrupt::HangUp;
use crate::run::lab;
use crate::spec::{self, Experiment, source};
use crate::systems::cluster::{Cluster, testbed_failure};
use crate::systems::observe::Leaders;
use crate::terminal::{FAINT, STRONG, Screen};
use history::{Event, Recorder};
use jiff::Timestamp;
use nemesis::{Clocks, Directory as _, NodeState, PlanOptions, Reply, Reported, Request, SOCKET, Sweeper};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// How long the nodes may take to answer.
const SERVE_WITHIN: Duration = Duration::from_secs(15);
const PATIENCE: Duration = Duration::from_millis(300);
/// What the process outside of a lab tells the one inside.
const FOLDER: &str = "BENCH_UP_FOLDER";
const SEED: &str = "BENCH_UP_SEED";

/// Starts the cluster of a spec, without its load and faults.
///
/// # Errors
/// When the spec is wrong (exit code 2), or the cluster cannot be started or stopped (4).
pub(crate) fn run(arguments: &Up) -> Result<Exit, Failure> {
    let screen = Screen::new(arguments.options.json);
    if arguments.detach {
        return detach::start(&screen, arguments.options.json);
    }
    if arguments.in_background {
        detach::leave_terminal();
    }
    let loaded = spec::load(source::open(&arguments.spec)?, &arguments.options.wishes())?;
    let [experiment] = &loaded.experiments[..] else {
        let location = arguments.spec.display().to_string();
        return Err(Failure::usage(location, "the spec has variants, and only one cluster can be kept")
            .help("use a spec without variants, such as workloads/smoke.toml"));
    };
    refuse_unkept(experiment)?;
    let needs_lab = lab::is_needed(&loaded)?;
    let (folder, seed) = if let Some(decided) = from_outside() {
        decided
    } else {
        let seed = arguments.options.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
        let (out, now) = (arguments.options.out.as_deref(), Timestamp::now());
        (RunFolder::create(out, "up", now, seed, Latest::Left)?, seed)
    };
    // Outside of the lab, and so it outlives whatever happens there.
    let _sweeper =
        if nemesis::inside_lab() { None } else { Sweeper::start(&sockets(experiment, &folder)).ok() };
    if needs_lab {
        let decided = [(FOLDER, folder.path.clone().into_os_string()), (SEED, seed.to_string().into())];
        return lab::enter_with(&decided);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::bench("runtime", format!("cannot be started: {error}")))?;
    runtime.block_on(keep(experiment, &folder, seed, &screen, arguments.in_background))
}

/// The folder and the seed that the process outside of the lab has chosen.
fn from_outside() -> Option<(RunFolder, u64)> {
    if !nemesis::inside_lab() {
        return None;
    }
    let folder = std::env::var_os(FOLDER).map(PathBuf::from)?;
    let seed = std::env::var(SEED).ok()?.parse().ok()?;
    Some((RunFolder::at(folder).ok()?, seed))
}

/// The sockets that there are going to be.
fn sockets(experiment: &Experiment, folder: &RunFolder) -> Vec<PathBuf> {
    let topology = experiment.topology();
    let doors = topology.names().map(|node| door(&folder.path, node));
    doors.chain([folder.path.join(SOCKET)]).collect()
}

/// The socket by which a node is reached from outside.
fn door(folder: &Path, node: &str) -> PathBuf {
    folder.join(format!("{node}.sock"))
}

/// Says that the cluster is up, and how it is used.
fn welcome(kept: &Kept, shown: &Path, screen: &Screen, in_background: bool) {
    let (first, _) = &kept.cluster.nodes[0];
    let up = kept.cluster.member_count();
    screen.line(&format!("{STRONG}{up} nodes are up{STRONG:#}  {}", shown.display()));
    screen.line(&format!("  curl --unix-socket {} http://{first}/status", kept.door(first).display()));
    screen.line(&format!("  bench nemesis --attach {} --kill-leader", shown.display()));
    let or_else = if in_background { "" } else { "or Ctrl-C" };
    screen.line(&format!("  bench down {}  {FAINT}{or_else}{FAINT:#}", shown.display()));
}

async fn keep(
    experiment: &Experiment,
    folder: &RunFolder,
    seed: u64,
    screen: &Screen,
    in_background: bool,
) -> Result<Exit, Failure> {
    let failed = |error: io::Error| Failure::bench("signals", format!("cannot be listened for: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut hang_up = HangUp::listen().map_err(failed)?;
    let shown = folder.shown();
    let listener = listen(&shown.join(SOCKET))?;
    let cluster = Cluster::prepare(experiment, &folder.path, seed).await?;
    let mut exits = cluster.testbed.take_exits().expect("the exits of this cluster are taken once");
    let kept = Arc::new(Kept {
        leaders: cluster.leaders(),
        folder: shown.clone(),
        reported: experiment.reported(),
        cluster,
        nemesis: tokio::sync::Mutex::default(),
    });
    for (name, address) in &kept.cluster.nodes {
        let door = listen(&kept.door(name))?;
        tokio::spawn(let_in(door, *address));
    }
    tokio::select! {
        biased;
        Some(exit) = exits.recv() => return Err(kept.cluster.ended_at_start(&exit)),
        launched = async {
            kept.cluster.launch(experiment).await?;
            kept.until_all_answer().await;
            Ok::<_, Failure>(())
        } => launched?,
    }
    welcome(&kept, &shown, screen, in_background);
    let (stop, mut stopped) = unbounded_channel();
    let socket = shown.join(SOCKET);
    let announced = if in_background { detach::announce(&folder.path) } else { Ok(()) };
    let outcome = loop {
        if let Err(error) = announced {
            break Err(Failure::bench(
                "bench up --detach",
                format!("the process that waits for the cluster has gone: {error}"),
            ));
        }
        tokio::select! {
            connected = listener.accept() => match connected {
                Ok((stream, _)) => drop(tokio::spawn(serve(Arc::clone(&kept), stream, stop.clone()))),
                Err(error) => break Err(Failure::io(&shown.join(SOCKET), &error)),
            },
            Some(exit) = exits.recv() => screen.line(&format!("{} ended by itself: {}", exit.node, exit.how)),
            _ = interrupt.recv() => break Ok(None),
            _ = terminate.recv() => break Ok(None),
            () = hang_up.recv() => break Ok(None),
            Some(answer) = stopped.recv() => break Ok(Some(answer)),
            // Without its socket nothing could ever stop it.
            () = until_gone(&socket) => {
                screen.line(&format!("{} is gone, so the cluster is stopped", socket.display()));
                break Ok(None);
            }
        }
    };
    let halted = kept.cluster.testbed.stop().await.map_err(|error| testbed_failure(&error));
    for path in kept.cluster.nodes.iter().map(|(name, _)| kept.door(name)).chain([shown.join(SOCKET)]) {
        // It only fails where somebody has removed it.
        let _ = std::fs::remove_file(path);
    }
    if let Some(mut answer) = outcome? {
        let _ = say(&mut answer, &Reply::Done { well: halted.is_ok() }).await;
    }
    screen.line("the cluster is stopped");
    halted.map(|()| Exit::Valid)
}

/// Returns when there is nothing at a path any more.
async fn until_gone(path: &Path) {
    while path.symlink_metadata().is_ok() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn listen(path: &Path) -> Result<UnixListener, Failure> {
    UnixListener::bind(path).map_err(|error| {
        let failure = Failure::usage(path.display().to_string(), format!("no socket can be made: {error}"));
        failure.help("the path of a socket has at most 107 letters; use a shorter --out DIR")
    })
}

/// Joins whoever connects to a socket in the file system with a node, so that it is reached from outside of its network.
async fn let_in(door: UnixListener, address: SocketAddr) {
    while let Ok((mut outside, _)) = door.accept().await {
        tokio::spawn(async move {
            // A node that is down refuses, which whoever asked sees as the end of the connection.
            if let Ok(mut node) = TcpStream::connect(address).await {
                let _ = copy_bidirectional(&mut outside, &mut node).await;
            }
        });
    }
}

/// The cluster that is kept.
struct Kept {
    cluster: Cluster,
    /// What its nodes report.
    reported: Reported,
    leaders: Leaders,
    folder: PathBuf,
    /// Held by whoever hurts it: two at a time would heal each other's faults.
    nemesis: tokio::sync::Mutex<()>,
}

impl Kept {
    /// The socket by which a node is reached from outside.
    fn door(&self, node: &str) -> PathBuf {
        door(&self.folder, node)
    }

    async fn until_all_answer(&self) {
        let begun = Instant::now();
        while begun.elapsed() < SERVE_WITHIN {
            if self.states().await.iter().all(|node| node.up || node.spare) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn states(&self) -> Vec<NodeState> {
        let leader = self.leaders.leader().await;
        let mut states = Vec::new();
        for (mut watched, (name, address)) in self.cluster.watched().into_iter().zip(&self.cluster.nodes) {
            let seen = watched.observe(PATIENCE).await;
            states.push(NodeState {
                node: name.clone(),
                up: seen.is_some(),
                spare: self.cluster.is_spare(name),
                leads: leader.as_ref() == Some(name),
                applied: seen.and_then(|seen| seen.slot_out).map(|slot| slot.saturating_sub(1)),
                address: address.to_string(),
                socket: self.door(name),
            });
        }
        states
    }
}

async fn say(stream: &mut OwnedWriteHalf, reply: &Reply) -> io::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    stream.write_all(&line).await
}

/// Answers one request. Whoever asked may leave at any time; what was begun is finished all the same.
async fn serve(kept: Arc<Kept>, stream: UnixStream, stop: UnboundedSender<OwnedWriteHalf>) {
    let (reading, mut writing) = stream.into_split();
    let mut line = String::new();
    if BufReader::new(reading).read_line(&mut line).await.is_err() {
        return;
    }
    let last = match serde_json::from_str(&line) {
        Err(error) => Reply::Refused { reason: format!("this is no request: {error}") },
        Ok(Request::Down) => {
            // It is answered when the cluster is stopped.
            let _ = stop.send(writing);
            return;
        }
        Ok(Request::Status) => {
            let states = kept.states().await;
            let well = states.iter().all(|node| node.up || node.spare);
            for state in states {
                let _ = say(&mut writing, &Reply::Node(state)).await;
            }
            Reply::Done { well }
        }
        Ok(Request::Faults { faults, seed, duration }) => {
            let testbed = &kept.cluster.testbed;
            let clocks = Clocks::choose(kept.cluster.system.is_own());
            let (mode, disk) = (testbed.mode(), testbed.disk());
            let reconfigurable = kept.cluster.system.is_own();
            let options = PlanOptions {
                mode,
                disk,
                clocks,
                duration,
                at_most: None,
                by_command: None,
                reconfigurable,
                reported: kept.reported,
                simulated: false,
                seed,
            };
            match nemesis::plan(&faults, testbed.topology(), &options) {
                Err(error) => Reply::Refused { reason: error.to_string() },
                Ok(_) if kept.nemesis.try_lock().is_err() => Reply::Refused {
                    reason: "it is being hurt already; wait until that is healed".to_owned(),
                },
                Ok(planned) => inject(&kept, planned, &mut writing).await,
            }
        }
    };
    let _ = say(&mut writing, &last).await;
}

/// Carries faults out and tells them as they come.
async fn inject(kept: &Arc<Kept>, planned: Vec<nemesis::PlannedFault>, stream: &mut OwnedWriteHalf) -> Reply {
    let _alone = kept.nemesis.lock().await;
    let (events, mut received) = unbounded_channel();
    let recorder = Arc::new(Forward { began: Instant::now(), events });
    let testbed = Arc::clone(&kept.cluster.testbed);
    let directory = Arc::new(kept.cluster.leaders());
    let run = tokio::spawn(async move {
        nemesis::run(&planned, testbed, directory, recorder, Instant::now(), None, std::future::pending())
            .await
    });
    // It ends with the recorder, which the run drops.
    while let Some(event) = received.recv().await {
        let _ = say(stream, &Reply::Event { event: Box::new(event) }).await;
    }
    let records = run.await.unwrap_or_default();
    let well =
        !records.is_empty() && records.iter().all(|record| record.healed && !record.evidence.is_empty());
    Reply::Done { well }
}

/// Hands events on as they are recorded.
struct Forward {
    began: Instant,
    events: UnboundedSender<Event>,
}

impl Recorder for Forward {
    fn record(&self, mut event: Event) -> u64 {
        let time = self.now_ns();
        event.time = time;
        // The receiver may be gone.
        let _ = self.events.send(event);
        time
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Refuses clusters that end with a run, or that run already.
fn refuse_unkept(experiment: &Experiment) -> Result<(), Failure> {
    if !experiment.spec.cluster.addresses.is_empty() {
        let what = "the servers at these addresses run already, so there is nothing to keep; use bench run";
        return Err(experiment.complaint("cluster.addresses", what));
    }
    if !experiment.spec.cluster.hosts.is_empty() {
        let what = "nodes on hosts live as long as a run; use bench run, or remove `hosts`";
        return Err(experiment.complaint("cluster.hosts", what));
    }
    Ok(())
}
