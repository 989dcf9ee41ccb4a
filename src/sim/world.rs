//! The loop of a simulated run: cluster, clients and faults in one virtual time, phase after phase.

use super::behaviour::Watch;
use super::faults::Faults;
use super::prepare::Simulation;
use super::{Branch, translate};
use crate::failure::Failure;
use history::{Event, Phase};
use nemesis::PlannedFault;
use node::paxos::message::Command;
use node::sim::{Cluster, Seen};
use report::{Invariants, Load, PhaseSpan};
use std::any::Any;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::time::Duration;
use workloads::outcome::Happened;
use workloads::{Attempt, Operation, SimulatedLoad, Workload};

/// How long the load waits for a first leader.
const SERVES_WITHIN: Duration = Duration::from_secs(10);
/// How long nothing is asked before the final reads, as in a real run.
const QUIET: Duration = Duration::from_secs(1);

/// A run while it is simulated.
pub(super) struct World<'a> {
    simulation: &'a Simulation<'a>,
    cluster: Cluster,
    load: SimulatedLoad,
    faults: Faults<'a>,
    /// The requests that wait for an answer, with the node that was asked.
    asked: BTreeMap<u64, (usize, Operation)>,
    /// Where everything is drawn anew; none once that was done.
    branch: Option<Branch>,
    /// The features of the behaviour; none unless the search is guided.
    watch: Option<Watch>,
    seen: Vec<Seen>,
    now: Duration,
    steps: u64,
    broken: Option<String>,
    log: Load,
}

impl<'a> World<'a> {
    pub(super) fn new(
        simulation: &'a Simulation<'a>,
        plan: Vec<PlannedFault>,
        seed: u64,
        branch: Option<Branch>,
    ) -> Result<Self, Failure> {
        let spec = &simulation.experiment.spec;
        let names = simulation.replicas.iter().map(|index| simulation.members[*index].name.clone());
        let load = SimulatedLoad::new(spec.load.clone(), seed, names.collect()).map_err(|error| {
            simulation.experiment.complaint(&format!("load.{}", error.field), &error.message)
        })?;
        // The load draws from the first streams of the seed.
        let cluster = Cluster::driven(simulation.members.clone(), &spec.cluster.paxos, !seed);
        let faults = Faults::new(plan, &simulation.topology, spec.cluster.links.into());
        Ok(Self {
            simulation,
            cluster,
            load,
            faults,
            asked: BTreeMap::new(),
            branch,
            watch: None,
            seen: Vec::new(),
            now: Duration::ZERO,
            steps: 0,
            broken: None,
            log: Load::default(),
        })
    }

    /// The same, summed up while it runs.
    pub(super) fn watched(mut self) -> Self {
        self.watch = Some(Watch::new(self.simulation.members.len()));
        self
    }

    /// Runs every phase, or until an invariant is broken.
    pub(super) fn run(mut self) -> (Vec<Event>, Load, Option<Watch>) {
        quiet_panics();
        SIMULATES.set(true);
        self.phases();
        SIMULATES.set(false);
        let events = std::mem::take(self.load.events());
        self.log.complete = self.broken.is_none();
        self.log.stopped.clone_from(&self.broken);
        self.log.invariants =
            Some(Invariants { steps: self.steps, broken: self.broken, ..Invariants::default() });
        (events, self.log, self.watch)
    }

    fn phases(&mut self) {
        let load = &self.simulation.experiment.spec.load;
        self.faults.begin(&mut self.cluster);
        self.until(SERVES_WITHIN, |world| world.cluster.leader().is_some());
        self.log.served_after = Some(nanoseconds(self.now));
        for (phase, length) in
            [(Phase::Warmup, load.warmup), (Phase::Load, load.duration), (Phase::Recovery, load.recovery)]
        {
            if length.is_zero() || self.broken.is_some() {
                continue;
            }
            let leader = self.leading_target();
            self.load.begin(self.now, phase, length, leader);
            if phase == Phase::Load {
                self.faults.start(self.now, &self.cluster);
                self.observe();
                self.watch.iter_mut().for_each(Watch::begin);
            }
            self.until(Duration::MAX, |world| world.load.is_over(world.now));
            self.note_phase();
            if phase == Phase::Load {
                self.heal();
            }
        }
        if self.broken.is_some() {
            return;
        }
        let over = self.now + QUIET;
        self.until(over, |world| world.now >= over);
        self.load.begin_final(self.now);
        self.until(Duration::MAX, |world| world.load.finals_are_over());
        let (start, ..) = self.load.end_final(self.now);
        let (start, end) = (nanoseconds(start), nanoseconds(self.now));
        self.log.phases.push(PhaseSpan { phase: Phase::Final, start, end, unsent: 0 });
    }

    fn note_phase(&mut self) {
        if let Some(over) = self.load.end() {
            let end = over.end_ns.min(nanoseconds(self.now));
            let span = PhaseSpan { phase: over.phase, start: over.start_ns, end, unsent: over.unsent };
            self.log.unsent += over.unsent;
            self.log.phases.push(span);
        }
    }

    /// Lets everything happen in its order until this holds, a moment has come, or an invariant is broken.
    fn until(&mut self, latest: Duration, holds: impl Fn(&Self) -> bool) {
        while self.broken.is_none() {
            self.exchange();
            self.observe();
            if self.broken.is_some() || holds(self) || self.now >= latest {
                return;
            }
            let later = |time: &Duration| *time > self.now;
            let end = self.load.until().filter(later);
            let limit = Some(latest).filter(|latest| *latest < Duration::MAX);
            let branch = self.branch.map(|branch| branch.at.max(self.now));
            let own = [self.load.next_due(), self.faults.next_due(), end, limit, branch];
            let own = own.into_iter().flatten().min();
            match (own, self.cluster.next_event()) {
                (Some(own), next) if next.is_none_or(|next| own <= next) => self.own(own),
                (_, Some(next)) => {
                    self.now = next;
                    self.step();
                }
                (None | Some(_), None) => return,
            }
        }
    }

    /// Shows the events since the last call to the faults that wait for them, and adds them to the sum.
    fn observe(&mut self) {
        self.cluster.take_seen(&mut self.seen);
        if self.seen.is_empty() {
            return;
        }
        self.faults.see(&self.seen, self.now);
        if let Some(watch) = &mut self.watch {
            self.seen.iter().for_each(|event| watch.see(*event));
            watch.leads(self.cluster.leader_index(), self.now);
        }
        self.seen.clear();
    }

    /// Does what clients and faults have to do at this time.
    fn own(&mut self, time: Duration) {
        self.now = self.now.max(time);
        self.cluster.wait_until(self.now);
        if let Some(branch) = self.branch.take_if(|branch| branch.at <= time) {
            self.cluster.reseed(branch.seed);
        }
        self.guarded(|world| world.faults.advance(world.now, &mut world.cluster));
        self.after_faults();
        let leader = self.leading_target();
        self.load.advance(self.now, leader);
    }

    /// Ends every fault that is in force.
    fn heal(&mut self) {
        self.guarded(|world| world.faults.end_all(world.now, &mut world.cluster));
        self.after_faults();
    }

    /// Records what faults did, and lets the clients of ended processes know.
    fn after_faults(&mut self) {
        let time = nanoseconds(self.now);
        for event in self.faults.take_events() {
            if let Some(watch) = &mut self.watch {
                watch.fault(&event, self.faults.names());
            }
            self.load.events().push(Event { time, ..event.into() });
        }
        for node in self.faults.take_ended() {
            let of_node: Vec<u64> = self
                .asked
                .iter()
                .filter(|(_, (asked, _))| *asked == node)
                .map(|(handle, _)| *handle)
                .collect();
            for handle in of_node {
                self.asked.remove(&handle);
                self.load.happened(self.now, handle, Happened::Reset);
            }
        }
    }

    /// One event of the cluster.
    fn step(&mut self) {
        self.steps += 1;
        self.guarded(|world| world.cluster.step());
        if let Some(broken) = self.cluster.broken() {
            self.broken.get_or_insert_with(|| broken.to_owned());
        }
    }

    /// A node that panics breaks an invariant: the roles assert those of the paper.
    fn guarded(&mut self, work: impl FnOnce(&mut Self)) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(self))) {
            self.broken.get_or_insert_with(|| format!("a node ended by itself: {}", message(&*panic)));
        }
        if let Some(broken) = self.cluster.broken() {
            self.broken.get_or_insert_with(|| broken.to_owned());
        }
    }

    /// Hands requests to the nodes and replies to the clients until there are none.
    fn exchange(&mut self) {
        while self.broken.is_none() && (self.load.has_attempts() || self.cluster.has_replies()) {
            for attempt in self.load.take_attempts() {
                self.ask(attempt);
            }
            for (handle, reply) in self.cluster.take_replies() {
                let Some((node, operation)) = self.asked.remove(&handle) else { continue };
                if self.faults.cuts_clients(node) {
                    continue;
                }
                let workload = self.workload();
                let happened = translate::happened(workload, &operation, reply);
                self.load.happened(self.now, handle, happened);
            }
        }
    }

    fn ask(&mut self, attempt: Attempt) {
        let Attempt { handle, target, operation, client, sequence } = attempt;
        let node = self.simulation.replicas[target];
        if self.faults.cuts_clients(node) {
            return;
        }
        if !self.cluster.is_up(node) {
            return self.load.happened(self.now, handle, Happened::Refused);
        }
        let keys = self.simulation.experiment.spec.load.keys;
        let command = Command { client, sequence, operation: translate::command(&operation, keys) };
        self.asked.insert(handle, (node, operation));
        self.guarded(|world| world.cluster.request(node, command, None, handle));
    }

    fn workload(&self) -> Workload {
        self.simulation.experiment.spec.load.workload
    }

    /// The target of the clients that leads.
    fn leading_target(&self) -> Option<usize> {
        let leader = self.cluster.leader()?;
        self.simulation.replicas.iter().position(|index| self.simulation.members[*index].name == leader)
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
}

thread_local! {
    /// Whether this thread simulates: panics of simulated nodes are results, and are not printed.
    static SIMULATES: Cell<bool> = const { Cell::new(false) };
}

fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !SIMULATES.get() {
                usual(panic);
            }
        }));
    });
}
