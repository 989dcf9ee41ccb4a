//! A session: all clients of one run, phase by phase.

use crate::adapter::{Adapter, HelperCounts};
use crate::arrivals::{DueTimes, Pacer};
use crate::client::{Client, Shared};
use crate::client_thread::ClientThread;
use crate::exchange::Requesting;
use crate::generator::{Choices, Generator};
use crate::paxos::PaxosHttp;
use crate::phase::{Reads, closed_loop, final_reads, nanoseconds, open_loop, share};
use crate::progress::Progress;
use crate::route::{self, LeaderReport, LeaderSource, Route, Router, Targets};
use crate::seed;
use crate::serving::{self, ServeError};
use crate::spec::{LoadSpec, SpecError, Workload};
use crate::turns::Turns;
use history::{Phase, Recorder};
use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::runtime::Handle;
use tokio::select;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// The least time that final reads may take together.
pub(crate) const FINAL_READS: Duration = Duration::from_secs(10);
/// The least time for taking out everything that is left in queues.
const DRAIN: Duration = Duration::from_secs(30);
/// How long queues that were empty are left alone before it is looked whether they still are: what was on its way to a client
/// that is gone comes back then.
const SETTLE: Duration = Duration::from_millis(500);
/// With at most this many keys, the final reads also read keys that were never written.
const FEW_KEYS: u32 = 100;

/// A node that takes operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name in the history.
    pub name: String,
    /// Where it listens for clients.
    pub address: SocketAddr,
    /// Whether it may be no member of the cluster: clients come to it only after errors elsewhere, it need not listen
    /// at first, and final reads leave it out. Such targets stand last.
    pub spare: bool,
}

/// What a phase came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhaseReport {
    /// Which phase.
    pub phase: Phase,
    /// Its start, in nanoseconds since the run's start.
    pub start_ns: u64,
    /// Its end: no operation was begun after it. Operations that were open then still completed.
    pub end_ns: u64,
    /// Operations that were due before its end but never sent (open loop).
    pub unsent: u64,
    /// Whether it was cancelled before its time was over.
    pub cancelled: bool,
}

/// What the final reads came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinalReport {
    /// Their start, in nanoseconds since the run's start.
    pub start_ns: u64,
    /// Their end, in nanoseconds since the run's start.
    pub end_ns: u64,
    /// How many pairs of key and replica were read.
    pub read: u64,
    /// How many elements were taken out of queues; 0 of other workloads.
    pub taken: u64,
    /// The pairs that could not be read, as key and name of the replica.
    pub missing: Vec<(String, String)>,
    /// Whether they were cancelled.
    pub cancelled: bool,
}

/// All clients of one run of one variant. Phases are run one after the other, each as often as wanted.
///
/// The futures of its methods must be driven to their end: cancel a phase with its token instead of
/// dropping its future. They need a tokio runtime with time and I/O.
pub struct Session {
    spec: LoadSpec,
    seed: u64,
    shared: Arc<Shared>,
    clients: Vec<Client>,
    /// Where the clients run, from the first phase on.
    thread: Option<ClientThread>,
    runs: u64,
    /// Where clients ask the leader: what tells who that is.
    leader_source: Option<Arc<dyn LeaderSource>>,
    leaders: watch::Sender<LeaderReport>,
}

/// The keys that were written, and where there are few of them or none was, others too.
pub(crate) fn with_few_others(mut written: BTreeSet<u32>, keys: u32) -> Vec<u32> {
    if keys <= FEW_KEYS || written.is_empty() {
        written.extend(0..keys.min(FEW_KEYS));
    }
    written.into_iter().collect()
}

/// A name that no other session has: it keeps the commands of two runs on one cluster apart.
fn unique_name() -> String {
    static SESSIONS: AtomicU64 = AtomicU64::new(0);
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    let session = SESSIONS.fetch_add(1, Ordering::Relaxed);
    format!("{time:x}-{:x}-{session:x}", std::process::id())
}

impl Session {
    /// The clients of this load, each with its own stream of operations, against the bench's own store.
    ///
    /// Targets are the replicas; client `n` begins at target `n mod targets`, spare ones left out. The error is that
    /// of [`LoadSpec::validate`].
    ///
    /// # Panics
    /// If there is no target, or a spare one stands before another.
    pub fn new(
        spec: LoadSpec,
        seed: u64,
        targets: Vec<Target>,
        recorder: Arc<dyn Recorder>,
    ) -> Result<Self, SpecError> {
        let adapter = Box::new(Requesting::new(PaxosHttp::new(spec.workload, spec.keys)));
        Self::with_adapter(spec, seed, targets, recorder, adapter)
    }

    /// The same against another system.
    ///
    /// # Panics
    /// If there is no target, or a spare one stands before another.
    pub fn with_adapter(
        spec: LoadSpec,
        seed: u64,
        targets: Vec<Target>,
        recorder: Arc<dyn Recorder>,
        adapter: Box<dyn Adapter>,
    ) -> Result<Self, SpecError> {
        assert!(targets.first().is_some_and(|first| !first.spare), "a load needs a replica to send to");
        assert!(targets.is_sorted_by_key(|target| target.spare), "spare targets stand last");
        let choices = Arc::new(Choices::new(&spec)?);
        let shared = Arc::new(Shared {
            targets,
            clients: spec.clients,
            keys: spec.keys,
            timeout: spec.timeout,
            retry: spec.retry,
            adapter,
            recorder,
            progress: Arc::default(),
            turns: OnceLock::new(),
            name: unique_name(),
        });
        let (leaders, reports) = watch::channel(LeaderReport::default());
        let count = Targets { all: shared.targets.len(), members: shared.members() };
        let client = |(number, seed)| {
            let generator = Generator::new(Arc::clone(&choices), number, seed);
            let router = Router::new(spec.route, number, spec.clients, count, reports.clone());
            Client::new(Arc::clone(&shared), generator, number, router)
        };
        let clients = (0..).zip(seed::client_seeds(seed, spec.clients)).map(client).collect();
        Ok(Self { spec, seed, shared, clients, thread: None, runs: 0, leader_source: None, leaders })
    }

    /// The same with something that tells who leads. It is asked only where clients ask the leader.
    #[must_use]
    pub fn with_leader_source(mut self, source: Arc<dyn LeaderSource>) -> Self {
        self.leader_source = Some(source).filter(|_| self.spec.route == Route::Leader);
        self
    }

    /// The same with something that decides when clients invoke the operations of the load.
    #[must_use]
    pub fn with_turns(self, turns: Arc<dyn Turns>) -> Self {
        // A session has one.
        let _ = self.shared.turns.set(turns);
        self
    }

    /// Live counters over all phases.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.shared.progress)
    }

    /// What became of the helpers so far, where clients are helpers.
    pub fn helpers(&self) -> Option<HelperCounts> {
        self.shared.adapter.helpers()
    }

    /// Waits until every replica accepts connections, one of them has applied a write to
    /// [`PROBE_KEY`](crate::PROBE_KEY) and one has answered a read of it, outside of the history and of the workload's
    /// keys. The other replicas then get 5 s to answer a read too.
    pub async fn wait_until_serving(&self, limit: Duration) -> Result<(), ServeError> {
        serving::wait(&self.shared, self.spec.workload, limit).await
    }

    /// Runs load for this long, or until it is cancelled; then waits for the operations that are still
    /// open, which takes at most the timeout of one. When it is cancelled, they end at once as unknown.
    ///
    /// Errors if the system gives us no thread for the clients, or no timer to pace an open loop.
    ///
    /// # Panics
    /// If an earlier future of this session was dropped before its end.
    pub async fn run(
        &mut self,
        phase: Phase,
        duration: Duration,
        cancel: &CancellationToken,
    ) -> io::Result<PhaseReport> {
        self.assert_whole();
        let runtime = self.runtime()?;
        if let Some(source) = &self.leader_source {
            route::ask(&**source, &self.shared.targets, &self.leaders).await;
        }
        let (start, start_ns) = (Instant::now(), self.shared.recorder.now_ns());
        let until = start + duration;
        let (pacer, queues) = match self.spec.rate {
            Some(rate) => {
                let rng = seed::arrivals(self.seed, self.runs);
                let times = DueTimes::new(self.spec.arrivals, rate, rng);
                let (pacer, queues) = Pacer::start(start, duration, times, self.spec.clients, &runtime)?;
                (Some(pacer), queues.into_iter().map(Some).collect())
            }
            None => (None, self.clients.iter().map(|_| None).collect::<Vec<_>>()),
        };
        self.runs += 1;
        let mut tasks = JoinSet::new();
        for (mut client, queue) in self.clients.drain(..).zip(queues) {
            let cancel = cancel.clone();
            let task = async move {
                let unsent = if let Some(queue) = queue {
                    open_loop(&mut client, phase, start_ns, until, queue, &cancel).await
                } else {
                    closed_loop(&mut client, phase, until, &cancel).await;
                    0
                };
                (client, unsent)
            };
            tasks.spawn_on(task, &runtime);
        }
        let (source, shared, leaders) =
            (self.leader_source.clone(), Arc::clone(&self.shared), self.leaders.clone());
        let asking = async {
            match source {
                Some(source) => route::keep_asking(source, &shared.targets, &leaders).await,
                None => std::future::pending().await,
            }
        };
        let unsent = select! {
            () = asking => unreachable!("asking never ends"),
            unsent = self.collect(tasks) => unsent.into_iter().sum(),
        };
        drop(pacer);
        let planned_ns = start_ns + nanoseconds(duration);
        let end_ns =
            if cancel.is_cancelled() { planned_ns.min(self.shared.recorder.now_ns()) } else { planned_ns };
        Ok(PhaseReport { phase, start_ns, end_ns, unsent, cancelled: end_ns < planned_ns })
    }

    /// Reads every key that was written through every replica; where there are few keys, the others too. Each read is
    /// tried again, as an operation of its own, until it is answered; a replica that answers nothing for 5 s is given
    /// up, and all of it ends after half the time of the load (10 s at least).
    ///
    /// Queues are drained instead: elements are taken out through every replica until it says that the queue is empty, again
    /// until all say so and nothing has come out since, after the time of the load at most (30 s at least).
    ///
    /// # Panics
    /// If an earlier future of this session was dropped before its end.
    pub async fn final_reads(&mut self, cancel: &CancellationToken) -> FinalReport {
        self.assert_whole();
        let start_ns = self.shared.recorder.now_ns();
        let drains = matches!(self.spec.workload, Workload::Queue | Workload::Kafka);
        let limit =
            if drains { self.spec.duration.max(DRAIN) } else { (self.spec.duration / 2).max(FINAL_READS) };
        let until = Instant::now() + limit;
        let keys = self.final_keys();
        let mut all = self.final_round(&keys, true, until, cancel).await;
        let mut came_out = all.taken;
        while drains && came_out > 0 && all.missing.is_empty() && !cancel.is_cancelled() {
            select! {
                () = cancel.cancelled() => {}
                () = sleep(SETTLE) => {}
            }
            let round = self.final_round(&keys, false, until, cancel).await;
            came_out = round.taken;
            all = Reads { taken: all.taken + came_out, ..round };
        }
        let name =
            |(key, target): (u32, usize)| (LoadSpec::key_name(key), self.shared.targets[target].name.clone());
        FinalReport {
            start_ns,
            end_ns: self.shared.recorder.now_ns(),
            read: all.read,
            taken: all.taken,
            missing: all.missing.into_iter().map(name).collect(),
            cancelled: cancel.is_cancelled(),
        }
    }

    /// Reads these keys once through every replica, all clients together.
    async fn final_round(
        &mut self,
        keys: &[u32],
        first: bool,
        until: Instant,
        cancel: &CancellationToken,
    ) -> Reads {
        let (workload, targets) = (self.spec.workload, self.shared.members());
        // Without a thread of its own it shares that of its caller.
        let runtime = self.runtime().unwrap_or_else(|_| Handle::current());
        let mut tasks = JoinSet::new();
        for (number, mut client) in (0..).zip(self.clients.drain(..)) {
            let pairs = share(number, self.spec.clients, targets, keys);
            let cancel = cancel.clone();
            let task = async move {
                let reads = final_reads(&mut client, workload, first, pairs, until, &cancel).await;
                (client, reads)
            };
            tasks.spawn_on(task, &runtime);
        }
        let mut all = Reads::default();
        for reads in self.collect(tasks).await {
            all.read += reads.read;
            all.taken += reads.taken;
            all.missing.extend(reads.missing);
        }
        all
    }

    /// The keys of the final reads, by number. One is enough where a read shows everything, and to see who answers.
    fn final_keys(&self) -> Vec<u32> {
        let has_no_keys = matches!(
            self.spec.workload,
            Workload::Bank
                | Workload::Set
                | Workload::GCounter
                | Workload::PnCounter
                | Workload::UniqueIds
                | Workload::Echo
                | Workload::Kafka
        );
        if has_no_keys {
            return vec![0];
        }
        with_few_others(self.clients.iter().flat_map(Client::written).copied().collect(), self.spec.keys)
    }

    /// Where clients run.
    fn runtime(&mut self) -> io::Result<Handle> {
        let thread = match self.thread.take() {
            Some(thread) => thread,
            None => ClientThread::start()?,
        };
        Ok(self.thread.insert(thread).runtime().clone())
    }

    /// Waits for all clients and takes them back, in their order.
    async fn collect<T: 'static>(&mut self, mut tasks: JoinSet<(Client, T)>) -> Vec<T> {
        let mut results = Vec::new();
        while let Some(joined) = tasks.join_next().await {
            match joined {
                Ok((client, result)) => {
                    self.clients.push(client);
                    results.push(result);
                }
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
        self.clients.sort_by_key(Client::number);
        results
    }

    /// Our own mistake would be to drop a phase half-way: its clients are then gone.
    fn assert_whole(&self) {
        assert_eq!(self.clients.len(), self.spec.clients as usize, "a phase was dropped before its end");
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // What the clients leave behind ends on their own thread.
        let _entered = self.thread.as_ref().map(|thread| thread.runtime().enter());
        self.clients.clear();
    }
}
