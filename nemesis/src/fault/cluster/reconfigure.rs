//! Changes of the members: adds, removes or replaces nodes, and undoes the change at the end.

use super::members;
use crate::budget::Hurt;
use crate::fault::entry::{Entry, Family};
use crate::fault::fault_kind::FaultKind;
use crate::fault::flag::{flag, read, target};
use crate::fault::proof::Proof;
use crate::fault::stage::{State, Strike};
use crate::parameters::{MemberChange, Parameters, Target};
use crate::partition::majority;
use crate::plan::{Aim, Moved, Others, Planning};
use crate::refusal::{Complaint, Refusal};
use crate::scope::{Ends, Hit, Scope};
use crate::select::by_name;
use crate::topology::Topology;
use std::collections::BTreeSet;

/// Adds, removes or replaces members; the end undoes the change.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reconfigure {
    target: Option<Target>,
    change: Option<MemberChange>,
    /// The nodes that replace the removed ones.
    instead: Vec<String>,
}

impl FaultKind for Reconfigure {
    const ENTRY: Entry = Entry {
        about: "members are added, removed or replaced; brought back at the end",
        evidence: "the configuration read back",
        keys: &["target", "change"],
        changes_members: true,
        flags: &[flag(
            "reconfigure",
            "CHANGE[:TARGET]",
            "replace:leader",
            "Change the members: add, remove:leader or replace:random (any target); brought back at the end",
            from_flag,
        )],
        examples: &["change = \"add\"\n", "change = \"replace\"\n", "change = \"remove\"\n"],
        ..Entry::new("reconfigure", Family::Cluster)
    };

    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        Ok(Self { target: parameters.target.clone(), change: parameters.change, instead: Vec::new() })
    }

    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
        let topology = planning.topology;
        let change = self.change.ok_or_else(|| {
            Refusal::new("change", "say what happens: change = \"add\", \"remove\" or \"replace\"")
        })?;
        if change == MemberChange::Add {
            let spares = named_spares(self.target.as_ref(), topology, &planning.others)?;
            return Ok(planned(change, &spares.join(" "), Ends::Nodes(spares), &[]));
        }
        let target = self.target.as_ref().ok_or_else(|| {
            Refusal::new(
                "target",
                "say which node is removed, for example target = \"leader\" or target = \"random\"",
            )
        })?;
        let used = planning.others.used.clone();
        let ends = planning.choose_beside(&used, "target", target)?;
        let goes = match &ends {
            Ends::Leader => 1,
            Ends::Nodes(names) => {
                let spares: BTreeSet<&str> = topology.spares().collect();
                let refuse = |reason: String, name: &str| Complaint::new(reason).about(name).of("target");
                if let Some(name) = names.iter().find(|name| spares.contains(name.as_str())) {
                    let reason = format!("`{name}` is a spare node, which can only be added");
                    return Err(refuse(reason, name));
                }
                if let Some(name) = names.iter().find(|name| used.contains(*name)) {
                    let reason = format!("another change removes `{name}` at the same time");
                    return Err(refuse(reason, name));
                }
                names.len()
            }
        };
        self.instead = match change {
            MemberChange::Replace => free_spares(&planning.others, topology, goes)?,
            MemberChange::Remove | MemberChange::Add => {
                enough_stay(topology, &ends, planning.others.missing)?;
                Vec::new()
            }
        };
        Ok(planned(change, &target.to_string(), ends, &self.instead))
    }

    fn hurt(&self, hit: Option<&Hit>) -> Hurt {
        match self.change {
            Some(MemberChange::Remove | MemberChange::Replace) => Hurt::down(hit),
            Some(MemberChange::Add) | None => Hurt::default(),
        }
    }

    fn moves_members(&self, nodes: Option<&[String]>) -> Option<Moved> {
        let removes = self.change == Some(MemberChange::Remove);
        Some(Moved {
            nodes: nodes.into_iter().flatten().chain(&self.instead).cloned().collect(),
            missing: if removes { nodes.map_or(1, <[String]>::len) } else { 0 },
        })
    }

    async fn start(&self, strike: &Strike<'_>, _: &mut State) -> (u64, Proof) {
        let change = self.change.expect("a plan without a change was refused");
        members::start(strike, change, &self.instead).await
    }

    async fn end(&self, strike: &Strike<'_>, _: &State) -> (u64, Proof) {
        members::end(strike).await
    }
}

/// Parameters of the option: `add`, or `remove` or `replace` with a target behind a colon.
fn from_flag(text: &str) -> Result<Parameters, String> {
    let (change, on) = text.split_once(':').map_or((text, None), |(change, on)| (change, Some(on)));
    let change = read::<MemberChange>(change)?;
    let on = on.or((change != MemberChange::Add).then_some("random"));
    Ok(Parameters { change: Some(change), target: on.map(target), ..Parameters::default() })
}

/// The first spare nodes that no other change uses; the refusal has their number.
fn free_spares(others: &Others, topology: &Topology, count: usize) -> Result<Vec<String>, Refusal> {
    let free = topology.spares().filter(|spare| !others.used.contains(*spare));
    let free: Vec<String> = free.take(count).map(str::to_owned).collect();
    if free.len() == count {
        return Ok(free);
    }
    Err(match topology.spares().count() {
        0 => Refusal::new("change", "there is no spare node to add")
            .help("give the cluster some: spares = 1 in [cluster]"),
        all => {
            let reason = format!(
                "it needs {count} of the {all} spare nodes, and other changes of the same time leave {}",
                free.len()
            );
            Refusal::new("change", reason).help("set spares higher in [cluster]")
        }
    })
}

/// The spare nodes to add: the named ones, or the first free one.
fn named_spares(
    target: Option<&Target>,
    topology: &Topology,
    others: &Others,
) -> Result<Vec<String>, Refusal> {
    let first = free_spares(others, topology, 1)?;
    let names = match target {
        None => return Ok(first),
        Some(Target::Word(word)) => vec![word.clone()],
        Some(Target::Nodes(names)) => names.clone(),
    };
    let names = by_name(&names, topology).map_err(|complaint| complaint.of("target"))?;
    let spares: Vec<&str> = topology.spares().collect();
    if let Some(name) = names.iter().find(|name| !spares.contains(&name.as_str())) {
        let complaint = Complaint::new(format!("`{name}` is a member already")).about(name);
        return Err(complaint.help(format!("those that can be added: {}", spares.join(", "))).of("target"));
    }
    if let Some(name) = names.iter().find(|name| others.used.contains(*name)) {
        let complaint = Complaint::new(format!("another change adds `{name}` at the same time"));
        return Err(complaint.about(name).of("target"));
    }
    Ok(names)
}

/// Refuses a removal that leaves no majority of the nodes of a role.
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
            let (of, majority) = (with.len(), majority(with.len()));
            let reason = format!("of {of} {role}s {left} would remain, and a majority is {majority}");
            let refusal = Refusal::new("target", reason);
            return Err(refusal.help("remove fewer, or use change = \"replace\""));
        }
    }
    Ok(())
}

fn planned(change: MemberChange, target: &str, ends: Ends, instead: &[String]) -> Aim {
    let by = if instead.is_empty() { String::new() } else { format!(" by {}", instead.join(" ")) };
    let (nodes, found) = match &ends {
        Ends::Leader => (None, String::new()),
        Ends::Nodes(names) if names.join(" ") == target => (Some(names.clone()), String::new()),
        Ends::Nodes(names) => (Some(names.clone()), format!(" ({})", names.join(" "))),
    };
    let label = format!("{} {target}{found}{by}", change.name());
    Aim { label, target: target.to_owned(), nodes, scope: Scope::Processes(ends) }
}
