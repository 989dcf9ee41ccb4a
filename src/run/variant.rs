//! The life of a variant: start, warm-up, load with faults, heal, recovery, final reads, stop.

mod clients;

use super::logs::LogFollower;
use super::phases::{Ending, EventSender, PhaseLog};
use super::reserve::{Reserve, is_full};
use super::restarts::Restarts;
use super::taped;
use super::watch::{Watch, Watching};
use super::{OutputStyle, digests};
use crate::failure::Failure;
use crate::recorder::FileRecorder;
use crate::spec::Experiment;
use crate::systems::cluster::{Cluster, testbed_failure};
use crate::systems::last_slots::LastSlots;
use crate::systems::samples::Sampler;
use crate::systems::{decisions, links, output, paxos};
use crate::terminal::events::{FaultNotice, RunEvent, RunEventKind, print_events};
use crate::terminal::progress::Progress;
use crate::terminal::story::Story;
use crate::terminal::{Screen, human};
use clients::HELPERS;
use history::{Event, FaultEvent, Header, NodeRestart, Phase, Recorder};
use jiff::Timestamp;
use nemesis::{Exit, Following, Mode, PlannedFault};
use node::trace::TraceError;
use report::VariantPlan;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;
use workloads::{ClientKind, FinalReport, PROBE_KEY, PhaseReport, ServeError, Session, Workload};

/// Time after the faults for nodes that ended by themselves to be restarted.
const RESTARTED_WITHIN: Duration = Duration::from_secs(10);
/// Interval of checks for these restarts.
const RESTART_POLL: Duration = Duration::from_millis(20);
/// Largest number of named undrained queues.
const UNDRAINED_SHOWN: usize = 8;
/// Lines of a node's output in the evidence of its unexpected end.
const LAST_WORDS: usize = 3;

/// One variant, ready to run.
pub(crate) struct VariantRun<'a> {
    /// The experiment.
    pub(crate) experiment: &'a Experiment,
    /// Its plan.
    pub(crate) plan: &'a VariantPlan,
    /// Its faults.
    pub(crate) faults: &'a [PlannedFault],
    /// The first line of its history.
    pub(crate) header: Header,
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// The output for people.
    pub(crate) screen: &'a Screen,
    /// Cancelled by Ctrl-C, and at the first violation.
    pub(crate) halt: CancellationToken,
    /// How its progress is printed.
    pub(crate) style: OutputStyle,
    /// The schedule that it follows, if it is a replay.
    pub(crate) followed: Option<&'a Following>,
}

impl VariantRun<'_> {
    /// Runs the variant to its end, to the first failure or to an interruption.
    ///
    /// In each case it stops the cluster and writes the history and `load.json`.
    ///
    /// # Errors
    /// When the bench failed.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let (events, received) = unbounded_channel();
        let faults = events.clone();
        let watcher = move |recorded: &Event, tally| {
            if let Some(fault) = FaultNotice::read(recorded) {
                let event = RunEvent { time_ns: recorded.time, tally, kind: RunEventKind::Fault(fault) };
                // An error means that printing has ended, so the event is dropped.
                let _ = faults.send(event);
            }
        };
        let path = self.folder.join("history.jsonl");
        let progress = Progress::default();
        let (follower, watch) =
            self.watch(&path, &events, &progress).map_err(|error| Failure::io(&path, &error))?.unzip();
        let reserve = Reserve::take(&self.folder).map_err(|error| Failure::io(&self.folder, &error))?;
        let halt = self.halt.clone();
        let when_cut = Box::new(move || halt.cancel());
        // The header has the start time of the run's clock, for comparison with times in logs.
        let header = Header { started: Timestamp::now().to_string(), ..self.header.clone() };
        let recorder =
            FileRecorder::create(&path, &header, Some(Box::new(watcher)), follower, Some(when_cut))
                .map_err(|error| Failure::io(&path, &error))?;
        let events = EventSender::new(Arc::clone(&recorder), events);
        let log = PhaseLog::default();
        let outcome = self.with_cluster(&recorder, &events, received, &log, progress).await;
        let written = recorder.finish().map_err(|error| Failure::io(&path, &error));
        // On a full disk many steps fail for that one reason.
        let outcome = written.and(outcome);
        let stopped = watch.and_then(Watch::finish);
        let complete = outcome.is_ok() && !self.halt.is_cancelled();
        let failure = outcome.as_ref().err().map(|failure| format!("{}: {}", failure.location, failure.what));
        drop(reserve);
        let logged = log.write(&self.folder, Ending { complete, stopped, failure });
        outcome.and(logged)
    }

    /// Follows the history as it grows, if it must be linearizable.
    fn watch(
        &self,
        file: &Path,
        events: &UnboundedSender<RunEvent>,
        progress: &Progress,
    ) -> io::Result<Option<(Sender<Vec<Event>>, Watch)>> {
        let check = &self.experiment.spec.check;
        let Some(model) = self.plan.model.parse().ok().filter(|_| self.plan.check.linearizable) else {
            return Ok(None);
        };
        let watching = Watching {
            model,
            file: file.to_owned(),
            halt: check.stop_at_violation.then(|| self.halt.clone()),
            events: events.clone(),
            progress: progress.clone(),
        };
        Watch::start(watching).map(Some)
    }

    /// A remark about the final reads, if they need one.
    fn final_note(&self, report: &FinalReport) -> Option<String> {
        let (missing, drained) = (report.missing.len(), report.taken);
        if report.cancelled {
            return None;
        }
        if self.experiment.spec.load.workload == Workload::Kafka {
            return Some(format!(
                "{drained} polls at the end returned messages, until every node had no more"
            ));
        }
        if self.experiment.spec.load.workload != Workload::Queue {
            let all = missing as u64 + report.read;
            return (missing > 0).then(|| format!("{missing} of {all} final reads got no answer"));
        }
        let drained = format!("{drained} elements were dequeued at the end");
        if missing == 0 {
            return Some(format!("{drained}, until every node reported empty queues"));
        }
        let pairs = report.missing.iter().map(|(key, node)| format!("{key} through {node}"));
        let mut shown: Vec<_> = pairs.take(UNDRAINED_SHOWN).collect();
        if missing > UNDRAINED_SHOWN {
            shown.push(format!("{} more", missing - UNDRAINED_SHOWN));
        }
        Some(format!("{drained}; not drained: {}", shown.join(", ")))
    }

    async fn with_cluster(
        &self,
        recorder: &Arc<FileRecorder>,
        events: &EventSender,
        received: UnboundedReceiver<RunEvent>,
        log: &PhaseLog,
        progress: Progress,
    ) -> Result<(), Failure> {
        progress.variant(&format!("{}/{}", self.header.spec, self.header.variant));
        let _drawing = progress.draw(self.screen, recorder);
        let logs = LogFollower::start(&self.experiment.spec, &self.folder, recorder, events)?;
        let begun = Instant::now();
        let cluster = Cluster::prepare(self.experiment, &self.folder, self.header.seed).await?;
        let last = LastSlots::default();
        let story = match self.style {
            OutputStyle::Lines => None,
            OutputStyle::Story => Some(Story::new(&cluster, self.halt.clone(), last.clone())),
        };
        let printer = tokio::spawn(print_events(self.screen.clone(), progress, received, story));
        let restarts = Restarts::new(&self.experiment.spec.cluster);
        let live = LiveVariant { run: self, cluster: &cluster, recorder, events, log, restarts };
        let outcome = live.load(begun, &last).await;
        let taped = taped::write(&cluster.testbed, &self.experiment.spec.cluster, &self.folder);
        let path = self.folder.join("links.csv");
        let counted =
            links::write(&path, &cluster.testbed.links()).map_err(|error| Failure::io(&path, &error));
        cluster.flush_logs().await;
        let followed = match logs {
            Some(logs) => logs.stop().await,
            None => Ok(()),
        };
        let stopped = cluster.stop().await;
        let validated = self.validate_traces(log);
        events.send(RunEventKind::Over);
        // Printing panics only because of a bug, which must not hide the outcome.
        let _ = printer.await;
        outcome.and(counted).and(taped).and(followed).and(stopped).and(validated)
    }

    /// Checks the protocol's invariants over the traces of the nodes, which have ended.
    fn validate_traces(&self, log: &PhaseLog) -> Result<(), Failure> {
        if !self.experiment.spec.cluster.invariants {
            return Ok(());
        }
        let invariants =
            paxos::validate(&self.folder, self.plan.nodes.iter().map(String::as_str), &self.plan.spares);
        let unreadable = |error: TraceError| Failure::bench("the traces of the nodes", error.to_string());
        log.invariants(invariants.map_err(unreadable)?);
        Ok(())
    }
}

/// A variant whose cluster runs.
struct LiveVariant<'a> {
    run: &'a VariantRun<'a>,
    cluster: &'a Cluster,
    recorder: &'a Arc<FileRecorder>,
    events: &'a EventSender,
    log: &'a PhaseLog,
    restarts: Restarts,
}

impl LiveVariant<'_> {
    /// Runs the load against a cluster that was started at `begun`, up to the final reads.
    async fn load(&self, begun: Instant, last: &LastSlots) -> Result<(), Failure> {
        let Self { run, cluster, recorder, log, .. } = *self;
        let mut session = self.session()?;
        let mut exits = cluster.testbed.take_exits().expect("the exits of this cluster are taken once");
        let daemon = OnceLock::new();
        tokio::select! {
            // A node that ends at its start explains why the cluster does not serve.
            biased;
            failure = cluster.complaint() => return Err(failure),
            failure = self.exit_at_start(&mut exits, &daemon) => return Err(failure),
            () = run.halt.cancelled() => return Ok(()),
            served = async {
                cluster.launch(run.experiment).await?;
                Ok(session.wait_until_serving(run.experiment.spec.cluster.start_within()).await)
            } => {
                let served = served?;
                if served.is_ok() {
                    log.served(begun.elapsed());
                }
                if let Some(reason) = self.served(served, begun)? {
                    log.unserved(reason);
                    return Ok(());
                }
            }
        }
        let path = run.folder.join("samples.csv");
        let sampler = Sampler::start(&path, cluster.watched(), recorder.start(), last)
            .map_err(|error| Failure::io(&path, &error))?;
        let replicas = if run.plan.check.agreement { &cluster.replicas[..] } else { &[] };
        let collection = decisions::Collection::start(replicas, &run.plan.spares, &run.folder)
            .map_err(|error| Failure::io(&run.folder, &error))?;
        let outcome = tokio::select! {
            never = self.record_exits(&mut exits, &daemon) => match never {},
            outcome = self.phases(&mut session) => outcome,
        };
        let outcome = daemon.into_inner().map_or(outcome, Err);
        log.helpers(session.helpers());
        if outcome.is_ok() && cluster.system.is_own() {
            self.decisions(collection).await;
        }
        let written = sampler.stop().await.map_err(|error| Failure::io(&path, &error));
        outcome.and(written)
    }

    /// Reports the start of the cluster.
    ///
    /// A cluster of the own store without decisions is a result, because its leaders may preempt each other for
    /// ever. For other systems it returns the reason why there is no load.
    fn served(&self, served: Result<(), ServeError>, begun: Instant) -> Result<Option<String>, Failure> {
        let (testbed, events) = (&self.cluster.testbed, self.events);
        let count = self.run.plan.nodes.len() - self.run.plan.spares.len();
        let nodes = if count == 1 { "1 node is up" } else { &format!("{count} nodes are up") };
        match served {
            Ok(()) => {
                let took = human(begun.elapsed());
                let up = if testbed.mode() == Mode::Lab {
                    format!("; the lab was up in {:.0} ms", testbed.took().as_secs_f64() * 1e3)
                } else {
                    String::new()
                };
                if let Some(remark) = testbed.remark() {
                    events.send(RunEventKind::Note(remark.to_owned()));
                }
                events.send(RunEventKind::Note(format!(
                    "{count} {} after {took} (network {}, disk {}{up})",
                    if count == 1 { "node serves" } else { "nodes serve" },
                    testbed.mode(),
                    testbed.disk()
                )));
                Ok(None)
            }
            Err(error @ (ServeError::NotServing { .. } | ServeError::NotReadBack { .. }))
                if self.run.experiment.spec.cluster.system.is_own() =>
            {
                events.send(RunEventKind::Note(format!("{nodes}, but {error}; going on")));
                Ok(None)
            }
            // Where no values are judged, they may be any.
            Err(error @ ServeError::NotReadBack { .. }) if !self.run.plan.check.linearizable => {
                events.send(RunEventKind::Note(format!("{nodes}, but {error}; going on")));
                Ok(None)
            }
            Err(error @ ServeError::NotServing { .. }) => {
                events.send(RunEventKind::Note(format!("{nodes}, but {error}")));
                let spec = &self.run.experiment.spec;
                if spec.client_is(ClientKind::Exec) {
                    return Err(self.useless_helper(&error));
                }
                let check = if spec.client_is(ClientKind::Maelstrom) {
                    "the program must do what the workload asks for".to_owned()
                } else if spec.client.is_some() {
                    "check the requests and answers of [client]".to_owned()
                } else {
                    "set the protocol of its nodes, in [client] or with cluster.api".to_owned()
                };
                Ok(Some(format!(
                    "{error}; {check} and let every client in, or give them more time with cluster.start-within"
                )))
            }
            Err(ref error @ ServeError::NotReadBack { read, write, .. }) => {
                Err(Failure::bench(format!("client.{read}"), error.to_string()).help(format!(
                    "no fault was injected yet, so this says nothing about the system: correct the answers of \
                     [client.{read}] and [client.{write}], of which the first that fits decides, or let all nodes have \
                     the same data"
                )))
            }
            Err(error @ ServeError::NotListening { .. }) => Err(Failure::bench("cluster", error.to_string())
                .help(format!(
                    "a node must listen at the address that {{address}} stands for; the nodes' output is in {}",
                    self.run.folder.join("nodes").display()
                ))),
        }
    }

    /// The failure of a helper whose probes before the load failed; no evidence about the system.
    fn useless_helper(&self, error: &ServeError) -> Failure {
        let folder = self.run.folder.join(HELPERS);
        // The last helper sends the probes.
        let last = folder.join(format!("helper-{}.log", self.run.experiment.spec.load.clients + 1));
        let mut failure = Failure::bench("client.command", error.to_string()).help(format!(
            "before the load, the helper must answer ok to a write and a read of the key {PROBE_KEY}; helpers' output on \
             standard error is in {}",
            folder.display()
        ));
        failure.excerpt = output::excerpt(&last);
        failure
    }

    async fn phases(&self, session: &mut Session) -> Result<(), Failure> {
        let Self { run, cluster, events, log, .. } = *self;
        let load = &run.experiment.spec.load;
        // A failed heal fails the run; the system's behaviour afterwards is recorded in any case.
        let mut healed = Ok(());
        self.phase(session, Phase::Warmup, load.warmup).await?;
        if !run.halt.is_cancelled() {
            cluster.testbed.begin_load().await;
            let (loaded, injected) =
                tokio::join!(self.phase(session, Phase::Load, load.duration), self.inject());
            cluster.testbed.end_load().await;
            // Heals everything in any case: the fault that failed may be one of several.
            let left = cluster.testbed.heal_all().await.map_err(|error| testbed_failure(&error));
            loaded?;
            healed = injected.and(left.map(drop));
            self.stay_down().await?;
        }
        if !run.halt.is_cancelled() {
            self.phase(session, Phase::Recovery, load.recovery).await?;
        }
        if !run.halt.is_cancelled() {
            tokio::select! {
                () = tokio::time::sleep(load.quiet) => {}
                () = run.halt.cancelled() => return healed,
            }
            digests::compare(cluster, self.recorder, events, &run.halt).await;
            events.send(RunEventKind::Began(Phase::Final, None));
            let report = session.final_reads(&run.halt).await;
            log.ended(Phase::Final, report.start_ns, report.end_ns, 0);
            if let Some(note) = run.final_note(&report) {
                events.send(RunEventKind::Note(note));
            }
            events.send(RunEventKind::Ended(Phase::Final));
            digests::compare(cluster, self.recorder, events, &run.halt).await;
        }
        healed
    }

    /// Restarts nodes that ended because of a healed fault. Records and prints the nodes that stay down.
    async fn stay_down(&self) -> Result<(), Failure> {
        let began = Instant::now();
        let down = loop {
            let revival = self.cluster.testbed.revive().await.map_err(|error| testbed_failure(&error))?;
            for line in revival.started {
                self.events.send(RunEventKind::Note(line));
            }
            // A node whose restart is pending is not down for good.
            let pending = revival.gone.iter().any(|gone| self.restarts.may_follow(&gone.node, &gone.how));
            if !pending || began.elapsed() > RESTARTED_WITHIN {
                break revival.gone;
            }
            tokio::time::sleep(RESTART_POLL).await;
        };
        for gone in down {
            self.events.send(RunEventKind::Note(gone.to_string()));
            self.recorder.record(gone.event());
        }
        Ok(())
    }

    /// Injects the planned faults; all are healed when this returns, also after an interruption.
    async fn inject(&self) -> Result<(), Failure> {
        let Self { run, cluster, recorder, .. } = *self;
        let directory = Arc::new(cluster.leaders());
        let shared = Arc::clone(recorder) as Arc<dyn Recorder>;
        let testbed = Arc::clone(&cluster.testbed);
        let (at_most, halted) = (run.experiment.spec.budget.at_most, run.halt.cancelled());
        let records =
            nemesis::run(run.faults, testbed, directory, shared, Instant::now(), at_most, halted).await;
        let failed = |record: &&nemesis::FaultRecord| {
            record.started.is_some() && !record.healed && !record.beyond_help
        };
        match records.iter().find(failed) {
            None => Ok(()),
            Some(record) => {
                let notes = record.notes.join("; ");
                let location = format!("fault {}, {}", record.fault, record.label);
                Err(Failure::bench(location, format!("it was not healed: {notes}")).help(
                    "the rest of the run is no evidence about the system; run it again without this fault, \
                     or on a machine that is less busy",
                ))
            }
        }
    }

    /// Runs one phase of load; skips a phase without a duration.
    async fn phase(&self, session: &mut Session, phase: Phase, length: Duration) -> Result<(), Failure> {
        if length.is_zero() {
            return Ok(());
        }
        self.events.send(RunEventKind::Began(phase, Some(length)));
        let PhaseReport { start_ns, end_ns, unsent, .. } =
            session
                .run(phase, length, &self.run.halt)
                .await
                .map_err(|error| Failure::bench("load", error.to_string()))?;
        self.log.ended(phase, start_ns, end_ns, unsent);
        self.events.send(RunEventKind::Ended(phase));
        Ok(())
    }

    /// Collects every replica's decisions, for the check of agreement.
    async fn decisions(&self, collection: decisions::Collection) {
        let Self { cluster, events, .. } = *self;
        let members: Vec<_> =
            cluster.replicas.iter().filter(|(name, _)| !cluster.is_spare(name)).cloned().collect();
        let level = decisions::wait_until_level(&members, &self.run.halt).await;
        let mut counts = Vec::new();
        for (name, count) in collection.finish().await {
            match count {
                Ok(count) => counts.push(format!("{name} {count}")),
                Err(error) => {
                    events.send(RunEventKind::Note(format!("the decisions of {name} are missing: {error}")));
                }
            }
        }
        if counts.is_empty() {
            return;
        }
        let level = if level { "" } else { " (the replicas are not level)" };
        events.send(RunEventKind::Note(format!("slots decided: {}{level}", counts.join(", "))));
    }

    /// Records each exit of a node that the bench did not request, with its last lines of output.
    ///
    /// Never returns.
    ///
    /// If a program went to the background, the bench killed its daemon: the variant stops, because the bench
    /// is to blame.
    async fn record_exits(
        &self,
        exits: &mut UnboundedReceiver<Exit>,
        daemon: &OnceLock<Failure>,
    ) -> std::convert::Infallible {
        loop {
            tokio::select! {
                Some(exit) = exits.recv() => self.record_exit(&exit, self.restarts.plan(&exit), daemon),
                node = self.restarts.due() => self.start_again(&node).await,
                failure = self.cluster.complaint(), if daemon.get().is_none() => {
                    // It is the only one.
                    let _ = daemon.set(failure);
                    self.run.halt.cancel();
                }
            }
        }
    }

    /// Records exits of nodes that are restarted before the cluster serves.
    ///
    /// Returns at the first other exit.
    async fn exit_at_start(
        &self,
        exits: &mut UnboundedReceiver<Exit>,
        daemon: &OnceLock<Failure>,
    ) -> Failure {
        loop {
            tokio::select! {
                Some(exit) = exits.recv() => {
                    let restart = self.restarts.plan(&exit);
                    if restart.is_none() {
                        return self.cluster.ended_at_start(&exit);
                    }
                    self.record_exit(&exit, restart, daemon);
                }
                node = self.restarts.due() => self.start_again(&node).await,
            }
        }
    }

    /// Records the exit of a node, and the number of the restart that follows.
    fn record_exit(&self, exit: &Exit, restart: Option<u32>, daemon: &OnceLock<Failure>) {
        let mut record = exit.record();
        record.restart = restart;
        if is_full(&self.run.folder) {
            record.excuse = Some("the disk that holds the results is full".to_owned());
        }
        let words = self.cluster.last_words(&exit.node, exit.program.as_deref());
        let last = words.len().saturating_sub(LAST_WORDS);
        record.evidence.extend(words[last..].iter().map(|line| format!("it printed: {line}")));
        if record.left_a_daemon() {
            let reason = "its program went to the background, where the bench cannot watch it";
            let failure = Failure::bench(format!("node {}", exit.node), reason);
            // Only the first failure matters.
            let _ = daemon.set(failure.help("start it in the foreground"));
            self.run.halt.cancel();
        }
        self.recorder.record(FaultEvent::Exit(record).into());
    }

    /// Restarts a node that ended by itself, unless a fault holds it down.
    async fn start_again(&self, node: &str) {
        let number = self.restarts.count(node);
        let limit = self.restarts.limit();
        match self.cluster.testbed.start_ended(node).await {
            Ok(Some(effect)) => {
                let evidence = effect.evidence.join("; ");
                let line = format!("{node} was started again ({number} of at most {limit}): {evidence}");
                self.events.send(RunEventKind::Note(line));
                let (targets, evidence) = (vec![node.to_owned()], effect.evidence);
                let restarted = NodeRestart { targets, restart: number, evidence };
                self.recorder.record(FaultEvent::Restarted(restarted).into());
            }
            Ok(None) => {}
            Err(error) => {
                self.events.send(RunEventKind::Note(format!("{node} could not be started again: {error}")));
            }
        }
        self.restarts.done(node);
    }
}
