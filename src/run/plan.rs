//! Makes all decisions about a run before it starts, and writes them into `plan.json`.

use super::machine;
use crate::failure::Failure;
use crate::sim;
use crate::spec::promise::Promise;
use crate::spec::sections::{Linearizable, role_name};
use crate::spec::{Experiment, Loaded, explain};
use crate::systems::remote;
use history::{FORMAT_VERSION, Header};
use jiff::Timestamp;
use nemesis::{DiskMode, Family, PlannedFault, Reported, Trigger};
use node::config::{Backoff, BackoffKind, Leadership, PaxosOptions, Role};
use report::{CheckPlan, FaultPlan, Plan, VariantPlan};
use std::time::Duration;

/// A plan, and the faults of each variant in the form that the nemesis needs.
#[derive(Debug)]
pub(crate) struct Decided {
    /// The content of `plan.json`.
    pub plan: Plan,
    /// For each variant of the plan, its faults.
    pub faults: Vec<Vec<PlannedFault>>,
}

impl Decided {
    /// The first line of a variant's history.
    pub(crate) fn header(&self, variant: &VariantPlan) -> Header {
        Header {
            history: FORMAT_VERSION,
            spec: self.plan.spec.clone(),
            variant: variant.name.clone(),
            model: variant.model.clone(),
            seed: seed_of(self.plan.seed, variant.round),
            started: self.plan.started.clone(),
            initial: None,
            converted: None,
        }
    }
}

/// Plans every experiment of a spec from the seed, once per round.
///
/// All variants of a round get the same seed, so that they differ only in their settings.
///
/// # Errors
/// When a fault cannot be planned, with its line.
pub(crate) fn decide(
    loaded: &Loaded,
    seed: u64,
    started: Timestamp,
    rounds: u32,
) -> Result<Decided, Failure> {
    let mut variants = Vec::new();
    let mut faults = Vec::new();
    for round in 1..=rounds {
        let round = (rounds > 1).then_some(round);
        let seed = seed_of(seed, round);
        for experiment in &loaded.experiments {
            let planned = experiment.plan_faults(seed)?;
            variants.push(variant(experiment, seed, round, &planned, Place::Real)?);
            faults.push(planned);
        }
    }
    let plan = Plan {
        bench: env!("CARGO_PKG_VERSION").to_owned(),
        spec: loaded.spec.name.clone(),
        about: loaded.spec.about.clone(),
        seed,
        started: started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        machine: machine::describe(),
        again: String::new(),
        variants,
    };
    Ok(Decided { plan, faults })
}

/// The seed of a round: each has its own, because equal seeds would repeat the first round.
fn seed_of(seed: u64, round: Option<u32>) -> u64 {
    seed.wrapping_add(round.map_or(0, |round| u64::from(round) - 1))
}

/// Where a variant runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In processes on this machine.
    Real,
    /// In virtual time.
    Simulated,
}

impl Place {
    /// The network, and what a power loss may take from its disks where they are the bench's own.
    fn describe(self, experiment: &Experiment) -> Result<(String, Option<String>), Failure> {
        match self {
            Self::Real => {
                let own_disks = experiment.disk()? == DiskMode::Memory;
                let disk = own_disks.then(|| experiment.spec.cluster.disk_model.to_string());
                Ok((experiment.mode()?.to_string(), disk))
            }
            Self::Simulated => {
                Ok((sim::NETWORK.to_owned(), Some("any part of what was not synced".to_owned())))
            }
        }
    }
}

/// Decides a variant with these faults.
///
/// # Errors
/// When this machine cannot give what it asks for.
pub(crate) fn variant(
    experiment: &Experiment,
    seed: u64,
    round: Option<u32>,
    faults: &[PlannedFault],
    place: Place,
) -> Result<VariantPlan, Failure> {
    let spec = &experiment.spec;
    let (network, disk) = place.describe(experiment)?;
    let nodes = spec.cluster.planned_nodes();
    // Only the own store reports its decisions and the waits of its leaders.
    let own = spec.cluster.system.is_own();
    let (linearizable, timeout) = match spec.check.linearizable {
        Linearizable::Within(timeout) => (true, timeout),
        Linearizable::Off => (false, Duration::ZERO),
    };
    Ok(VariantPlan {
        name: match round {
            Some(round) => format!("{}-{round}", experiment.variant),
            None => experiment.variant.clone(),
        },
        of: round.map(|_| experiment.variant.clone()),
        round,
        model: Promise::model(spec.check.promise, spec.load.workload).to_owned(),
        system: spec.cluster.system.name().to_owned(),
        network,
        replicas: nodes
            .iter()
            .filter(|node| node.roles.contains(&Role::Replica))
            .map(|node| node.name.clone())
            .collect(),
        nodes: nodes.into_iter().map(|node| node.name).collect(),
        spares: spec.cluster.spares(),
        clients: spec.load.clients,
        rate: spec.load.rate,
        route: Some(spec.load.route)
            .filter(|route| *route != workloads::Route::default())
            .map(|route| route.to_string()),
        minimum_rate: spec.load.minimum_rate,
        keys: spec.load.keys,
        opening: (spec.load.workload == workloads::Workload::Bank)
            .then_some(workloads::OPENING.cast_signed()),
        described: spec.client.is_some() && !spec.client_is(workloads::ClientKind::Maelstrom),
        functions: functions(experiment)?,
        timeout: Some(spec.load.timeout),
        client_seeds: workloads::client_seeds(seed, spec.load.clients),
        backoff: own.then(|| in_words(&spec.cluster.paxos)),
        disk,
        check: CheckPlan {
            linearizable,
            timeout,
            promise: spec.check.promise.and_then(Promise::weaker_model),
            agreement: own && spec.check.agreement,
            unobserved: f64::from(spec.check.unobserved.millionths()) / 1e6,
            availability: spec.check.availability.map(|share| f64::from(share.millionths()) / 1e6),
            never: spec.check.never.clone(),
            sometimes: spec.check.sometimes.clone(),
            digest: spec.digest.is_some() && experiment.has_section("digest"),
        },
        faults: faults.iter().map(|planned| fault(planned, spec.load.rate)).collect(),
    })
}

/// The names of the functions of the mix.
fn functions(experiment: &Experiment) -> Result<Vec<String>, Failure> {
    let weights = experiment
        .spec
        .load
        .weights()
        .map_err(|error| experiment.complaint(&format!("load.{}", error.field), &error.message))?;
    Ok(weights.into_iter().map(|(function, _)| function.name().to_owned()).collect())
}

/// Upper bound of bytes per operation on one link in an ordinary load with small values.
const BYTES_AN_OPERATION: f64 = 10_240.0;

/// The reason why a fault hardly matters at this rate; none if it may matter.
fn remark(planned: &PlannedFault, rate: Option<f64>) -> Option<String> {
    let bytes = planned.byte_rate()?;
    let most = rate? * BYTES_AN_OPERATION;
    (bytes as f64 > most).then(|| {
        format!(
            "with {} operations a second no link carries more than about {:.1} MB a second, so it has no effect; lower \
             its rate, or raise load.rate",
            rate.unwrap_or_default(),
            most / 1e6
        )
    })
}

fn fault(planned: &PlannedFault, rate: Option<f64>) -> FaultPlan {
    FaultPlan {
        fault: planned.fault,
        kind: planned.kind.name().to_owned(),
        label: planned.label.clone(),
        target: planned.target.clone(),
        nodes: planned.nodes.clone(),
        start: (planned.trigger == Trigger::Time).then_some(planned.start),
        end: (planned.trigger == Trigger::Time).then_some(planned.end),
        when: planned.trigger.in_words(),
        remark: remark(planned, rate),
    }
}

/// The backoff and leadership options in words: `none`, `exponential, 10ms to 2s`.
fn in_words(paxos: &PaxosOptions) -> String {
    let policy = policy(&paxos.backoff);
    match paxos.leadership {
        Leadership::Compete => policy,
        Leadership::Monitor => format!("monitor, waits until the active leader is silent, then {policy}"),
    }
}

fn policy(backoff: &Backoff) -> String {
    let jitter = if backoff.jitter { ", jittered" } else { "" };
    match backoff.kind {
        BackoffKind::None => "none".to_owned(),
        BackoffKind::Exponential => {
            format!("exponential, {:?} to {:?}{jitter}", backoff.base, backoff.max)
        }
        BackoffKind::Aimd => format!(
            "aimd, times {} up, {:?} down, {:?} to {:?}{jitter}",
            backoff.factor, backoff.step, backoff.base, backoff.max
        ),
        BackoffKind::Paxosmmc => format!(
            "paxosmmc, times {} up for a higher leader, {:?} down, from {:?} to {:?}{jitter}",
            backoff.factor, backoff.step, backoff.base, backoff.max
        ),
    }
}

impl Experiment {
    /// The cluster as a topology of the nemesis.
    pub(crate) fn topology(&self) -> nemesis::Topology {
        let nodes = self.spec.cluster.planned_nodes().into_iter();
        let nodes = nodes.map(|node| (node.name, node.roles.into_iter().map(role_name).collect::<Vec<_>>()));
        nemesis::Topology::new(nodes).with_spares(self.spec.cluster.spares().len())
    }

    /// The network mode of the cluster.
    ///
    /// # Errors
    /// When this build does not support the requested mode.
    pub(crate) fn mode(&self) -> Result<nemesis::Mode, Failure> {
        if !self.spec.cluster.hosts.is_empty() {
            return Ok(nemesis::Mode::Hosts);
        }
        let network = self.spec.cluster.network;
        network.choose().map_err(|error| self.complaint("cluster.network", &error.to_string()))
    }

    /// The kind of disk of its nodes.
    ///
    /// # Errors
    /// When this machine does not support the requested kind.
    pub(crate) fn disk(&self) -> Result<nemesis::DiskMode, Failure> {
        let disk = self.spec.cluster.disk.choose(self.mode()?);
        disk.map_err(|error| self.complaint("cluster.disk", &error.to_string()))
    }

    /// Whether its nodes' clocks can be shifted; only probed if a fault needs it.
    fn clocks(&self) -> nemesis::Clocks {
        if !self.spec.cluster.hosts.is_empty() {
            // The refusal by the network says more.
            return nemesis::Clocks::Shiftable;
        }
        let needed = self.spec.faults.iter().any(|fault| fault.kind.entry().family == Family::Clock);
        nemesis::Clocks::choose(!needed || self.spec.cluster.system.is_own())
    }

    /// What its nodes report.
    pub(crate) fn reported(&self) -> Reported {
        if self.spec.cluster.system.is_own() {
            return Reported::ALL;
        }
        self.spec.status.as_ref().map_or(Reported::NONE, |status| Reported {
            leader: status.leads.is_some(),
            adopted: status.term.is_some(),
            decided: status.applied.is_some(),
            preempted: false,
        })
    }

    /// Its faults with all random choices made.
    ///
    /// # Errors
    /// When a fault is invalid, with its line.
    pub(crate) fn plan_faults(&self, seed: u64) -> Result<Vec<PlannedFault>, Failure> {
        let (mode, disk) = (self.mode()?, self.disk()?);
        let (clocks, duration, at_most) = (self.clocks(), self.spec.load.duration, self.spec.budget.at_most);
        let reconfigurable = self.spec.cluster.system.is_own() || self.spec.members.is_some();
        let by_command = remote::allowed(&self.spec.cluster);
        let options = nemesis::PlanOptions {
            mode,
            disk,
            clocks,
            duration,
            at_most,
            by_command,
            reconfigurable,
            reported: self.reported(),
            simulated: false,
            seed,
        };
        nemesis::plan(&self.spec.faults, &self.topology(), &options).map_err(|error| {
            let field = format!("fault.{}.{}", error.index + 1, error.field);
            self.refusal(&field, explain::refusal(error))
        })
    }
}
