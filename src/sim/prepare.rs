//! From an experiment to a simulation: what cannot be simulated is refused by name.

use super::behaviour::{Behaviour, Watch};
use super::world::World;
use super::{Branch, SimRun};
use crate::failure::Failure;
use crate::run::plan;
use crate::spec::{Experiment, Loaded, explain};
use history::{FORMAT_VERSION, Header};
use nemesis::{Clocks, DiskMode, Kind, Mode, PlanOptions, PlannedFault, Reported, Topology};
use node::config::{Member, Role};
use report::Plan;
use workloads::Workload;

/// When virtual time begins.
const EPOCH: &str = "1970-01-01T00:00:00Z";

/// An experiment that can be simulated.
#[derive(Debug)]
pub(crate) struct Simulation<'a> {
    pub(super) experiment: &'a Experiment,
    pub(super) topology: Topology,
    pub(super) members: Vec<Member>,
    /// The indices of the nodes that clients talk to.
    pub(super) replicas: Vec<usize>,
    spec: String,
    about: String,
}

impl<'a> Simulation<'a> {
    /// The only experiment of a spec.
    ///
    /// # Errors
    /// When there are several, or it has something that cannot be simulated (exit code 2).
    pub(crate) fn new(loaded: &'a Loaded) -> Result<Self, Failure> {
        let [experiment] = loaded.experiments.as_slice() else {
            let names: Vec<&str> = loaded.experiments.iter().map(|one| one.variant.as_str()).collect();
            return Err(Failure::usage(
                &loaded.spec.name,
                "the spec has several variants, and one is simulated",
            )
            .help(format!("choose one with --only {}", names.join(" or --only "))));
        };
        refuse(experiment)?;
        plan_faults(experiment, 0)?;
        let nodes = experiment.spec.cluster.planned_nodes();
        let member =
            |name: &String, roles| Member { name: name.clone(), address: ([127, 0, 0, 1], 1).into(), roles };
        let members: Vec<_> = nodes.iter().map(|node| member(&node.name, node.roles.clone())).collect();
        let hosts = |(index, node): (usize, &Member)| node.roles.contains(&Role::Replica).then_some(index);
        Ok(Self {
            experiment,
            topology: experiment.topology(),
            replicas: members.iter().enumerate().filter_map(hosts).collect(),
            members,
            spec: loaded.spec.name.clone(),
            about: loaded.spec.about.clone(),
        })
    }

    /// Simulates one run to its end. With a branch, everything after its moment is drawn from another seed.
    ///
    /// # Errors
    /// When a fault cannot be planned with this seed.
    pub(crate) fn run(&self, seed: u64, branch: Option<Branch>) -> Result<SimRun, Failure> {
        self.simulate(seed, branch, false).map(|(run, _)| run)
    }

    /// The same without a branch, with a sum of what the run did.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub(crate) fn watched(&self, seed: u64) -> Result<(SimRun, Behaviour), Failure> {
        let (run, behaviour) = self.simulate(seed, None, true)?;
        Ok((run, behaviour.unwrap_or_default()))
    }

    fn simulate(
        &self,
        seed: u64,
        branch: Option<Branch>,
        watched: bool,
    ) -> Result<(SimRun, Option<Behaviour>), Failure> {
        let faults = plan_faults(self.experiment, seed)?;
        let mut variant = plan::variant(self.experiment, seed, None, &faults, plan::Place::Simulated)?;
        // Agreement is one of the invariants, after every step.
        variant.check.agreement = false;
        let header = Header {
            history: FORMAT_VERSION,
            spec: self.spec.clone(),
            variant: variant.name.clone(),
            model: variant.model.clone(),
            seed,
            started: EPOCH.to_owned(),
            initial: None,
            converted: None,
        };
        let plan = Plan {
            bench: env!("CARGO_PKG_VERSION").to_owned(),
            spec: self.spec.clone(),
            about: self.about.clone(),
            seed,
            started: EPOCH.to_owned(),
            machine: "virtual time".to_owned(),
            again: format!("bench sim spec.toml --seed {seed} --seeds 1"),
            variants: vec![variant],
        };
        let world = World::new(self, faults, seed, branch)?;
        let (events, load, watch) = if watched { world.watched() } else { world }.run();
        Ok((SimRun { plan, header, events, load }, watch.map(Watch::sum)))
    }
}

/// Refuses what a simulation has not.
fn refuse(experiment: &Experiment) -> Result<(), Failure> {
    let spec = &experiment.spec;
    let complaint = |key: &str, what: &str| Err(experiment.complaint(key, what));
    if !spec.cluster.system.is_own() {
        return complaint("cluster.system", "only the bench's own store (\"paxos\") can be simulated");
    }
    if spec.cluster.spares > 0 {
        return complaint("cluster.spares", "changes of the members cannot be simulated");
    }
    if spec.budget.at_most.is_some() {
        return complaint("budget.at-most", "a budget that holds faults back cannot be simulated");
    }
    if !spec.load.record {
        return complaint("load.record", "nothing would be recorded, so nothing could be judged");
    }
    if spec.load.workload == Workload::Queue {
        return complaint("load.workload", "the store has no queues");
    }
    for (key, patterns) in [("check.never", &spec.check.never), ("check.sometimes", &spec.check.sometimes)] {
        if !patterns.is_empty() {
            return complaint(key, "simulated nodes write no logs");
        }
    }
    Ok(())
}

/// The faults of an experiment for a simulation, on whatever machine.
///
/// # Errors
/// When one cannot be meant or simulated, with its line.
pub(crate) fn plan_faults(experiment: &Experiment, seed: u64) -> Result<Vec<PlannedFault>, Failure> {
    let options = PlanOptions {
        mode: Mode::Lab,
        disk: DiskMode::Memory,
        clocks: Clocks::Shiftable,
        duration: experiment.spec.load.duration,
        at_most: None,
        by_command: None,
        reconfigurable: true,
        reported: Reported::ALL,
        simulated: true,
        seed,
    };
    let faults = &experiment.spec.faults;
    let planned = nemesis::plan(faults, &experiment.topology(), &options).map_err(|error| {
        let field = format!("fault.{}.{}", error.index + 1, error.field);
        experiment.refusal(&field, explain::refusal(error))
    })?;
    if let Some(other) = planned.iter().find(|fault| fault.effect().is_none()) {
        let index = faults.iter().position(|fault| fault.kind == other.kind).unwrap_or_default();
        let reason = match other.kind {
            Kind::Flaky => "`garble` cannot be simulated".to_owned(),
            kind => format!("`{kind}` cannot be simulated"),
        };
        return Err(experiment.complaint(&format!("fault.{}.kind", index + 1), &reason));
    }
    Ok(planned)
}
