//! Draws all random choices about the faults of a run from the seed, before it starts. Pure.
//!
//! Each spec draws from two random streams of its own (times, targets), so an added fault does not change the
//! draws of the others. Only the leader stays open.

mod effect;
mod error;
mod options;
mod planned;
mod planning;
mod times;
mod trigger;

pub use effect::FaultEffect;
pub use error::PlanError;
pub use options::{PlanOptions, Reported};
pub use planned::PlannedFault;
pub(crate) use planning::{Aim, Moved, Others, Planning};
pub use trigger::Trigger;

use crate::disk::DiskMode;
use crate::fault::Fault;
use crate::flaky::{Flaky, Share};
use crate::network::Mode;
use crate::partition::CLIENTS;
use crate::point::{After, Point, Sight};
use crate::refusal::Refusal;
use crate::select::by_name;
use crate::spec::FaultSpec;
use crate::topology::Topology;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use std::collections::BTreeSet;

/// Plans the faults of a run: one entry per occurrence, sorted by start.
///
/// Faults that wait for a point of the run come last.
pub fn plan(
    specs: &[FaultSpec],
    topology: &Topology,
    options: &PlanOptions,
) -> Result<Vec<PlannedFault>, PlanError> {
    let mut occurrences = Vec::new();
    let (mut faults, mut streams) = (Vec::new(), Vec::new());
    for (index, spec) in specs.iter().enumerate() {
        let fault = read(spec, options).map_err(|refusal| PlanError::new(index, refusal))?;
        let times = times::times(spec, options.duration, &mut stream(options.seed, 2 * index));
        let times = times.map_err(|refusal| PlanError::new(index, refusal))?;
        faults.push(fault);
        streams.push(stream(options.seed, 2 * index + 1));
        if spec.after.is_none() {
            // Faults that wait for a point of the run come last.
            let order = |start| if spec.when.is_some() { u64::MAX } else { start };
            occurrences.extend(times.into_iter().map(|(start, end)| (order(start), (start, end), index)));
        }
    }
    occurrences.sort_unstable();

    let mut table =
        Table { topology, specs, options, faults, streams, planned: Vec::new(), from: Vec::new() };
    for (_, window, index) in occurrences {
        let trigger = match &specs[index].when {
            Some(point) => Trigger::When(point.clone(), lasts(&specs[index])),
            None => Trigger::Time,
        };
        table.add(index, window, trigger).map_err(|refusal| PlanError::new(index, refusal))?;
    }
    table.add_followers((0, times::ns(options.duration)))?;
    Ok(table.planned)
}

/// The duration of a fault in nanoseconds; none means until the load ends.
fn lasts(spec: &FaultSpec) -> Option<u64> {
    if spec.kind.is_over_at_once() { Some(0) } else { spec.lasts.map(times::ns) }
}

/// A plan under construction.
struct Table<'a> {
    topology: &'a Topology,
    specs: &'a [FaultSpec],
    options: &'a PlanOptions,
    /// The parsed faults, without random choices.
    faults: Vec<Fault>,
    streams: Vec<ChaCha8Rng>,
    planned: Vec<PlannedFault>,
    /// The index of each fault's spec.
    from: Vec<usize>,
}

impl Table<'_> {
    /// Whether a run of this kind sees a point when it is reached.
    fn can_see(&self, point: &Point) -> Result<(), Refusal> {
        let PlanOptions { simulated, mode, disk, .. } = self.options;
        let (reason, help) = match point.sight() {
            _ if *simulated => return Ok(()),
            Some((Sight::Sends(_), _)) => (
                format!(
                    "only a simulated run can wait for `{point}`: the kinds of real messages are unknown"
                ),
                "simulate the spec with `bench sim`, or wait for \"n1 syncs 40\"",
            ),
            Some((Sight::Syncs, _)) if *disk != DiskMode::Memory => (
                "the bench only sees the syncs of its own disk".to_owned(),
                "it needs disk = \"memory\" in [cluster] (`bench doctor` shows whether that works here)",
            ),
            Some((Sight::Starts, _)) if *mode == Mode::Hosts => (
                "starts on other machines are not counted".to_owned(),
                "wait for \"leader adopted\", or remove `hosts` to run all nodes on this machine",
            ),
            None if !point.is_reported(self.options.reported) => (
                format!("the nodes of this system do not report when `{point}`"),
                "add a section [status] to the spec or to the file of its system, or wait for \"n1 syncs 40\"",
            ),
            Some(_) | None => return Ok(()),
        };
        Err(Refusal::new("when", reason).help(help))
    }

    /// Whether the leader can be found, if a fault needs it.
    fn can_find(&self, spec: &FaultSpec, aim: &Aim) -> Result<(), Refusal> {
        if self.options.reported.leader || !aim.scope.needs_leader() {
            return Ok(());
        }
        let field = if spec.target.is_some() { "target" } else { "kind" };
        let refusal = Refusal::new(field, "the nodes of this system do not report which of them leads");
        Err(refusal
            .help("add `leads` to [status] in the spec or in the file of its system, or name other nodes"))
    }

    /// Draws the random choices of one occurrence of a fault.
    fn add(&mut self, index: usize, (start, end): (u64, u64), trigger: Trigger) -> Result<(), Refusal> {
        let spec = &self.specs[index];
        if let Trigger::When(point, _) = &trigger
            && let Some(node) = point.node()
        {
            by_name(&[node.to_owned()], self.topology).map_err(|complaint| complaint.of("when"))?;
        }
        if let Trigger::When(point, _) = &trigger {
            self.can_see(point)?;
        }
        let mut action = self.faults[index].clone();
        let meets = |fault: &&PlannedFault| fault.start <= end && start <= fault.end;
        let same_time: Vec<&PlannedFault> = self.planned.iter().filter(meets).collect();
        let mut others = Others::default();
        for fault in &same_time {
            if let Some(moved) = fault.action.moves_members(fault.nodes.as_deref()) {
                others.add(moved);
            }
        }
        let mut planning = Planning {
            topology: self.topology,
            rng: &mut self.streams[index],
            busy: if spec.kind.entry().nodes.are_silent() { busy(&same_time) } else { BTreeSet::new() },
            others,
        };
        let aim = action.aim(&mut planning)?;
        self.can_find(spec, &aim)?;
        if let Some(at_most) = self.options.at_most {
            let hurt = action.hurt(aim.scope.resolve(self.topology, None).ok().as_ref());
            at_most.allows(self.topology, &hurt).map_err(|excess| {
                let reason = format!("it exceeds at-most = {at_most} in [budget]: {excess}");
                Refusal::new("kind", reason)
            })?;
        }
        self.planned.push(PlannedFault {
            fault: u32::try_from(self.planned.len() + 1).expect("a plan has fewer than four billion faults"),
            kind: spec.kind,
            label: aim.label,
            target: aim.target,
            nodes: aim.nodes,
            start,
            end,
            latest: times::ns(self.options.duration),
            trigger,
            action,
            scope: aim.scope,
        });
        self.from.push(index);
        Ok(())
    }

    /// Adds the faults that start after others: one for each occurrence of the other fault.
    fn add_followers(&mut self, window: (u64, u64)) -> Result<(), PlanError> {
        let specs = self.specs;
        let mut open: Vec<(usize, After)> =
            specs.iter().enumerate().filter_map(|(index, spec)| Some((index, spec.after?))).collect();
        while !open.is_empty() {
            let before = open.len();
            let mut rest = Vec::new();
            for (index, after) in open {
                let leader = (after.fault as usize).checked_sub(1).filter(|leader| *leader < specs.len());
                let Some(leader) = leader else {
                    let refusal = Refusal::new("after", format!("there is no fault {}", after.fault));
                    return Err(PlanError::new(index, refusal.help("the first fault is number 1")));
                };
                let leads = self.planned.iter().zip(&self.from).filter(|(_, from)| **from == leader);
                let numbers: Vec<u32> = leads.map(|(fault, _)| fault.fault).collect();
                if numbers.is_empty() {
                    rest.push((index, after));
                }
                for fault in numbers {
                    let (by, lasts) = (times::ns(after.by), lasts(&specs[index]));
                    let added = self.add(index, window, Trigger::After { fault, by, lasts });
                    added.map_err(|refusal| PlanError::new(index, refusal))?;
                }
            }
            if rest.len() == before {
                let refusal = Refusal::new("after", "it waits for itself, so it would never start");
                return Err(PlanError::new(rest[0].0, refusal.help("give one of them a time")));
            }
            open = rest;
        }
        Ok(())
    }
}

fn stream(seed: u64, number: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number as u64);
    rng
}

/// Nodes whose process one of these faults holds. Drawing them would hide one fault behind the other.
fn busy(faults: &[&PlannedFault]) -> BTreeSet<String> {
    let holds = |fault: &&&PlannedFault| fault.kind.entry().nodes.are_silent();
    faults.iter().filter(holds).flat_map(|fault| fault.nodes.clone().unwrap_or_default()).collect()
}

/// Parses a spec's fault.
///
/// It refuses faults that this network or disk cannot have, keys that the kind does not accept, and numbers
/// without an effect.
fn read(spec: &FaultSpec, options: &PlanOptions) -> Result<Fault, Refusal> {
    spec.kind.available(options).map_err(|complaint| complaint.of("kind"))?;
    let clients = spec.groups.iter().flatten().flatten().any(|name| name == CLIENTS);
    if clients && options.mode != Mode::Lab {
        let refusal = Refusal::new("groups", "clients reach the nodes directly here");
        return Err(refusal.help("their links can be cut with network = \"lab\""));
    }
    let takes = spec.kind.entry().keys;
    if let Some(key) = spec.own_keys().find(|key| !takes.contains(key)) {
        let refusal = Refusal::new(key, format!("`{}` does not accept it", spec.kind));
        return Err(if key == "target" { refusal.help(spec.kind.entry().without_target) } else { refusal });
    }
    if spec.during.is_some() && options.disk != DiskMode::Memory {
        let refusal = Refusal::new("during", "the bench can only hold the syncs of its own disk");
        return Err(refusal
            .help("it needs disk = \"memory\" in [cluster] (`bench doctor` shows whether that works here)"));
    }
    let flaky = Flaky { loss: Share::default(), ..spec.parameters.flaky() };
    if options.mode == Mode::Hosts && !flaky.is_empty() {
        let refusal = Refusal::new(flaky.first_named(), "a host loses packets, and changes none");
        return Err(refusal.help("use loss, or remove `hosts` to run all nodes on this machine"));
    }
    Fault::read(spec.kind, &spec.parameters)
}

#[cfg(test)]
mod tests;
