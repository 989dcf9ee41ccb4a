//! Who joins the cluster and who leaves it, as far as the plan can know it.

use super::scope::Aim;
use super::{Action, PlannedFault, Refusal, Scope};
use crate::partition::majority;
use crate::select::{Ends, by_name, select};
use crate::spec::{FaultSpec, MemberChange, Target};
use crate::topology::Topology;
use rand::rngs::ChaCha8Rng;
use std::collections::BTreeSet;

/// What other changes of the members do at the same time.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// Nodes that they bring in or take away.
    taken: BTreeSet<String>,
    /// How many members are missing because of them, without replacement.
    missing: usize,
}

impl Others {
    /// Of the faults that are planned already, for this window.
    pub(super) fn of(planned: &[PlannedFault], start: u64, end: u64) -> Self {
        let mut others = Self::default();
        for fault in planned.iter().filter(|fault| fault.start <= end && start <= fault.end) {
            let Action::Reconfigure { change, instead } = &fault.action else { continue };
            others.taken.extend(fault.nodes.iter().flatten().chain(instead).cloned());
            if *change == MemberChange::Remove {
                others.missing += fault.nodes.as_ref().map_or(1, Vec::len);
            }
        }
        others
    }

    /// The first spare nodes that no other change uses; the refusal says how many there are.
    fn spares(&self, topology: &Topology, count: usize) -> Result<Vec<String>, Refusal> {
        let free = topology.spares().filter(|spare| !self.taken.contains(*spare));
        let free: Vec<String> = free.take(count).map(str::to_owned).collect();
        if free.len() == count {
            return Ok(free);
        }
        let reason = match topology.spares().count() {
            0 => "there is no spare node to come; give the cluster some: spares = 1 in [cluster]".to_owned(),
            all => format!(
                "it needs {count} of the {all} spare nodes, and other changes of the same time leave {}; set spares higher \
                 in [cluster]",
                free.len()
            ),
        };
        Err(Refusal::new("change", reason))
    }
}

/// Draws who comes and who goes this time.
pub(super) fn aim(
    spec: &FaultSpec,
    topology: &Topology,
    rng: &mut ChaCha8Rng,
    others: &Others,
) -> Result<(Action, Aim), Refusal> {
    let change = spec.change.ok_or_else(|| {
        Refusal::new("change", "say what happens: change = \"add\", \"remove\" or \"replace\"")
    })?;
    if change == MemberChange::Add {
        let spares = named_spares(spec.target.as_ref(), topology, others)?;
        return Ok(planned(change, spares.join(" "), Ends::Nodes(spares), Vec::new()));
    }
    let target = spec.target.as_ref().ok_or_else(|| {
        Refusal::new("target", "say who goes, for example target = \"leader\" or target = \"random\"")
    })?;
    let refuse = |reason| Refusal::new("target", reason);
    let ends = select(target, topology, rng, &others.taken).map_err(refuse)?;
    let goes = match &ends {
        Ends::Leader => 1,
        Ends::Nodes(names) => {
            let spares: BTreeSet<&str> = topology.spares().collect();
            if let Some(name) = names.iter().find(|name| spares.contains(name.as_str())) {
                return Err(refuse(format!("`{name}` is a spare node, which can only be added")));
            }
            if let Some(name) = names.iter().find(|name| others.taken.contains(*name)) {
                return Err(refuse(format!("another change takes `{name}` away at the same time")));
            }
            names.len()
        }
    };
    let instead = match change {
        MemberChange::Replace => others.spares(topology, goes)?,
        MemberChange::Remove | MemberChange::Add => {
            enough_stay(topology, &ends, others.missing)?;
            Vec::new()
        }
    };
    Ok(planned(change, target.to_string(), ends, instead))
}

/// The spare nodes that are to come: those that are named, or the first one that is free.
fn named_spares(
    target: Option<&Target>,
    topology: &Topology,
    others: &Others,
) -> Result<Vec<String>, Refusal> {
    let first = others.spares(topology, 1)?;
    let names = match target {
        None => return Ok(first),
        Some(Target::Word(word)) => vec![word.clone()],
        Some(Target::Nodes(names)) => names.clone(),
    };
    let refuse = |reason| Refusal::new("target", reason);
    let names = by_name(&names, topology).map_err(refuse)?;
    let spares: Vec<&str> = topology.spares().collect();
    if let Some(name) = names.iter().find(|name| !spares.contains(&name.as_str())) {
        let reason = format!("`{name}` is a member already; those that can be added: {}", spares.join(", "));
        return Err(refuse(reason));
    }
    if let Some(name) = names.iter().find(|name| others.taken.contains(*name)) {
        return Err(refuse(format!("another change adds `{name}` at the same time")));
    }
    Ok(names)
}

/// Refuses to remove so many that no majority of what there was is left, of any role.
fn enough_stay(topology: &Topology, ends: &Ends, missing: usize) -> Result<(), Refusal> {
    let roles = topology.roles();
    for role in roles {
        let with = topology.with_role(role);
        let go = match ends {
            Ends::Leader => 1,
            Ends::Nodes(names) => with.iter().filter(|node| names.iter().any(|name| name == *node)).count(),
        };
        let left = with.len().saturating_sub(go + missing);
        if go > 0 && left < majority(with.len()) {
            let reason = format!(
                "of {} {role}s {left} would be left, and a majority is {}; remove fewer, or use change = \"replace\"",
                with.len(),
                majority(with.len())
            );
            return Err(Refusal::new("target", reason));
        }
    }
    Ok(())
}

fn planned(change: MemberChange, target: String, ends: Ends, instead: Vec<String>) -> (Action, Aim) {
    let by = if instead.is_empty() { String::new() } else { format!(" by {}", instead.join(" ")) };
    let (nodes, found) = match &ends {
        Ends::Leader => (None, String::new()),
        Ends::Nodes(names) if names.join(" ") == target => (Some(names.clone()), String::new()),
        Ends::Nodes(names) => (Some(names.clone()), format!(" ({})", names.join(" "))),
    };
    let label = format!("{} {target}{found}{by}", change.name());
    let scope = Scope::Processes(ends);
    (Action::Reconfigure { change, instead }, Aim { label, target, nodes, scope })
}
