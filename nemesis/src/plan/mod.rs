//! Decides everything about the faults of a run from the seed, before it starts. Pure.
//!
//! Each spec draws from two streams of its own (times, targets), so a fault that is added to a spec does not
//! change what the others draw. Only who leads is left open.

mod effect;
mod error;
mod options;
mod planned;
mod planning;
mod times;
mod trigger;

pub use effect::FaultEffect;
pub use error::PlanError;
pub use options::PlanOptions;
pub use planned::PlannedFault;
pub(crate) use planning::{Aim, Moved, Others, Planning};
pub use trigger::Trigger;

use crate::fault::Fault;
use crate::network::Mode;
use crate::partition::CLIENTS;
use crate::point::After;
use crate::refusal::Refusal;
use crate::select::by_name;
use crate::spec::FaultSpec;
use crate::topology::Topology;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use std::collections::BTreeSet;

/// Plans the faults of a run: one entry for each time that each of them comes, sorted by
/// start, and those of which only the run tells when they start last.
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
            // Those of which only the run tells when they start come last.
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

/// For how many nanoseconds a fault lasts once it has started; none is until the load ends.
fn lasts(spec: &FaultSpec) -> Option<u64> {
    if spec.kind.is_over_at_once() { Some(0) } else { spec.lasts.map(times::ns) }
}

/// A plan in the making.
struct Table<'a> {
    topology: &'a Topology,
    specs: &'a [FaultSpec],
    options: &'a PlanOptions,
    /// What each spec asks for, with nothing drawn yet.
    faults: Vec<Fault>,
    streams: Vec<ChaCha8Rng>,
    planned: Vec<PlannedFault>,
    /// Which spec each of them comes from.
    from: Vec<usize>,
}

impl Table<'_> {
    /// Draws what is left open about one time that a fault comes.
    fn add(&mut self, index: usize, (start, end): (u64, u64), trigger: Trigger) -> Result<(), Refusal> {
        let spec = &self.specs[index];
        if let Trigger::When(point, _) = &trigger
            && let Some(node) = point.node()
        {
            by_name(&[node.to_owned()], self.topology).map_err(|complaint| complaint.of("when"))?;
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
        if let Some(at_most) = self.options.at_most {
            let hurt = action.hurt(aim.scope.resolve(self.topology, None).ok().as_ref());
            at_most.allows(self.topology, &hurt).map_err(|excess| {
                let reason = format!("it takes away {excess} with at-most = {at_most} in [budget]");
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

    /// Adds the faults that start after others: once for each time that the other comes.
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
                    return Err(PlanError::new(index, refusal.help("they are counted from 1")));
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
                return Err(PlanError::new(rest[0].0, refusal.help("let the first one have a time")));
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

/// What a spec asks for; refuses what this network and disk cannot do, keys that the kind does not take, and numbers
/// that make no fault.
fn read(spec: &FaultSpec, options: &PlanOptions) -> Result<Fault, Refusal> {
    spec.kind.available(options).map_err(|complaint| complaint.of("kind"))?;
    let clients = spec.groups.iter().flatten().flatten().any(|name| name == CLIENTS);
    if clients && options.mode != Mode::Lab {
        let refusal = Refusal::new("groups", "clients reach the nodes directly here");
        return Err(refusal.help("their links can be cut with network = \"lab\""));
    }
    let takes = spec.kind.entry().keys;
    if let Some(key) = spec.own_keys().find(|key| !takes.contains(key)) {
        let refusal = Refusal::new(key, format!("`{}` does not take it", spec.kind));
        return Err(if key == "target" { refusal.help(spec.kind.entry().without_target) } else { refusal });
    }
    Fault::read(spec.kind, &spec.parameters)
}

#[cfg(test)]
mod tests;
